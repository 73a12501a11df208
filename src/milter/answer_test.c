/* What filters answer, and the SMTP replies that they want to be sent. */
#include "milter/answer.h"
#include "base/test.h"
#include "milter/terms.h"

#define ROW(command, data, result, kind, index, name, value)                         \
	{                                                                            \
		command, { data, sizeof data - 1 }, result, kind, index, name, value \
	}

static const struct {
	char command;
	struct str data;
	int result;
	enum milter_answer_kind kind;
	uint32_t index;
	const char *name, *value;
} answers[] = {
	ROW('c', "", 0, ANSWER_CONTINUE, 0, "", ""),
	ROW('c', "x", -1, ANSWER_CONTINUE, 0, "", ""),
	ROW('a', "", 0, ANSWER_ACCEPT, 0, "", ""),
	ROW('r', "", 0, ANSWER_REJECT, 0, "", ""),
	ROW('t', "", 0, ANSWER_TEMPFAIL, 0, "", ""),
	ROW('d', "", 0, ANSWER_DISCARD, 0, "", ""),
	ROW('4', "", 0, ANSWER_SHUTDOWN, 0, "", ""),
	ROW('f', "", 0, ANSWER_CONNECTION, 0, "", ""),
	ROW('s', "", 0, ANSWER_SKIP, 0, "", ""),
	ROW('p', "", 0, ANSWER_PROGRESS, 0, "", ""),
	ROW('y', "550 5.7.1 no\0", 0, ANSWER_REPLY, 0, "550 5.7.1 no", ""),
	ROW('y', "550 5.7.1 no", -1, ANSWER_REPLY, 0, "", ""),
	ROW('h', "X-A\0b\0", 0, ANSWER_ADD_HEADER, 0, "X-A", "b"),
	ROW('h', "X-A\0\0", 0, ANSWER_ADD_HEADER, 0, "X-A", ""),
	ROW('h', "X-A\0b", -1, ANSWER_ADD_HEADER, 0, "", ""),
	ROW('h', "X-A\0b\0c\0", -1, ANSWER_ADD_HEADER, 0, "", ""),
	ROW('i', "\0\0\1\2X-A\0b\0", 0, ANSWER_INSERT_HEADER, 258, "X-A", "b"),
	ROW('i', "\0\0\1", -1, ANSWER_INSERT_HEADER, 0, "", ""),
	ROW('m', "\0\0\0\1Subject\0\0", 0, ANSWER_CHANGE_HEADER, 1, "Subject", ""),
	ROW('e', "<a@b>\0", 0, ANSWER_CHANGE_SENDER, 0, "<a@b>", ""),
	ROW('e', "<a@b>\0RET=HDRS\0", 0, ANSWER_CHANGE_SENDER, 0, "<a@b>", "RET=HDRS"),
	ROW('e', "", -1, ANSWER_CHANGE_SENDER, 0, "", ""),
	ROW('+', "<a@b>\0", 0, ANSWER_ADD_RCPT, 0, "<a@b>", ""),
	ROW('+', "<a@b>\0NOTIFY=NEVER\0", -1, ANSWER_ADD_RCPT, 0, "", ""),
	ROW('2', "<a@b>\0NOTIFY=NEVER\0", 0, ANSWER_ADD_RCPT, 0, "<a@b>", "NOTIFY=NEVER"),
	ROW('-', "<a@b>\0", 0, ANSWER_DELETE_RCPT, 0, "<a@b>", ""),
	ROW('b', "a\0b", 0, ANSWER_BODY, 0, "", "a\0b"),
	ROW('q', "why\0", 0, ANSWER_QUARANTINE, 0, "why", ""),
	ROW('q', "why", 0, ANSWER_QUARANTINE, 0, "why", ""),
	ROW('q', "", 0, ANSWER_QUARANTINE, 0, "", ""),
	ROW('O', "", -1, ANSWER_CONTINUE, 0, "", ""),
	ROW('\0', "", -1, ANSWER_CONTINUE, 0, "", ""),
	ROW('Z', "abc", -1, ANSWER_CONTINUE, 0, "", ""),
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct milter_packet p = { answers[i].command, answers[i].data };
		struct milter_answer a;

		check_int(milter_answer_parse(&p, &a), answers[i].result);
		if (answers[i].result != 0)
			continue;
		check_int(a.kind, answers[i].kind);
		check_int(a.index, answers[i].index);
		check_str(a.name, answers[i].name);
		if (a.kind == ANSWER_BODY)
			check(str_eq(a.value, answers[i].data));
		else
			check_str(a.value, answers[i].value);
		check(milter_answer_is_change(&a) == (a.kind >= ANSWER_ADD_HEADER));
		check(milter_answer_is_change(&a) == (milter_answer_needs(&a) != 0));
	}
}

