#include "base/arena.h"
#include "base/test.h"
#include "base/utf8.h"

static void test_sequence(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
		bool is_visible;
	} cases[] = {
		{ "a", 1, true },
		{ " ", 1, true },
		{ "~", 1, true },
		{ "\t", 1, false },
		{ "\033[2J", 1, false },
		{ "\x7f", 1, false },
		{ "\xc3\xbc", 2, true },
		{ "\xc2\xa0", 2, true },
		{ "\xc2\x9f", 2, false }, /* controls, as CSI */
		{ "\xc2\x80", 2, false },
		{ "\xe2\x82\xac", 3, true },
		{ "\xf0\x9f\x98\x80", 4, true },
		{ "\xf4\x8f\xbf\xbf", 4, true },
		{ "\xf4\x90\x80\x80", 0, false }, /* over U+10FFFF */
		{ "\xc0\xaf", 0, false },	  /* overlong */
		{ "\xe0\x9f\xbf", 0, false },
		{ "\xed\xa0\x80", 0, false }, /* a surrogate */
		{ "\xe2\x82", 0, false },     /* cut off */
		{ "\xc3", 0, false },
		{ "\xc3(", 0, false },
		{ "\xbc", 0, false },
		{ "\xff", 0, false },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	check_int(utf8_sequence(STR("")), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str octets = str_c(cases[i].octets), rest = octets, shown = utf8_take_visible(&rest);
		size_t n = cases[i].n ? cases[i].n : 1;

		check_int(utf8_sequence(octets), cases[i].n);
		check_int(octets.n - rest.n, n);
		check_str(shown, cases[i].is_visible ? arena_cdup(mem, str_sub(octets, 0, n)) : "?");
	}
	arena_free(&mem);
}

static void test_visible(void **state)
{
	static const struct {
		const char *octets, *shown;
	} cases[] = {
		{ "", "" },
		{ "m\xc3\xbcller@example.net", "m\xc3\xbcller@example.net" },
		{ "a\033[31mb\r\n", "a?[31mb?\?" },
		{ "a\xc2\x9b[31mb", "a?[31mb" },
		{ "\xc3", "?" },
		{ "\xe2\x82[", "?\?[" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(100);

		utf8_add_visible(&out, str_c(cases[i].octets));
		check_str(buf_str(&out), cases[i].shown);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sequence), cmocka_unit_test(test_visible) };

	return test_run(tests);
}
