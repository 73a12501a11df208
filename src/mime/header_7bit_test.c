#include "base/test.h"
#include "base/utf8.h"
#include "mime/convert.h"
#include "mime/header_7bit.h"

#include <stdlib.h>
#include <time.h>

#define UE "\xc3\xbc"
#define AE "\xc3\xa4"

static void test_cases(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: it cannot be said */
	} cases[] = {
		{ "Subject: plain\r\n", "Subject: plain\r\n" },
		{ "Subject: " UE "\r\n", "Subject: =?utf-8?q?=C3=BC?=\r\n" },
		{ "Subject: a " UE " b " AE " " UE "\r\n c\r\n",
			"Subject: a =?utf-8?q?=C3=BC?= b =?utf-8?q?=C3=A4_=C3=BC?=\r\n c\r\n" },
		{ "Subject: " UE "\r\n " AE "\r\n", "Subject: =?utf-8?q?=C3=BC_=C3=A4?=\r\n" },
		{ "Subject: some more words stand before it, " UE "\r\n",
			"Subject: some more words stand before it,\r\n =?utf-8?q?=C3=BC?=\r\n" },
		{ "Subject: some more words stand before it,\t" UE "\r\n",
			"Subject: some more words stand before it,\r\n\t=?utf-8?q?=C3=BC?=\r\n" },
		{ "X-Any: \xfc_?=\r\n", "X-Any: =?unknown-8bit?q?=FC=5F=3F=3D?=\r\n" },
		{ "Subject:" UE "\r\n", "Subject:=?utf-8?q?=C3=BC?=\r\n" },
		{ "From: J" UE "rg <j@x.org>\r\n", "From: =?utf-8?q?J=C3=BCrg?= <j@x.org>\r\n" },
		{ "From: \"M" UE "ller, J.\" <j@x.org>\r\n", "From: =?utf-8?q?M=C3=BCller=2C_J=2E?= <j@x.org>\r\n" },
		{ "To: a@b, " UE "<c@d> (" AE "), \"e f\" <g@h>\r\n",
			"To: a@b, =?utf-8?q?=C3=BC?= <c@d> (=?utf-8?q?=C3=A4?=), \"e f\" <g@h>\r\n" },
		{ "To: Team " UE ": a@b, c@d;\r\n", "To: =?utf-8?q?Team_=C3=BC?=: a@b, c@d;\r\n" },
		{ "To: a@b (x (" UE ") y)\r\n", "To: a@b (x (=?utf-8?q?=C3=BC?=) y)\r\n" },
		{ "To: " UE "\r\n", "To: =?utf-8?q?=C3=BC?=\r\n" },
		{ "To: " UE "@x.org\r\n", NULL },
		{ "To: x <" UE "@x.org>\r\n", NULL },
		{ "To: x@" UE ".org\r\n", NULL },
		{ "Message-ID: <" UE "@x>\r\n", "Downgraded-Message-ID: =?utf-8?q?=3C=C3=BC=40x=3E?=\r\n" },
		{ "Received: from " UE "\r\n\tby x\r\n", "Downgraded-Received: =?utf-8?q?from_=C3=BC=09by_x?=\r\n" },
		{ "Content-Type: text/plain; name=\"" UE ".txt\"; x=y\r\n",
			"Content-Type: text/plain;\r\n name*=utf-8''%C3%BC%2Etxt; x=y\r\n" },
		{ "Content-Disposition: attachment; filename=\xfc.txt\r\n",
			"Content-Disposition: attachment;\r\n filename*=unknown-8bit''%FC%2Etxt\r\n" },
		{ "Content-Disposition: attachment; filename=\"a\\\"" UE
		  "12345678901234567890123456789012345678901\"\r\n",
			"Content-Disposition: attachment;\r\n "
			"filename*0*=utf-8''a%22%C3%BC12345678901234567890123456789012345678;"
			"\r\n filename*1*=901\r\n" },
		{ "Content-Type: multipart/mixed; boundary=\"" UE "\"\r\n", NULL },
		{ "Content-Type: text/" UE "\r\n", NULL },
		{ "Content-Type: text/plain; name*=utf-8''" UE "\r\n", NULL },
		{ "--x: " UE "\r\n", NULL },
		{ "Subject: a\rb\nc\r\n", "Subject: a b c\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(10000);
		struct str in = str_c(cases[i].in);

		check_int(mime_field_put(&out, in, true), cases[i].out ? 0 : -1);
		check_str(buf_str(&out), cases[i].out ? cases[i].out : "");
		check_int(mime_field_is_odd(in, true), cases[i].out == NULL || !str_eq(in, str_c(cases[i].out)));
		check_int(mime_field_is_odd(in, false), str_eq(in, STR("Subject: a\rb\nc\r\n")));
		buf_free(&out);
	}
}

