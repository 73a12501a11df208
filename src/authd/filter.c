/* What filters there are, and their arguments. */
#include "authd/filter_impl.h"

struct str arg_text(const struct arg *a, const struct filter_state *st)
{
	switch (a->kind) {
	case ARG_VAR:
		return var_value(a->var, a->field, st->v, st->mem);
	case ARG_TEMPLATE:
		return template_expand(&a->inner, st->v, st->mem);
	case ARG_TEXT:
	case ARG_NUMBER:
		break;
	}
	return a->text;
}

int filter_number(struct str s, int64_t *out)
{
	bool minus = s.n && s.p[0] == '-';
	uint64_t n;

	if (!str_u64(minus ? str_from(s, 1) : s, &n) || n > INT64_MAX)
		return -1;
	*out = minus ? -(int64_t)n : (int64_t)n;
	return 0;
}

int arg_number(const struct arg *a, const struct filter_state *st, int64_t *out)
{
	return filter_number(arg_text(a, st), out);
}

const struct arg *arg_key(const struct step *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->arg[i].key && strcmp(s->arg[i].key, key) == 0)
			return &s->arg[i];
	return NULL;
}

bool filter_take(struct filter_state *st, struct buf *b)
{
	st->value = arena_dup(st->mem, buf_str(b));
	st->has_value = true;
	buf_wipe(b);
	return true;
}

static const struct filter choices[] = {
	{ "if", 0, 4, 5, NULL, false, filter_if },
	{ "switch", 0, 3, ARGS_MAX, NULL, false, filter_switch },
};

const struct filter filter_old_if = { "", 0, 5, 5, NULL, false, filter_run_old_if };

static const struct filter_list filters_of_choice = { choices, sizeof choices / sizeof *choices };
static const struct filter_list *const lists[] = { &filters_of_text, &filters_of_numbers, &filters_of_codes,
	&filters_of_digests, &filters_of_patterns, &filters_of_choice };

enum { N_LISTS = sizeof lists / sizeof *lists };

const struct filter *filter_by_name(struct str name)
{
	for (size_t k = 0; name.n && k < N_LISTS; k++)
		for (size_t i = 0; i < lists[k]->n; i++)
			if (str_eq(name, str_c(lists[k]->row[i].name)))
				return &lists[k]->row[i];
	return NULL;
}

const struct filter *filter_by_modifier(char c)
{
	for (size_t k = 0; c && k < N_LISTS; k++)
		for (size_t i = 0; i < lists[k]->n; i++)
			if (lists[k]->row[i].modifier == c)
				return &lists[k]->row[i];
	return NULL;
}
