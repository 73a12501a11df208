#include "auth/key_words.h"
#include "auth/password.h"
#include "base/test.h"

static void test_schemes(void **state)
{
	static const struct {
		const char *scheme;
		bool known, scram;
	} cases[] = { { "SCRAM-SHA-256", true, true }, { "scram-sha-1", true, true }, { "SCRAM-SHA-512", true, true },
		{ "CRAM-MD5", true, false }, { "SCRAM-SHA-3", false, false }, { "SCRAM-", false, false },
		{ "ARGON2ID", false, false }, { "PLAIN", false, false }, { "", false, false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(key_scheme_is_known(str_c(cases[i].scheme)), cases[i].known);
		check_int(key_scheme_is_scram(str_c(cases[i].scheme)), cases[i].scram);
	}
}

static void test_find(void **state)
{
	static const struct {
		const char *words, *scheme, *want; /* NULL: there is none */
	} cases[] = {
		{ "{A}x {B}y {A}z", "A", "x" },
		{ "{A}x  {B}y ", "b", "y" },
		{ "{A}x {B}y", "C", NULL },
		{ "{A}", "A", "" },
		{ "A}x {A {}x }{A}x", "A", NULL },
		{ "", "A", NULL },
		{ "{}x", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str data = { 0 };

		check_int(key_word_find(str_c(cases[i].words), str_c(cases[i].scheme), &data), cases[i].want != NULL);
		check_str(data, cases[i].want ? cases[i].want : "");
	}
}

/* Everything up to the second comma: count and salt. */
static struct str salt_of(struct str data)
{
	size_t n = (size_t)str_chr(data, ',') + 1;

	return str_sub(data, 0, n + (size_t)str_chr(str_from(data, n), ','));
}

static void test_add(void **state)
{
	struct buf one = BUF_INIT(4096), two = BUF_INIT(4096), fresh = BUF_INIT(4096);
	struct str a, b, c;
	static const struct str scheme = { "SCRAM-SHA-256", 13 };

	(void)state;
	check_int(key_word_add(scheme, STR("a"), STR(""), &one), 0);
	check(key_word_find(buf_str(&one), scheme, &a));
	/* Another password, the same salt; behind another word. */
	check_int(key_word_add(STR("CRAM-MD5"), STR("b"), a, &two), 0);
	check_int(key_word_add(scheme, STR("b"), a, &two), 0);
	check(key_word_find(buf_str(&two), scheme, &b));
	check(str_eq(salt_of(a), salt_of(b)) && !str_eq(a, b));
	check_int(password_verify(STR("{SCRAM-SHA-256}"), STR("PLAIN"), STR("b"), false), -PASSWORD_EDATA);
	buf_reset(&one);
	buf_addf(&one, "{SCRAM-SHA-256}%.*s", STR_ARG(b));
	check_int(password_verify(buf_str(&one), STR("PLAIN"), STR("b"), false), 1);
	check_int(password_verify(buf_str(&one), STR("PLAIN"), STR("a"), false), 0);
	/* What is no such data gives no salt. */
	check_int(key_word_add(scheme, STR("b"), STR("nonsense"), &fresh), 0);
	check(key_word_find(buf_str(&fresh), scheme, &c));
	check(!str_eq(salt_of(c), salt_of(b)));
	check_int(key_word_add(STR("ROT13"), STR("b"), STR(""), &fresh), -PASSWORD_ESCHEME);
	buf_wipe(&one);
	buf_wipe(&two);
	buf_wipe(&fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_schemes), cmocka_unit_test(test_find),
		cmocka_unit_test(test_add) };

	return test_run(tests);
}
