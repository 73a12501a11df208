/* CRAM-MD5, EXTERNAL and ANONYMOUS, server side. */
#include "base/test.h"
#include "sasl/cram_md5.h"
#include "sasl/sasl_mech.h"

struct run {
	struct arena *mem;
	struct buf out;
	struct sasl_xchg *x;
	const struct sasl_mech *mech;
};

static void run_begin(struct run *r, const struct sasl_mech *m)
{
	r->mem = arena_new(0);
	r->out = BUF_INIT(1024);
	r->mech = m;
	r->x = sasl_xchg_new(m, r->mem, &r->out);
}

static enum sasl_step step(struct run *r, struct str in)
{
	buf_reset(&r->out);
	return r->mech->step(r->x, in);
}

static void run_end(struct run *r)
{
	buf_free(&r->out);
	arena_wipe(&r->mem);
}

#define S(lit)                          \
	{                               \
		"" lit, sizeof(lit) - 1 \
	}

static const struct str none = { NULL, 0 };
#define CHALLENGE "<1896.697170952@postoffice.reston.mci.net>"

static enum sasl_step cram(struct run *r, const char *answer, const char *pass)
{
	unsigned char states[CRAM_MD5_STATES];
	enum sasl_step s;

	run_begin(r, &sasl_cram_md5);
	r->x->nonce = STR(CHALLENGE);
	check_int(step(r, none), SASL_MORE);
	check_str(buf_str(&r->out), CHALLENGE);
	s = step(r, str_c(answer));
	if (s != SASL_WANT_KEY)
		return s;
	if (pass) {
		cram_md5_states(str_c(pass), states);
		r->x->key = str_pn(states, sizeof states);
	}
	return step(r, none);
}

static void test_cram_md5(void **state)
{
	static const struct {
		const char *answer, *pass;
		enum sasl_step want;
		const char *user;
	} cases[] = {
		/* RFC 2195 sec. 2 */
		{ "tim b913a602c7eda7a495b4e6e7334d3890", "tanstaaftanstaaf", SASL_OK, "tim" },
		{ "tim b913a602c7eda7a495b4e6e7334d3890", "tanstaaftanstaag", SASL_FAIL, "tim" },
		{ "tim b913a602c7eda7a495b4e6e7334d3890", NULL, SASL_FAIL, "tim" },
		{ "tim b913a602c7eda7a495b4e6e7334d3891", "tanstaaftanstaaf", SASL_FAIL, "tim" },
		{ "tim B913A602C7EDA7A495B4E6E7334D3890", "tanstaaftanstaaf", SASL_FAIL, "tim" },
		{ "tim x b913a602c7eda7a495b4e6e7334d3890", "tanstaaftanstaaf", SASL_OK, "tim x" },
		{ "tim b913a602c7eda7a495b4e6e7334d389", "tanstaaftanstaaf", SASL_BAD, "tim" },
		{ "tim b913a602c7eda7a495b4e6e7334d38900", "tanstaaftanstaaf", SASL_BAD, "tim" },
		{ "b913a602c7eda7a495b4e6e7334d3890", "tanstaaftanstaaf", SASL_BAD, "" },
		{ " b913a602c7eda7a495b4e6e7334d3890", "tanstaaftanstaaf", SASL_BAD, "" },
		{ "tim ", "tanstaaftanstaaf", SASL_BAD, "tim" },
		{ "", "tanstaaftanstaaf", SASL_BAD, "" },
	};
	struct run r;
	char first[128];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(cram(&r, cases[i].answer, cases[i].pass), cases[i].want);
		check_str(r.x->authcid, cases[i].user);
		check((r.x->why != NULL) == (cases[i].want == SASL_BAD));
		run_end(&r);
	}
	run_begin(&r, &sasl_cram_md5); /* sec. 2: the server speaks first */
	check_int(step(&r, STR("tim b913a602c7eda7a495b4e6e7334d3890")), SASL_BAD);
	run_end(&r);
	/* No challenge comes twice. */
	run_begin(&r, &sasl_cram_md5);
	check_int(step(&r, none), SASL_MORE);
	snprintf(first, sizeof first, "%.*s", STR_ARG(buf_str(&r.out)));
	check(first[0] == '<' && strchr(first, '@') && first[strlen(first) - 1] == '>');
	run_end(&r);
	run_begin(&r, &sasl_cram_md5);
	check_int(step(&r, none), SASL_MORE);
	check(!str_eq(buf_str(&r.out), str_c(first)));
	run_end(&r);
}

