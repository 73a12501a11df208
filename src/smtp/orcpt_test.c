#include "base/test.h"
#include "smtp/orcpt.h"

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

/* Also an octet that a C string would end with. */
static void test_nul(void **state)
{
	struct buf out = BUF_INIT(64);

	(void)state;
	check_int(utf8_address_put(&out, str_pn("a\0b\x7f@x", 6)), 0);
	check_str(buf_str(&out), "a\\x{00}b\\x{7F}@x");
	buf_free(&out);
}

static void test_orcpt(void **state)
{
	static const struct {
		const char *orcpt, *original, *address;
		uint8_t notify;
		const char *want;
	} cases[] = {
		{ "rfc822;a+2Bb@x", "", "c@y", 0, "rfc822;a+2Bb@x" }, /* the client's goes first, untouched */
		{ "rfc822;a@x", "b@x", "c@y", NOTIFY_NEVER, "rfc822;a@x" },
		{ "", "", "c+d=e@y", 0, "rfc822;c+2Bd+3De@y" },
		{ "", "alias@x", "c@y", NOTIFY_SUCCESS, "rfc822;alias@x" },
		{ "", "\"a b\"@x", "c@y", 0, "rfc822;\"a+20b\"@x" },
		{ "", "alias@x", "c@y", NOTIFY_NEVER, "" },
		{ "", "", "gr\xc3\xbc\xc3\x9f+\\@\xe4\xb8\xad.example", 0,
			"utf-8;gr\\x{FC}\\x{DF}\\x{2B}\\x{5C}@\\x{4E2D}.example" },
		{ "", "", "\xf0\x9f\x98\x80@x", 0, "utf-8;\\x{1F600}@x" },
		{ "", "", "\xff@x", 0, "" },
		{ "utf-8;\xc3\xb6\\x{2B}@x", "", "c@y", 0, "utf-8;\\x{F6}\\x{2B}@x" },
		{ "utf-8;\\x{F6}@x", "", "c@y", 0, "utf-8;\\x{F6}@x" },
		{ "", LONG LONG LONG LONG LONG "@x", "c@y", 0, "" },
		{ "", LONG LONG LONG LONG "++++++++++++++++++++++++++++++++++++++++@x", "c@y", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct envelope_rcpt r = { .address = str_c(cases[i].address),
			.original = str_c(cases[i].original),
			.orcpt = str_c(cases[i].orcpt),
			.notify = cases[i].notify };

		check_str(orcpt_of(mem, &r), cases[i].want);
		arena_free(&mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_orcpt), cmocka_unit_test(test_nul) };

	return test_run(tests);
}
