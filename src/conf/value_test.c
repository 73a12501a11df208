#include "base/test.h"
#include "conf/conf_impl.h"

static void test_time(void **state)
{
	static const struct {
		const char *text;
		char unit;
		bool ok;
		int64_t want;
	} cases[] = {
		{ "0", 's', true, 0 },
		{ "300s", 's', true, 300 },
		{ "10", 's', true, 10 },
		{ "10", 'm', true, 600 },
		{ "2m", 's', true, 120 },
		{ "3h", 's', true, 10800 },
		{ "5d", 's', true, 432000 },
		{ "1w", 's', true, 604800 },
		{ "0h", 's', true, 0 },
		{ "1H", 's', true, 3600 },
		{ "", 's', false, 0 },
		{ "s", 's', false, 0 },
		{ "5y", 's', false, 0 },
		{ "-5s", 's', false, 0 },
		{ "5 s", 's', false, 0 },
		{ "5ss", 's', false, 0 },
		{ "1.5h", 's', false, 0 },
		{ "2147483647", 's', true, 2147483647 },
		{ "2147483648", 's', false, 0 },
		{ "99999999999999999999d", 's', false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t n;

		check_int(value_time(str_c(cases[i].text), cases[i].unit, &n), cases[i].ok);
		check_int(n, cases[i].want);
	}
}

static void test_numbers(void **state)
{
	int64_t n;
	bool b;

	(void)state;
	check(value_int(STR("0"), &n) && n == 0);
	check(value_int(STR("10240000"), &n) && n == 10240000);
	check(value_int(STR("-5"), &n) && n == -5);
	check(value_int(STR("9223372036854775807"), &n) && n == INT64_MAX);
	check(!value_int(STR("9223372036854775808"), &n));
	check(!value_int(STR(""), &n));
	check(!value_int(STR("-"), &n));
	check(!value_int(STR("10 MB"), &n));
	check(!value_int(STR("+1"), &n));
	check(!value_int(STR("0x10"), &n));
	check(value_bool(STR("yes"), &b) && b);
	check(value_bool(STR("YES"), &b) && b);
	check(value_bool(STR("no"), &b) && !b);
	check(!value_bool(STR(""), &b));
	check(!value_bool(STR("true"), &b));
	check(!value_bool(STR("1"), &b));
}

static void test_levels(void **state)
{
	(void)state;
	check_int(level_compare(STR("3.6"), STR("3.10")), -1);
	check_int(level_compare(STR("3.6"), STR("3.6.0")), 0);
	check_int(level_compare(STR("3.6.1"), STR("3.6")), 1);
	check_int(level_compare(STR("2"), STR("2.0")), 0);
	check_int(level_compare(STR(""), STR("2.0")), -2);
	check_int(level_compare(STR("2"), STR("a")), -2);
	check_int(level_compare(STR("2.3.4.5"), STR("1")), -2);
	check_int(level_compare(STR("3.x"), STR("1")), -2);
}

static void test_types(void **state)
{
	static const struct {
		const char *name, *value;
		const char *wrong; /* NULL: it fits */
	} cases[] = {
		{ "message_size_limit", "10240000", NULL },
		{ "message_size_limit", "10 MB", "not a number; write octets, for example 10240000" },
		{ "message_size_limit", "", "not a number; write octets, for example 10240000" },
		{ "message_size_limit", "-1", "too small; write 0 octets or more" },
		{ "smtpd_timeout", "5y", "not a time; write a number and s, m, h, d or w, for example 300s" },
		{ "smtpd_timeout", "0", "too small; write 1s or more" },
		{ "delay_warning_time", "4h", NULL },
		{ "smtpd_sasl_auth_enable", "maybe", "not a boolean; write yes or no" },
		{ "smtpd_tls_security_level", "encrypt", NULL },
		{ "smtpd_tls_security_level", "Encrypt", NULL },
		{ "smtpd_tls_security_level", "", NULL },
		{ "smtpd_tls_security_level", "always",
			"not a word that is known here; write one of: none, may, encrypt" },
		{ "smtpd_sasl_type", "cyrus", "not a word that is known here; write one of: dovecot" },
		{ "smtpd_forbid_bare_newline_reject_code", "250", "too small; write 500 or more" },
		{ "smtpd_forbid_bare_newline_reject_code", "600", "too large; write 599 or less" },
		{ "smtpd_banner", "anything at all", NULL },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *wrong = value_check(param_find(str_c(cases[i].name)), cases[i].value, mem);

		check_str(str_c(wrong), cases[i].wrong ? cases[i].wrong : "");
	}
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_types),
	};

	return test_run(tests);
}
