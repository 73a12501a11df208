#include "authd/login.h"
#include "base/test.h"

static void test_prints(void **state)
{
	static const struct {
		const char *field, *value, *cert, *key, *secured, *why;
	} cases[] = {
		{ "x", "", "", "", "", "" },
		{ "check_client_fp", "ab12", "ab12", "", "secured", "" },
		{ "check_client_fp", "ab12", "", "AB:12", "secured", "" },
		{ "check_client_fp", "AB:12", "ab12", "", "secured", "" },
		{ "check_client_fp", "ab12", "ab12", "", "", "check_client_fp check failed" },
		{ "check_client_fp", "ab1", "ab12", "", "secured", "check_client_fp check failed" },
		{ "check_client_fp", "ab123", "ab12", "", "secured", "check_client_fp check failed" },
		{ "check_client_fp", "", "", "", "secured", "check_client_fp check failed" },
		{ "check_client_fp", ":", "", "", "secured", "check_client_fp check failed" },
		{ "check_client_cert_fp", "ab12", "", "ab12", "secured", "check_client_cert_fp check failed" },
		{ "check_client_cert_fp", "ab12", "ab12", "", "secured", "" },
		{ "check_client_pubkey_fp", "ab12", "ab12", "", "secured", "check_client_pubkey_fp check failed" },
		{ "check_client_pubkey_fp", "ab12", "", "ab12", "secured", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sql_field f = { str_c(cases[i].field), str_c(cases[i].value), false };
		struct sql_row row = { &f, 1, NULL };
		struct login l = { .cert_print = str_c(cases[i].cert),
			.key_print = str_c(cases[i].key),
			.vars.secured = str_c(cases[i].secured) };

		check_str(str_c(client_print_check(&l, &row)), cases[i].why);
	}
}

static void test_fields(void **state)
{
	struct login l = { .forward = STR("a=b\tc=d\001te\t"),
		.vars = { .orig_user = STR("John"), .user = STR("john") } };
	struct buf b = BUF_INIT(1000);

	(void)state;
	client_forward_fields(&l, &b);
	check_str(buf_str(&b), "\tforward_a=b\tforward_c=d\001te");
	buf_reset(&b);
	client_original_user(&l, &b);
	check_str(buf_str(&b), "\toriginal_user=John");
	buf_reset(&b);
	l.vars.orig_user = STR("john");
	client_original_user(&l, &b);
	l.forward = STR("");
	client_forward_fields(&l, &b);
	check_int(b.n, 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_prints), cmocka_unit_test(test_fields) };

	return test_run(tests);
}
