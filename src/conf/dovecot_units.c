#include "conf/dovecot.h"

int dovecot_bool(const char *value, bool *out)
{
	struct str v = str_c(value);

	*out = str_ieq(v, STR("yes")) || str_ieq(v, STR("y")) || str_eq(v, STR("1"));
	return *out || str_ieq(v, STR("no")) || str_ieq(v, STR("n")) || str_eq(v, STR("0")) ? 0 : -1;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* Longer than anything here keeps. */
enum { INFINITE_DAYS = 366 };
#define TERA (1ULL << 40)

static int number_with_unit(const char *value, const struct unit *units, uint64_t *out)
{
	struct str v = str_trim(str_c(value));
	size_t n = 0;
	uint64_t number;

	*out = 0;
	while (n < v.n && ascii_is_digit(v.p[n]))
		n++;
	if (!str_u64(str_sub(v, 0, n), &number))
		return -1;
	v = str_trim(str_from(v, n));
	for (; units->name; units++)
		if (str_ieq(v, str_c(units->name)))
			return __builtin_mul_overflow(number, units->factor, out) ? -1 : 0;
	return -1;
}

int dovecot_time_ms(const char *value, uint64_t *out)
{
	static const struct unit units[] = { { "", 1000 }, { "s", 1000 }, { "sec", 1000 }, { "secs", 1000 },
		{ "second", 1000 }, { "seconds", 1000 }, { "ms", 1 }, { "msec", 1 }, { "msecs", 1 }, { "mseconds", 1 },
		{ "millisecs", 1 }, { "milliseconds", 1 }, { "m", 60000 }, { "min", 60000 }, { "mins", 60000 },
		{ "minute", 60000 }, { "minutes", 60000 }, { "h", 3600000 }, { "hour", 3600000 }, { "hours", 3600000 },
		{ "d", 86400000 }, { "day", 86400000 }, { "days", 86400000 }, { "w", 604800000 }, { "week", 604800000 },
		{ "weeks", 604800000 }, { NULL, 0 } };

	if (str_ieq(str_c(value), STR("infinite"))) {
		*out = INFINITE_DAYS * 86400000ULL;
		return 0;
	}
	return number_with_unit(value, units, out);
}

int dovecot_size(const char *value, uint64_t *out)
{
	static const struct unit units[] = { { "", 1 }, { "b", 1 }, { "k", 1024 }, { "kb", 1024 }, { "ki", 1024 },
		{ "kib", 1024 }, { "m", 1048576 }, { "mb", 1048576 }, { "mi", 1048576 }, { "mib", 1048576 },
		{ "g", 1073741824 }, { "gb", 1073741824 }, { "gi", 1073741824 }, { "gib", 1073741824 }, { "t", TERA },
		{ "tb", TERA }, { "ti", TERA }, { "tib", TERA }, { NULL, 0 } };

	return number_with_unit(value, units, out);
}