static void check_fit(struct str out)
{
	size_t line = 0;

	check(!str_is_8bit(out));
	for (size_t i = 0; i < out.n; i++) {
		check(out.p[i] != '\r' || (i + 1 < out.n && out.p[i + 1] == '\n'));
		check(out.p[i] != '\n' || (i > 0 && out.p[i - 1] == '\r'));
		line = out.p[i] == '\n' ? 0 : line + 1;
		check(line <= 998 + (out.p[i] == '\r'));
	}
}

/* Long ones: folded at a blank, or cut where there is none; encoded words in lines of 76. */
static void test_long(void **state)
{
	static const char *const words[] = { "word ", "x", UE, UE " ", "\xfc", " ", "\t", "\x80" };
	static const char *const names[] = { "Subject", "From", "Content-Disposition", "Received", "X-Y" };

	(void)state;
	for (size_t w = 0; w < sizeof words / sizeof *words; w++)
		for (size_t k = 0; k < sizeof names / sizeof *names; k++)
			for (size_t n = 985; n < 4000; n = n < 1010 ? n + 1 : n * 2) {
				struct buf in = BUF_INIT(100000), out = BUF_INIT(100000);

				buf_addf(&in, "%s: ", names[k]);
				if (k == 1)
					buf_add_c(&in, "<a@b> (");
				if (k == 2)
					buf_add_c(&in, "attachment; filename=\"");
				while (in.n < n)
					buf_add_c(&in, words[w]);
				buf_add_c(&in, k == 1 ? ")\r\n" : k == 2 ? "\"\r\n" : "\r\n");
				check_int(mime_field_put(&out, buf_str(&in), true), 0);
				check_fit(buf_str(&out));
				check(str_has_suffix(buf_str(&out), STR("\r\n")));
				buf_free(&in);
				buf_free(&out);
			}
}

/* However a field is made to grow, there is room for it, or it cannot be said. */
static void test_growth(void **state)
{
	static const struct {
		const char *start, *again, *end;
		int answer;
	} fields[] = {
		{ "Subject: ", "\xfc a ", "\r\n", 0 },
		{ "Subject: ", "\xfc" UE, "\r\n", 0 },
		{ "To: <a@b> ", "(\xfc)", "\r\n", 0 },
		{ "To: <a@b> (", "\xfc)(", ")\r\n", 0 },
		{ "To: ", "\xfc<@>,", "\r\n", 0 },
		{ "Content-Type: a/b", ";x=\xfc", "\r\n", 0 },
		{ "Content-Disposition: x; a234567890123456789012345678901234567890123456789012345678901234=\"", "\xfc",
			"\"\r\n", 0 },
		{ "Content-Disposition: x; a2345678901234567890123456789012345678901234567890123456789012345=\"",
			"\xfc", "\"\r\n", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct buf in = BUF_INIT(MIME_FIELD_MAX), out = BUF_INIT(SIZE_MAX / 4);

		buf_add_c(&in, fields[i].start);
		while (in.n + strlen(fields[i].again) + strlen(fields[i].end) <= in.max)
			buf_add_c(&in, fields[i].again);
		buf_add_c(&in, fields[i].end);
		check_int(mime_field_put(&out, buf_str(&in), true), fields[i].answer);
		check((out.n > in.n) == (fields[i].answer == 0));
		check_fit(buf_str(&out));
		buf_free(&in);
		buf_free(&out);
	}
}

static unsigned count(struct str in, const char *what)
{
	unsigned n = 0;

	for (size_t i = 0; i < in.n; i++)
		n += str_has_prefix(str_from(in, i), str_c(what));
	return n;
}

/* Where nothing but encoded words follow each other, and no blank, they stay whole, in lines of 76. */
static void test_whole_words(void **state)
{
	static const struct {
		const char *start, *again, *end, *word;
	} fields[] = {
		{ "To: a@b ", "(" UE ")", "", "(=?utf-8?q?=C3=BC?=)" },
		{ "To: a@b ", "(" UE ") ", "", "(=?utf-8?q?=C3=BC?=)" },
		{ "To: a@b ", "(" UE, ")", "(=?utf-8?q?=C3=BC?=" },
		{ "To: a@b ", "((" UE "))", "", "(=?utf-8?q?=C3=BC?=))" },
		{ "To: a@b (", "()" UE, ")", "=?utf-8?q?=C3=BC?=" },
		{ "To: a", "(" UE ").", "b@c", "(=?utf-8?q?=C3=BC?=)." },
		{ "To: a <a@b>", "(\xfc)", "", "(=?unknown-8bit?q?=FC?=)" },
		{ "To: ", UE ",", "a@b", "=?utf-8?q?=C3=BC?=," },
		{ "To: ", "\"" UE "\",", "a@b", "=?utf-8?q?=C3=BC?=," },
		{ "To: ", UE "<a@b>,", "a@b", "=?utf-8?q?=C3=BC?= <a@b>," },
		{ "Resent-To:", UE "(" AE "),", "a@b", "(=?utf-8?q?=C3=A4?=)," },
	};

	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct buf in = BUF_INIT(10000), out = BUF_INIT(200000);
		struct str rest, line;

		buf_add_c(&in, fields[i].start);
		for (unsigned n = 0; n < 400; n++)
			buf_add_c(&in, fields[i].again);
		buf_addf(&in, "%s\r\n", fields[i].end);
		check_int(mime_field_put(&out, buf_str(&in), true), 0);
		check_fit(buf_str(&out));
		check_int(count(buf_str(&out), fields[i].word), 400);
		for (rest = buf_str(&out); str_field(&rest, "\n", &line);)
			check(line.n <= 77);
		buf_free(&in);
		buf_free(&out);
	}
}

