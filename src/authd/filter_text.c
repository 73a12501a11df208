/* Filters of text: cases, parts, what fills it up. */
#include "authd/filter_impl.h"

enum { FILL_MAX = 1024 };

static bool run_lower(const struct step *s, struct filter_state *st)
{
	char *p = arena_cdup(st->mem, st->value);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++)
		p[i] = ascii_lower(p[i]);
	st->value.p = p;
	return true;
}

static bool run_upper(const struct step *s, struct filter_state *st)
{
	char *p = arena_cdup(st->mem, st->value);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++)
		if (p[i] >= 'a' && p[i] <= 'z')
			p[i] = (char)(p[i] - 32);
	st->value.p = p;
	return true;
}

static bool run_reverse(const struct step *s, struct filter_state *st)
{
	char *p = arena_cdup(st->mem, st->value);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++)
		p[i] = st->value.p[st->value.n - 1 - i];
	st->value.p = p;
	return true;
}

static bool run_username(const struct step *s, struct filter_state *st)
{
	ptrdiff_t at = str_chr(st->value, '@');

	(void)s;
	st->value = at < 0 ? st->value : str_sub(st->value, 0, (size_t)at);
	return true;
}

static bool run_domain(const struct step *s, struct filter_state *st)
{
	ptrdiff_t at = str_chr(st->value, '@');

	(void)s;
	st->value = at < 0 ? STR("") : str_from(st->value, (size_t)at + 1);
	return true;
}

static bool run_ldap_dn(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++)
		if (st->value.p[i] == '.')
			buf_add_c(&b, ",dc=");
		else
			buf_add_char(&b, st->value.p[i]);
	return filter_take(st, &b);
}

/* A backslash before " ' and \. */
static bool run_escape(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	(void)s;
	for (size_t i = 0; i < st->value.n; i++) {
		if (strchr("\"'\\", st->value.p[i]) && st->value.p[i])
			buf_add_char(&b, '\\');
		buf_add_char(&b, st->value.p[i]);
	}
	return filter_take(st, &b);
}

static bool run_trim(const struct step *s, struct filter_state *st)
{
	(void)s;
	while (st->value.n && strchr(" \t\r\n\v\f", st->value.p[st->value.n - 1]))
		st->value.n--;
	return true;
}

static bool run_text(const struct step *s, struct filter_state *st)
{
	(void)s;
	st->is_binary = false;
	return true;
}

/* In Dovecot the value is text of the query from here on, and in SQL and LDAP no longer a value. Here it stays one. */
static bool run_safe(const struct step *s, struct filter_state *st)
{
	(void)s;
	(void)st;
	return true;
}

static bool run_default(const struct step *s, struct filter_state *st)
{
	if (st->has_value && st->value.n)
		return true;
	st->value = s->n ? arg_text(&s->arg[0], st) : STR("");
	st->is_binary = false;
	return true;
}

static bool run_literal(const struct step *s, struct filter_state *st)
{
	st->value = arg_text(&s->arg[0], st);
	st->is_binary = false;
	return true;
}

/* The name of a variable in another one's value. */
static bool run_lookup(const struct step *s, struct filter_state *st)
{
	struct str field;
	const struct var *var = var_by_name(arg_text(&s->arg[0], st), &field);

	if (var == NULL)
		return false;
	st->value = var_value(var, field, st->v, st->mem);
	return true;
}

static bool run_concat(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);

	if (st->has_value)
		buf_add_str(&b, st->value);
	for (size_t i = 0; i < s->n; i++)
		buf_add_str(&b, arg_text(&s->arg[i], st));
	return filter_take(st, &b);
}

static bool run_list(const struct step *s, struct filter_state *st)
{
	struct buf b = BUF_INIT(VALUE_MAX);
	struct str separator = s->n ? arg_text(&s->arg[0], st) : STR(",");

	for (size_t i = 0; i < st->value.n; i++)
		if (st->value.p[i] == '\t')
			buf_add_str(&b, separator);
		else
			buf_add_char(&b, st->value.p[i]);
	return filter_take(st, &b);
}

