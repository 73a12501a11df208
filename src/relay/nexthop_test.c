#include "relay/nexthop.h"

#include "base/test.h"

static const struct {
	const char *text;
	int got;
	const char *host;
	uint16_t port;
	bool no_mx;
} cases[] = {
	{ "example.org", 0, "example.org", 25, false },
	{ "example.org:587", 0, "example.org", 587, false },
	{ "example.org:submission", 0, "example.org", 587, false },
	{ "[mx.example.org]", 0, "mx.example.org", 25, true },
	{ "[mx.example.org]:2525", 0, "mx.example.org", 2525, true },
	{ "[mx.example.org]:smtps", 0, "mx.example.org", 465, true },
	{ "[127.0.0.1]:2526", 0, "127.0.0.1", 2526, true },
	{ "[::1]:2526", 0, "::1", 2526, true },
	{ "[IPv6:::1]", 0, "IPv6:::1", 25, true },
	{ "inet:mx.example.org:26", 0, "mx.example.org", 26, false },
	{ " example.org ", 0, "example.org", 25, false },
	{ "", -1, "", 0, false },
	{ "[]", -1, "", 0, false },
	{ "[a", -1, "", 0, false },
	{ "[a]x", -1, "", 0, false },
	{ "[a]:", -1, "", 0, false },
	{ "[a]:0", -1, "", 0, false },
	{ "[a]:65536", -1, "", 0, false },
	{ "[a]:http", -1, "", 0, false },
	{ ":25", -1, "", 0, false },
	{ "a:", -1, "", 0, false },
};

static void test_nexthop(void **state)
{
	struct nexthop n;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(nexthop_parse(str_c(cases[i].text), 25, &n), cases[i].got);
		if (cases[i].got != 0)
			continue;
		check_str(n.host, cases[i].host);
		check_int(n.port, cases[i].port);
		check_int(n.no_mx, cases[i].no_mx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nexthop) };

	return test_run(tests);
}
