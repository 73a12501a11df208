#include "base/test.h"
#include "ctl/sendmail_envelope.h"

#include <stdlib.h>

static void test_options(void **state)
{
	static const struct {
		int letter;
		const char *value;
		bool good;
	} cases[] = { { 'B', "7BIT", true }, { 'B', "8bitmime", true }, { 'B', "BINARYMIME", false },
		{ 'B', "", false }, { 'N', "never", true }, { 'N', "Success,delay", true },
		{ 'N', "delay,success,failure", true }, { 'N', "never,success", false }, { 'N', "bogus", false },
		{ 'N', " , ", false }, { 'N', "", false }, { 'N', "delay, failure", true },
		{ 'N', "delay,success,failure,delay", true }, { 'R', "hdrs", true }, { 'R', "FULL", true },
		{ 'R', "some", false }, { 'V', "id+1 x", true }, { 'V', "", false }, { 'V', "a\nRCPT TO:<b>", false },
		{ 'V', "\xC3\xA9", false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(envelope_option_fault(cases[i].letter, cases[i].value) == NULL, cases[i].good);
	check_str(str_c(envelope_notify("delay,\tSuccess delay")), "SUCCESS,DELAY");
	check_str(str_c(envelope_notify("Never")), "NEVER");
}

static void test_verp(void **state)
{
	static const struct {
		const char *delimiters, *sender, *rcpt, *want;
	} cases[] = { { "+=", "list@o.example", "user@d.example", "list+user=d.example@o.example" },
		{ "-=", "list@o.example", "user", "list-user=origin.example@o.example" },
		{ "+=", "list", "u@d.example", "list+u=d.example" },
		{ "+=", "list@o.example", "a+b=c@d.example", "list+a+b=c=d.example@o.example" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct envelope_options o = { .verp = cases[i].delimiters, .origin = STR("origin.example") };
		struct buf out = BUF_INIT(1024);

		envelope_verp(&o, str_c(cases[i].sender), str_c(cases[i].rcpt), &out);
		check_str(buf_str(&out), cases[i].want);
		buf_free(&out);
	}
	check(envelope_verp_is_valid("+=", "-=+"));
	check(!envelope_verp_is_valid("+", "-=+"));
	check(!envelope_verp_is_valid("ab", "-=+"));
	check(!envelope_verp_is_valid("+=-", "-=+"));
	check(!envelope_verp_is_valid("", "-=+"));
}

static void check_next(const struct envelope_options *o, struct str *rcpts, const char *want)
{
	struct buf text = BUF_INIT(65536);

	check_int(envelope_next(o, STR("list@o.example"), rcpts, &text), 0);
	check_str(buf_str(&text), want);
	buf_free(&text);
}

static void test_envelopes(void **state)
{
	struct envelope_options all = { .body = "8BITMIME", .notify = "never", .ret = "hdrs", .envid = "a+b c" };
	struct envelope_options verp = { .verp = "+=", .origin = STR("origin.example") }, none = { .body = NULL };
	struct str rcpts = STR("a@x.example\nb@y.example\n"), bad = STR("a\001b\n");
	struct buf text = BUF_INIT(65536);

	(void)state;
	check_next(&all, &rcpts,
		"MAIL FROM:<list@o.example> BODY=8BITMIME RET=hdrs ENVID=a+2Bb+20c\r\n"
		"RCPT TO:<a@x.example> NOTIFY=never\r\nRCPT TO:<b@y.example> NOTIFY=never\r\n");
	check_int(rcpts.n, 0);
	rcpts = STR("a@x.example\n\xC3\xA9@y.example\n");
	check_next(&verp, &rcpts, "MAIL FROM:<list+a=x.example@o.example>\r\nRCPT TO:<a@x.example>\r\n");
	check_next(&verp, &rcpts,
		"MAIL FROM:<list+\xC3\xA9=y.example@o.example> SMTPUTF8\r\nRCPT TO:<\xC3\xA9@y.example>\r\n");
	check_int(rcpts.n, 0);
	check_int(envelope_next(&none, STR("list@o.example"), &bad, &text), -1);
	buf_free(&text);
}

/* One bad address behind any number of good ones is found before anything is made of them. */
static void test_fault(void **state)
{
	static const struct {
		const char *sender, *rcpts, *bad;
	} cases[] = { { "l@o.example", "a@x.example\nb@y.example\n", NULL },
		{ "l@o.example", "a@x.example\nc\001d@y.example\ne@z.example", "c\001d@y.example" },
		{ "l@o.example", "a@x.example\n\177\n", "\177" },
		{ "l\r@o.example", "a@x.example\nb@y.example", "l\r@o.example" } };
	struct envelope_options none = { .body = NULL }, verp = { .verp = "+=", .origin = STR("o") };
	struct buf many = BUF_INIT(1 << 20);
	struct str bad;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int k = 0; k < 2; k++) {
			bool is = envelope_has_fault(
				k ? &verp : &none, str_c(cases[i].sender), str_c(cases[i].rcpts), &bad);

			check_int(is, cases[i].bad != NULL);
			check_str(is ? bad : STR(""), cases[i].bad ? cases[i].bad : "");
		}
	for (unsigned i = 0; i < 10000; i++)
		buf_addf(&many, "user%u@example.net\n", i);
	check(!envelope_has_fault(&none, STR("l@o.example"), buf_str(&many), &bad));
	buf_add_c(&many, "x\001\n");
	check(envelope_has_fault(&none, STR("l@o.example"), buf_str(&many), &bad));
	buf_free(&many);
}

/* More than one envelope holds: none is lost, none is there twice. */
static void test_many(void **state)
{
	enum { RCPTS = 25000 };
	struct envelope_options none = { .body = NULL };
	struct buf all = BUF_INIT(1 << 24), text = BUF_INIT(1 << 24);
	unsigned n = 0, envelopes = 0;
	struct str rest, line;

	(void)state;
	for (unsigned i = 0; i < RCPTS; i++)
		buf_addf(&all, "user%u@example.net\n", i);
	for (rest = buf_str(&all); rest.n; envelopes++) {
		struct str lines;

		buf_reset(&text);
		check_int(envelope_next(&none, STR("l@o.example"), &rest, &text), 0);
		lines = buf_str(&text);
		check(str_word(&lines, "\r\n", &line) && str_eq(line, STR("MAIL FROM:<l@o.example>")));
		for (unsigned here = 0; str_word(&lines, "\r\n", &line); here++, n++) {
			char want[64];

			snprintf(want, sizeof want, "RCPT TO:<user%u@example.net>", n);
			check_str(line, want);
			check(here < ENVELOPE_RCPTS_MAX);
		}
	}
	check_int(n, RCPTS);
	check_int(envelopes, 3);
	buf_free(&all);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_options), cmocka_unit_test(test_verp),
		cmocka_unit_test(test_envelopes), cmocka_unit_test(test_fault), cmocka_unit_test(test_many) };

	return test_run(tests);
}
