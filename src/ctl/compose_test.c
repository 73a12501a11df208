#include "base/corpus_test.h"
#include "ctl/compose.h"
#include "ctl/submit.h"

#include <stdlib.h>
#include <string.h>

static void check_one(struct compose *c, const char *text, const char *want, const char *rcpts)
{
	struct buf out = BUF_INIT(65536);

	c->rcpts = BUF_INIT(65536);
	compose(c, str_c(text), &out);
	check_str(buf_str(&out), want);
	check_str(buf_str(&c->rcpts), rcpts);
	buf_free(&c->rcpts);
	buf_free(&out);
}

static void test_header(void **state)
{
	struct compose c = { .origin = STR("example1.com"), .sender = STR("root"), .full_name = STR("Charlie Root") };

	(void)state;
	check_one(&c, "Subject: x\n\nbody\n", "Subject: x\nFrom: Charlie Root <root@example1.com>\n\nbody\n", "");
	check_one(&c, "Subject: x", "Subject: x\nFrom: Charlie Root <root@example1.com>\n", "");
	check_one(&c, "", "From: Charlie Root <root@example1.com>\n", "");
	check_one(&c, "only a body\n", "From: Charlie Root <root@example1.com>\n\nonly a body\n", "");
	check_one(&c, "From: a\nTo: b, c@d.example,\n e (f)\n\n",
		"From: a@example1.com\nTo: b@example1.com, c@d.example,\n "
		"e@example1.com (f)\n\n",
		"");
	c.full_name = STR("Q. \"X\" \\");
	check_one(&c, "\n", "From: \"Q. \\\"X\\\" \\\\\" <root@example1.com>\n\n", "");
	c.full_name = STR("a\nBcc: x");
	check_one(&c, "\n", "From: \"a Bcc: x\" <root@example1.com>\n\n", ""); /* no field of its own */
	c.leave = true;
	check_one(&c, "To: b\n\n", "To: b\n\n", "");
}

static void test_recipients(void **state)
{
	struct compose c = { .origin = STR("example1.com"), .sender = STR("a@b.example"), .extract = true };

	(void)state;
	check_one(&c, "To: x\nCC: y@z.example\nbcc: h\nFrom: f\n\nTo: body\n",
		"To: x@example1.com\nCC: y@z.example\nbcc: h@example1.com\nFrom: f@example1.com\n\nTo: body\n",
		"x\ny@z.example\nh\n");
	check_one(&c, "To: x\nResent-To: r\nFrom: f\n\n",
		"To: x@example1.com\nResent-To: r@example1.com\nFrom: f@example1.com\n\n", "r\n");
}

static void test_wire_form(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = { { "", ".\r\n" }, { "a", "a\r\n.\r\n" }, { "a\nb\r\n", "a\r\nb\r\n.\r\n" },
		{ ".\n..x\n", "..\r\n...x\r\n.\r\n" }, { "\n\n", "\r\n\r\n.\r\n" }, { "a\rb\n", "a\rb\r\n.\r\n" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1024);

		submit_content(&out, str_c(cases[i].text));
		check_str(buf_str(&out), cases[i].want);
		buf_free(&out);
	}
}

static void test_whole(void **state)
{
	(void)state;
	check(submit_is_whole(STR("MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nx\r\n.\r\n")));
	check(!submit_is_whole(STR("MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nx\r\n")));
	check(!submit_is_whole(STR("MAIL FROM:<>\r\nDATA\r\nx\r\n.\r\n")));
	check(!submit_is_whole(STR("MAIL FROM:<>\r\nRCPT TO:<a>\r\nRSET\r\nDATA\r\n\r\n.\r\n")));
	check(!submit_is_whole(STR("RCPT TO:<a>\r\nDATA\r\n\r\n.\r\n")));
	check(!submit_is_whole(STR("")));
}

/* The addresses of "List", or of all of "Group", a line each. False: one of them is none that mail can go to. */
static bool add_wanted(const json_t *list, struct buf *out)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *address = json_string_value(json_object_get(one, "address"));
		const json_t *group = json_object_get(one, "addresses");

		if (group && !add_wanted(group, out))
			return false;
		if (group)
			continue;
		if (address == NULL || strpbrk(address, " \t/:?") || strchr(address, '@') == NULL)
			return false;
		buf_addf(out, "%s\n", address);
	}
	return true;
}

/* The vectors of another parser: recipients of a To field. */
static void test_corpus(void **state)
{
	unsigned judged = 0, same = 0;
	json_t *all = corpus_load("mime/mail-parser/fields/address.json"), *one;
	size_t i;

	(void)state;
	if (all == NULL)
		return;
	json_array_foreach(all, i, one)
	{
		const json_t *expected = json_object_get(one, "expected");
		struct str field = corpus_field(one);
		struct buf text = BUF_INIT(65536), out = BUF_INIT(65536), want = BUF_INIT(65536);
		struct compose c = { .origin = STR("o.example"),
			.sender = STR("s@o.example"),
			.extract = true,
			.rcpts = BUF_INIT(65536) };

		buf_addf(&text, "To: %.*s\n\nx\n", STR_ARG(field));
		compose(&c, buf_str(&text), &out);
		if (add_wanted(json_object_get(expected, "List"), &want) &&
			add_wanted(json_object_get(expected, "Group"), &want)) {
			judged++;
			same += str_eq(buf_str(&c.rcpts), buf_str(&want));
			if (!str_eq(buf_str(&c.rcpts), buf_str(&want)))
				printf("%.*s\nfound: %.*s\nwanted: %.*s\n", STR_ARG(field), STR_ARG(buf_str(&c.rcpts)),
					STR_ARG(buf_str(&want)));
		}
		buf_free(&text);
		buf_free(&out);
		buf_free(&want);
		buf_free(&c.rcpts);
	}
	printf("recipients: %u of %u\n", same, judged);
	check(judged >= 40);
	check_int(same, judged);
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_header), cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_wire_form), cmocka_unit_test(test_whole), cmocka_unit_test(test_corpus) };

	return test_run(tests);
}