static bool run_substr(const struct step *s, struct filter_state *st)
{
	int64_t all = (int64_t)st->value.n, from = 0, n = 0;

	if (arg_number(&s->arg[0], st, &from) < 0 || from < -all || from > all)
		return false;
	from = from < 0 ? all + from : from;
	n = all - from;
	if (s->n > 1 && (arg_number(&s->arg[1], st, &n) < 0 || n < -all || n > all))
		return false;
	if (n < 0)
		n = all + n - from;
	if (n < 0 || from + n > all)
		return false;
	st->value = str_sub(st->value, (size_t)from, (size_t)n);
	return true;
}

static bool run_index(const struct step *s, struct filter_state *st)
{
	struct str sep = arg_text(&s->arg[0], st);
	int64_t want, n = 1, at = 0;
	size_t from = 0;

	if (arg_number(&s->arg[1], st, &want) < 0 || sep.n == 0)
		return false;
	for (size_t i = 0; i + sep.n <= st->value.n; i++)
		if (memcmp(st->value.p + i, sep.p, sep.n) == 0) {
			n++;
			i += sep.n - 1;
		}
	want = want < 0 ? n + want : want;
	if (want < 0 || want >= n)
		return false;
	for (size_t i = 0; i <= st->value.n; i++) {
		bool end = i == st->value.n;

		if (!end && (i + sep.n > st->value.n || memcmp(st->value.p + i, sep.p, sep.n) != 0))
			continue;
		if (at++ == want) {
			st->value = str_sub(st->value, from, i - from);
			return true;
		}
		from = i + sep.n;
		i += end ? 0 : sep.n - 1;
	}
	return false;
}

static bool fill(const struct step *s, struct filter_state *st, bool left)
{
	struct buf b = BUF_INIT(VALUE_MAX);
	struct str with = s->n > 1 ? arg_text(&s->arg[1], st) : STR("0");
	int64_t n;
	size_t have = st->value.n;

	if (arg_number(&s->arg[0], st, &n) < 0 || n < 1 || n > FILL_MAX || with.n == 0)
		return false;
	if (!left)
		buf_add_str(&b, st->value);
	for (; have < (size_t)n; have += with.n)
		buf_add_str(&b, with);
	if (left)
		buf_add_str(&b, st->value);
	return filter_take(st, &b);
}

static bool run_lfill(const struct step *s, struct filter_state *st)
{
	return fill(s, st, true);
}

static bool run_rfill(const struct step *s, struct filter_state *st)
{
	return fill(s, st, false);
}

static const struct filter rows[] = {
	/* name, 2.3, args, by name, value */
	{ "lower", 'L', 0, 0, NULL, true, run_lower },
	{ "upper", 'U', 0, 0, NULL, true, run_upper },
	{ "reverse", 'R', 0, 0, NULL, true, run_reverse },
	{ "username", 0, 0, 0, NULL, true, run_username },
	{ "domain", 0, 0, 0, NULL, true, run_domain },
	{ "ldap_dn", 'D', 0, 0, NULL, true, run_ldap_dn },
	{ "text", 0, 0, 0, NULL, true, run_text },
	{ "safe", 0, 0, 0, NULL, true, run_safe },
	{ "default", 0, 0, 1, NULL, false, run_default },
	{ "literal", 0, 1, 1, NULL, false, run_literal },
	{ "lookup", 0, 1, 1, NULL, false, run_lookup },
	{ "concat", 0, 1, ARGS_MAX, NULL, false, run_concat },
	{ "list", 0, 0, 1, NULL, true, run_list },
	{ "substr", 0, 1, 2, NULL, true, run_substr },
	{ "index", 0, 2, 2, NULL, true, run_index },
	{ "lfill", 0, 1, 2, NULL, true, run_lfill },
	{ "rfill", 0, 1, 2, NULL, true, run_rfill },
	{ "", 'E', 0, 0, NULL, true, run_escape },
	{ "", 'T', 0, 0, NULL, true, run_trim },
};

const struct filter_list filters_of_text = { rows, sizeof rows / sizeof *rows };