/* The octets that Dovecot stores: doveadm pw -s CRAM-MD5 -p SecurePass. A key longer than a block is hashed first. */
static void test_states(void **state)
{
	static const char want[] = "7c559e4c9e057c6b2e1a2f105c79b5f353f3bc93f4d1fd3e7bd5ee0206143e79";
	unsigned char states[CRAM_MD5_STATES];
	char text[2 * CRAM_MD5_STATES + 1], key[81] = { 0 }, digest[CRAM_MD5_DIGEST + 1];

	(void)state;
	cram_md5_states(STR("SecurePass"), states);
	for (size_t i = 0; i < sizeof states; i++)
		snprintf(text + 2 * i, 3, "%02x", states[i]);
	check_str(str_c(text), want);
	memset(key, '\xaa', 80); /* RFC 2202 sec. 2, case 6 */
	cram_md5_states(str_c(key), states);
	cram_md5_digest(states, STR("Test Using Larger Than Block-Size Key - Hash Key First"), digest);
	check_str(str_c(digest), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
}

static void test_external(void **state)
{
	static const struct {
		struct str message;
		const char *external;
		bool known;
		enum sasl_step want;
		const char *authzid;
	} cases[] = {
		{ S(""), "john", true, SASL_OK, "" },
		{ S("jim"), "john", true, SASL_OK, "jim" }, /* may he? the caller knows */
		{ S(""), "john", false, SASL_FAIL, "" },
		{ S(""), "", true, SASL_BAD, "" },
		{ S("john"), "", true, SASL_BAD, "john" },
		{ S("a\0b"), "john", true, SASL_BAD, "" },
		{ S("\xff"), "john", true, SASL_BAD, "" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		size_t at = i / 2;
		enum sasl_step s;
		struct run r;

		run_begin(&r, &sasl_external);
		r.x->external = str_c(cases[at].external);
		if (i % 2)
			check_int(step(&r, none), SASL_MORE);
		s = step(&r, cases[at].message);
		if (s == SASL_WANT_KEY) {
			check_str(r.x->authcid, cases[at].external);
			r.x->key = cases[at].known ? STR("x") : STR("");
			s = step(&r, none);
		}
		check_int(s, cases[at].want);
		check_str(r.x->authzid, cases[at].authzid);
		run_end(&r);
	}
}

static void test_anonymous(void **state)
{
	char long_text[SASL_NAME_MAX + 1];
	struct run r;

	(void)state;
	run_begin(&r, &sasl_anonymous);
	check_int(step(&r, STR("sirhc")), SASL_OK); /* RFC 4505 sec. 4 */
	check_str(r.x->authcid, "sirhc");
	run_end(&r);
	run_begin(&r, &sasl_anonymous);
	check_int(step(&r, none), SASL_MORE);
	check_int(step(&r, STR("")), SASL_OK);
	run_end(&r);
	memset(long_text, 'x', sizeof long_text);
	for (size_t n = SASL_NAME_MAX; n <= sizeof long_text; n++) {
		run_begin(&r, &sasl_anonymous);
		check_int(step(&r, str_pn(long_text, n)), n > SASL_NAME_MAX ? SASL_BAD : SASL_OK);
		run_end(&r);
	}
	run_begin(&r, &sasl_anonymous);
	check_int(step(&r, STR("\xff")), SASL_BAD);
	run_end(&r);
}

static void test_tokens(void **state)
{
	static const struct {
		const char *mech;
		struct str in;
		enum sasl_step want;
		const char *user, *token;
	} cases[] = {
		/* RFC 7628 sec. 4.1 */
		{ "OAUTHBEARER",
			S("n,a=user@example.com,\1host=server.example.com\1port=587\1auth=Bearer "
			  "vF9dft4qmTc2Nvb3RlckBhbHRh\1\1"),
			SASL_WANT_KEY, "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRh" },
		{ "OAUTHBEARER", S("n,,\1auth=bearer abc\1\1"), SASL_WANT_KEY, "", "abc" },
		{ "OAUTHBEARER", S("y,a=a=2Cb,\1auth=Bearer abc\1\1"), SASL_WANT_KEY, "a,b", "abc" },
		{ "OAUTHBEARER", S("n,a=u,\1auth=\1\1"), SASL_BAD, "u", "" }, /* sec. 4.3: a question what there is */
		{ "OAUTHBEARER", S("p=tls-unique,,\1auth=Bearer abc\1\1"), SASL_BAD, "", "" },
		{ "OAUTHBEARER", S("n,a=u,\1auth=Bearer abc\1"), SASL_BAD, "u", "" },
		{ "OAUTHBEARER", S("n,a=u,\1auth=Bearer a c\1\1"), SASL_BAD, "u", "" },
		{ "OAUTHBEARER", S("n,a=u,auth=Bearer abc\1\1"), SASL_BAD, "", "" },
		{ "OAUTHBEARER", S("n,u,\1auth=Bearer abc\1\1"), SASL_BAD, "", "" },
		{ "OAUTHBEARER", S("n,a=u=,\1auth=Bearer abc\1\1"), SASL_BAD, "", "" },
		{ "OAUTHBEARER", S(""), SASL_BAD, "", "" },
		{ "XOAUTH2", S("user=u@example.com\1auth=Bearer ya29.x\1\1"), SASL_WANT_KEY, "u@example.com",
			"ya29.x" },
		{ "XOAUTH2", S("user=u\1\1"), SASL_BAD, "u", "" },
		{ "XOAUTH2", S("user=\1auth=Bearer x\1\1"), SASL_BAD, "", "" },
		{ "XOAUTH2", S("auth=Bearer x\1\1"), SASL_BAD, "", "" },
		{ "XOAUTH2", S("user=u"), SASL_BAD, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct sasl_mech *m = sasl_mech_find(str_c(cases[i].mech));

		for (int known = 0; known < 2; known++) {
			struct run r;

			run_begin(&r, m);
			check_int(step(&r, none), SASL_MORE);
			check_int(step(&r, cases[i].in), cases[i].want);
			check_str(r.x->authcid, cases[i].user);
			check_str(r.x->pass, cases[i].token);
			if (cases[i].want == SASL_WANT_KEY) {
				r.x->key = known ? STR("u") : STR("");
				check_int(step(&r, none), known ? SASL_OK : SASL_MORE);
				check(known || str_has_prefix(buf_str(&r.out), STR("{\"status\":")));
				if (!known) /* sec. 3.2.3: the client says that it has seen it */
					check_int(step(&r, STR("\1")), SASL_FAIL);
			}
			run_end(&r);
		}
	}
}

/* RFC 7628 sec. 3.2.2: what the client learns of a token that is not good. */
static void test_token_error(void **state)
{
	static const struct {
		const char *mech;
		struct str first;
		const char *scope, *openid, *says;
	} cases[] = {
		{ "OAUTHBEARER", S("n,a=u,\1auth=Bearer x\1\1"), "", "", "{\"status\":\"invalid_token\"}" },
		{ "OAUTHBEARER", S("n,a=u,\1auth=Bearer x\1\1"), "mail openid", "https://a/b",
			"{\"status\":\"invalid_token\",\"scope\":\"mail "
			"openid\",\"openid-configuration\":\"https://a/b\"}" },
		{ "XOAUTH2", S("user=u\1auth=Bearer x\1\1"), "mail", "",
			"{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run r;

		run_begin(&r, sasl_mech_find(str_c(cases[i].mech)));
		r.x->token_scope = str_c(cases[i].scope);
		r.x->token_openid = str_c(cases[i].openid);
		check_int(step(&r, cases[i].first), SASL_WANT_KEY);
		r.x->key = STR("");
		check_int(step(&r, none), SASL_MORE);
		check_str(buf_str(&r.out), cases[i].says);
		run_end(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cram_md5), cmocka_unit_test(test_states),
		cmocka_unit_test(test_external), cmocka_unit_test(test_anonymous), cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_token_error) };

	return test_run(tests);
}
