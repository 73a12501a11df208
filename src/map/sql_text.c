#include "map/sql_text.h"

struct parser {
	enum sql_dialect dialect;
	struct sql_query *q;
	struct arena *mem;
	struct buf text;
	struct buf *why;
};

static bool is_letter(char c)
{
	return c != '\0' && strchr("sudSUD123456789", c) != NULL;
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

/* How many letters there are in s; -1 with why: a "%" that begins none. */
static int count_letters(struct str s, struct buf *why)
{
	int n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] == '%' ? letter_at(str_from(s, i), why) : 'x';

		if (c == '\0')
			return -1;
		if (s.p[i] != '%')
			continue;
		n += c != '%';
		i++;
	}
	return n;
}

static int add_param(struct parser *p, struct str value)
{
	struct sql_query *q = p->q;

	if (q->n == SQL_PARAMS_MAX) {
		buf_addf(p->why, "more than %d %%-letters in the query", SQL_PARAMS_MAX);
		return -1;
	}
	q->param[q->n++] = arena_dup(p->mem, value);
	if (p->dialect == SQL_DOLLAR)
		buf_addf(&p->text, "$%zu", q->n);
	else
		buf_add_char(&p->text, '?');
	return 0;
}

/* As it is, but for "%%". */
static void add_text(struct parser *p, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		buf_add_char(&p->text, s.p[i]);
		i += s.p[i] == '%';
	}
}

/* Octets of the literal at s, quotes included; 0: it does not end. */
static size_t literal_length(const struct parser *p, struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\' && p->dialect == SQL_BACKSLASH && s.p[0] != '`')
			i++;
		else if (s.p[i] == s.p[0] && i + 1 < s.n && s.p[i + 1] == s.p[0])
			i++;
		else if (s.p[i] == s.p[0])
			return i + 1;
	}
	return 0;
}

/* What a literal stands for, its letters untouched. */
static void unquote(const struct parser *p, struct str literal, struct buf *out)
{
	struct str inside = str_sub(literal, 1, literal.n - 2);

	for (size_t i = 0; i < inside.n; i++)
		if (inside.p[i] == '\\' && p->dialect == SQL_BACKSLASH && i + 1 < inside.n) {
			sql_add_escaped(out, inside.p[++i]);
		} else {
			buf_add_char(out, inside.p[i]);
			i += inside.p[i] == literal.p[0]; /* it is there twice */
		}
}

/*
 * Between double quotes stands a name. Where there is no such column SQLite takes it for text, as MySQL does always, and that is
 * what "%s" is meant as.
 */
static bool is_name(const struct parser *p, char quote)
{
	return quote == '`' || (quote == '"' && p->dialect == SQL_DOLLAR);
}

static bool is_name_octet(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '$';
}

/* `before`: the octet in front of it. Returns octets taken; 0 with why. */
static size_t take_literal(struct parser *p, struct str s, char before)
{
	size_t used = literal_length(p, s);
	struct buf value = BUF_INIT(1 << 20);
	int letters, r = 0;

	if (used == 0) {
		buf_addf(p->why, "a quotation mark in the query is not closed");
		return 0;
	}
	letters = count_letters(str_sub(s, 0, used), p->why);
	if (letters < 0)
		return 0;
	if (letters == 0) {
		add_text(p, str_sub(s, 0, used));
		return used;
	}
	if (is_name(p, s.p[0])) {
		buf_addf(p->why, "a %%-letter in the name %.*s of the query; it may stand for a value alone",
			STR_ARG(str_sub(s, 0, used)));
		return 0;
	}
	/* E'…', _utf8'…': the letters in front say what the text means. */
	if (is_name_octet(before)) {
		buf_addf(p->why, "letters in front of the text %.*s of the query; only plain text can be bound",
			STR_ARG(str_sub(s, 0, used)));
		return 0;
	}
	unquote(p, str_sub(s, 0, used), &value);
	r = add_param(p, buf_str(&value));
	buf_free(&value);
	return r == 0 ? used : 0;
}

static size_t take_bare(struct parser *p, struct str s)
{
	char c = s.p[0];

	if (c == '\0' || (c == '?' && p->dialect != SQL_DOLLAR)) {
		buf_addf(p->why, "a %s in the query, outside of quotes%s", c ? "\"?\"" : "NUL",
			c ? ": values are %-letters" : "");
		return 0;
	}
	if (c != '%') {
		buf_add_char(&p->text, c);
		return 1;
	}
	c = letter_at(s, p->why);
	if (c == '%')
		buf_add_char(&p->text, c);
	else if (c == '\0' || add_param(p, str_sub(s, 0, 2)) != 0)
		return 0;
	return 2;
}

int sql_query_parse(struct str query, enum sql_dialect dialect, struct arena *mem, struct sql_query *q, struct buf *why)
{
	struct parser p = { .dialect = dialect, .q = q, .mem = mem, .text = BUF_INIT(1 << 20), .why = why };
	size_t used = 1;
	char before = 0;

	*q = (struct sql_query){ .text = NULL };
	while (query.n && used) {
		bool is_literal = query.p[0] == '\'' || query.p[0] == '"' || query.p[0] == '`';

		used = sql_comment_length(query);
		if (used)
			buf_add_char(&p.text, ' ');
		else
			used = is_literal ? take_literal(&p, query, before) : take_bare(&p, query);
		before = used ? query.p[used - 1] : 0;
		query = str_from(query, used);
	}
	q->text = arena_cdup(mem, buf_str(&p.text));
	buf_free(&p.text);
	return used ? 0 : -1;
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

/* What a letter stands for. False: the address has no such part. */
static bool letter_of(char letter, struct str address, struct str *out)
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

bool sql_param(struct str param, struct str key, struct buf *out)
{
	return sql_format(param, key, key, out) == 1;
}

bool sql_format_is_good(struct str format)
{
	for (size_t i = 0; i < format.n; i++)
		if (format.p[i] == '%' && (++i == format.n || (format.p[i] != '%' && !is_letter(format.p[i]))))
			return false;
	return true;
}

/* Of the value are only s, u and d. */
static bool is_of_key(char letter)
{
	return strchr("sud", letter) == NULL;
}

int sql_format(struct str format, struct str key, struct str value, struct buf *out)
{
	size_t before = out->n;
	bool fits = true;

	for (size_t i = 0; i < format.n && fits; i++) {
		char c = i + 1 < format.n ? format.p[i + 1] : '\0';
		struct str part;

		if (format.p[i] != '%' || (c != '%' && !is_letter(c))) {
			fits = buf_add_char(out, format.p[i]) == 0;
			continue;
		}
		i++;
		if (c == '%') {
			fits = buf_add_char(out, '%') == 0;
		} else if (letter_of(c, is_of_key(c) ? key : value, &part)) {
			fits = buf_add_str(out, part) == 0;
		} else {
			out->n = before;
			return 0;
		}
	}
	if (!fits)
		out->n = before;
	return fits ? 1 : -1;
}
