#include "authd/network.h"
#include "base/test.h"

static const struct prefixes narrow = { 32, 64 }, wide = { 24, 48 };

static void test_of(void **state)
{
	const struct {
		const char *address, *narrow, *wide;
	} cases[] = {
		{ "192.0.2.77", "192.0.2.77", "192.0.2.0/24" },
		{ "::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24" },
		{ "2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48" },
		{ "::1", "::/64", "::/48" },
		{ "", NULL, NULL },
		{ "192.0.2.0/24", NULL, NULL },
		{ "192.0.2.777", NULL, NULL },
		{ "example.com", NULL, NULL },
		{ "fe80::1%eth0", NULL, NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", NULL, NULL },
	};
	char text[NETWORK_TEXT];
	struct network n;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(network_of(str_c(cases[i].address), &narrow, &n), cases[i].narrow != NULL);
		if (cases[i].narrow == NULL)
			continue;
		check_str(str_c(network_format(&n, text)), cases[i].narrow);
		network_widen(&n, &wide);
		check_str(str_c(network_format(&n, text)), cases[i].wide);
		network_widen(&n, &narrow); /* not back */
		check_str(str_c(network_format(&n, text)), cases[i].wide);
	}
}

static void test_in(void **state)
{
	const struct {
		const char *n, *of;
		bool is;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.0/24", true },
		{ "192.0.2.0/24", "192.0.2.1", false },
		{ "192.0.3.1", "192.0.2.0/23", true },
		{ "192.0.3.1", "192.0.2.0/24", false },
		{ "2001:db8::/64", "2001:db8::/32", true },
		{ "2001:db8::", "192.0.2.0/0", false },
		{ "32.1.13.184", "2001:db8::/32", false },
	};
	struct network n, of;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check(network_parse(str_c(cases[i].n), &n));
		check(network_parse(str_c(cases[i].of), &of));
		check_int(network_is_in(&n, &of), cases[i].is);
	}
	check(!network_parse(STR("192.0.2.0/33"), &n));
	check(!network_parse(STR("192.0.2.0/"), &n));
	check(!network_parse(STR("user1@example1.com"), &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_of), cmocka_unit_test(test_in) };

	return test_run(tests);
}
