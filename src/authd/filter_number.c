/* Filters that calculate. */
#include "authd/filter_impl.h"

bool filter_is_operator(const struct arg *a)
{
	return a->kind == ARG_TEXT && a->key == NULL && a->text.n == 1 && str_chr(STR("+-*/%"), a->text.p[0]) >= 0;
}

static bool run_calculate(const struct step *s, struct filter_state *st)
{
	char op = s->arg[0].text.p[0];
	int64_t a, b;
	bool over = false;

	if (arg_number(&s->arg[1], st, &b) < 0 || ((op == '/' || op == '%') && b == 0))
		return false;
	if (st->is_binary && op == '%') {
		uint64_t n = 0;

		if (b < 1)
			return false;
		/* The last eight octets of a digest, as Dovecot has it. */
		for (size_t i = st->value.n > 8 ? st->value.n - 8 : 0; i < st->value.n; i++)
			n = n << 8 | (unsigned char)st->value.p[i];
		st->value = str_c(arena_printf(st->mem, "%llu", (unsigned long long)(n % (uint64_t)b)));
		st->is_binary = false;
		return true;
	}
	if (filter_number(st->value, &a) < 0 || (b == -1 && a == INT64_MIN))
		return false;
	switch (op) {
	case '+':
		over = __builtin_add_overflow(a, b, &a);
		break;
	case '-':
		over = __builtin_sub_overflow(a, b, &a);
		break;
	case '*':
		over = __builtin_mul_overflow(a, b, &a);
		break;
	case '/':
		a /= b;
		break;
	case '%':
		a %= b;
		break;
	default:
		return false;
	}
	st->value = str_c(arena_printf(st->mem, "%lld", (long long)a));
	return !over;
}

/* So many octets as a number has: 1, 2, 4 or 8. */
static bool of_octets(struct filter_state *st, bool big_end_first)
{
	size_t n = st->value.n;
	uint64_t number = 0;

	if (n != 1 && n != 2 && n != 4 && n != 8)
		return false;
	for (size_t i = 0; i < n; i++)
		number = number << 8 | (unsigned char)st->value.p[big_end_first ? i : n - 1 - i];
	st->value = str_c(arena_printf(st->mem, "%llu", (unsigned long long)number));
	st->is_binary = false;
	return true;
}

static bool run_benumber(const struct step *s, struct filter_state *st)
{
	(void)s;
	return of_octets(st, true);
}

static bool run_lenumber(const struct step *s, struct filter_state *st)
{
	(void)s;
	return of_octets(st, false);
}

static const struct filter rows[] = {
	/* name, 2.3, args, by name, value */
	{ "calculate", 0, 2, 2, NULL, true, run_calculate },
	{ "benumber", 0, 0, 0, NULL, true, run_benumber },
	{ "lenumber", 0, 0, 0, NULL, true, run_lenumber },
};

const struct filter_list filters_of_numbers = { rows, sizeof rows / sizeof *rows };
