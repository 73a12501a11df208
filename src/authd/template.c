#include "authd/template.h"

#include "authd/filter.h"

enum { NUMBER_MAX = 1000000 };

/* ---- reading %{…} of 2.4 ---- */

struct scan {
	struct str rest;
	struct arena *mem;
	struct template_part *part;
	struct step **last;
	const char *why;
};

static void skip_blanks(struct scan *s)
{
	while (s->rest.n && strchr(" \t", s->rest.p[0]))
		s->rest = str_from(s->rest, 1);
}

static bool accept(struct scan *s, char c)
{
	skip_blanks(s);
	if (s->rest.n == 0 || s->rest.p[0] != c)
		return false;
	s->rest = str_from(s->rest, 1);
	return true;
}

static struct str take_word(struct scan *s)
{
	size_t n = 0;
	bool is_ldap;

	skip_blanks(s);
	/* "ldap:NAME:what to take where there is none" has octets that mean something elsewhere. */
	is_ldap = str_has_prefix(s->rest, STR("ldap:")) || str_has_prefix(s->rest, STR("ldap_multi:"));
	while (n < s->rest.n && (is_ldap ? strchr(" \t|,)", s->rest.p[n]) == NULL
					 : ascii_is_alnum(s->rest.p[n]) || strchr("_:.", s->rest.p[n])))
		n++;
	s->rest = str_from(s->rest, n);
	return str_pn(s->rest.p - n, n);
}

static bool fails(struct scan *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return false;
}

static bool take_text(struct scan *s, char quote, struct str *out)
{
	struct buf b = BUF_INIT(65536);
	bool closed;
	size_t i = 0;

	while (i < s->rest.n && s->rest.p[i] != quote) {
		if (s->rest.p[i] == '\\' && i + 1 < s->rest.n)
			i++;
		buf_add_char(&b, s->rest.p[i++]);
	}
	closed = i < s->rest.n;
	s->rest = str_from(s->rest, i + 1);
	*out = arena_dup(s->mem, buf_str(&b));
	buf_free(&b);
	return closed || fails(s, "a quote in a %{variable} is not closed");
}

static bool take_number(struct scan *s, struct arg *a)
{
	size_t n = s->rest.n && s->rest.p[0] == '-';
	uint64_t number;

	while (n < s->rest.n && ascii_is_digit(s->rest.p[n]))
		n++;
	a->kind = ARG_NUMBER;
	a->text = str_sub(s->rest, 0, n);
	if (!str_u64(s->rest.p[0] == '-' ? str_from(a->text, 1) : a->text, &number))
		return fails(s, "a number in a %{variable} is too large");
	s->rest = str_from(s->rest, n);
	return true;
}

static bool take_value(struct scan *s, struct arg *a)
{
	struct str word;
	char c;

	skip_blanks(s);
	c = s->rest.n ? s->rest.p[0] : 0;
	if (accept(s, '\'') || accept(s, '"')) {
		a->kind = ARG_TEXT;
		return take_text(s, c, &a->text);
	}
	if (ascii_is_digit(c) || c == '-')
		return take_number(s, a);
	word = take_word(s);
	if (a->key == NULL && accept(s, '=')) {
		a->key = arena_cdup(s->mem, word);
		return take_value(s, a);
	}
	a->kind = ARG_VAR;
	a->var = var_by_name(word, &a->field);
	return a->var != NULL || fails(s, arena_printf(s->mem, "the variable \"%.*s\" is not known", STR_ARG(word)));
}

static bool take_args(struct scan *s, struct step *step)
{
	if (!accept(s, '('))
		return true;
	if (accept(s, ')'))
		return true;
	do {
		if (step->n == ARGS_MAX)
			return fails(s, "too many arguments of a filter");
		if (!take_value(s, &step->arg[step->n++]))
			return false;
	} while (accept(s, ','));
	return accept(s, ')') || fails(s, "\")\" is missing in a %{variable}");
}

static bool args_fit(struct scan *s, const struct step *step, bool has_value)
{
	const struct filter *f = step->filter;
	unsigned n = 0;

	for (size_t i = 0; i < step->n; i++) {
		const char *key = step->arg[i].key;

		if (key == NULL)
			n++;
		else if (f->keys == NULL || strstr(f->keys, arena_printf(s->mem, " %s ", key)) == NULL)
			return fails(s, arena_printf(s->mem, "the filter \"%s\" knows no %s=", f->name, key));
	}
	if (n < f->min_args || n > f->max_args)
		return fails(s, arena_printf(s->mem, "the filter \"%s\" has too few or too many arguments", f->name));
	if (strcmp(f->name, "calculate") == 0 && !filter_is_operator(&step->arg[0]))
		return fails(s, "the first argument of the filter \"calculate\" is + - * / or %");
	if (f->needs_value && !has_value)
		return fails(s, arena_printf(s->mem, "nothing stands in front of the filter \"%s\"", f->name));
	return true;
}

