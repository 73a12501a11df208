#include "authd/query.h"

struct var {
	char letter; /* %x; 0: has only the long form */
	const char *name;
	size_t at; /* of the struct str in struct vars */
};
#define AT(member) offsetof(struct vars, member)
static const struct var vars_table[] = {
	{ 'u', "user", AT(user) },
	{ 'n', "username", AT(username) },
	{ 'd', "domain", AT(domain) },
	{ 's', "service", AT(service) },
	{ 0, "protocol", AT(service) },
	{ 'h', "home", AT(home) },
	{ 'l', "local_ip", AT(local_ip) },
	{ 0, "lip", AT(local_ip) },
	{ 'r', "remote_ip", AT(remote_ip) },
	{ 0, "rip", AT(remote_ip) },
	{ 'a', "local_port", AT(local_port) },
	{ 0, "lport", AT(local_port) },
	{ 'b', "remote_port", AT(remote_port) },
	{ 0, "rport", AT(remote_port) },
	{ 'm', "mechanism", AT(mechanism) },
	{ 'c', "secured", AT(secured) },
	{ 'w', "password", AT(pass) },
	{ 0, "session", AT(session) },
	{ 0, "local_name", AT(local_name) },
	{ 0, "auth_user", AT(user) },
	{ 0, "orig_user", AT(orig_user) },
	{ 0, "original_user", AT(orig_user) },
};
enum { N_VARS = sizeof vars_table / sizeof *vars_table };

static const struct var *var_by_name(struct str name)
{
	for (size_t i = 0; i < N_VARS; i++)
		if (str_eq(name, str_c(vars_table[i].name)))
			return &vars_table[i];
	return NULL;
}

static const struct var *var_by_letter(char c)
{
	for (size_t i = 0; i < N_VARS; i++)
		if (c && vars_table[i].letter == c)
			return &vars_table[i];
	return NULL;
}

/* 2.4's "user|lower", "user|domain", "user | username | upper". */
static bool take_filters(struct str inner, struct template_part *p)
{
	struct str word;

	str_field(&inner, "|", &word);
	p->var = var_by_name(str_trim(word));
	while (p->var && str_field(&inner, "|", &word)) {
		word = str_trim(word);
		if (str_eq(word, STR("lower")))
			p->lower = true;
		else if (str_eq(word, STR("upper")))
			p->upper = true;
		else if (p->var->at == AT(user) && (str_eq(word, STR("username")) || str_eq(word, STR("domain"))))
			p->var = var_by_name(word);
		else
			p->var = NULL;
	}
	return p->var != NULL;
}

/*
 * One variable at the start of s, which begins with "%". Returns its length in octets; 0: not understood. "%%" is one
 * literal "%".
 */
static size_t take_var(struct str s, struct template_part *p)
{
	size_t i = 1;

	if (s.n > 1 && s.p[1] == '%') {
		p->text = str_sub(s, 1, 1);
		return 2;
	}
	for (; i < s.n && (s.p[i] == 'L' || s.p[i] == 'U'); i++) {
		p->lower |= s.p[i] == 'L';
		p->upper |= s.p[i] == 'U';
	}
	if (i < s.n && s.p[i] == '{') {
		ptrdiff_t end = str_chr(str_from(s, i), '}');

		return end > 0 && take_filters(str_sub(s, i + 1, (size_t)end - 1), p) ? i + (size_t)end + 1 : 0;
	}
	p->var = i < s.n ? var_by_letter(s.p[i]) : NULL;
	return p->var ? i + 1 : 0;
}

static const char *not_understood(struct arena *mem, struct str at)
{
	return arena_printf(mem,
		"the variable at \"%.*s\" is not known; there are %%u %%n %%d %%s %%l %%r %%m, "
		"%%{user} %%{username} %%{domain} … with L or U for lower and upper case",
		(int)(at.n > 16 ? 16 : at.n), at.p);
}

static int add_part(struct template_part ***last, struct template_part part, struct arena *mem)
{
	struct template_part *p;

	if (part.var == NULL && part.text.n == 0)
		return 0;
	p = arena_alloc(mem, sizeof *p);
	*p = part;
	p->next = NULL;
	**last = p;
	*last = &p->next;
	return part.var != NULL;
}

/* Returns the number of variables, or -1. */
static int compile(struct str text, struct arena *mem, struct template *out, const char **why)
{
	struct template_part **last = &out->first;
	int n = 0;

	*out = (struct template){ 0 };
	text = arena_dup(mem, text);
	while (text.n) {
		ptrdiff_t at = str_chr(text, '%');
		struct template_part p = { 0 };
		size_t used;

		add_part(&last, (struct template_part){ .text = at < 0 ? text : str_sub(text, 0, (size_t)at) }, mem);
		if (at < 0)
			break;
		text = str_from(text, (size_t)at);
		used = take_var(text, &p);
		if (used == 0) {
			*why = not_understood(mem, text);
			return -1;
		}
		n += add_part(&last, p, mem);
		text = str_from(text, used);
	}
	return n;
}

int template_compile(struct str text, struct arena *mem, struct template *out, const char **why)
{
	return compile(text, mem, out, why) < 0 ? -1 : 0;
}

/* ---- queries ---- */

struct compiler {
	struct arena *mem;
	struct query *q;
	struct template **last;
	struct buf sql;
	const char *why;
};

