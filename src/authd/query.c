#include "authd/query.h"

enum { SQL_MAX = 65536 };

struct query_names {
	struct arena *mem;
	struct template whole; /* the query, with the names' variables in it */
	const char *form[QUERY_FORMS];
	size_t n;
};

struct compiler {
	struct arena *mem;
	enum sql_dialect dialect;
	struct query *q;
	struct template **last;
	struct template_part **last_part; /* of q->names */
	struct buf sql;			  /* since the last variable in a name */
	const char *why;
};

static struct str shortened(struct str s)
{
	return str_sub(s, 0, 16);
}

static size_t cannot_compile(struct compiler *c, const char *what, struct str at, const char *hint)
{
	if (c->why == NULL)
		c->why = arena_printf(c->mem, "%s at \"%.*s\" %s", what, STR_ARG(shortened(at)), hint);
	return 0;
}

static void bind_value(struct compiler *c, const struct template *t)
{
	struct template *own = arena_alloc(c->mem, sizeof *own);

	*own = *t;
	*c->last = own;
	c->last = &own->next;
	c->q->n_params++;
	if (c->dialect == SQL_DOLLAR)
		buf_addf(&c->sql, "$%zu", c->q->n_params);
	else
		buf_add_char(&c->sql, '?');
}

/* ---- variables in names ---- */

static void add_part(struct compiler *c, const struct template_part *part)
{
	struct template_part *p = arena_alloc(c->mem, sizeof *p);

	*p = *part;
	p->next = NULL;
	*c->last_part = p;
	c->last_part = &p->next;
}

/* What was gathered so far becomes a piece of text. */
static void flush_text(struct compiler *c)
{
	struct template_part text = { .is_text = true, .text = arena_dup(c->mem, buf_str(&c->sql)) };

	if (c->q->names == NULL) {
		c->q->names = arena_alloc(c->mem, sizeof *c->q->names);
		c->q->names->mem = c->mem;
		c->last_part = &c->q->names->whole.first;
	}
	add_part(c, &text);
	buf_reset(&c->sql);
}

static bool add_name(struct compiler *c, const struct template *t, struct str at)
{
	if (t->is_free)
		return cannot_compile(c, "the variable", at,
			"is part of a name, and the client can choose it; only values can be bound");
	for (const struct template_part *p = t->first; p; p = p->next)
		if (p->is_text) {
			buf_add_str(&c->sql, p->text);
		} else {
			flush_text(c);
			add_part(c, p);
		}
	return true;
}

/* ---- quotes ---- */

/* Length of the quoted run at the start of s, both quotes included; 0: not closed. */
static size_t quoted_length(const struct compiler *c, struct str s)
{
	bool has_backslash = c->dialect == SQL_BACKSLASH && s.p[0] != '`';

	for (size_t i = 1; i < s.n; i++) {
		struct template_part ignored;
		const char *why;
		size_t n = s.p[i] == '%' && i + 1 < s.n && s.p[i + 1] != s.p[0]
				   ? template_var(str_from(s, i), c->mem, &ignored, &why)
				   : 0;

		if (n) {
			i += n - 1; /* there may be quotes in it */
			continue;
		}
		if (has_backslash && s.p[i] == '\\') {
			i++;
			continue;
		}
		if (s.p[i] != s.p[0])
			continue;
		if (i + 1 == s.n || s.p[i + 1] != s.p[0])
			return i + 1;
		i++;
	}
	return 0;
}

/* The inner side of a quoted run, as the value that it stands for; variables untouched. */
static struct str unquote(const struct compiler *c, struct str s, char quote)
{
	struct buf out = BUF_INIT(SQL_MAX);
	struct str result;

	for (size_t i = 0; i < s.n; i++) {
		struct template_part ignored;
		const char *why;
		size_t n = s.p[i] == '%' ? template_var(str_from(s, i), c->mem, &ignored, &why) : 0;

		if (n) {
			buf_add_str(&out, str_sub(s, i, n));
			i += n - 1;
		} else if (c->dialect == SQL_BACKSLASH && s.p[i] == '\\' && i + 1 < s.n) {
			sql_add_escaped(&out, s.p[++i]);
		} else {
			buf_add_char(&out, s.p[i]);
			i += s.p[i] == quote;
		}
	}
	result = arena_dup(c->mem, buf_str(&out));
	buf_free(&out);
	return result;
}

static bool is_name_octet(char ch)
{
	return ascii_is_alnum(ch) || ch == '_' || ch == '$';
}

static void add_plain(struct compiler *c, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		buf_add_char(&c->sql, s.p[i]);
		i += s.p[i] == '%' && i + 1 < s.n && s.p[i + 1] == '%';
	}
}

