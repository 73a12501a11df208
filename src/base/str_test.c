#include "base/str.h"
#include "base/crc32c.h"
#include "base/test.h"
#include "base/utf8.h"

static void test_compare(void **state)
{
	(void)state;
	check(str_eq(STR("a"), STR("a")) && !str_eq(STR("a"), STR("A")) && !str_eq(STR("a"), STR("ab")));
	check(str_eq((struct str){ 0 }, STR("")));
	check(str_ieq(STR("MAIL"), STR("mail")) && !str_ieq(STR("MAIL"), STR("mai")));
	check(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("b"), STR("a")) > 0 && str_cmp(STR("a"), STR("ab")) < 0);
	check(str_has_prefix(STR("FROM:<a>"), STR("FROM:")) && !str_has_prefix(STR("FR"), STR("FROM:")));
	check(str_has_iprefix(STR("from:<a>"), STR("FROM:")) && str_has_suffix(STR("x.lmdb"), STR(".lmdb")));
	check(str_has_isuffix(STR("a@EXAMPLE.org"), STR("@example.ORG")) && !str_has_suffix(STR("b"), STR("ab")));
	check(mem_eq_ct("abc", "abc", 3) && !mem_eq_ct("abc", "abd", 3));
}

static void test_cut(void **state)
{
	struct str s = STR("a,,b"), f;

	(void)state;
	check(str_field(&s, ",", &f));
	check_str(f, "a");
	check(str_field(&s, ",", &f) && f.n == 0);
	check(str_field(&s, ",", &f));
	check_str(f, "b");
	check(!str_field(&s, ",", &f));
	s = STR("  one, two\tthree ");
	check(str_word(&s, ", \t", &f));
	check_str(f, "one");
	check(str_word(&s, ", \t", &f));
	check_str(f, "two");
	check(str_word(&s, ", \t", &f));
	check_str(f, "three");
	check(!str_word(&s, ", \t", &f));
	check_str(str_trim(STR(" \t x y \r\n")), "x y");
	check_str(str_sub(STR("hello"), 1, 3), "ell");
	check_str(str_sub(STR("hello"), 4, 30), "o");
	check_int(str_from(STR("hello"), 9).n, 0);
	check_int(str_chr(STR("a@b@c"), '@'), 1);
	check_int(str_rchr(STR("a@b@c"), '@'), 3);
	check_int(str_chr(STR(""), '@'), -1);
}

static void test_nul_is_an_octet(void **state)
{
	struct str a = STR("a\0b"), b = STR("a\0c");

	(void)state;
	check_int(a.n, 3);
	check(!str_eq(a, b));
	check_int(str_chr(a, 'b'), 2);
	check(str_hash(a) != str_hash(b));
}

static void test_numbers(void **state)
{
	static const struct {
		const char *in;
		bool good;
		uint64_t value;
	} cases[] = { { "0", true, 0 }, { "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 }, { "99999999999999999999", false, 0 }, { "", false, 0 },
		{ "+1", false, 0 }, { "-1", false, 0 }, { "1 ", false, 0 }, { "0x1", false, 0 },
		{ "000000000000000000001", false, 0 }, { "00000000000000000001", true, 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t v = 7;

		check_int(str_u64(str_c(cases[i].in), &v), cases[i].good);
		check(v == cases[i].value);
	}
}

static void test_hash(void **state)
{
	(void)state;
	check(str_hash(STR("a")) == str_hash(STR("a")) && str_hash(STR("a")) != str_hash(STR("b")));
	check(str_ihash(STR("Example")) == str_ihash(STR("eXAMPLE")) && str_hash(STR("A")) != str_hash(STR("a")));
}

static void test_utf8(void **state)
{
	const struct {
		struct str in;
		bool valid;
	} cases[] = { { STR("plain"), true }, { STR("\xC3\xA4"), true }, { STR("\xE2\x82\xAC"), true },
		{ STR("\xF0\x9F\x93\xA7"), true }, { STR("\xC0\xAF"), false }, { STR("\xE0\x80\x80"), false },
		{ STR("\xED\xA0\x80"), false }, { STR("\xF4\x90\x80\x80"), false }, { STR("\xC3"), false },
		{ STR("\xFF"), false }, { STR("\x80"), false }, { STR(""), true } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(utf8_is_valid(cases[i].in), cases[i].valid);
	check(str_is_8bit(STR("\xC3\xA4")) && !str_is_8bit(STR("a")));
}

static void test_crc32c(void **state)
{
	unsigned char zeros[32] = { 0 };
	uint32_t whole = crc32c(0, "123456789", 9), parts = 0;

	(void)state;
	check(whole == 0xE3069283); /* RFC 3720 appendix B.4 has the next one */
	check(crc32c(0, zeros, sizeof zeros) == 0x8A9136AA);
	for (size_t i = 0; i < 9; i++)
		parts = crc32c(parts, &"123456789"[i], 1);
	check(parts == whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_compare), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_nul_is_an_octet), cmocka_unit_test(test_numbers), cmocka_unit_test(test_hash),
		cmocka_unit_test(test_utf8), cmocka_unit_test(test_crc32c) };

	return test_run(tests);
}
