#include "base/hex.h"
#include "base/test.h"

static void test_add(void **state)
{
	struct buf out = BUF_INIT(7);

	(void)state;
	check_int(hex_add(&out, "\x00\x9a\xff", 3), 0);
	check_str(buf_str(&out), "009aff");
	check_int(hex_add(&out, "x", 1), -1);
	check_str(buf_str(&out), "009aff");
	check_int(hex_add(&out, "", 0), 0);
	buf_free(&out);
}

static void test_decode(void **state)
{
	static const struct {
		const char *digits, *octets;
		int want;
	} cases[] = {
		{ "", "", 0 }, { "536563", "Sec", 0 }, { "4a4B", "JK", 0 }, { "4", "", -1 }, { "4g", "", -1 },
		{ "g4", "", -1 }, { "4a 4b", "", -1 }, { "0x41", "", -1 },
		{ "4142434445", "", -1 }, /* over the maximum */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(4);

		check_int(hex_decode(&out, str_c(cases[i].digits)), cases[i].want);
		if (cases[i].want == 0)
			check_str(buf_str(&out), cases[i].octets);
		buf_free(&out);
	}
}

static void test_value(void **state)
{
	const char *digits = "0123456789abcdef", *capitals = "0123456789ABCDEF";

	(void)state;
	for (int i = 0; i < 16; i++)
		check(hex_value(digits[i]) == i && hex_value(capitals[i]) == i);
	for (const char *none = "/:@G`g \x80"; *none; none++)
		check_int(hex_value(*none), -1);
	check_int(hex_value('\0'), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_value),
	};

	return test_run(tests);
}
