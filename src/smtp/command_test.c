#include "base/buf.h"
#include "base/test.h"
#include "smtp/command.h"

/* Read all of `in`, given `step` octets more each time, as a session does. Results are shown as "text|" or "-error|". */
static void read_lines(struct str in, size_t step, size_t max, bool take_lf, struct buf *out)
{
	struct smtp_line_reader r = { .take_lf = take_lf };
	struct str line;
	size_t have = 0, from = 0, used;
	int got;

	buf_reset(out);
	do {
		have = have + step < in.n ? have + step : in.n;
		while ((got = smtp_line_next(&r, str_sub(in, from, have - from), max, &used, &line)) != 0) {
			from += used;
			if (got > 0)
				buf_addf(out, "%.*s|", STR_ARG(line));
			else
				buf_addf(out, "%d|", got);
		}
		from += used;
	} while (have < in.n);
}

static void test_lines(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		bool take_lf;
		const char *want;
	} cases[] = {
#define I(s) s, sizeof(s) - 1
		{ I("NOOP\r\nQUIT\r\n"), false, "NOOP|QUIT|" },
		{ I("\r\n"), false, "|" },
		{ I("NOOP"), false, "" },
		{ I("NOOP\r"), false, "" },
		{ I("NOOP\n"), false, "-4|" },
		{ I("NO\rOP\n"), false, "-4|" },
		{ I("NOOP\nQUIT\r\n"), true, "NOOP|QUIT|" },
		{ I("NOOP\rRSET\r\n"), false, "-2|" },
		{ I("NOOP\rRSET\r\n"), true, "-2|" },
		{ I("NOOP\r\r\nQUIT\r\n"), false, "-2|QUIT|" },
		{ I("NO\0OP\r\nQUIT\r\n"), false, "-3|QUIT|" },
		{ I("NO\0OP\n"), false, "-4|" },
		{ I("NO\0OP\nQUIT\r\n"), true, "-3|QUIT|" },
		{ I("0123456789abcd\r\nQUIT\r\n"), false, "0123456789abcd|QUIT|" },
		{ I("0123456789abcde\r\nQUIT\r\n"), false, "-1|QUIT|" },
		{ I("0123456789abcdef\r\nQUIT\r\n"), false, "-1|QUIT|" },
		{ I("0123456789abcdefghijklmnopqrstuvwxyz0123456789\r\nQUIT\r\n"), false, "-1|QUIT|" },
		{ I("0123456789abcdefghijklmno\rpq\0rstuvwxyz0123456789\nQUIT\r\n"), true, "-1|QUIT|" },
		{ I("0123456789abcdefghijklmnopqrstuvwxyz\n\nRSET\r\nQUIT\r\n"), false, "-1|QUIT|" },
		{ I("0123456789abcdefghijklmnopqrstuvwxyz\r\r\nQUIT\r\n"), false, "-1|QUIT|" },
		{ I("0123456789abcdefghijklmnopqrstuvwxyz0123456789"), false, "-1|" },
		{ I("0123456789abcdef"), false, "-1|" }, /* at once: the caller's buffer is full */
		{ I("0123456789abcde"), false, "" },
#undef I
	};
	struct buf got = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t step = 1; step < 60; step++) {
			read_lines(str_pn(cases[i].in, cases[i].n), step, 16, cases[i].take_lf, &got);
			check_str(buf_str(&got), cases[i].want);
		}
	buf_free(&got);
}

static void test_commands(void **state)
{
	static const struct {
		const char *line;
		enum smtp_verb verb;
		const char *word, *arg;
	} cases[] = {
		{ "EHLO a.example", VERB_EHLO, "EHLO", "a.example" },
		{ "ehlo a.example  ", VERB_EHLO, "ehlo", "a.example" },
		{ "helo\ta", VERB_HELO, "helo", "a" },
		{ "MAIL FROM:<a@b>", VERB_MAIL, "MAIL", "FROM:<a@b>" },
		{ "MAIL  FROM:<a@b>", VERB_MAIL, "MAIL", "FROM:<a@b>" },
		{ "RSET", VERB_RSET, "RSET", "" },
		{ "STARTTLS", VERB_STARTTLS, "STARTTLS", "" },
		{ "BDAT 3 LAST", VERB_BDAT, "BDAT", "3 LAST" },
		{ "LHLO x", VERB_LHLO, "LHLO", "x" },
		{ "XCLIENT ADDR=1.2.3.4", VERB_XCLIENT, "XCLIENT", "ADDR=1.2.3.4" },
		{ "", VERB_NONE, "", "" },
		{ " NOOP", VERB_NONE, "", "NOOP" },
		{ "NOOPE", VERB_NONE, "NOOPE", "" },
		{ "GET / HTTP/1.1", VERB_NONE, "GET", "/ HTTP/1.1" },
	};
	struct smtp_command cmd;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		smtp_command_parse(str_c(cases[i].line), &cmd);
		check_int(cmd.verb, cases[i].verb);
		check_str(cmd.word, cases[i].word);
		check_str(cmd.arg, cases[i].arg);
	}
}