static struct step *add_step(struct scan *s, const struct filter *f)
{
	struct step *step = arena_alloc(s->mem, sizeof *step);

	step->filter = f;
	*s->last = step;
	s->last = &step->next;
	return step;
}

static bool take_filter(struct scan *s, struct str word, bool has_value)
{
	const struct filter *f = filter_by_name(word);
	struct step *step;

	if (f == NULL)
		return fails(s, arena_printf(s->mem, "there is no filter \"%.*s\"", STR_ARG(word)));
	step = add_step(s, f);
	return take_args(s, step) && args_fit(s, step, has_value);
}

/* "+ 1", "% 16" */
static bool take_operator(struct scan *s)
{
	struct step *step = add_step(s, filter_by_name(STR("calculate")));

	step->n = 2;
	step->arg[0].text = str_sub(s->rest, 0, 1);
	s->rest = str_from(s->rest, 1);
	return take_value(s, &step->arg[1]);
}

static bool take_program(struct scan *s)
{
	struct str word = take_word(s);
	bool is_call = (skip_blanks(s), s->rest.n && s->rest.p[0] == '(');

	s->part->var = is_call ? NULL : var_by_name(word, &s->part->field);
	if (word.n && s->part->var == NULL && !is_call && filter_by_name(word) == NULL)
		return fails(s, arena_printf(s->mem, "the variable \"%.*s\" is not known", STR_ARG(word)));
	if (word.n && s->part->var == NULL && !take_filter(s, word, false))
		return false;
	while (skip_blanks(s), s->rest.n) {
		if (accept(s, '|')) {
			if (!take_filter(s, take_word(s), true))
				return false;
		} else if (str_chr(STR("+-*/%"), s->rest.p[0]) < 0 || !take_operator(s)) {
			return fails(s, "a %{variable} is not understood");
		}
	}
	return true;
}

/* ---- %{sha256;rounds=2,salt=x:user} and %{if;…} of 2.3 ---- */

static bool take_old_digest(struct scan *s, const struct filter *f, struct str options, struct str name)
{
	struct step *step = add_step(s, f);
	struct str option;

	s->part->var = var_by_name(name, &s->part->field);
	if (s->part->var == NULL)
		return fails(s, arena_printf(s->mem, "the variable \"%.*s\" is not known", STR_ARG(name)));
	while (options.n && str_field(&options, ",", &option)) {
		ptrdiff_t eq = str_chr(option, '=');
		struct arg *a = &step->arg[step->n];

		if (eq < 0)
			continue;
		if (step->n == ARGS_MAX)
			return fails(s, "too many arguments of a digest");
		a->key = arena_cdup(s->mem, str_sub(option, 0, (size_t)eq));
		a->text = str_from(option, (size_t)eq + 1);
		if (strcmp(a->key, "salt") == 0) {
			/* The last one: it may have commas, and variables. */
			a->text = str_pn(a->text.p, a->text.n + (options.p ? options.n + 1 : 0));
			a->kind = ARG_TEMPLATE;
			options = STR("");
			if (template_compile(a->text, s->mem, &a->inner, &s->why) < 0)
				return false;
		}
		step->n++;
	}
	return true;
}

/* Up to the next ";" that is not escaped and not in a variable. */
static struct str take_choice(struct scan *s)
{
	struct buf b = BUF_INIT(65536);
	struct str result;
	unsigned depth = 0;
	size_t i = 0;

	for (; i < s->rest.n && (depth || s->rest.p[i] != ';'); i++) {
		char c = s->rest.p[i];

		depth += c == '{';
		depth -= c == '}' && depth;
		if (c == '\\' && i + 1 < s->rest.n)
			c = s->rest.p[++i];
		buf_add_char(&b, c);
	}
	s->rest = str_from(s->rest, i + 1);
	result = arena_dup(s->mem, buf_str(&b));
	buf_free(&b);
	return result;
}

