#include "milter/answer.h"
#include "milter/terms.h"

/* What the data of an answer consists of. */
enum data { NOTHING, ONE, TWO, ONE_OR_TWO, INDEX_TWO, OCTETS, OLD_REASON };

static const struct {
	char command;
	enum milter_answer_kind kind;
	enum data data;
	uint32_t needs; /* enum milter_action */
} rows[] = {
	{ 'c', ANSWER_CONTINUE, NOTHING, 0 },
	{ 'a', ANSWER_ACCEPT, NOTHING, 0 },
	{ 'r', ANSWER_REJECT, NOTHING, 0 },
	{ 't', ANSWER_TEMPFAIL, NOTHING, 0 },
	{ 'd', ANSWER_DISCARD, NOTHING, 0 },
	{ '4', ANSWER_SHUTDOWN, NOTHING, 0 },
	{ 'f', ANSWER_CONNECTION, NOTHING, 0 },
	{ 'y', ANSWER_REPLY, ONE, 0 },
	{ 's', ANSWER_SKIP, NOTHING, 0 },
	{ 'p', ANSWER_PROGRESS, NOTHING, 0 },
	{ 'h', ANSWER_ADD_HEADER, TWO, MILTER_ADD_HEADERS },
	{ 'i', ANSWER_INSERT_HEADER, INDEX_TWO, MILTER_ADD_HEADERS },
	{ 'm', ANSWER_CHANGE_HEADER, INDEX_TWO, MILTER_CHANGE_HEADERS },
	{ 'e', ANSWER_CHANGE_SENDER, ONE_OR_TWO, MILTER_CHANGE_SENDER },
	{ '+', ANSWER_ADD_RCPT, ONE, MILTER_ADD_RCPT },
	{ '2', ANSWER_ADD_RCPT, ONE_OR_TWO, MILTER_ADD_RCPT_ARGS },
	{ '-', ANSWER_DELETE_RCPT, ONE, MILTER_DELETE_RCPT },
	{ 'b', ANSWER_BODY, OCTETS, MILTER_CHANGE_BODY },
	{ 'q', ANSWER_QUARANTINE, OLD_REASON, MILTER_QUARANTINE },
};

static bool take_text(struct str *data, struct str *text)
{
	ptrdiff_t nul = str_chr(*data, '\0');

	if (nul < 0)
		return false;
	*text = str_sub(*data, 0, (size_t)nul);
	*data = str_from(*data, (size_t)nul + 1);
	return true;
}

static bool take_index(struct str *data, uint32_t *n)
{
	const unsigned char *o = (const unsigned char *)data->p;

	if (data->n < 4)
		return false;
	*n = (uint32_t)o[0] << 24 | (uint32_t)o[1] << 16 | (uint32_t)o[2] << 8 | o[3];
	*data = str_from(*data, 4);
	return true;
}

static bool take_data(enum data what, struct str data, struct milter_answer *a)
{
	switch (what) {
	case NOTHING:
		return data.n == 0;
	case ONE:
		return take_text(&data, &a->name) && data.n == 0;
	case TWO:
		return take_text(&data, &a->name) && take_text(&data, &a->value) && data.n == 0;
	case ONE_OR_TWO:
		return take_text(&data, &a->name) && (data.n == 0 || take_text(&data, &a->value)) && data.n == 0;
	case INDEX_TWO:
		return take_index(&data, &a->index) && take_data(TWO, data, a);
	case OLD_REASON: /* filters of old send it without its NUL */
		if (!take_text(&data, &a->name))
			a->name = data;
		return true;
	default:
		a->value = data;
		return true;
	}
}

int milter_answer_parse(const struct milter_packet *p, struct milter_answer *a)
{
	memset(a, 0, sizeof *a);
	a->name = a->value = STR("");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].command != p->command)
			continue;
		a->kind = rows[i].kind;
		return take_data(rows[i].data, p->data, a) ? 0 : -1;
	}
	return -1;
}

bool milter_answer_is_change(const struct milter_answer *a)
{
	return a->kind >= ANSWER_ADD_HEADER;
}

uint32_t milter_answer_needs(const struct milter_answer *a)
{
	uint32_t needs = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].kind == a->kind)
			needs |= rows[i].needs;
	return needs;
}

/* "5.7.1" in front of the text, of that class. Returns its octets; 0: there is none. */
static size_t enhanced_octets(struct str text, char class)
{
	size_t n = 1;

	if (text.n < 5 || text.p[0] != class)
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (n >= text.n || text.p[n] != '.')
			return 0;
		n++;
		while (n < text.n && ascii_is_digit(text.p[n]) && digits < 4) {
			n++;
			digits++;
		}
		if (digits == 0 || digits > 3)
			return 0;
	}
	return n == text.n || text.p[n] == ' ' || text.p[n] == '\t' ? n : 0;
}

static void put_line(struct str text, struct buf *lines)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '%') { /* libmilter's text is a format: "%%" */
			if (i + 1 < text.n && text.p[i + 1] == '%')
				i++;
			else
				continue;
		}
		buf_add_char(lines, c < 32 || c == 127 ? '?' : (char)c);
	}
	buf_add_char(lines, '\n');
}

/* "550-5.7.1 text" */
static bool take_line(struct str line, bool last, struct milter_reply *r, struct buf *lines)
{
	struct str text = str_from(line, 4);
	int code = 0;
	size_t n;

	if (line.n < 3 || (line.p[0] != '4' && line.p[0] != '5'))
		return false;
	for (int i = 0; i < 3; i++) {
		if (!ascii_is_digit(line.p[i]))
			return false;
		code = code * 10 + (line.p[i] - '0');
	}
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return false;
	if (!last && (line.n < 4 || line.p[3] != '-'))
		return false;
	if (r->code && r->code != code)
		return false;
	n = enhanced_octets(text, line.p[0]);
	if (r->code == 0 && n > 0 && n < sizeof r->enhanced)
		memcpy(r->enhanced, text.p, n);
	r->code = code;
	text = str_from(text, n);
	put_line(n > 0 && text.n > 0 ? str_from(text, 1) : text, lines);
	return true;
}

int milter_reply_parse(struct str text, struct milter_reply *r, struct buf *lines)
{
	size_t before = lines->n;
	unsigned n = 0;
	struct str line;

	memset(r, 0, sizeof *r);
	while (str_has_suffix(text, STR("\n")) || str_has_suffix(text, STR("\r")))
		text.n--;
	while (text.n > 0 && str_field(&text, "\n", &line)) {
		if (str_has_suffix(line, STR("\r")))
			line.n--;
		if (++n > MILTER_REPLY_LINES || !take_line(line, text.n == 0, r, lines)) {
			n = 0;
			break;
		}
	}
	if (n > 0 && lines->n - before <= MILTER_REPLY_OCTETS && lines->n < lines->max)
		return 0;
	lines->n = before;
	memset(r, 0, sizeof *r);
	return -1;
}
