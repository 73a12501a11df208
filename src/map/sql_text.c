#include "map/sql_text.h"

static bool is_letter(char c)
{
	return c != '\0' && strchr("sudSUD123456789", c) != NULL;
}

static int parameter(struct sql_query *q, char letter, struct buf *why)
{
	unsigned i = 0;

	while (i < q->n && q->letter[i] != letter)
		i++;
	if (i == SQL_PARAMS_MAX) {
		buf_addf(why, "too many %%-letters");
		return -1;
	}
	q->letter[i] = letter;
	if (i == q->n)
		q->n++;
	buf_addf(&q->text, "?%u", i + 1);
	return 0;
}

/* The octet behind "%" at s: '%' for itself, a letter, or 0 with why. */
static char letter_at(struct str s, struct buf *why)
{
	char c = s.n > 1 ? s.p[1] : '\0';

	if (c == '%' || is_letter(c))
		return c;
	buf_addf(why, "\"%%\" in the query must be %%s %%u %%d %%S %%U %%D %%1…%%9 or %%%%");
	return '\0';
}

/* Octets of the literal at s, quotes included; 0: it does not end. */
static size_t literal_length(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] != s.p[0])
			continue;
		if (i + 1 < s.n && s.p[i + 1] == s.p[0])
			i++;
		else
			return i + 1;
	}
	return 0;
}

/* Between the quotes, all in parentheses: ('a'||?1||'b'). */
static int literal(struct sql_query *q, struct str inside, struct buf *why)
{
	bool open = false, any = false;

	buf_add_char(&q->text, '(');
	while (inside.n) {
		char c = inside.p[0] == '%' ? letter_at(inside, why) : '\0';

		if (inside.p[0] == '%' && c == '\0')
			return -1;
		if (c == '\0' || c == '%') {
			if (!open)
				buf_add_c(&q->text, any ? "||'" : "'");
			open = true;
			buf_add_char(&q->text, inside.p[0]);
		} else {
			buf_add_c(&q->text, open ? "'||" : any ? "||" : "");
			open = false;
			if (parameter(q, c, why) != 0)
				return -1;
		}
		any = true;
		inside = str_from(inside, c ? 2 : 1);
	}
	buf_add_c(&q->text, open ? "')" : any ? ")" : "'')");
	return 0;
}

/*
 * In double quotes stands a name; where there is no such column SQLite takes it for text, and that is what "%s" is meant as. A
 * name is left as it is.
 */
static int name_or_literal(struct sql_query *q, struct str quoted, struct buf *why)
{
	struct str inside = str_sub(quoted, 1, quoted.n - 2);
	struct buf text = BUF_INIT(1 << 20);
	int r;

	if (str_chr(inside, '%') < 0)
		return buf_add_str(&q->text, quoted);
	for (size_t i = 0; i < inside.n; i++) {
		buf_add_char(&text, inside.p[i]);
		if (inside.p[i] == '\'')
			buf_add_char(&text, '\'');
		else if (inside.p[i] == '"')
			i++; /* it is there twice */
	}
	r = literal(q, buf_str(&text), why);
	buf_free(&text);
	return r;
}

int sql_query_parse(struct str query, struct sql_query *q, struct buf *why)
{
	*q = (struct sql_query){ .text = BUF_INIT(1 << 20) };
	while (query.n) {
		size_t used = 1;
		char c;

		if (query.p[0] == '\'' || query.p[0] == '"') {
			used = literal_length(query);
			if (used == 0) {
				buf_addf(why, "a quotation mark in the query is not closed");
				return -1;
			}
			if (query.p[0] == '"' ? name_or_literal(q, str_sub(query, 0, used), why)
					      : literal(q, str_sub(query, 1, used - 2), why))
				return -1;
		} else if (query.p[0] == '%') {
			used = 2;
			c = letter_at(query, why);
			if (c == '\0' || (c != '%' && parameter(q, c, why) != 0))
				return -1;
			if (c == '%')
				buf_add_char(&q->text, '%');
		} else {
			buf_add_char(&q->text, query.p[0]);
		}
		query = str_from(query, used);
	}
	return 0;
}

static bool label_from_right(struct str domain, unsigned number, struct str *out)
{
	for (;;) {
		ptrdiff_t dot = str_rchr(domain, '.');

		*out = str_from(domain, (size_t)(dot + 1));
		if (--number == 0)
			return out->n > 0;
		if (dot < 0)
			return false;
		domain = str_sub(domain, 0, (size_t)dot);
	}
}

bool sql_letter(char letter, struct str address, struct str *out)
{
	ptrdiff_t at = str_rchr(address, '@');
	struct str domain = at < 0 ? (struct str){ "", 0 } : str_from(address, (size_t)at + 1);

	*out = address;
	switch (letter) {
	case 's':
	case 'S':
		return address.n > 0;
	case 'u':
	case 'U':
		if (at >= 0)
			*out = str_sub(address, 0, (size_t)at);
		return out->n > 0;
	case 'd':
	case 'D':
		*out = domain;
		return domain.n > 0;
	default:
		return domain.n > 0 && label_from_right(domain, (unsigned)(letter - '0'), out);
	}
}

bool sql_format(struct str format, struct str key, struct str value, struct buf *out)
{
	size_t before = out->n;

	for (size_t i = 0; i < format.n; i++) {
		char c = i + 1 < format.n ? format.p[i + 1] : '\0';
		struct str part;

		if (format.p[i] != '%' || (c != '%' && !is_letter(c))) {
			buf_add_char(out, format.p[i]);
			continue;
		}
		i++;
		if (c == '%') {
			buf_add_char(out, '%');
		} else if (sql_letter(c, c >= 'A' && c <= 'Z' ? key : value, &part)) {
			buf_add_str(out, part);
		} else {
			out->n = before;
			return false;
		}
	}
	return true;
}