static bool take_old_if(struct scan *s)
{
	struct step *step = add_step(s, &filter_old_if);

	for (size_t i = 0; i < 5; i++) {
		if (s->rest.n == 0 && i < 4)
			return fails(s, "%{if;…} has too few parts; there should be %{if;value;eq;value;yes;no}");
		step->arg[i].kind = ARG_TEMPLATE;
		if (template_compile(take_choice(s), s->mem, &step->arg[i].inner, &s->why) < 0)
			return false;
	}
	step->n = 5;
	return true;
}

static bool take_long(struct scan *s)
{
	ptrdiff_t colon = str_chr(s->rest, ':'), semi = str_chr(s->rest, ';');
	struct str head = str_sub(s->rest, 0, semi > 0 && semi < colon ? (size_t)semi : colon > 0 ? (size_t)colon : 0);
	const struct filter *f = filter_digest(head);

	if (str_has_prefix(s->rest, STR("if;"))) {
		s->rest = str_from(s->rest, 3);
		return take_old_if(s);
	}
	if (f) {
		/* The field is behind the last colon: a salt may have some. */
		colon = str_rchr(s->rest, ':');
		return take_old_digest(s, f,
			semi > 0 ? str_sub(s->rest, (size_t)semi + 1, (size_t)(colon - semi - 1)) : STR(""),
			str_from(s->rest, (size_t)colon + 1));
	}
	return take_program(s);
}

/* ---- one variable ---- */

