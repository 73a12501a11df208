#include "sasl/sasl_client.h"

#include "sasl/cram_md5.h"

enum flag {
	PLAINTEXT = 1,
	ACTIVE = 2,
	DICTIONARY = 4,
	NOT_MUTUAL = 8,
	BINDS = 16,
	TOKEN = 32,
	SCRAM = 64,
	IN_CLEAR = 128,
	NO_PASSWORD = 256
};

/*
 * Best first: what proves the server, and binds the channel; in clear, what does not show the password; of the rest PLAIN
 * needs one round trip, LOGIN three. Under TLS CRAM-MD5 is last: it protects from nobody there, and for it the server
 * has to keep the password itself, which many that offer it do not.
 */
static const struct {
	enum sasl_client_mech mech;
	const char *name;
	unsigned flags;
} mechs[] = {
	{ SASL_CLIENT_SCRAM_SHA512_PLUS, "SCRAM-SHA-512-PLUS", SCRAM | BINDS },
	{ SASL_CLIENT_SCRAM_SHA256_PLUS, "SCRAM-SHA-256-PLUS", SCRAM | BINDS },
	{ SASL_CLIENT_SCRAM_SHA1_PLUS, "SCRAM-SHA-1-PLUS", SCRAM | BINDS },
	{ SASL_CLIENT_SCRAM_SHA512, "SCRAM-SHA-512", SCRAM },
	{ SASL_CLIENT_SCRAM_SHA256, "SCRAM-SHA-256", SCRAM },
	{ SASL_CLIENT_SCRAM_SHA1, "SCRAM-SHA-1", SCRAM },
	{ SASL_CLIENT_CRAM_MD5, "CRAM-MD5", ACTIVE | DICTIONARY | NOT_MUTUAL | IN_CLEAR },
	{ SASL_CLIENT_PLAIN, "PLAIN", PLAINTEXT | NOT_MUTUAL },
	{ SASL_CLIENT_LOGIN, "LOGIN", PLAINTEXT | NOT_MUTUAL },
	{ SASL_CLIENT_CRAM_MD5, "CRAM-MD5", ACTIVE | DICTIONARY | NOT_MUTUAL },
	{ SASL_CLIENT_OAUTHBEARER, "OAUTHBEARER", PLAINTEXT | NOT_MUTUAL | TOKEN },
	{ SASL_CLIENT_XOAUTH2, "XOAUTH2", PLAINTEXT | NOT_MUTUAL | TOKEN },
	{ SASL_CLIENT_EXTERNAL, "EXTERNAL", NOT_MUTUAL | NO_PASSWORD },
	{ SASL_CLIENT_ANONYMOUS, "ANONYMOUS", NOT_MUTUAL | NO_PASSWORD },
};
enum { N_MECHS = sizeof mechs / sizeof *mechs };

static bool has_word(struct str list, const char *word)
{
	struct str w;

	while (str_word(&list, " ,\t", &w))
		if (str_ieq(w, str_c(word)))
			return true;
	return false;
}

/* is_named: it has to be there by its own name. */
static bool passes(struct str filter, const char *name, bool is_named)
{
	struct str w;
	bool any = false;

	while (str_word(&filter, " ,\t", &w)) {
		bool no = w.n && w.p[0] == '!';

		any = true;
		if (no)
			w = str_from(w, 1);
		if (str_ieq(w, str_c(name)))
			return !no;
		if (str_ieq(w, STR("static:rest")))
			return !no && !is_named;
	}
	return !any && !is_named;
}

/* What the options refuse. */
static unsigned refused_by(struct str options)
{
	return (has_word(options, "noplaintext") ? PLAINTEXT : 0U) | (has_word(options, "noactive") ? ACTIVE : 0U) |
	       (has_word(options, "nodictionary") ? DICTIONARY : 0U) |
	       (has_word(options, "mutual_auth") ? NOT_MUTUAL : 0U);
}

