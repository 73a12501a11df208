#include "tls/impl.h"

#include <stdlib.h>

struct version {
	const char *name;
	int number; /* 0: older than what we ever speak */
	uint64_t off;
};
static const struct version versions[] = {
	{ "SSLv2", 0, 0 },
	{ "SSLv3", 0, 0 },
	{ "TLSv1", 0, 0 },
	{ "TLSv1.0", 0, 0 },
	{ "TLSv1.1", 0, 0 },
	{ "TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
	{ "TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
};

/* The grades of Postfix (TLS_README), over OpenSSL's names; below TLS 1.3, whose suites are all of the highest. */
static const struct {
	const char *grade, *ciphers;
} grades[] = {
	{ "high", "HIGH:!aNULL:!eNULL:!MD5:!RC4:!3DES:!PSK:!SRP:!aDSS:@STRENGTH" },
	{ "medium", "HIGH:MEDIUM:!aNULL:!eNULL:!MD5:!RC4:!3DES:!IDEA:!SEED:!PSK:!SRP:!aDSS:@STRENGTH" },
	{ "low", "HIGH:MEDIUM:!aNULL:!eNULL:!PSK:!SRP:!aDSS:@STRENGTH" },
	{ "export", "HIGH:MEDIUM:!aNULL:!eNULL:!PSK:!SRP:!aDSS:@STRENGTH" },
	{ "null", "eNULL:!aNULL" },
};

static const struct version *version_find(struct str name)
{
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		if (str_ieq(name, str_c(versions[i].name)))
			return &versions[i];
	return NULL;
}

struct range {
	uint64_t off;  /* SSL_OP_NO_… */
	uint64_t only; /* versions named without "!": if any, all others are off */
	int min, max;  /* 0: not given */
};

static int apply_word(struct range *r, struct str word, struct buf *error)
{
	bool floor = str_has_prefix(word, STR(">=")), ceiling = str_has_prefix(word, STR("<="));
	bool not = str_has_prefix(word, STR("!"));
	struct str name = str_trim(str_from(word, floor || ceiling ? 2 : (not ? 1 : 0)));
	const struct version *v;

	if ((floor || ceiling) && name.n == 0)
		return 0; /* no limit on that side, as in Postfix */
	v = version_find(name);
	if (v == NULL) {
		buf_addf(error, "unknown TLS protocol \"%.*s\"; known are TLSv1.2 and TLSv1.3, with >=, <= or !",
			STR_ARG(word));
		return -1;
	}
	if (floor)
		r->min = v->number;
	else if (ceiling && v->number == 0)
		return buf_addf(error, "TLS protocol \"%.*s\" leaves none: TLSv1.2 is the oldest", STR_ARG(word)), -1;
	else if (ceiling)
		r->max = v->number;
	else if (not )
		r->off |= v->off;
	else
		r->only |= v->off;
	return 0;
}

/* What a list of protocols says: SSL_OP_NO_… and the oldest and newest version, 0: no limit. */
static int read_protocols(const char *protocols, struct range *r, struct buf *error)
{
	uint64_t all = SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3;
	struct str rest = str_c(protocols), word;

	memset(r, 0, sizeof *r);
	while (str_word(&rest, " \t\r\n,:", &word))
		if (apply_word(r, word, error) != 0)
			return -1;
	if (r->only)
		r->off |= all & ~r->only;
	if ((r->off & all) == all || (r->max && r->min > r->max)) {
		buf_addf(error, "TLS protocols \"%s\" leave none", protocols);
		return -1;
	}
	if (r->min < TLS1_2_VERSION)
		r->min = TLS1_2_VERSION;
	return 0;
}

/* OpenSSL's list of ciphers for a grade without the excluded ones. */
static int read_ciphers(const char *grade, const char *exclude, struct buf *list, struct buf *error)
{
	struct str rest = str_c(exclude), word;
	const char *base = NULL;

	for (size_t i = 0; i < sizeof grades / sizeof *grades; i++)
		if (str_ieq(str_c(grade), str_c(grades[i].grade)))
			base = grades[i].ciphers;
	if (base == NULL) {
		buf_addf(error, "unknown TLS cipher grade \"%s\"; known are high, medium, low", grade);
		return -1;
	}
	buf_add_c(list, base);
	while (str_word(&rest, " \t\r\n,:", &word))
		buf_addf(list, ":!%.*s", STR_ARG(word));
	return 0;
}

static int no_ciphers(const char *grade, const char *exclude, struct buf *error)
{
	buf_addf(error, "TLS ciphers of grade \"%s\" without \"%s\" leave none: %s", grade, exclude, tls_openssl_why());
	return -1;
}

int tls_apply_policy(SSL_CTX *ssl, const char *protocols, const char *grade, const char *exclude, struct buf *error)
{
	struct buf list = BUF_INIT(8192);
	struct range r;
	int result = read_protocols(protocols, &r, error);

	if (result == 0)
		result = read_ciphers(grade, exclude, &list, error);
	if (result == 0) {
		SSL_CTX_set_options(ssl, r.off);
		SSL_CTX_set_min_proto_version(ssl, r.min);
		SSL_CTX_set_max_proto_version(ssl, r.max);
		if (SSL_CTX_set_cipher_list(ssl, list.p) != 1)
			result = no_ciphers(grade, exclude, error);
	}
	buf_free(&list);
	return result;
}

int tls_apply_protocols(SSL *ssl, const char *protocols, struct buf *error)
{
	struct range r;

	if (read_protocols(protocols, &r, error) != 0)
		return -1;
	SSL_clear_options(ssl, SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3);
	SSL_set_options(ssl, r.off);
	SSL_set_min_proto_version(ssl, r.min);
	SSL_set_max_proto_version(ssl, r.max);
	return 0;
}

int tls_apply_ciphers(SSL *ssl, const char *grade, const char *exclude, struct buf *error)
{
	struct buf list = BUF_INIT(8192);
	int r = read_ciphers(grade, exclude, &list, error);

	if (r == 0 && SSL_set_cipher_list(ssl, list.p) != 1)
		r = no_ciphers(grade, exclude, error);
	buf_free(&list);
	return r;
}
