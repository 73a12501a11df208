/* Reading %{variable | filter(…)} as 2.4 has it. */
#include "authd/template_impl.h"

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

bool template_fails(struct scan *s, const char *why)
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
	return closed || template_fails(s, "a quote in a %{variable} is not closed");
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
		return template_fails(s, "a number in a %{variable} is too large");
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
	return a->var != NULL ||
	       template_fails(s, arena_printf(s->mem, "the variable \"%.*s\" is not known", STR_ARG(word)));
}

static bool take_args(struct scan *s, struct step *step)
{
	if (!accept(s, '('))
		return true;
	if (accept(s, ')'))
		return true;
	do {
		if (step->n == ARGS_MAX)
			return template_fails(s, "too many arguments of a filter");
		if (!take_value(s, &step->arg[step->n++]))
			return false;
	} while (accept(s, ','));
	return accept(s, ')') || template_fails(s, "\")\" is missing in a %{variable}");
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
			return template_fails(s, arena_printf(s->mem, "the filter \"%s\" knows no %s=", f->name, key));
	}
	if (n < f->min_args || n > f->max_args)
		return template_fails(
			s, arena_printf(s->mem, "the filter \"%s\" has too few or too many arguments", f->name));
	if (strcmp(f->name, "calculate") == 0 && !filter_is_operator(&step->arg[0]))
		return template_fails(s, "the first argument of the filter \"calculate\" is + - * / or %");
	if (strcmp(f->name, "safe") == 0 && (skip_blanks(s), s->rest.n))
		return template_fails(s, "the filter \"safe\" has to be the last one");
	if (f->needs_value && !has_value)
		return template_fails(s, arena_printf(s->mem, "nothing stands in front of the filter \"%s\"", f->name));
	return true;
}

struct step *template_add_step(struct scan *s, const struct filter *f)
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
		return template_fails(s, arena_printf(s->mem, "there is no filter \"%.*s\"", STR_ARG(word)));
	step = template_add_step(s, f);
	return take_args(s, step) && args_fit(s, step, has_value);
}

/* "+ 1", "% 16" */
static bool take_operator(struct scan *s)
{
	struct step *step = template_add_step(s, filter_by_name(STR("calculate")));

	step->n = 2;
	step->arg[0].text = str_sub(s->rest, 0, 1);
	s->rest = str_from(s->rest, 1);
	return take_value(s, &step->arg[1]);
}

bool template_take_new(struct scan *s)
{
	struct str word = take_word(s);
	bool is_call = (skip_blanks(s), s->rest.n && s->rest.p[0] == '(');

	s->part->var = is_call ? NULL : var_by_name(word, &s->part->field);
	if (word.n && s->part->var == NULL && !is_call && filter_by_name(word) == NULL)
		return template_fails(s, arena_printf(s->mem, "the variable \"%.*s\" is not known", STR_ARG(word)));
	if (word.n && s->part->var == NULL && !take_filter(s, word, false))
		return false;
	while (skip_blanks(s), s->rest.n) {
		if (accept(s, '|')) {
			if (!take_filter(s, take_word(s), true))
				return false;
		} else if (str_chr(STR("+-*/%"), s->rest.p[0]) < 0 || !take_operator(s)) {
			return template_fails(s, "a %{variable} is not understood");
		}
	}
	return true;
}