static void test_paths(void **state)
{
	static const struct {
		const char *arg;
		int want;
		const char *path, *params;
		bool bracketed;
	} cases[] = {
		{ "FROM:<a@b>", 0, "a@b", "", true },
		{ "from:<a@b> SIZE=1 BODY=7BIT", 0, "a@b", "SIZE=1 BODY=7BIT", true },
		{ "FROM:<>", 0, "", "", true },
		{ "FROM:<> SIZE=1", 0, "", "SIZE=1", true },
		{ "FROM: <a@b>", 0, "a@b", "", true },
		{ "FROM:a@b", 0, "a@b", "", false },
		{ "FROM:a@b SIZE=1", 0, "a@b", "SIZE=1", false },
		{ "FROM:<\"a>b c\"@d> X=1", 0, "\"a>b c\"@d", "X=1", true },
		{ "FROM:<\"a\\\">\"@d>", 0, "\"a\\\">\"@d", "", true },
		{ "FROM:\"a b\"@d X=1", 0, "\"a b\"@d", "X=1", false },
		{ "FROM:<@x.example,@y.example:a@b>", 0, "a@b", "", true },
		{ "FROM:<@[IPv6:::1]:a@b>", 0, "a@b", "", true },
		{ "FROM:<postmaster>", 0, "postmaster", "", true },
		{ "FROM:<a@b>SIZE=1", -1, "", "", false },
		{ "FROM:<a@b", -1, "", "", false },
		{ "FROM:<<a@b>>", -1, "", "", false },
		{ "FROM:a@b>", -1, "", "", false },
		{ "FROM:<\"a@b>", -1, "", "", false },
		{ "FROM:<@x.example>", -1, "", "", false },
		{ "FROM:<@x.example:>", -1, "", "", false },
		{ "FROM:<a\001@b>", -1, "", "", false },
		{ "FROM:", -1, "", "", false },
		{ "FROM", -1, "", "", false },
		{ "", -1, "", "", false },
		{ "TO:<a@b>", -1, "", "", false },
	};
	struct smtp_path_arg out;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int got = smtp_path_parse(str_c(cases[i].arg), STR("FROM:"), &out);

		if (got != cases[i].want)
			printf("arg: %s\n", cases[i].arg);
		check_int(got, cases[i].want);
		if (got < 0)
			continue;
		check_str(out.path, cases[i].path);
		check_str(out.params, cases[i].params);
		check_int(out.bracketed, cases[i].bracketed);
	}
}

static void test_params(void **state)
{
	static const struct {
		const char *params, *want;
	} cases[] = {
		{ "", "0" },
		{ "SIZE=1", "SIZE=1|0" },
		{ "SIZE=1  SMTPUTF8", "SIZE=1|SMTPUTF8=(none)|0" },
		{ "NOTIFY=SUCCESS,DELAY\tX-Y=z", "NOTIFY=SUCCESS,DELAY|X-Y=z|0" },
		{ "SIZE=", "-1" },
		{ "=1", "-1" },
		{ "-A=1", "-1" },
		{ "A=b=c", "-1" },
		{ "A=b\001", "-1" },
		{ "A,B", "-1" },
	};
	struct buf got = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct str params = str_c(cases[i].params), key, value;
		int r;

		buf_reset(&got);
		while ((r = smtp_param_next(&params, &key, &value)) > 0)
			buf_addf(&got, "%.*s=%.*s|", STR_ARG(key), STR_ARG(value.p ? value : STR("(none)")));
		buf_addf(&got, "%d", r);
		check_str(buf_str(&got), cases[i].want);
	}
	buf_free(&got);
}

static void test_xtext(void **state)
{
	static const struct {
		const char *x, *want; /* NULL: refused */
	} cases[] = {
		{ "", "" },
		{ "abc", "abc" },
		{ "a+2Bb+3Dc", "a+b=c" },
		{ "+20", " " },
		{ "+E4", "\xE4" },
		{ "a+00b", NULL },
		{ "a+0Ab", NULL },
		{ "a+09b", NULL },
		{ "a+7Fb", NULL },
		{ "a+zz", NULL },
		{ "a+2b", NULL },
		{ "a+2", NULL },
		{ "a+", NULL },
		{ "a=b", NULL },
		{ "a b", NULL },
		{ "a\xE4", NULL },
	};
	char out[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_int(xtext_decode(str_c(cases[i].x), out, &n), cases[i].want ? 0 : -1);
		if (cases[i].want)
			check_str(str_pn(out, n), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_commands),
		cmocka_unit_test(test_paths), cmocka_unit_test(test_params), cmocka_unit_test(test_xtext) };

	return test_run(tests);
}
