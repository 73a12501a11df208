#include "authd/given.h"
#include "base/test.h"

static void test_text(void **state)
{
	static const struct {
		enum log_passwords how;
		unsigned n;
		const char *pass, *want;
	} cases[] = {
		{ LOG_PASSWORDS_NO, 0, "SecurePass", "" },
		{ LOG_PASSWORDS_NO, 3, "SecurePass", "" },
		{ LOG_PASSWORDS_PLAIN, 0, "SecurePass", " (given password: SecurePass)" },
		{ LOG_PASSWORDS_PLAIN, 3, "SecurePass", " (given password: Sec)" },
		{ LOG_PASSWORDS_PLAIN, 30, "SecurePass", " (given password: SecurePass)" },
		{ LOG_PASSWORDS_PLAIN, 0, "", "" },
		/* printf abc | sha1sum (FIPS 180, too) */
		{ LOG_PASSWORDS_SHA1, 0, "abc", " (SHA1 of given password: a9993e364706816aba3e25717850c26c9cd0d89d)" },
		{ LOG_PASSWORDS_SHA1, 6, "abc", " (SHA1 of given password: a9993e)" },
		{ LOG_PASSWORDS_SHA1, 99, "abc",
			" (SHA1 of given password: a9993e364706816aba3e25717850c26c9cd0d89d)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);

		check_str(str_c(given_text(cases[i].how, cases[i].n, str_c(cases[i].pass), mem)), cases[i].want);
		arena_wipe(&mem);
	}
}

/* Of mechanisms that show a password only. */
static void test_mechanisms(void **state)
{
	static const struct {
		const struct sasl_mech *mech;
		bool wants_key;
		const char *want;
	} cases[] = {
		{ &sasl_plain, false, " (given password: x)" },
		{ &sasl_login, false, " (given password: x)" },
		{ &sasl_plain, true, "" },
		{ &sasl_oauthbearer, false, "" },
		{ &sasl_xoauth2, false, "" },
		{ &sasl_scram_sha256, false, "" },
		{ &sasl_cram_md5, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings set = { .log_passwords = LOG_PASSWORDS_PLAIN };
		struct authd a = { .set = &set };
		struct login l = { .authd = &a,
			.mech = cases[i].mech,
			.wants_key = cases[i].wants_key,
			.mem = arena_new(0),
			.vars.pass = STR("x") };

		check_str(str_c(given_password(&l)), cases[i].want);
		arena_wipe(&l.mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text), cmocka_unit_test(test_mechanisms) };

	return test_run(tests);
}