/* Returns octets taken, 0 on error. */
static size_t take_quoted(struct compiler *c, struct str s, char before)
{
	size_t n = quoted_length(c, s);
	struct str inner = str_sub(s, 1, n ? n - 2 : 0);
	/* "user" in double quotes is a name in SQL, but MySQL and SQLite take it as text: guides use both. */
	bool is_name = s.p[0] == '`' || (s.p[0] == '"' && c->dialect == SQL_DOLLAR);
	struct template t;

	if (n == 0)
		return cannot_compile(c, "the quote", s, "is not closed");
	if (template_compile(is_name ? inner : unquote(c, inner, s.p[0]), c->mem, &t, &c->why) < 0)
		return 0;
	if (!t.has_vars) {
		add_plain(c, str_sub(s, 0, n));
		return n;
	}
	if (is_name) {
		buf_add_char(&c->sql, s.p[0]);
		if (!add_name(c, &t, s))
			return 0;
		buf_add_char(&c->sql, s.p[0]);
		return n;
	}
	/* E'…', _utf8'…': the letter in front says what the text means. */
	if (is_name_octet(before))
		return cannot_compile(c, "the text with a variable", s,
			"has something in front of its quote; only plain text can be bound");
	bind_value(c, &t);
	return n;
}

static size_t take_bare(struct compiler *c, struct str s, char before)
{
	struct template t;
	struct template_part ignored;
	size_t n = template_var(s, c->mem, &ignored, &c->why);

	if (n == 0 || template_compile(str_sub(s, 0, n), c->mem, &t, &c->why) < 0)
		return 0;
	if (!t.has_vars)
		buf_add_char(&c->sql, '%');
	else if (is_name_octet(before) || (n < s.n && is_name_octet(s.p[n])))
		return add_name(c, &t, s) ? n : 0;
	else
		bind_value(c, &t);
	return n;
}

static size_t take_one(struct compiler *c, struct str s, char before)
{
	char ch = s.p[0];
	size_t n = sql_comment_length(s);

	if (n) {
		buf_add_char(&c->sql, ' ');
		return n;
	}
	if (ch == '\'' || ch == '"' || ch == '`')
		return take_quoted(c, s, before);
	if (ch == '%')
		return take_bare(c, s, before);
	if (ch == '?' && c->dialect != SQL_DOLLAR)
		return cannot_compile(c, "the \"?\"", s, "stands outside of quotes; values come from %variables");
	if (buf_add_char(&c->sql, ch) < 0)
		c->why = "the query is longer than 65536 octets";
	return 1;
}

int query_compile(struct str text, enum sql_dialect dialect, struct arena *mem, struct query *out, const char **why)
{
	struct compiler c = { .mem = mem, .dialect = dialect, .q = out, .last = &out->param, .sql = BUF_INIT(SQL_MAX) };
	char before = 0;

	*out = (struct query){ 0 };
	text = arena_dup(mem, text);
	while (text.n && c.why == NULL) {
		size_t n = take_one(&c, text, before);

		if (n)
			before = text.p[n - 1];
		text = str_from(text, n);
	}
	out->sql = c.why ? NULL : arena_cdup(mem, buf_str(&c.sql));
	if (out->names && out->sql)
		flush_text(&c);
	buf_free(&c.sql);
	*why = c.why;
	return c.why ? -1 : 0;
}

/* ---- use ---- */

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

static bool put_together(const struct query_names *names, const struct vars *v, struct arena *mem, struct buf *out)
{
	for (const struct template_part *p = names->whole.first; p; p = p->next) {
		struct template_part alone = *p;
		struct template one = { .first = &alone };
		struct str value;

		alone.next = NULL;
		value = p->is_text ? p->text : template_expand(&one, v, mem);
		if ((!p->is_text && !is_name(value)) || buf_add_str(out, value) < 0)
			return false;
	}
	return true;
}

const char *query_sql(const struct query *q, const struct vars *v, const char **why)
{
	struct query_names *names = q->names;
	struct buf text = BUF_INIT(SQL_MAX);
	struct arena *mem;
	const char *sql = NULL;

	if (names == NULL)
		return q->sql;
	mem = arena_new(0);
	*why = NULL;
	if (!put_together(names, v, mem, &text))
		*why = "the name of a column would have other characters than letters, digits and underscores";
	for (size_t i = 0; *why == NULL && i < names->n; i++)
		if (str_eq(buf_str(&text), str_c(names->form[i])))
			sql = names->form[i];
	if (*why == NULL && sql == NULL && names->n == QUERY_FORMS)
		*why = "the query has had too many forms, by the names of columns in it";
	if (*why == NULL && sql == NULL)
		sql = names->form[names->n++] = arena_cdup(names->mem, buf_str(&text));
	buf_free(&text);
	arena_free(&mem);
	return sql;
}

struct str *query_params(const struct query *q, const struct vars *v, struct arena *mem)
{
	struct str *params = arena_array(mem, q->n_params ? q->n_params : 1, sizeof *params);
	size_t i = 0;

	for (const struct template *t = q->param; t; t = t->next)
		params[i++] = template_expand(t, v, mem);
	return params;
}