/* Octets up to the brace that closes the one at s.p[0], both included; 0: none does. */
static size_t braces_length(struct str s)
{
	bool has_quotes = !str_has_prefix(s, STR("{if;"));
	unsigned depth = 0;
	char quote = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\')
			i++;
		else if (quote)
			quote = c == quote ? 0 : quote;
		else if (has_quotes && (c == '\'' || c == '"'))
			quote = c;
		else if (c == '{')
			depth++;
		else if (c == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static long take_digits(struct str s, size_t *i)
{
	long n = 0;

	for (; *i < s.n && ascii_is_digit(s.p[*i]); ++*i)
		n = n < NUMBER_MAX ? n * 10 + (s.p[*i] - '0') : n;
	return n;
}

/* "[-][0]offset.[0][-]width", or "[-][0]width" */
static void take_range(struct str s, size_t *i, struct template_part *p)
{
	bool minus = *i < s.n && s.p[*i] == '-';

	*i += minus;
	p->is_padded = *i < s.n && s.p[*i] == '0';
	p->width = take_digits(s, i);
	if (*i == s.n || s.p[*i] != '.') {
		/* A minus alone: so many from the end. */
		if (minus) {
			p->offset = -p->width;
			p->width = 0;
			p->is_padded = false;
		}
		return;
	}
	p->offset = minus ? -p->width : p->width;
	++*i;
	p->is_padded = *i < s.n && s.p[*i] == '0';
	*i += p->is_padded;
	minus = *i < s.n && s.p[*i] == '-';
	*i += minus;
	p->width = take_digits(s, i);
	if (minus)
		p->width = -p->width;
}

static const char *not_understood(struct arena *mem, struct str at, const char *why)
{
	return arena_printf(mem, "%s at \"%.*s\"; there are %%u %%n %%d %%s %%l %%r %%m, %%{user} %%{user | domain} …",
		why ? why : "a variable is not known", (int)(at.n > 24 ? 24 : at.n), at.p);
}

size_t template_var(struct str s, struct arena *mem, struct template_part *part, const char **why)
{
	struct scan scan = { .mem = mem, .part = part, .last = &part->steps };
	struct step *modifiers = NULL, **last = &modifiers;
	const struct filter *f;
	size_t i = 1, n;

	*part = (struct template_part){ 0 };
	if (s.n > 1 && s.p[1] == '%') {
		part->is_text = true;
		part->text = str_sub(s, 1, 1);
		return 2;
	}
	take_range(s, &i, part);
	for (; i < s.n && (f = filter_by_modifier(s.p[i])) != NULL; i++) {
		*last = arena_alloc(mem, sizeof **last);
		(*last)->filter = f;
		last = &(*last)->next;
	}
	if (i < s.n && s.p[i] == '{') {
		n = braces_length(str_from(s, i));
		scan.rest = str_sub(s, i + 1, n ? n - 2 : 0);
		if (n == 0)
			scan.why = "a \"}\" is missing";
		if (n == 0 || !take_long(&scan)) {
			*why = not_understood(mem, s, scan.why);
			return 0;
		}
		*scan.last = modifiers;
		return i + n;
	}
	part->var = i < s.n ? var_by_letter(s.p[i]) : NULL;
	part->steps = modifiers;
	if (part->var == NULL)
		*why = not_understood(mem, s, NULL);
	return part->var ? i + 1 : 0;
}

/* ---- a whole text ---- */

static bool is_free(const struct template_part *p)
{
	bool free = p->var && var_is_free(p->var);

	for (const struct step *s = p->steps; s; s = s->next) {
		free |= strcmp(s->filter->name, "lookup") == 0;
		for (size_t i = 0; i < s->n; i++)
			free |= (s->arg[i].kind == ARG_VAR && var_is_free(s->arg[i].var)) ||
				(s->arg[i].kind == ARG_TEMPLATE && s->arg[i].inner.is_free);
	}
	return free;
}

static void add_part(struct template_part ***last, const struct template_part *part, struct arena *mem)
{
	struct template_part *p = arena_alloc(mem, sizeof *p);

	*p = *part;
	p->next = NULL;
	**last = p;
	*last = &p->next;
}

int template_compile(struct str text, struct arena *mem, struct template *out, const char **why)
{
	struct template_part **last = &out->first;

	*out = (struct template){ 0 };
	*why = NULL;
	text = arena_dup(mem, text);
	while (text.n) {
		ptrdiff_t at = str_chr(text, '%');
		struct template_part p = { .is_text = true, .text = at < 0 ? text : str_sub(text, 0, (size_t)at) };
		size_t used;

		if (p.text.n)
			add_part(&last, &p, mem);
		if (at < 0)
			break;
		text = str_from(text, (size_t)at);
		used = template_var(text, mem, &p, why);
		if (used == 0)
			return -1;
		out->has_vars |= !p.is_text;
		out->is_free |= is_free(&p);
		add_part(&last, &p, mem);
		text = str_from(text, used);
	}
	return 0;
}

/* ---- use ---- */

static void add_range(struct buf *out, const struct template_part *p, const struct filter_state *st)
{
	struct str s = st->value;
	size_t n;

	if (st->offset < 0)
		s = s.n > (size_t)-st->offset ? str_from(s, s.n - (size_t)-st->offset) : s;
	else
		s = str_from(s, (size_t)st->offset);
	if (st->width && p->is_padded)
		for (n = s.n; (long)n < st->width; n++)
			buf_add_char(out, '0');
	else if (st->width > 0)
		s = str_sub(s, 0, (size_t)st->width);
	else if (st->width < 0)
		s = s.n > (size_t)-st->width ? str_sub(s, 0, s.n - (size_t)-st->width) : STR("");
	buf_add_str(out, s);
}

static void expand_part(const struct template_part *p, const struct vars *v, const struct template_escape *e,
	struct arena *mem, struct buf *out)
{
	struct filter_state st = { .v = v, .mem = mem, .offset = p->offset, .width = p->width };
	bool is_name = false;

	if (p->is_text) {
		buf_add_str(out, p->text);
		return;
	}
	if (p->var) {
		st.value = var_value(p->var, p->field, v, mem);
		st.has_value = true;
	}
	for (const struct step *s = p->steps; s; s = s->next) {
		/* What failed leaves nothing to work on, but for `default`. */
		if (!st.has_value && s->filter->needs_value)
			continue;
		if (e && !is_name && strcmp(s->filter->name, "ldap_dn") == 0) {
			st.value = e->name(mem, st.value);
			is_name = true;
		}
		st.has_value = s->filter->run(s, &st);
		if (!st.has_value)
			st.value = STR("");
	}
	if (st.is_binary)
		st.value = filter_hex(mem, st.value);
	if (e && (!is_name || e->escapes_names)) {
		struct buf value = BUF_INIT(65536);

		add_range(&value, p, &st);
		buf_add_str(out, e->value(mem, buf_str(&value)));
		buf_wipe(&value);
	} else {
		add_range(out, p, &st);
	}
}

struct str template_expand_as(
	const struct template *t, const struct vars *v, const struct template_escape *e, struct arena *mem)
{
	struct buf out = BUF_INIT(65536);
	struct str result;

	for (const struct template_part *p = t->first; p; p = p->next)
		expand_part(p, v, e, mem, &out);
	result = arena_dup(mem, buf_str(&out));
	buf_wipe(&out);
	return result;
}

struct str template_expand(const struct template *t, const struct vars *v, struct arena *mem)
{
	return template_expand_as(t, v, NULL, mem);
}
