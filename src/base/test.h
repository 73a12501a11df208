/*
 * test.h - what every x_test.c uses on top of cmocka: checks that are counted, so that a test which compares nothing
 * shows, and feeding an input whole and octet by octet.
 *
 *	static void test_x(void **state) { (void)state; check_str(f(STR("a")), "b"); check(1 + 1 == 2); }
 *	int main(void) { const struct CMUnitTest tests[] = { cmocka_unit_test(test_x) }; return test_run(tests); }
 *
 * test_run() fails when no check ran at all, and prints "checks: N" for test/run-unit.
 */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include "base/str.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static size_t test_checks;

#define check(x)                                                       \
	do {                                                           \
		test_checks++;                                         \
		if (!(x))                                              \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, #x); \
	} while (0)
#define check_int(got, want)                                                                            \
	do {                                                                                            \
		long long got_ = (long long)(got), want_ = (long long)(want);                           \
		test_checks++;                                                                          \
		if (got_ != want_)                                                                      \
			fail_msg("%s:%d: %s is %lld, not %lld", __FILE__, __LINE__, #got, got_, want_); \
	} while (0)
#define check_str(got, want)                                                                                     \
	do {                                                                                                     \
		struct str got_ = (got), want_ = str_c(want);                                                    \
		test_checks++;                                                                                   \
		if (!str_eq(got_, want_))                                                                        \
			fail_msg("%s:%d: %s is \"%.*s\", not \"%.*s\"", __FILE__, __LINE__, #got, STR_ARG(got_), \
				STR_ARG(want_));                                                                 \
	} while (0)

#define test_run(tests) test_end(cmocka_run_group_tests(tests, NULL, NULL))
static inline int test_end(int failed)
{
	printf("checks: %zu\n", test_checks);
	return failed || test_checks == 0;
}

#endif
