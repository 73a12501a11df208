/* value.c - expanded text to typed values, and what is wrong when it does not fit. */
#include "conf/conf_impl.h"
#include <inttypes.h>

bool value_int(struct str s, int64_t *out)
{
	bool negative = s.n && s.p[0] == '-';
	uint64_t n;

	*out = 0;
	if (!str_u64(negative ? str_from(s, 1) : s, &n) || n > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)n : (int64_t)n;
	return true;
}

bool value_bool(struct str s, bool *out)
{
	*out = str_ieq(s, STR("yes"));
	return *out || str_ieq(s, STR("no"));
}

static int64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

bool value_time(struct str s, char default_unit, int64_t *out)
{
	char unit = default_unit;
	uint64_t n;
	int64_t factor;

	*out = 0;
	if (s.n && !ascii_is_digit(s.p[s.n - 1])) {
		unit = ascii_lower(s.p[s.n - 1]);
		s = str_sub(s, 0, s.n - 1);
	}
	factor = unit_seconds(unit);
	if (factor == 0 || !str_u64(s, &n) || n > (uint64_t)(INT32_MAX / factor))
		return false;
	*out = (int64_t)n * factor;
	return true;
}

/* "3.6.1" to one number; false: malformed. */
static bool level_number(struct str s, uint64_t *out)
{
	struct str rest = s, part;
	uint64_t n;
	int parts = 0;

	*out = 0;
	while (str_field(&rest, ".", &part)) {
		if (++parts > 3 || !str_u64(part, &n) || n > 99999)
			return false;
		*out = *out * 100000 + n;
	}
	for (; parts < 3; parts++)
		*out *= 100000;
	return true;
}

int level_compare(struct str a, struct str b)
{
	uint64_t x, y;

	if (!level_number(a, &x) || !level_number(b, &y))
		return -2;
	return x < y ? -1 : x > y;
}

static const char *check_range(const struct param *p, int64_t n, const char *unit, struct arena *mem)
{
	if (n < p->min)
		return arena_printf(mem, "too small; write %" PRId64 "%s or more", p->min, unit);
	if (p->max && n > p->max)
		return arena_printf(mem, "too large; write %" PRId64 "%s or less", p->max, unit);
	return NULL;
}

/* The default, when it shows what a value looks like; else the example. */
static const char *example(const struct param *p, const char *other)
{
	return p->initial[0] && !strchr(p->initial, '$') ? p->initial : other;
}

static const char *check_words(const struct param *p, struct str value, struct arena *mem)
{
	struct str rest = str_c(p->words), word;
	struct buf list = BUF_INIT(4096);
	const char *wrong;

	while (str_field(&rest, "|", &word)) {
		if (str_ieq(word, value)) {
			buf_free(&list);
			return NULL;
		}
		if (word.n)
			buf_addf(&list, "%s%.*s", list.n ? ", " : "", STR_ARG(word));
	}
	wrong = arena_printf(mem, "not a word that is known here; write one of: %s", list.n ? list.p : "");
	buf_free(&list);
	return wrong;
}

const char *value_check(const struct param *p, const char *value, struct arena *mem)
{
	struct str s = str_c(value);
	int64_t n;
	bool b;

	switch (p->type) {
	case PARAM_BOOL:
		return value_bool(s, &b) ? NULL : "not a boolean; write yes or no";
	case PARAM_INT:
		if (!value_int(s, &n))
			return arena_printf(mem, "not a number; write digits only, for example %s", example(p, "10"));
		return check_range(p, n, "", mem);
	case PARAM_OCTETS:
		if (!value_int(s, &n))
			return arena_printf(mem, "not a number; write octets, for example %s", example(p, "10240000"));
		return check_range(p, n, " octets", mem);
	case PARAM_TIME:
		if (!value_time(s, p->unit, &n))
			return arena_printf(mem, "not a time; write a number and s, m, h, d or w, for example %s",
				example(p, "300s"));
		return check_range(p, n, "s", mem);
	case PARAM_LEVEL:
		return level_compare(s, s) == -2 ? "not a compatibility level; write for example 3.6" : NULL;
	case PARAM_ENUM:
		return check_words(p, s, mem);
	case PARAM_STRING:
		return (int64_t)s.n < p->min ? arena_printf(mem, "empty; write for example %s", p->initial) : NULL;
	default:
		return NULL;
	}
}
