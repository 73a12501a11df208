#include "base/buf.h"
#include "base/test.h"
#include "log/envelope.h"
#include "smtp/wire_check.h"

#include <stdlib.h>

static bool is_fit(struct str in, size_t step)
{
	struct wire_check w = { .line = 0 };

	for (size_t i = 0; i < in.n; i += step)
		if (!wire_check(&w, str_sub(in, i, step)))
			return false;
	return wire_check_end(&w);
}

static void test_cases(void **state)
{
	static const struct {
		const char *in;
		bool fit;
	} cases[] = { { "", true }, { "a\r\n", true }, { "\r\n\r\n", true }, { "..\r\n", true }, { "a", true },
		{ "a\r", false }, { "a\n", false }, { "\n", false }, { "\r", false }, { "a\nb\r\n", false },
		{ "a\rb\r\n", false }, { "a\r\nb", true }, { "a\r\r\n", false }, { "a\r\n\n", false },
		{ "\r\n\r", false }, { "a\r\nb\r\n\r\nc\r\n", true }, { "a\n\r\n", false }, { "\n\r", false },
		{ "a\r.\r\n", false }, { "a\n..\r\n", false }, { "a\r\n..\n", false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t step = 1; step < 5; step++)
			check_int(is_fit(str_c(cases[i].in), step), cases[i].fit);
}

static void test_length(void **state)
{
	(void)state;
	for (size_t n = 990; n < 1010; n++)
		for (int stuffed = 0; stuffed < 2; stuffed++) {
			struct buf in = BUF_INIT(10000);

			buf_add_c(&in, "first\r\n");
			buf_add_c(&in, stuffed ? ".." : "x");
			for (size_t i = 1; i < n; i++)
				buf_add_char(&in, i == 500 ? '.' : 'x');
			buf_add_c(&in, "\r\n");
			for (size_t step = 1; step < in.n; step = step * 2 + 1)
				check_int(is_fit(buf_str(&in), step), n <= 998);
			check_int(is_fit(buf_str(&in), in.n), n <= 998);
			check_int(content_flags(str_from(buf_str(&in), stuffed ? 8 : 7)), n <= 998 ? 0 : ENV_LONG_LINE);
			check_int(content_flags(str_sub(buf_str(&in), 7, n + (size_t)stuffed - 1)),
				n + (size_t)stuffed - 1 <= 998 ? 0 : ENV_LONG_LINE);
			buf_free(&in);
		}
	check_int(content_flags(STR("")), 0);
	check_int(content_flags(STR("a\xff\r\n")), ENV_8BIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_length) };

	return test_run(tests);
}
