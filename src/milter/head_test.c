/* The header as filters see and change it. Fields in the tables are joined by '|' for CRLF. */
#include "milter/head.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIELD_LIMIT = 200 };

/* '|' becomes CRLF, '/' LF. */
static struct str wire(const char *text, struct buf *b)
{
	buf_reset(b);
	for (; *text; text++)
		if (*text == '|')
			buf_add_c(b, "\r\n");
		else
			buf_add_char(b, *text == '/' ? '\n' : *text);
	return buf_str(b);
}

static const struct {
	const char *field, *name, *value, *spaced; /* spaced: with keep_space */
} fields[] = {
	{ "Subject: hello|", "Subject", "hello", " hello" },
	{ "Subject:hello|", "Subject", "hello", "hello" },
	{ "Subject:  two|", "Subject", " two", "  two" },
	{ "Subject:\ttab|", "Subject", "\ttab", "\ttab" },
	{ "Subject : obsolete|", "Subject", "obsolete", " obsolete" },
	{ "Subject:|", "Subject", "", "" },
	{ "Subject: a| b|\tc|", "Subject", "a/ b/\tc", " a/ b/\tc" },
	{ "..dot: x|", ".dot", "x", " x" },
	{ "X: a\rb|", "X", "a\rb", " a\rb" },
	{ "no field|", "", "no field", "no field" },
};

static void test_fields(void **state)
{
	struct buf text = BUF_INIT(4096), want = BUF_INIT(4096), got = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct str rest = wire(fields[i].field, &text);
		struct milter_field f;

		check(milter_head_next(&rest, &f));
		check_str(f.name, fields[i].name);
		check(str_eq(f.text, buf_str(&text)));
		milter_head_value(&f, false, &got);
		check(str_eq(buf_str(&got), wire(fields[i].value, &want)));
		buf_reset(&got);
		milter_head_value(&f, true, &got);
		check(str_eq(buf_str(&got), wire(fields[i].spaced, &want)));
		buf_reset(&got);
		check(!milter_head_next(&rest, &f));
	}
	buf_free(&text);
	buf_free(&want);
	buf_free(&got);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} names[] = { { "X-Spam", true }, { "x", true }, { "", false }, { ".x", false }, { "a b", false },
		{ "a:", false }, { "a\r", false }, { "a\nb", false }, { "\xc3\xa4", false } };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		check(milter_field_name_is_good(str_c(names[i].name)) == names[i].good);
}

/* Values that filters send, and the lines that they become. */
static const struct {
	const char *value;
	bool keep_space;
	const char *lines;
} made[] = {
	{ "yes", false, "X-A: yes|" },
	{ " yes", true, "X-A: yes|" },
	{ "yes", true, "X-A:yes|" },
	{ "", false, "X-A: |" },
	{ "a/\tb", false, "X-A: a|\tb|" },
	{ "a|\tb", false, "X-A: a|\tb|" },
	{ "a/b", false, "X-A: a|\tb|" }, /* not another field */
	{ "a/Bcc: x", false, "X-A: a|\tBcc: x|" },
	{ "a//b", false, "X-A: a|\tb|" }, /* not the end of the header */
	{ "a/ / b", false, "X-A: a| b|" },
	{ "a/", false, "X-A: a|" },
	{ "a\rb", false, "X-A: a b|" },
	{ "a\001b\177", false, "X-A: a b |" },
	{ "a\tb", false, "X-A: a\tb|" },
};

static void test_made(void **state)
{
	struct buf value = BUF_INIT(4096), want = BUF_INIT(4096), got = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		milter_field_put(&got, STR("X-A"), wire(made[i].value, &value), made[i].keep_space, FIELD_LIMIT);
		check(str_eq(buf_str(&got), wire(made[i].lines, &want)));
		buf_reset(&got);
	}
	for (int i = 0; i < FIELD_LIMIT; i++)
		buf_add_char(&value, 'x');
	milter_field_put(&got, STR("X-A"), buf_str(&value), false, FIELD_LIMIT);
	check_int(got.n, FIELD_LIMIT + 2);
	buf_free(&value);
	buf_free(&want);
	buf_free(&got);
}

