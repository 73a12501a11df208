/* check_cert.c - certificates that can be used, and that clients would not trust all the same. */
#include "ctl/check.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum { SOON_S = 14 * 24 * 3600, CHAIN_MAX = 20 };

struct file {
	const struct checked *c;
	const char *path;
	X509 *cert[CHAIN_MAX]; /* in the order of the file: the server's own, then those that vouch for it */
	size_t n;
};

/* Services mostly share their certificate: what is wrong with it is said once. */
static void warn(const struct file *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(const struct file *f, const char *format, ...)
{
	struct buf line = BUF_INIT(16384);
	va_list args;

	va_start(args, format);
	buf_addf(&line, ": the certificate %s ", f->path);
	buf_vaddf(&line, format, args);
	buf_add_char(&line, '\n');
	va_end(args);
	if (f->c->warnings->n == 0 || memmem(f->c->warnings->p, f->c->warnings->n, line.p, line.n) == NULL)
		buf_addf(f->c->warnings, "%s%s", f->c->where, line.p);
	buf_free(&line);
}

static void read_file(struct file *f)
{
	FILE *in = fopen(f->path, "re");
	X509 *cert;

	while (in && f->n < CHAIN_MAX && (cert = PEM_read_X509(in, NULL, NULL, NULL)) != NULL)
		f->cert[f->n++] = cert;
	if (in)
		fclose(in);
	ERR_clear_error(); /* the end of the file is an error to it */
}

static void look_at_dates(const struct file *f)
{
	ASN1_TIME *now = ASN1_TIME_set(NULL, f->c->now);
	int days = 0, seconds = 0, known;
	time_t at = f->c->now;

	known = now ? ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(f->cert[0])) : 0;
	ASN1_TIME_free(now);
	if (known != 1)
		return;
	if (days < 0 || seconds < 0)
		warn(f, "expired %d days ago; clients that verify turn away: renew it", -days);
	else if (days * 24L * 3600 + seconds < SOON_S)
		warn(f, "expires in %d days: renew it", days);
	if (X509_cmp_time(X509_get0_notBefore(f->cert[0]), &at) > 0)
		warn(f, "is not valid yet: is the clock of this machine right?");
}

static char *name_text(const X509_NAME *name)
{
	return X509_NAME_oneline(name, NULL, 0);
}

/* RFC 8446 sec. 4.4.2: each certificate certifies the one before it. Not all clients sort. */
static void look_at_order(const struct file *f)
{
	for (size_t i = 0; i + 1 < f->n; i++) {
		char *subject;

		if (X509_check_issued(f->cert[i + 1], f->cert[i]) == X509_V_OK)
			continue;
		subject = name_text(X509_get_subject_name(f->cert[i]));
		warn(f,
			"has its chain in the wrong order: number %zu (%s) was not issued by number %zu; the server's "
			"own "
			"comes first, then the one that issued it, and so on",
			i + 1, subject, i + 2);
		OPENSSL_free(subject);
		return;
	}
}

/* A client knows authorities; those between them and the server have to come from the server. */
static void look_for_issuer(const struct file *f)
{
	const X509 *last = f->cert[f->n - 1];
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *verify = X509_STORE_CTX_new();
	X509 *issuer = NULL;
	char *name;

	X509_STORE_set_default_paths(store);
	if (X509_NAME_cmp(X509_get_subject_name(last), X509_get_issuer_name(last)) != 0 &&
		X509_STORE_CTX_init(verify, store, f->cert[f->n - 1], NULL) == 1 &&
		X509_STORE_CTX_get1_issuer(&issuer, verify, f->cert[f->n - 1]) != 1) {
		name = name_text(X509_get_issuer_name(last));
		warn(f,
			"was issued by %s, which is neither in this file nor an authority that this system trusts: is "
			"the "
			"file with the whole chain (fullchain.pem) meant?",
			name);
		OPENSSL_free(name);
	}
	X509_free(issuer);
	X509_STORE_CTX_free(verify);
	X509_STORE_free(store);
	ERR_clear_error();
}

/* "a.example, *.b.example": the names that it is for. */
static void add_names(X509 *cert, struct buf *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char cn[256];

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			buf_addf(out, "%s%.*s", out->n ? ", " : "", ASN1_STRING_length(name->d.dNSName),
				(const char *)ASN1_STRING_get0_data(name->d.dNSName));
	}
	if (names == NULL && X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof cn) > 0)
		buf_add_c(out, cn);
	GENERAL_NAMES_free(names);
}

static void look_at_names(const struct file *f)
{
	const char *host = conf_str(f->c->view, "myhostname");
	struct buf names = BUF_INIT(8192);

	if (X509_check_host(f->cert[0], host, 0, 0, NULL) == 1)
		return;
	add_names(f->cert[0], &names);
	warn(f, "does not cover myhostname = %s: clients that verify turn away. It is for: %s", host,
		names.n ? names.p : "no host");
	buf_free(&names);
}

static void look_at_file(const struct checked *c, const char *path, bool is_server)
{
	struct file f = { .c = c, .path = path };

	read_file(&f);
	if (f.n > 0) {
		look_at_dates(&f);
		look_at_order(&f);
	}
	if (f.n > 0 && is_server) {
		look_for_issuer(&f);
		look_at_names(&f);
	}
	for (size_t i = 0; i < f.n; i++)
		X509_free(f.cert[i]);
}

void check_certificates(const struct checked *c, const char *parameter, bool is_server)
{
	struct str rest = str_c(conf_str(c->view, parameter)), word;

	while (str_word(&rest, ", \t\r\n", &word)) {
		char *path = xstrndup(word);

		look_at_file(c, path, is_server);
		free(path);
	}
}
