#include "base/test.h"
#include "smtp/reply.h"

#define TEN(s)	   s s s s s s s s s s
#define HUNDRED(s) TEN(TEN(s))

static void test_put(void **state)
{
	static const struct {
		int code;
		const char *enhanced;
		bool use;
		const char *text, *want;
	} cases[] = {
		{ 250, "2.1.0", true, "Ok", "250 2.1.0 Ok\r\n" },
		{ 250, "2.1.0", false, "Ok", "250 Ok\r\n" },
		{ 354, "", true, "End data", "354 End data\r\n" },
		{ 550, "5.1.1", true, "a\r\n250 b\t\001", "550 5.1.1 a??250 b??\r\n" },
		{ 550, "5.1.1", true, "\xC3\xA4\xC3", "550 5.1.1 \xC3\xA4?\r\n" },
		{ 550, "5.1.1", true, "\xC2\x9B", "550 5.1.1 ?\r\n" },
		{ 550, "5.1.1", true, "", "550 5.1.1 \r\n" },
		{ 500, "", true, HUNDRED("abcdef"), NULL },
		{ 500, "", true,
			HUNDRED("\xC3\xA4"
				"abcd"),
			NULL },
	};
	struct buf out = BUF_INIT(4096), small = BUF_INIT(4);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_reset(&out);
		check_int(reply_put(&out, cases[i].code, cases[i].enhanced, cases[i].use, str_c(cases[i].text)), 0);
		if (cases[i].want)
			check_str(buf_str(&out), cases[i].want);
		check(out.n <= 512);
		check(str_has_suffix(buf_str(&out), STR("\r\n")));
	}
	check_int(reply_put(&small, 250, "", true, STR("Ok")), -1);
	check_int(small.n, 0);
	buf_free(&out);
	buf_free(&small);
}

static void test_table(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REPLY_COUNT; i++) {
		const struct smtp_reply_row *row = smtp_reply_row(i);

		check(row->text != NULL && row->code >= 200 && row->code < 600);
		/* RFC 2034 sec. 4: the class of both codes is the same. */
		check(row->enhanced[0] == '\0' || row->enhanced[0] == (char)('0' + row->code / 100));
	}
	struct buf out = BUF_INIT(512);

	check_int(smtp_reply_put(&out, REPLY_MAIL_OK, "MAIL", true), 0);
	check_str(buf_str(&out), "250 2.1.0 Ok\r\n");
	buf_reset(&out);
	check_int(smtp_reply_put(&out, REPLY_BDAT_MIXED, "RCPT", false), 0);
	check_str(buf_str(&out), "503 Error: RCPT after BDAT\r\n");
	buf_free(&out);
}

/* Read everything, `step` octets at a time; shown as "code text/enhanced|", "-1" at the end when it is no reply. */
static void read_all(struct str in, size_t step, struct buf *out)
{
	struct reply_reader r = { 0 };
	size_t used, at = 0;
	char enhanced[12];
	int got = 0;

	buf_reset(out);
	while (at < in.n && got >= 0) {
		got = reply_next(&r, str_sub(in, at, step), &used);
		at += used;
		if (got > 0) {
			buf_addf(out, "%d %.*s/%s|", r.code, STR_ARG(buf_str(&r.text)), reply_enhanced(&r, enhanced));
			reply_reset(&r);
		}
	}
	if (got < 0)
		buf_add_c(out, "-1");
	reply_reset(&r);
}

static void test_read(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "220 hi\r\n", "220 hi/2.0.0|" },
		{ "220 hi\n", "220 hi/2.0.0|" },
		{ "220\r\n", "220 /2.0.0|" },
		{ "220\n", "220 /2.0.0|" },
		{ "220 \r\n", "220 /2.0.0|" },
		{ "250-a\r\n250-b\r\n250 c\r\n354 go\r\n", "250 a\nb\nc/2.0.0|354 go/3.0.0|" },
		{ "250-a\r\n250\r\n", "250 a\n/2.0.0|" },
		{ "250-\r\n250 x\r\n", "250 \nx/2.0.0|" },
		{ "550 5.1.1 no\r\n", "550 5.1.1 no/5.1.1|" },
		{ "550 5.1.1\r\n", "550 5.1.1/5.1.1|" },
		{ "550-5.7.26 a\r\n550 5.7.26 b\r\n", "550 5.7.26 a\n5.7.26 b/5.7.26|" },
		{ "550 4.1.1 no\r\n", "550 4.1.1 no/5.0.0|" },
		{ "550 5.1.1x no\r\n", "550 5.1.1x no/5.0.0|" },
		{ "550 5.1234.1 no\r\n", "550 5.1234.1 no/5.0.0|" },
		{ "550 5.1. no\r\n", "550 5.1. no/5.0.0|" },
		{ "550 5.1\r\n", "550 5.1/5.0.0|" },
		{ "550 a\rb\001\tc\r\n", "550 a?b? c/5.0.0|" },
		{ "550 a\r\r\n", "550 a?/5.0.0|" },
		{ "250-a\r\n251 b\r\n", "-1" },
		{ "220_hi\r\n", "-1" },
		{ "22\r\n", "-1" },
		{ "\r\n", "-1" },
		{ "HTTP/1.1 400\r\n", "-1" },
		{ "120 hi\r\n", "-1" },
		{ "620 hi\r\n", "-1" },
		{ "2200 hi\r\n", "-1" },
		{ "220\rx\r\n", "-1" },
		{ "220 hi", "" },
	};
	struct buf got = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t step = 1; step < 40; step++) {
			read_all(str_c(cases[i].in), step, &got);
			check_str(buf_str(&got), cases[i].want);
		}
	buf_free(&got);
}

static void test_limits(void **state)
{
	struct reply_reader r = { 0 };
	struct buf line = BUF_INIT(1 << 20);
	size_t used;

	(void)state;
	buf_add_c(&line, "250-");
	for (int i = 0; i < 600; i++)
		buf_add_c(&line, HUNDRED("x"));
	buf_add_c(&line, "\r\n");
	check_int(reply_next(&r, buf_str(&line), &used), 0);
	check_int(r.text.n, 16 * 1024);
	check_int(reply_next(&r, STR("250 end\r\n"), &used), 1);
	check_int(r.text.n, 16 * 1024);
	reply_reset(&r);
	for (int i = 0; i < 18; i++)
		if (reply_next(&r, buf_str(&line), &used) < 0)
			break;
	check_int(reply_next(&r, STR("250 end\r\n"), &used), -1);
	reply_reset(&r);
	line.n -= 2;
	check_int(reply_next(&r, buf_str(&line), &used), 0);
	check_int(reply_next(&r, buf_str(&line), &used), -1);
	reply_reset(&r);
	buf_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_put), cmocka_unit_test(test_table),
		cmocka_unit_test(test_read), cmocka_unit_test(test_limits) };

	return test_run(tests);
}
