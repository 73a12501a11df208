/* Choices in %-variables: comparisons of numbers, of text, with patterns. */
#include "authd/filter_impl.h"

#include <fnmatch.h>

enum order { LESS = 1, SAME = 2, MORE = 4 };

static const struct {
	const char *name;
	unsigned when; /* any of enum order */
	bool is_number;
} comparators[] = {
	{ "==", SAME, true },
	{ "!=", LESS | MORE, true },
	{ "<", LESS, true },
	{ "<=", LESS | SAME, true },
	{ ">", MORE, true },
	{ ">=", MORE | SAME, true },
	{ "eq", SAME, false },
	{ "ne", LESS | MORE, false },
	{ "lt", LESS, false },
	{ "le", LESS | SAME, false },
	{ "gt", MORE, false },
	{ "ge", MORE | SAME, false },
};

/* 1: yes; 0: no; -1: that cannot be compared. */
static int compare(struct str a, struct str op, struct str b, struct arena *mem)
{
	int64_t x = 0, y = 0;
	int r;

	if (str_eq(op, STR("*")) || str_eq(op, STR("!*")))
		return (fnmatch(arena_cdup(mem, b), arena_cdup(mem, a), 0) == 0) == (op.n == 1);
	if (str_eq(op, STR("~")) || str_eq(op, STR("!~"))) {
		r = filter_matches(b, a);
		return r < 0 ? -1 : r == (op.n == 1);
	}
	for (size_t i = 0; i < sizeof comparators / sizeof *comparators; i++) {
		if (!str_eq(op, str_c(comparators[i].name)))
			continue;
		if (comparators[i].is_number && (filter_number(a, &x) < 0 || filter_number(b, &y) < 0))
			return -1;
		r = comparators[i].is_number ? (x > y) - (x < y) : str_cmp(a, b);
		return (comparators[i].when & (r < 0 ? LESS : r == 0 ? SAME : MORE)) != 0;
	}
	return -1;
}

/* What stands in front, or the first argument: then *next is 1. */
static struct str left_side(const struct step *s, const struct filter_state *st, size_t *next)
{
	*next = !st->has_value;
	return st->has_value ? st->value : arg_text(&s->arg[0], st);
}

bool filter_if(const struct step *s, struct filter_state *st)
{
	size_t i;
	struct str left = left_side(s, st, &i);
	int r;

	if (s->n != i + 4)
		return false;
	r = compare(left, arg_text(&s->arg[i], st), arg_text(&s->arg[i + 1], st), st->mem);
	if (r < 0)
		return false;
	st->value = arg_text(&s->arg[i + (r ? 2 : 3)], st);
	return true;
}

/* switch(op, a, then, b, then, … [otherwise]) */
bool filter_switch(const struct step *s, struct filter_state *st)
{
	size_t i;
	struct str left = left_side(s, st, &i), op;

	if (s->n < i + 3)
		return false;
	op = arg_text(&s->arg[i++], st);
	for (; i + 1 < s->n; i += 2) {
		int r = compare(left, op, arg_text(&s->arg[i], st), st->mem);

		if (r < 0)
			return false;
		if (r) {
			st->value = arg_text(&s->arg[i + 1], st);
			return true;
		}
	}
	if (i == s->n)
		return false;
	st->value = arg_text(&s->arg[i], st);
	return true;
}

bool filter_run_old_if(const struct step *s, struct filter_state *st)
{
	int r = compare(arg_text(&s->arg[0], st), arg_text(&s->arg[1], st), arg_text(&s->arg[2], st), st->mem);

	if (r < 0)
		return false;
	st->value = arg_text(&s->arg[r ? 3 : 4], st);
	return true;
}