#define OWN  "Received: by us|"
#define HEAD OWN "Received: by them|Subject: one|From: a@b|Subject: two|"
#define NO                              \
	{                               \
		EDIT_ADD, 0, NULL, NULL \
	}
#define ADD(n, v)                 \
	{                         \
		EDIT_ADD, 0, n, v \
	}
#define INSERT(i, n, v)              \
	{                            \
		EDIT_INSERT, i, n, v \
	}
#define CHANGE(i, n, v)              \
	{                            \
		EDIT_CHANGE, i, n, v \
	}

static const struct {
	struct {
		enum milter_edit_kind kind;
		uint32_t index;
		const char *name, *value;
	} edit[2];
	const char *head;
} edits[] = {
	{ { NO, NO }, HEAD },
	{ { ADD("X", "1"), NO }, HEAD "X: 1|" },
	{ { ADD("X", "1"), ADD("X", "2") }, HEAD "X: 1|X: 2|" },
	{ { INSERT(0, "X", "1"), NO }, "X: 1|" HEAD },
	{ { INSERT(1, "X", "1"), NO }, OWN "X: 1|Received: by them|Subject: one|From: a@b|Subject: two|" },
	{ { INSERT(1, "X", "1"), INSERT(1, "Y", "2") },
		OWN "Y: 2|X: 1|Received: by them|Subject: one|From: a@b|Subject: two|" },
	{ { INSERT(99, "X", "1"), NO }, HEAD "X: 1|" },
	{ { CHANGE(1, "Subject", "new"), NO }, OWN "Received: by them|Subject: new|From: a@b|Subject: two|" },
	{ { CHANGE(0, "subject", "new"), NO }, OWN "Received: by them|subject: new|From: a@b|Subject: two|" },
	{ { CHANGE(2, "Subject", "new"), NO }, OWN "Received: by them|Subject: one|From: a@b|Subject: new|" },
	{ { CHANGE(3, "Subject", "new"), NO }, HEAD "Subject: new|" },
	{ { CHANGE(1, "Subject", ""), NO }, OWN "Received: by them|From: a@b|Subject: two|" },
	{ { CHANGE(1, "Subject", ""), CHANGE(1, "Subject", "") }, OWN "Received: by them|From: a@b|" },
	{ { CHANGE(2, "Subject", ""), CHANGE(1, "Subject", "") }, OWN "Received: by them|From: a@b|" },
	{ { CHANGE(3, "Subject", ""), NO }, HEAD },
	/* our own Received is not theirs to see or to change, wherever it stands */
	{ { CHANGE(1, "Received", ""), NO }, OWN "Subject: one|From: a@b|Subject: two|" },
	{ { CHANGE(2, "Received", ""), NO }, HEAD },
	{ { INSERT(0, "X", "1"), CHANGE(1, "Received", "") }, "X: 1|" OWN "Subject: one|From: a@b|Subject: two|" },
};

static void test_edits(void **state)
{
	struct buf head = BUF_INIT(4096), own = BUF_INIT(4096), want = BUF_INIT(4096), got = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
		struct milter_edit list[2];

		for (int k = 0; k < 2; k++)
			list[k] = (struct milter_edit){ .kind = edits[i].edit[k].kind,
				.index = edits[i].edit[k].index,
				.name = str_c(edits[i].edit[k].name),
				.value = str_c(edits[i].edit[k].value) };
		list[0].next = list[1].name.n ? &list[1] : NULL;
		check_int(milter_head_apply(
				  wire(HEAD, &head), wire(OWN, &own), list[0].name.n ? list : NULL, FIELD_LIMIT, &got),
			0);
		check(str_eq(buf_str(&got), wire(edits[i].head, &want)));
	}
	buf_free(&got);
	got = BUF_INIT(60);
	check_int(milter_head_apply(wire(HEAD, &head), wire(OWN, &own), NULL, FIELD_LIMIT, &got), -1);
	buf_free(&head);
	buf_free(&own);
	buf_free(&want);
	buf_free(&got);
}

