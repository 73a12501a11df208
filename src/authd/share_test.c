#include "authd/share.h"
#include "base/test.h"

static void test_setting(void **state)
{
	static const struct {
		const char *value;
		int result;
		const char *host, *path;
		unsigned port;
		const char *db, *password, *stream;
	} cases[] = {
		{ "", 0, NULL, NULL, 6379, "", "", "gatepost/auth" },
		{ "redis:host=192.0.2.1", 0, "192.0.2.1", NULL, 6379, "", "", "gatepost/auth" },
		{ "redis:host=[2001:db8::1]:port=7000:db=2:password=a=b:prefix=x", 0, "2001:db8::1", NULL, 7000, "2",
			"a=b", "xauth" },
		{ "redis:path=/run/redis.sock", 0, "/run/redis.sock", "/run/redis.sock", 6379, "", "",
			"gatepost/auth" },
		{ "redis:host=redis.example.com:", 0, "redis.example.com", NULL, 6379, "", "", "gatepost/auth" },
		{ "memcached:host=192.0.2.1", -1, NULL, NULL, 0, NULL, NULL, NULL },
		{ "redis:", -1, NULL, NULL, 0, NULL, NULL, NULL },
		{ "redis:port=1", -1, NULL, NULL, 0, NULL, NULL, NULL },
		{ "redis:host=a:port=0", -1, NULL, NULL, 0, NULL, NULL, NULL },
		{ "redis:host=a:db=x", -1, NULL, NULL, 0, NULL, NULL, NULL },
		{ "redis:host=a:tls=yes", -1, NULL, NULL, 0, NULL, NULL, NULL },
		{ "redis:path=relative", -1, NULL, NULL, 0, NULL, NULL, NULL },
		{ "redis:host=2001:db8::1", -1, NULL, NULL, 0, NULL, NULL, NULL },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct share_settings s;
		const char *why;

		check_int(share_settings_parse(cases[i].value, mem, &s, &why), cases[i].result);
		if (cases[i].result < 0)
			continue;
		check_str(str_c(s.host), cases[i].host);
		check_str(str_c(s.path), cases[i].path);
		check_int(s.port, cases[i].port);
		check_str(str_c(s.db), cases[i].db);
		check_str(str_c(s.password), cases[i].password);
		check_str(str_c(s.stream), cases[i].stream);
	}
	arena_free(&mem);
}

static void test_there_and_back(void **state)
{
	static const struct defence_event events[] = {
		{ NEWS_FAILED, 1700000000000, { "u@example.org", 13 }, { { 192, 0, 2, 1 }, 0, 32 }, false, false },
		{ NEWS_FAILED, 1, { "\xc3\xa4 b\tc", 6 }, { { 127 }, 0, 32 }, true, true },
		{ NEWS_PASSED, 2, { "", 0 }, { { 0x20, 1, 0xd, 0xb8 }, 1, 64 }, true, false },
		{ NEWS_LIFTED, 3, { "u", 1 }, { { 0 }, 0, 0 }, false, false },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		struct str fields[SHARE_FIELDS];
		struct defence_event e;
		uint64_t node;

		share_write(&events[i], 0xfedcba9876543210, mem, fields);
		check_int(share_read(fields, SHARE_FIELDS, &e, &node), 0);
		check(node == 0xfedcba9876543210);
		check_int(e.news, events[i].news);
		check_int(e.at_ms, events[i].at_ms);
		check(str_eq(e.user, events[i].user));
		check(memcmp(&e.network, &events[i].network, sizeof e.network) == 0);
		check_int(e.is_known, events[i].is_known);
		check_int(e.is_shared, events[i].is_shared);
		/* Each of the first ones has to be there. */
		for (size_t n = 0; n + 1 < SHARE_FIELDS - 2; n++)
			check_int(share_read(fields, n, &e, &node), -1);
		fields[1] = STR("x");
		check_int(share_read(fields, SHARE_FIELDS, &e, &node), -1);
	}
	arena_free(&mem);
}

static void test_id(void **state)
{
	static const struct {
		const char *text;
		bool is_one;
	} cases[] = { { "1700000000000-0", true }, { "0-1", true },
		{ "18446744073709551615-18446744073709551615", false }, { "", false }, { "-", false }, { "1", false },
		{ "1-", false }, { "-1", false }, { "1-2-3", false }, { "1-2\n", false }, { "1\n2", false },
		{ "1-\t2", false }, { "$", false }, { "+1-1", false }, { "18446744073709551616-1", false },
		{ "0000000000000000000001-1", false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (share_is_id(str_c(cases[i].text)) != cases[i].is_one)
			fail_msg("\"%s\"", cases[i].text);
	check(!share_is_id(str_pn("1-2\0", 4)));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_setting), cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_id) };

	return test_run(tests);
}
