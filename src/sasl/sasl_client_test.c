#include "base/test.h"
#include "sasl/base64.h"
#include "sasl/cram_md5.h"
#include "sasl/sasl_client.h"
#include "sasl/sasl_mech.h"
#include "sasl/saslprep.h"

static enum sasl_client_mech choose(
	const char *offered, const char *filter, const char *options, bool can_bind, bool is_tls)
{
	return sasl_client_choose(
		&(struct sasl_client_choice){ str_c(offered), str_c(filter), str_c(options), can_bind, is_tls });
}

static void test_choice(void **state)
{
	static const struct {
		const char *offered, *filter, *options;
		bool can_bind;
		enum sasl_client_mech want;
	} cases[] = {
		{ "PLAIN LOGIN", "", "noanonymous", false, SASL_CLIENT_PLAIN },
		{ "LOGIN PLAIN CRAM-MD5", "", "", false, SASL_CLIENT_CRAM_MD5 },
		{ "login", "", "", false, SASL_CLIENT_LOGIN },
		{ "DIGEST-MD5 GSSAPI", "", "", false, SASL_CLIENT_NONE },
		{ "", "", "", false, SASL_CLIENT_NONE },
		{ "PLAIN LOGIN", "", "noplaintext, noanonymous", false, SASL_CLIENT_NONE },
		{ "PLAIN LOGIN", "login", "", false, SASL_CLIENT_LOGIN },
		{ "PLAIN LOGIN", "!plain, static:rest", "", false, SASL_CLIENT_LOGIN },
		{ "PLAIN LOGIN", "!plain !login", "", false, SASL_CLIENT_NONE },
		{ "PLAINX", "", "", false, SASL_CLIENT_NONE },
		{ "PLAIN SCRAM-SHA-1 SCRAM-SHA-256", "", "", false, SASL_CLIENT_SCRAM_SHA256 },
		{ "PLAIN SCRAM-SHA-1 SCRAM-SHA-256", "", "noplaintext", false, SASL_CLIENT_SCRAM_SHA256 },
		{ "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "", "", true, SASL_CLIENT_SCRAM_SHA256_PLUS },
		{ "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "", "", false, SASL_CLIENT_SCRAM_SHA256 },
		{ "SCRAM-SHA-512 SCRAM-SHA-1-PLUS", "", "", true, SASL_CLIENT_SCRAM_SHA1_PLUS },
		{ "SCRAM-SHA-256 PLAIN", "!scram-sha-256, static:rest", "", true, SASL_CLIENT_PLAIN },
		{ "CRAM-MD5 PLAIN", "", "noactive", false, SASL_CLIENT_PLAIN },
		{ "CRAM-MD5 PLAIN", "", "nodictionary", false, SASL_CLIENT_PLAIN },
		{ "CRAM-MD5 PLAIN SCRAM-SHA-1", "", "mutual_auth", false, SASL_CLIENT_SCRAM_SHA1 },
		{ "CRAM-MD5 PLAIN", "", "mutual_auth", false, SASL_CLIENT_NONE },
		/* A password is never sent as a token, unless the filter says that it is one. */
		{ "XOAUTH2 OAUTHBEARER", "", "", false, SASL_CLIENT_NONE },
		{ "XOAUTH2 OAUTHBEARER", "!plain, static:rest", "", false, SASL_CLIENT_NONE },
		{ "XOAUTH2 OAUTHBEARER PLAIN", "xoauth2", "", false, SASL_CLIENT_XOAUTH2 },
		{ "XOAUTH2 OAUTHBEARER PLAIN", "xoauth2 oauthbearer", "", false, SASL_CLIENT_OAUTHBEARER },
		{ "XOAUTH2", "xoauth2", "noplaintext", false, SASL_CLIENT_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(choose(cases[i].offered, cases[i].filter, cases[i].options, cases[i].can_bind, false),
			cases[i].want);
	check_int(choose("LOGIN PLAIN CRAM-MD5", "", "", false, true), SASL_CLIENT_PLAIN);
	check_int(choose("LOGIN CRAM-MD5", "", "", false, true), SASL_CLIENT_LOGIN);
	check_int(choose("LOGIN PLAIN CRAM-MD5", "", "noplaintext", false, true), SASL_CLIENT_CRAM_MD5);
	check_int(choose("PLAIN CRAM-MD5", "cram-md5", "", false, true), SASL_CLIENT_CRAM_MD5);
	check_int(choose("PLAIN CRAM-MD5 SCRAM-SHA-1", "", "", false, true), SASL_CLIENT_SCRAM_SHA1);
	check_int(choose("EXTERNAL ANONYMOUS", "", "", true, true), SASL_CLIENT_NONE);
	check_int(choose("EXTERNAL ANONYMOUS PLAIN", "external anonymous", "", true, true), SASL_CLIENT_NONE);
	for (int m = SASL_CLIENT_SCRAM_SHA512_PLUS; m < SASL_CLIENT_MECHS; m++)
		check(strcmp(sasl_client_name((enum sasl_client_mech)m), "none") != 0);
}

static void test_choice_again(void **state)
{
	static const struct {
		const char *offered, *filter, *options;
		bool is_tls;
		enum sasl_client_mech refused, want;
	} cases[] = {
		{ "SCRAM-SHA-512 SCRAM-SHA-256 PLAIN", "", "", true, SASL_CLIENT_SCRAM_SHA512, SASL_CLIENT_PLAIN },
		{ "SCRAM-SHA-512 LOGIN", "", "", true, SASL_CLIENT_SCRAM_SHA512_PLUS, SASL_CLIENT_LOGIN },
		{ "SCRAM-SHA-512 SCRAM-SHA-256 PLAIN", "", "noplaintext", true, SASL_CLIENT_SCRAM_SHA512,
			SASL_CLIENT_SCRAM_SHA256 },
		/* bound or not, it needs the same hash */
		{ "SCRAM-SHA-512 SCRAM-SHA-512-PLUS SCRAM-SHA-1", "", "", true, SASL_CLIENT_SCRAM_SHA512_PLUS,
			SASL_CLIENT_SCRAM_SHA1 },
		{ "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "", "", true, SASL_CLIENT_SCRAM_SHA256_PLUS, SASL_CLIENT_NONE },
		{ "SCRAM-SHA-256 CRAM-MD5", "", "", false, SASL_CLIENT_SCRAM_SHA256, SASL_CLIENT_CRAM_MD5 },
		{ "CRAM-MD5 PLAIN", "", "", false, SASL_CLIENT_CRAM_MD5, SASL_CLIENT_PLAIN },
		{ "CRAM-MD5", "", "", true, SASL_CLIENT_CRAM_MD5, SASL_CLIENT_NONE },
		{ "SCRAM-SHA-256 PLAIN", "scram-sha-256", "", true, SASL_CLIENT_SCRAM_SHA256, SASL_CLIENT_NONE },
		{ "SCRAM-SHA-256 XOAUTH2", "scram-sha-256 xoauth2", "", true, SASL_CLIENT_SCRAM_SHA256,
			SASL_CLIENT_NONE },
		/* the password was seen: it is wrong */
		{ "PLAIN LOGIN CRAM-MD5", "", "", true, SASL_CLIENT_PLAIN, SASL_CLIENT_NONE },
		{ "PLAIN LOGIN", "", "", true, SASL_CLIENT_LOGIN, SASL_CLIENT_NONE },
		{ "XOAUTH2 PLAIN", "xoauth2 plain", "", true, SASL_CLIENT_XOAUTH2, SASL_CLIENT_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sasl_client_choice o = { str_c(cases[i].offered), str_c(cases[i].filter),
			str_c(cases[i].options), true, cases[i].is_tls };

		check_int(sasl_client_choose_again(&o, cases[i].refused), cases[i].want);
	}
}

/* What our server keeps for this password. */
static struct str key_for(struct sasl_xchg *x, struct str pass)
{
	struct buf b = BUF_INIT(SCRAM_RECORD_MAX);
	unsigned char states[CRAM_MD5_STATES];
	struct scram_keys k;
	struct str key;

	if (x->mech->scram == NULL) {
		cram_md5_states(pass, states);
		return arena_dup(x->mem, str_pn(states, sizeof states));
	}
	check_int(scram_keys_new(x->mech->scram, pass, &k), 0);
	check_int(scram_keys_format(x->mech->scram, &k, &b), 0);
	key = arena_dup(x->mem, buf_str(&b));
	buf_free(&b);
	return key;
}

/* The server goes on alone until it needs the client, or has decided. */
static enum sasl_step serve(struct sasl_xchg *x, struct str in, struct str pass, const char *binding)
{
	enum sasl_step s = x->mech->step(x, in);

	for (int i = 0; i < 3 && (s == SASL_WANT_BINDING || s == SASL_WANT_KEY); i++) {
		if (s == SASL_WANT_BINDING)
			x->binding = str_c(binding);
		else
			x->key = key_for(x, pass);
		buf_reset(x->out);
		s = x->mech->step(x, (struct str){ 0 });
	}
	return s;
}

/* Our client against our server. Returns how it ended. */
static enum sasl_step talk(
	enum sasl_client_mech mech, struct str user, struct str pass, struct str stored, bool initial)
{
	const struct sasl_mech *m = sasl_mech_find(str_c(sasl_client_name(mech)));
	struct arena *mem = arena_new(0);
	struct buf challenge = BUF_INIT(4096), answer = BUF_INIT(4096), prepared = BUF_INIT(256);
	struct sasl_xchg *x = sasl_xchg_new(m, mem, &challenge);
	struct sasl_client c;
	enum sasl_step s;
	int r = 0;

	sasl_client_init(&c, mech, user, pass);
	if (m->flags & SASL_CHANNEL_BIND)
		sasl_client_bind(&c, "tls-exporter", STR("channel"), str_c(m->name));
	if (initial)
		r = sasl_client_initial(&c, &answer);
	s = serve(x, r == 1 ? buf_str(&answer) : (struct str){ 0 }, stored, "channel");
	for (int i = 0; s == SASL_MORE && i < 4; i++) {
		buf_wipe(&answer);
		check_int(sasl_client_answer(&c, buf_str(&challenge), &answer), 0);
		buf_reset(&challenge);
		s = serve(x, buf_str(&answer), stored, "channel");
	}
	check_int(saslprep(user, &prepared), 0);
	check(str_eq(x->authcid, buf_str(&prepared)));
	if (s == SASL_CHECK_PASS)
		check(str_eq(x->pass, pass));
	if (s == SASL_OK && m->scram) {
		check(!c.is_proven);
		buf_wipe(&answer);
		check_int(sasl_client_answer(&c, buf_str(&challenge), &answer), 0);
		check_int(answer.n, 0);
		check(c.is_proven);
	}
	check_int(sasl_client_answer(&c, STR("more?"), &answer), -1);
	buf_wipe(&answer);
	buf_free(&prepared);
	buf_free(&challenge);
	arena_wipe(&mem);
	return s;
}

static void test_talk(void **state)
{
	static const struct {
		enum sasl_client_mech mech;
		enum sasl_step right, wrong;
	} cases[] = {
		{ SASL_CLIENT_PLAIN, SASL_CHECK_PASS, SASL_CHECK_PASS },
		{ SASL_CLIENT_LOGIN, SASL_CHECK_PASS, SASL_CHECK_PASS },
		{ SASL_CLIENT_CRAM_MD5, SASL_OK, SASL_FAIL },
		{ SASL_CLIENT_SCRAM_SHA1, SASL_OK, SASL_FAIL },
		{ SASL_CLIENT_SCRAM_SHA256, SASL_OK, SASL_FAIL },
		{ SASL_CLIENT_SCRAM_SHA512, SASL_OK, SASL_FAIL },
		{ SASL_CLIENT_SCRAM_SHA1_PLUS, SASL_OK, SASL_FAIL },
		{ SASL_CLIENT_SCRAM_SHA256_PLUS, SASL_OK, SASL_FAIL },
		{ SASL_CLIENT_SCRAM_SHA512_PLUS, SASL_OK, SASL_FAIL },
	};
	const struct str user = STR("user1@example1.com"), odd = STR("a,b=\xe2\x85\xa8"), pass = STR("SecurePass");

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int initial = 0; initial < 2; initial++) {
			check_int(talk(cases[i].mech, user, pass, pass, initial), cases[i].right);
			check_int(talk(cases[i].mech, odd, pass, pass, initial), cases[i].right);
			check_int(talk(cases[i].mech, user, pass, STR("SecurePast"), initial), cases[i].wrong);
		}
}

static void test_cannot_be_sent(void **state)
{
	static const enum sasl_client_mech mechs[] = { SASL_CLIENT_PLAIN, SASL_CLIENT_SCRAM_SHA256, SASL_CLIENT_XOAUTH2,
		SASL_CLIENT_OAUTHBEARER };
	struct sasl_client c;
	struct buf out = BUF_INIT(16), large = BUF_INIT(4096);
	char long_name[SASL_CLIENT_NAME_MAX + 1];

	(void)state;
	memset(long_name, 'x', sizeof long_name);
	for (size_t i = 0; i < sizeof mechs / sizeof *mechs; i++) {
		sasl_client_init(&c, mechs[i], STR("a\0b"), STR("p"));
		check_int(sasl_client_initial(&c, &out), -1);
		sasl_client_init(&c, mechs[i], STR(""), STR("p"));
		check_int(sasl_client_initial(&c, &out), -1);
		sasl_client_init(&c, mechs[i], STR("u"), STR("p\0q"));
		check_int(sasl_client_initial(&c, &out), -1);
		sasl_client_init(&c, mechs[i], STR("a user of more than the buffer"), STR("a password"));
		check_int(sasl_client_initial(&c, &out), -1);
		buf_wipe(&out);
	}
	sasl_client_init(&c, SASL_CLIENT_SCRAM_SHA1, str_pn(long_name, sizeof long_name), STR("p"));
	check_int(sasl_client_initial(&c, &large), -1);
	buf_wipe(&large);
	sasl_client_init(&c, SASL_CLIENT_OAUTHBEARER, STR("u"), STR("to\1ken"));
	check_int(sasl_client_initial(&c, &large), -1);
	sasl_client_init(&c, SASL_CLIENT_SCRAM_SHA256_PLUS, STR("u"), STR("p")); /* no channel */
	check_int(sasl_client_initial(&c, &large), -1);
	buf_wipe(&large);
}

/* RFC 7628 sec. 4.1 without host and port; the error of sec. 4.3 is answered, and the reply tells the rest. */
static void test_tokens(void **state)
{
	static const struct {
		enum sasl_client_mech mech;
		const char *first, *answer;
	} cases[] = {
		{ SASL_CLIENT_OAUTHBEARER,
			"n,a=us=2Cer@example.com,\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1", "\1" },
		{ SASL_CLIENT_XOAUTH2,
			"user=us,er@example.com\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(4096);
		struct sasl_client c;

		sasl_client_init(
			&c, cases[i].mech, STR("us,er@example.com"), STR("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="));
		check_int(sasl_client_initial(&c, &out), 1);
		check_str(buf_str(&out), cases[i].first);
		check(c.is_proven);
		buf_wipe(&out);
		check_int(sasl_client_answer(&c, STR("{\"status\":\"invalid_token\"}"), &out), 0);
		check_str(buf_str(&out), cases[i].answer);
		check_int(sasl_client_answer(&c, STR("more?"), &out), -1);
		buf_wipe(&out);
	}
}

/* RFC 4422 app. A, RFC 4505: with an initial response, or after an empty challenge. */
static void test_without_password(void **state)
{
	static const struct {
		enum sasl_client_mech mech;
		const char *says;
	} cases[] = { { SASL_CLIENT_EXTERNAL, "" }, { SASL_CLIENT_ANONYMOUS, "sirhc" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(4096);
		struct sasl_client c;

		check(!sasl_client_needs_password(cases[i].mech));
		sasl_client_init(&c, cases[i].mech, STR("sirhc"), STR(""));
		check_int(sasl_client_initial(&c, &out), 1);
		check_str(buf_str(&out), cases[i].says);
		check(c.is_proven);
		check_int(sasl_client_answer(&c, STR("more?"), &out), -1);
		buf_reset(&out);
		sasl_client_init(&c, cases[i].mech, STR("sirhc"), STR(""));
		check_int(sasl_client_answer(&c, STR(""), &out), 0);
		check_str(buf_str(&out), cases[i].says);
		buf_wipe(&out);
	}
	check(sasl_client_needs_password(SASL_CLIENT_PLAIN) && sasl_client_needs_password(SASL_CLIENT_NONE));
}

/* ---- servers that do not know the password, or are worse ---- */

#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define FULL  NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

static void begin(struct sasl_client *c, const char *type, const char *offered, struct buf *out)
{
	sasl_client_init(c, SASL_CLIENT_SCRAM_SHA256, STR("user"), STR("pencil"));
	if (type)
		sasl_client_bind(c, type, STR("data"), str_c(offered));
	c->nonce_n = sizeof NONCE - 1;
	memcpy(c->nonce, NONCE, sizeof NONCE - 1);
	buf_reset(out);
	check_int(sasl_client_initial(c, out), 1);
}

static void test_servers(void **state)
{
	static const struct {
		const char *first, *final;
		const char *why; /* a part of it; NULL: no blame */
		bool is_proven;
	} cases[] = {
		/* RFC 7677 sec. 3 */
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", NULL, true },
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "prove", false },
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "v=", "prove", false },
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "", "prove", false },
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "e=invalid-proof", NULL, false },
		{ "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", NULL, "nonce", false },
		{ "r=x" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", NULL, "nonce", false },
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", NULL, "fewer than 4096", false },
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000000000", NULL, "more iterations", false },
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999999999", NULL, "form", false },
		{ "r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1", NULL, "form", false },
		{ "r=" FULL ",s=!,i=4096", NULL, "form", false },
		{ "r=" FULL ",i=4096", NULL, "form", false },
		{ "m=x,r=" FULL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", NULL, "form", false },
		{ "", NULL, "form", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(4096);
		struct sasl_client c;
		int r;

		begin(&c, NULL, "", &out);
		check_str(buf_str(&out), "n,,n=user,r=" NONCE);
		buf_reset(&out);
		r = sasl_client_answer(&c, str_c(cases[i].first), &out);
		check_int(r, cases[i].final ? 0 : -1);
		if (cases[i].final) {
			check_str(buf_str(&out), "c=biws,r=" FULL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
			check(!c.is_proven);
			r = sasl_client_answer(&c, str_c(cases[i].final), &out);
		}
		check_int(r, cases[i].is_proven ? 0 : -1);
		check(c.is_proven == cases[i].is_proven);
		check((c.why != NULL) == (cases[i].why != NULL));
		if (c.why)
			check(strstr(c.why, cases[i].why) != NULL);
		buf_wipe(&out);
	}
}

/* What the client says of channel binding: that it could, had the server offered it. */
static void test_downgrade(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct sasl_client c;

	(void)state;
	begin(&c, "tls-exporter", "PLAIN SCRAM-SHA-256", &out);
	check_str(buf_str(&out), "y,,n=user,r=" NONCE);
	begin(&c, "tls-exporter", "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", &out);
	check_str(buf_str(&out), "n,,n=user,r=" NONCE);
	begin(&c, NULL, "", &out);
	check_str(buf_str(&out), "n,,n=user,r=" NONCE);
	buf_wipe(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_choice), cmocka_unit_test(test_choice_again),
		cmocka_unit_test(test_talk), cmocka_unit_test(test_cannot_be_sent), cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_without_password), cmocka_unit_test(test_servers),
		cmocka_unit_test(test_downgrade) };

	return test_run(tests);
}