static clock_t time_of(const char *again, size_t n)
{
	struct buf in = BUF_INIT(MIME_FIELD_MAX), out = BUF_INIT(SIZE_MAX / 4);
	clock_t start;

	buf_add_c(&in, "To: <a@b> ");
	while (in.n < n - 10)
		buf_add_c(&in, again);
	start = clock();
	check_int(mime_field_put(&out, buf_str(&in), true), 0);
	start = clock() - start;
	buf_free(&in);
	buf_free(&out);
	return start;
}

/* Words that cannot be folded, and those that can: eight times the octets need no more than about eight times as long. */
static void test_time(void **state)
{
	static const char *const again[] = { "(" UE ")", "(" UE ")\t", "(" UE ") ", "\"" UE "\"", "(", ("\\" UE) };

	(void)state;
	for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
		clock_t few = time_of(again[i], MIME_FIELD_MAX / 8), many = time_of(again[i], MIME_FIELD_MAX);

		check(many < 12 * few + CLOCKS_PER_SEC / 50);
	}
}

/* A long name comes again in each line of the value: more than there is memory for a field. */
static void test_long_name(void **state)
{
	struct buf in = BUF_INIT(MIME_FIELD_MAX), out = BUF_INIT(SIZE_MAX / 4);

	(void)state;
	buf_add_c(&in, "Content-Disposition: x; ");
	while (in.n < 5000)
		buf_add_char(&in, 'a');
	buf_add_c(&in, "=\"");
	while (in.n < 65000)
		buf_add_char(&in, '\xfc');
	buf_add_c(&in, "\"\r\n");
	check_int(mime_field_put(&out, buf_str(&in), true), -1);
	check_int(out.n, 0);
	check_int(mime_field_put_spoilt(&out, buf_str(&in)), 0);
	check_fit(buf_str(&out));
	buf_free(&in);
	buf_free(&out);
}

/* To a server that takes 8 bits: only folded, and no character is cut in two. */
static void test_fold_only(void **state)
{
	struct buf in = BUF_INIT(100000), out = BUF_INIT(100000);
	struct str rest, line;

	(void)state;
	buf_add_c(&in, "X: a");
	while (in.n < 3000)
		buf_add_c(&in, UE);
	buf_add_c(&in, "\r\n");
	check(mime_field_is_odd(buf_str(&in), false));
	check_int(mime_field_put(&out, buf_str(&in), false), 0);
	for (rest = buf_str(&out); str_field(&rest, "\n", &line);) {
		check(line.n <= 999);
		check(utf8_is_valid(line));
	}
	buf_free(&in);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_long),
		cmocka_unit_test(test_growth), cmocka_unit_test(test_whole_words), cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_time), cmocka_unit_test(test_fold_only) };

	return test_run(tests);
}