static const struct {
	const char *text;
	int code; /* 0: it is none */
	const char *enhanced, *lines;
} replies[] = {
	{ "550 5.7.1 no", 550, "5.7.1", "no\n" },
	{ "451 4.7.1 later, please", 451, "4.7.1", "later, please\n" },
	{ "550 no", 550, "", "no\n" },
	{ "550", 550, "", "\n" },
	{ "550 ", 550, "", "\n" },
	{ "550 5.7.1", 550, "5.7.1", "\n" },
	{ "550 4.7.1 of another class", 550, "", "4.7.1 of another class\n" },
	{ "550 5.7 short", 550, "", "5.7 short\n" },
	{ "550 5.7777.1 long", 550, "", "5.7777.1 long\n" },
	{ "550 5.7.1.2 more", 550, "", "5.7.1.2 more\n" },
	{ "550-5.7.1 a\r\n550 5.7.1 b", 550, "5.7.1", "a\nb\n" },
	{ "550-5.7.1 a\n550-5.7.1 b\n550 5.7.1 c", 550, "5.7.1", "a\nb\nc\n" },
	{ "550 5.7.1 a\r\n", 550, "5.7.1", "a\n" },
	{ "550 100%% sure", 550, "", "100% sure\n" },
	{ "550 100% sure", 550, "", "100 sure\n" },
	{ "550 a\rb\001c\177", 550, "", "a?b?c?\n" },
	{ "421 4.3.2 bye", 421, "4.3.2", "bye\n" },
	{ "250 2.0.0 fine", 0, "", "" },
	{ "354 go", 0, "", "" },
	{ "650 x", 0, "", "" },
	{ "55 x", 0, "", "" },
	{ "5x0 x", 0, "", "" },
	{ "550x", 0, "", "" },
	{ "", 0, "", "" },
	{ "\r\n", 0, "", "" },
	{ "550 a\r\n550 b", 0, "", "" },
	{ "550-a\r\n551 b", 0, "", "" },
	{ "550-a\r\n250 b", 0, "", "" },
	{ "550-a\r\nRSET", 0, "", "" },
	{ "550-a\r\n\r\n550 b", 0, "", "" },
};

static void test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		struct buf lines = BUF_INIT(MILTER_REPLY_OCTETS + 1);
		struct milter_reply r;

		check_int(milter_reply_parse(str_c(replies[i].text), &r, &lines), replies[i].code ? 0 : -1);
		check_int(r.code, replies[i].code);
		check_str(str_c(r.enhanced), replies[i].enhanced);
		check_str(buf_str(&lines), replies[i].lines);
		buf_free(&lines);
	}
}

/* One line more than there may be. */
static void test_long_reply(void **state)
{
	struct buf text = BUF_INIT(4096), lines = BUF_INIT(MILTER_REPLY_OCTETS + 1);
	struct milter_reply r;

	(void)state;
	for (int i = 0; i < MILTER_REPLY_LINES - 1; i++)
		buf_add_c(&text, "550-x\r\n");
	buf_add_c(&text, "550 x");
	check_int(milter_reply_parse(buf_str(&text), &r, &lines), 0);
	check_int(lines.n, 2 * MILTER_REPLY_LINES);
	buf_reset(&text);
	buf_reset(&lines);
	for (int i = 0; i < MILTER_REPLY_LINES; i++)
		buf_add_c(&text, "550-x\r\n");
	buf_add_c(&text, "550 x");
	check_int(milter_reply_parse(buf_str(&text), &r, &lines), -1);
	check_int(lines.n, 0);
	buf_free(&text);
	buf_free(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers), cmocka_unit_test(test_replies),
		cmocka_unit_test(test_long_reply) };

	return test_run(tests);
}