static bool is_allowed(const struct sasl_client_choice *o, size_t i)
{
	unsigned refused =
		NO_PASSWORD | refused_by(o->options) | (o->can_bind ? 0U : BINDS) | (o->is_tls ? IN_CLEAR : 0U);

	return has_word(o->offered, mechs[i].name) && passes(o->filter, mechs[i].name, mechs[i].flags & TOKEN) &&
	       !(mechs[i].flags & refused);
}

enum sasl_client_mech sasl_client_choose(const struct sasl_client_choice *o)
{
	for (size_t i = 0; i < N_MECHS; i++)
		if (is_allowed(o, i))
			return mechs[i].mech;
	return SASL_CLIENT_NONE;
}

/* The mechanisms of SCRAM without the binding: what differs in it needs the same hash. */
static int hash_of(enum sasl_client_mech m)
{
	return m >= SASL_CLIENT_SCRAM_SHA512 && m <= SASL_CLIENT_SCRAM_SHA1
		       ? (int)m - (SASL_CLIENT_SCRAM_SHA512 - SASL_CLIENT_SCRAM_SHA512_PLUS)
		       : (int)m;
}

enum sasl_client_mech sasl_client_choose_again(const struct sasl_client_choice *o, enum sasl_client_mech refused)
{
	enum sasl_client_mech other = SASL_CLIENT_NONE;

	if (refused > SASL_CLIENT_CRAM_MD5)
		return SASL_CLIENT_NONE;
	for (size_t i = 0; i < N_MECHS; i++) {
		if (!is_allowed(o, i) || (mechs[i].flags & TOKEN) || hash_of(mechs[i].mech) == hash_of(refused))
			continue;
		if (mechs[i].flags & PLAINTEXT)
			return mechs[i].mech; /* any hash does for it */
		if (other == SASL_CLIENT_NONE)
			other = mechs[i].mech;
	}
	return other;
}

const char *sasl_client_name(enum sasl_client_mech m)
{
	for (size_t i = 0; i < N_MECHS; i++)
		if (mechs[i].mech == m)
			return mechs[i].name;
	return "none";
}

bool sasl_client_needs_password(enum sasl_client_mech m)
{
	return m != SASL_CLIENT_EXTERNAL && m != SASL_CLIENT_ANONYMOUS;
}

static bool is_scram(const struct sasl_client *c)
{
	return c->mech >= SASL_CLIENT_SCRAM_SHA512_PLUS && c->mech <= SASL_CLIENT_SCRAM_SHA1;
}

void sasl_client_init(struct sasl_client *c, enum sasl_client_mech m, struct str user, struct str pass)
{
	*c = (struct sasl_client){ .mech = m, .user = user, .pass = pass };
	c->is_proven = !is_scram(c);
}

void sasl_client_bind(struct sasl_client *c, const char *type, struct str data, struct str offered)
{
	struct str w;

	if (data.n == 0 || data.n > sizeof c->binding)
		return;
	c->binding_type = type;
	memcpy(c->binding, data.p, data.n);
	c->binding_n = data.n;
	while (str_word(&offered, " ,\t", &w))
		c->is_plus_offered |= str_has_iprefix(w, STR("SCRAM-")) && str_has_isuffix(w, STR("-PLUS"));
}

static int add_plain(const struct sasl_client *c, struct buf *out)
{
	/* RFC 4616 sec. 2, without authorization identity */
	if (buf_add_char(out, '\0') < 0 || buf_add_str(out, c->user) < 0 || buf_add_char(out, '\0') < 0 ||
		buf_add_str(out, c->pass) < 0)
		return -1;
	return 0;
}