/* Thousands of changes at random, against a list that is as simple as can be. */
enum { MODEL_MAX = 4000 };
struct model {
	char text[MODEL_MAX][48];
	size_t n;
};

static uint64_t seed = 4711;

static size_t draw(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % below);
}

/* Of the index-th field that begins with that letter, in any case, and is not our own; m->n: there is none. */
static size_t model_find(const struct model *m, char letter, size_t index)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->text[i], "A: own\r\n") != 0 && (m->text[i][0] | 0x20) == (letter | 0x20) && --index == 0)
			return i;
	return m->n;
}

static void model_insert(struct model *m, size_t at, const char *text)
{
	at = at < m->n ? at : m->n;
	memmove(m->text[at + 1], m->text[at], (m->n - at) * sizeof *m->text);
	snprintf(m->text[at], sizeof *m->text, "%s", text);
	m->n++;
}

static void model_apply(struct model *m, const struct milter_edit *e)
{
	size_t at = e->kind == EDIT_CHANGE ? model_find(m, e->name.p[0], e->index ? e->index : 1) : m->n;
	char text[48];

	snprintf(text, sizeof text, "%.*s: %.*s\r\n", STR_ARG(e->name), STR_ARG(e->value));
	if (e->kind != EDIT_CHANGE)
		model_insert(m, e->kind == EDIT_INSERT ? e->index : m->n, text);
	else if (e->value.n == 0 && at < m->n) {
		m->n--;
		memmove(m->text[at], m->text[at + 1], (m->n - at) * sizeof *m->text);
	} else if (e->value.n > 0 && at < m->n)
		snprintf(m->text[at], sizeof *m->text, "%s", text);
	else if (e->value.n > 0)
		model_insert(m, m->n, text);
}

static void test_many_edits(void **state)
{
	enum { EDITS = 1500, FIELDS = 2000 };
	static const char *const names[] = { "A", "b", "B", "c", "C" };
	struct model *m = xcalloc(1, sizeof *m);

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct milter_edit *wishes = xcalloc(EDITS, sizeof *wishes);
		struct buf head = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
		char values[EDITS][8];

		m->n = 0;
		for (size_t i = 0, n = draw(FIELDS); i < n; i++) {
			char text[48];

			snprintf(text, sizeof text, "%s: %zu\r\n", names[draw(5)], i);
			model_insert(m, m->n, i == 1 ? "A: own\r\n" : text);
		}
		for (size_t i = 0; i < m->n; i++)
			buf_add_c(&head, m->text[i]);
		for (size_t i = 0; i < EDITS; i++) {
			snprintf(values[i], sizeof *values, "v%zu", i);
			wishes[i] = (struct milter_edit){ .kind = (enum milter_edit_kind)draw(3),
				.index = (uint32_t)draw(round % 2 ? 3 : FIELDS),
				.name = str_c(names[draw(round % 3 ? 5 : 1)]),
				.value = draw(3) ? str_c(values[i]) : STR(""),
				.next = i + 1 < EDITS ? &wishes[i + 1] : NULL };
			if (wishes[i].kind != EDIT_CHANGE)
				wishes[i].value = str_c(values[i]);
			model_apply(m, &wishes[i]);
		}
		for (size_t i = 0; i < m->n; i++)
			buf_add_c(&want, m->text[i]);
		check_int(milter_head_apply(buf_str(&head), STR("A: own\r\n"), wishes, FIELD_LIMIT, &got), 0);
		check(str_eq(buf_str(&got), buf_str(&want)));
		buf_free(&head);
		buf_free(&want);
		buf_free(&got);
		free(wishes);
	}
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields), cmocka_unit_test(test_names),
		cmocka_unit_test(test_made), cmocka_unit_test(test_edits), cmocka_unit_test(test_many_edits) };

	return test_run(tests);
}
