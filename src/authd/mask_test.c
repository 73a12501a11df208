#include "authd/mask.h"
#include "authd/row_cache.h"
#include "base/test.h"

static void test_masks(void **state)
{
	static const struct {
		const char *mask, *s;
		bool want;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "anything@x", true },
		{ "?", "", false },
		{ "?", "a", true },
		{ "john@example.org", "John@Example.ORG", true },
		{ "*@example.org", "john@example.org", true },
		{ "*@example.org", "john@example.org.x", false },
		{ "j*n@*", "john@example.org", true },
		{ "j*n@*", "johan@x", true },
		{ "j*n@*", "joha@x", false },
		{ "**a**", "bab", true },
		{ "a?c", "abc", true },
		{ "a?c", "ac", false },
		{ "*ab*ab", "abcabab", true },
		{ "[a]", "a", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (mask_matches(str_c(cases[i].mask), str_c(cases[i].s)) != cases[i].want)
			fail_msg("%s %s", cases[i].mask, cases[i].s);
	check(true);
}

/* A flush of some users leaves the others; counts are of entries. */
static void test_flush_users(void **state)
{
	struct row_cache *c = row_cache_new(100000, 1000, 1000);
	struct sql_field f = { STR("password"), STR("x"), false };
	struct sql_row row = { &f, 1, NULL }, *got;
	struct arena *mem = arena_new(0);
	const struct str some[] = { STR("nobody*"), STR("john@*") };
	struct row_cache_status s;

	(void)state;
	row_cache_status(NULL, &s);
	check_int(s.max_octets, 0);
	row_cache_put(c, STR("1"), STR("john@a"), &row, 0);
	row_cache_put(c, STR("2"), STR("John@b"), &row, 0);
	row_cache_put(c, STR("3"), STR("mary@a"), &row, 0);
	row_cache_put(c, STR("4"), STR("nobody@a"), NULL, 0);
	check(row_cache_get(c, STR("1"), 1, 0, mem, &got));
	check(!row_cache_get(c, STR("5"), 1, 0, mem, &got));
	check(!row_cache_get(
		c, STR("5"), 1, ROW_CACHE_ANY_AGE, mem, &got)); /* in a database's stead: was counted before */
	row_cache_status(c, &s);
	check_int(s.hits, 1);
	check_int(s.misses, 1);
	check_int(s.positive, 3);
	check_int(s.negative, 1);
	check(s.positive_octets > s.negative_octets && s.negative_octets > 0);
	check_int(s.max_octets, 100000);
	row_cache_reset_counts(c);
	check_int(row_cache_flush_users(c, some, 0), 0);
	check_int(row_cache_flush_users(c, some, 2), 3);
	check_int(row_cache_flush_users(c, some, 2), 0);
	check(!row_cache_get(c, STR("2"), 1, 0, mem, &got));
	check(row_cache_get(c, STR("3"), 1, 0, mem, &got));
	row_cache_status(c, &s);
	check_int(s.hits, 1);
	check_int(s.positive, 1);
	check_int(s.negative, 0);
	check_int(row_cache_flush_users(NULL, some, 2), 0);
	row_cache_free(&c);
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_masks), cmocka_unit_test(test_flush_users) };

	return test_run(tests);
}