static void bind_value(struct compiler *c, const struct template *t)
{
	struct template *own = arena_alloc(c->mem, sizeof *own);

	*own = *t;
	*c->last = own;
	c->last = &own->next;
	c->q->n_params++;
	buf_add_char(&c->sql, '?');
}

/* Length of the quoted run at the start of s, both quotes included; 0: not closed. A doubled quote is part of it. */
static size_t quoted_length(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] != s.p[0])
			continue;
		if (i + 1 == s.n || s.p[i + 1] != s.p[0])
			return i + 1;
		i++;
	}
	return 0;
}

static struct str undouble(struct arena *mem, struct str s)
{
	char *p = arena_alloc(mem, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		p[n++] = s.p[i];
		if (s.p[i] == '\'')
			i++;
	}
	return str_pn(p, n);
}

/* Returns octets taken, 0 on error. */
static size_t take_quoted(struct compiler *c, struct str s)
{
	size_t n = quoted_length(s);
	struct str inner = str_sub(s, 1, n ? n - 2 : 0);
	struct template t;
	int vars;

	if (n == 0) {
		c->why = arena_printf(c->mem, "the quote at \"%.*s\" is not closed", (int)(s.n > 16 ? 16 : s.n), s.p);
		return 0;
	}
	/* "user" in double quotes is a name in SQL, but MySQL and SQLite take it as text: guides use both. */
	vars = compile(s.p[0] == '\'' ? undouble(c->mem, inner) : inner, c->mem, &t, &c->why);
	if (vars < 0)
		return 0;
	if (vars && s.p[0] == '`') {
		c->why = "a variable inside a name (`…`) cannot be bound; only values can";
		return 0;
	}
	if (vars)
		bind_value(c, &t);
	else
		for (size_t i = 0; i < n; i++) {
			buf_add_char(&c->sql, s.p[i]);
			i += s.p[i] == '%' && i + 1 < n && s.p[i + 1] == '%';
		}
	return n;
}

static bool is_name_octet(char ch)
{
	return ascii_is_alnum(ch) || ch == '_' || ch == '$';
}

static size_t take_bare(struct compiler *c, struct str s, char before)
{
	struct template t = { 0 };
	struct template_part *p = arena_alloc(c->mem, sizeof *p);
	size_t n = take_var(s, p);

	if (n == 0) {
		c->why = not_understood(c->mem, s);
		return 0;
	}
	if (p->var == NULL) {
		buf_add_char(&c->sql, '%');
		return n;
	}
	if (is_name_octet(before) || (n < s.n && is_name_octet(s.p[n]))) {
		c->why = arena_printf(c->mem, "the variable at \"%.*s\" is part of a name; only values can be bound",
			(int)(s.n > 16 ? 16 : s.n), s.p);
		return 0;
	}
	t.first = p;
	bind_value(c, &t);
	return n;
}

int query_compile(struct str text, struct arena *mem, struct query *out, const char **why)
{
	struct compiler c = { .mem = mem, .q = out, .last = &out->param, .sql = BUF_INIT(65536) };
	char before = 0;

	*out = (struct query){ 0 };
	text = arena_dup(mem, text);
	while (text.n && c.why == NULL) {
		char ch = text.p[0];
		size_t n = 1;

		if (ch == '\'' || ch == '"' || ch == '`')
			n = take_quoted(&c, text);
		else if (ch == '%')
			n = take_bare(&c, text, before);
		else if (ch == '?')
			c.why = "a \"?\" outside of quotes; values come from %variables";
		else if (buf_add_char(&c.sql, ch) < 0)
			c.why = "the query is longer than 65536 octets";
		if (n)
			before = text.p[n - 1];
		text = str_from(text, n);
	}
	out->sql = c.why ? NULL : arena_cdup(mem, buf_str(&c.sql));
	buf_free(&c.sql);
	*why = c.why;
	return c.why ? -1 : 0;
}

/* ---- use ---- */

static void expand_part(const struct template_part *p, const struct vars *v, struct buf *out)
{
	struct str s = p->var ? *(const struct str *)(const void *)((const char *)v + p->var->at) : p->text;

	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		if (p->lower)
			ch = ascii_lower(ch);
		else if (p->upper && ch >= 'a' && ch <= 'z')
			ch = (char)(ch - 32);
		buf_add_char(out, ch);
	}
}

struct str template_expand(const struct template *t, const struct vars *v, struct arena *mem)
{
	struct buf out = BUF_INIT(65536);
	struct str result;

	for (const struct template_part *p = t->first; p; p = p->next)
		expand_part(p, v, &out);
	result = arena_dup(mem, buf_str(&out));
	buf_wipe(&out);
	return result;
}

struct str *query_params(const struct query *q, const struct vars *v, struct arena *mem)
{
	struct str *params = arena_array(mem, q->n_params ? q->n_params : 1, sizeof *params);
	size_t i = 0;

	for (const struct template *t = q->param; t; t = t->next)
		params[i++] = template_expand(t, v, mem);
	return params;
}

void vars_set_user(struct vars *v, struct str user)
{
	ptrdiff_t at = str_chr(user, '@');

	v->user = user;
	v->username = at < 0 ? user : str_sub(user, 0, (size_t)at);
	v->domain = at < 0 ? STR("") : str_from(user, (size_t)at + 1);
}
