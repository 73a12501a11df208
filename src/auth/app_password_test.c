#include "auth/app_password.h"
#include "auth/password.h"
#include "base/test.h"

static void test_draw(void **state)
{
	struct buf a = BUF_INIT(64), b = BUF_INIT(64), stored = BUF_INIT(128);

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		buf_reset(&a);
		buf_reset(&stored);
		app_password_draw(&a);
		check_int(a.n, APP_PASSWORD_TEXT);
		for (size_t k = 0; k < a.n; k++)
			check((a.p[k] == '-') == (k % 5 == 4) && strchr("lo01", a.p[k]) == NULL);
		check_int(app_password_stored(buf_str(&a), &stored), 0);
		check_int(stored.n, APP_PASSWORD_STORED);
	}
	app_password_draw(&b);
	check(!str_eq(buf_str(&a), buf_str(&b)));
	buf_wipe(&a);
	buf_wipe(&b);
	buf_wipe(&stored);
}

static void test_forms(void **state)
{
	static const struct {
		const char *typed;
		bool want;
	} cases[] = {
		{ "abcd-efgh-ijkm-npqr-stuv-wxyz", true },
		{ "abcdefghijkmnpqrstuvwxyz", true },
		{ "ABCD EFGH IJKM NPQR STUV WXYZ", true },
		{ " Abcd-efgh ijkm-npqr--stuv-wxyz ", true },
		{ "abcd-efgh-ijkm-npqr-stuv-wxy", false },
		{ "abcd-efgh-ijkm-npqr-stuv-wxyza", false },
		{ "abcd-efgh-ijkm-npqr-stuv-wxy0", false },
		{ "abcd-efgh-ijkl-npqr-stuv-wxyz", false },
		{ "abcd_efgh_ijkm_npqr_stuv_wxyz", false },
		{ "abcd-efgh-ijkm-npqr-stuv-wx\xc3\xa4", false },
		{ "a-b-c-d-e-f-g-h-i-j-k-m-n-p-q-r-s-t-u-v-w-x-y-z--------------------", false },
		{ "------------------------", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = BUF_INIT(128);

		check_int(app_password_stored(str_c(cases[i].typed), &b) == 0, cases[i].want);
		/* printf abcdefghijkmnpqrstuvwxyz | sha256sum */
		check_str(buf_str(&b),
			cases[i].want ? "{SHA256.hex}7b34cabd317bc4fda488f6c791ce9857518ac209b762bddec9a9fc87ab55eee4"
				      : "");
		if (cases[i].want)
			check_int(
				password_verify(buf_str(&b), STR("CRYPT"), STR("abcdefghijkmnpqrstuvwxyz"), false), 1);
		buf_wipe(&b);
	}
}

static void test_is_in(void **state)
{
	struct buf mine = BUF_INIT(128), other = BUF_INIT(128), words = BUF_INIT(512);

	(void)state;
	app_password_stored(STR("abcd-efgh-ijkm-npqr-stuv-wxyz"), &mine);
	app_password_stored(STR("abcd-efgh-ijkm-npqr-stuv-wxy2"), &other);
	check(app_password_is_in(buf_str(&mine), buf_str(&mine)));
	check(!app_password_is_in(buf_str(&other), buf_str(&mine)));
	check(!app_password_is_in(STR(""), buf_str(&mine)));
	check(!app_password_is_in(STR(""), STR("")));
	check(!app_password_is_in(STR("x y"), STR("x")));
	buf_addf(&words, "%.*s  {SCRAM-SHA-256}1,a,b,c %.*s", STR_ARG(buf_str(&other)), STR_ARG(buf_str(&mine)));
	check(app_password_is_in(buf_str(&words), buf_str(&mine)));
	check(!app_password_is_in(buf_str(&words), str_sub(buf_str(&mine), 0, mine.n - 1)));
	check(!app_password_is_in(str_sub(buf_str(&words), 0, words.n - 1), buf_str(&mine)));
	buf_wipe(&mine);
	buf_wipe(&other);
	buf_wipe(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_draw), cmocka_unit_test(test_forms),
		cmocka_unit_test(test_is_in) };

	return test_run(tests);
}
