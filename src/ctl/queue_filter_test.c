#include "base/test.h"
#include "ctl/queue_filter.h"

static void test_times(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t seconds;
	} cases[] = { { "90", true, 90 }, { "90s", true, 90 }, { "2h", true, 7200 }, { "1d12h", true, 129600 },
		{ "1w", true, 604800 }, { "0", true, 0 }, { "", false, 0 }, { "h", false, 0 }, { "2x", false, 0 },
		{ "-1", false, 0 }, { "99999999999999999999", false, 0 } };
	uint64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check(queue_filter_time(str_c(cases[i].text), &seconds) == cases[i].good);
		if (cases[i].good)
			check_int((long long)seconds, (long long)cases[i].seconds);
	}
}

static void test_requests(void **state)
{
	struct buf b = BUF_INIT(1024);

	(void)state;
	check(queue_filter_add("x", &b, FILTER_FIRST, "@example.org"));
	check(queue_filter_add("x", &b, FILTER_FIRST + 4, "1m"));
	check_str(buf_str(&b), "\tsender=@example.org\tolder=60");
	check(!queue_filter_add("x", &b, FILTER_FIRST + 3, "a\tqueue=hold"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_times), cmocka_unit_test(test_requests) };

	return test_run(tests);
}