/* RFC 7628 sec. 3.1; a token is of the alphabet of RFC 6750 sec. 2.1. */
static int add_bearer(const struct sasl_client *c, struct buf *out)
{
	for (size_t i = 0; i < c->pass.n; i++)
		if (!ascii_is_graph(c->pass.p[i]))
			return -1;
	if (buf_add_c(out, "n,a=") < 0 || scram_add_name(out, c->user) < 0 || buf_add_c(out, ",\001auth=Bearer ") < 0 ||
		buf_add_str(out, c->pass) < 0 || buf_add_c(out, "\001\001") < 0)
		return -1;
	return 0;
}

/* Google's and Microsoft's form of before the RFC. */
static int add_xoauth2(const struct sasl_client *c, struct buf *out)
{
	if (str_chr(c->user, '\001') >= 0 || str_chr(c->pass, '\001') >= 0)
		return -1;
	if (buf_add_c(out, "user=") < 0 || buf_add_str(out, c->user) < 0 || buf_add_c(out, "\001auth=Bearer ") < 0 ||
		buf_add_str(out, c->pass) < 0 || buf_add_c(out, "\001\001") < 0)
		return -1;
	return 0;
}

static int add_cram(const struct sasl_client *c, struct str challenge, struct buf *out)
{
	unsigned char states[CRAM_MD5_STATES];
	char digest[CRAM_MD5_DIGEST + 1];

	cram_md5_states(c->pass, states);
	cram_md5_digest(states, challenge, digest);
	mem_wipe(states, sizeof states);
	if (buf_add_str(out, c->user) < 0 || buf_add_char(out, ' ') < 0 || buf_add_c(out, digest) < 0)
		return -1;
	return 0;
}

static int add_first(struct sasl_client *c, struct buf *out)
{
	switch (c->mech) {
	case SASL_CLIENT_PLAIN:
		return add_plain(c, out);
	case SASL_CLIENT_OAUTHBEARER:
		return add_bearer(c, out);
	case SASL_CLIENT_XOAUTH2:
		return add_xoauth2(c, out);
	case SASL_CLIENT_EXTERNAL:
		return 0; /* whoever the channel says that he is */
	case SASL_CLIENT_ANONYMOUS:
		return buf_add_str(out, c->user);
	default:
		return is_scram(c) ? sasl_client_scram_first(c, out) : -1;
	}
}

int sasl_client_initial(struct sasl_client *c, struct buf *out)
{
	if (c->user.n == 0 || (c->pass.n == 0 && sasl_client_needs_password(c->mech)) || str_chr(c->user, '\0') >= 0 ||
		str_chr(c->pass, '\0') >= 0)
		return -1;
	/* Servers differ in what an initial response of LOGIN means; CRAM-MD5 begins with the server's challenge. */
	if (c->mech == SASL_CLIENT_LOGIN || c->mech == SASL_CLIENT_CRAM_MD5)
		return 0;
	if (add_first(c, out) < 0)
		return -1;
	c->turn = 1;
	return 1;
}

/* After the first message these two have nothing to say but that they saw the error (RFC 7628 sec. 3.2.3). */
static int answer_error(struct sasl_client *c, struct buf *out)
{
	if (c->turn != 2)
		return -1;
	return c->mech == SASL_CLIENT_OAUTHBEARER ? buf_add_char(out, '\001') : 0;
}

int sasl_client_answer(struct sasl_client *c, struct str challenge, struct buf *out)
{
	c->turn++;
	if (c->mech == SASL_CLIENT_LOGIN) /* its prompts are told apart by their order only */
		return c->turn > 2 ? -1 : buf_add_str(out, c->turn == 1 ? c->user : c->pass);
	if (c->mech == SASL_CLIENT_CRAM_MD5)
		return c->turn == 1 ? add_cram(c, challenge, out) : -1;
	if (c->turn == 1)
		return add_first(c, out);
	if (c->mech == SASL_CLIENT_OAUTHBEARER || c->mech == SASL_CLIENT_XOAUTH2)
		return answer_error(c, out);
	return is_scram(c) ? sasl_client_scram_answer(c, challenge, out) : -1;
}
