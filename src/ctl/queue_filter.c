#include "ctl/queue_filter.h"

#include <stdio.h>

const struct option queue_filter_options[] = { { "sender", required_argument, NULL, FILTER_FIRST },
	{ "recipient", required_argument, NULL, FILTER_FIRST + 1 },
	{ "site", required_argument, NULL, FILTER_FIRST + 2 }, { "reason", required_argument, NULL, FILTER_FIRST + 3 },
	{ "older", required_argument, NULL, FILTER_FIRST + 4 }, { NULL, 0, NULL, 0 } };

bool queue_filter_time(struct str text, uint64_t *seconds)
{
	static const char units[] = "smhdw";
	static const uint64_t of_unit[] = { 1, 60, 3600, 86400, 604800 };
	size_t i = 0, from;

	*seconds = 0;
	while (i < text.n) {
		const char *unit;
		uint64_t n;

		for (from = i; i < text.n && ascii_is_digit(text.p[i]); i++)
			;
		if (i - from > 9 || !str_u64(str_sub(text, from, i - from), &n))
			return false;
		unit = i < text.n ? strchr(units, text.p[i]) : units;
		if (unit == NULL)
			return false;
		*seconds += n * of_unit[unit - units];
		i += i < text.n;
	}
	return text.n > 0;
}

bool queue_filter_add(const char *program, struct buf *request, int letter, const char *value)
{
	const char *name = queue_filter_options[letter - FILTER_FIRST].name;
	uint64_t seconds;

	if (strpbrk(value, "\t\r\n")) {
		fprintf(stderr, "%s: --%s: no tabs and line ends, please\n", program, name);
		return false;
	}
	if (strcmp(name, "older") != 0) {
		buf_addf(request, "\t%s=%s", name, value);
		return true;
	}
	if (!queue_filter_time(str_c(value), &seconds)) {
		fprintf(stderr, "%s: --older %s: a time is wanted, such as 90s, 30m, 12h, 2d, 1w\n", program, value);
		return false;
	}
	buf_addf(request, "\tolder=%llu", (unsigned long long)seconds);
	return true;
}
