#include "smtp/datetime.h"

#include <time.h>

/* `n` digits, then `behind` (0: nothing). -1: something else. */
static int number(struct str *s, size_t n, char behind)
{
	int v = 0;

	if (s->n < n + (behind != 0))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!ascii_is_digit(s->p[i]))
			return -1;
		v = v * 10 + (s->p[i] - '0');
	}
	if (behind && (s->p[n] | 0x20) != (behind | 0x20))
		return -1;
	*s = str_from(*s, n + (behind != 0));
	return v;
}

static void skip_fraction(struct str *s)
{
	size_t n = 1;

	if (s->n < 2 || s->p[0] != '.' || !ascii_is_digit(s->p[1]))
		return;
	while (n < s->n && ascii_is_digit(s->p[n]))
		n++;
	*s = str_from(*s, n);
}

/* "Z" or "+01:00", which is all that is left; in seconds east. */
static bool zone(struct str s, int64_t *east)
{
	int hours, minutes, sign;

	*east = 0;
	if (s.n == 1)
		return s.p[0] == 'Z' || s.p[0] == 'z';
	if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-'))
		return false;
	sign = s.p[0] == '+' ? 1 : -1;
	s = str_from(s, 1);
	hours = number(&s, 2, ':');
	minutes = number(&s, 2, 0);
	*east = sign * (int64_t)(hours * 3600 + minutes * 60);
	return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

int datetime_parse(struct str text, int64_t *seconds)
{
	struct tm t = { 0 };
	int64_t east;
	int day;
	time_t at;

	*seconds = 0;
	t.tm_year = number(&text, 4, '-') - 1900;
	t.tm_mon = number(&text, 2, '-') - 1;
	t.tm_mday = number(&text, 2, 'T');
	t.tm_hour = number(&text, 2, ':');
	t.tm_min = number(&text, 2, ':');
	t.tm_sec = number(&text, 2, 0);
	if (t.tm_year < 70 || t.tm_mon < 0 || t.tm_mon > 11 || t.tm_mday < 1 || t.tm_hour < 0 || t.tm_hour > 23 ||
		t.tm_min < 0 || t.tm_min > 59 || t.tm_sec < 0 || t.tm_sec > 60)
		return -1;
	skip_fraction(&text);
	if (!zone(text, &east))
		return -1;
	t.tm_sec = t.tm_sec == 60 ? 59 : t.tm_sec;
	day = t.tm_mday;
	at = timegm(&t);
	if (t.tm_mday != day) /* the 31st of April */
		return -1;
	*seconds = (int64_t)at - east;
	return *seconds >= 0 ? 0 : -1;
}

void datetime_put(struct buf *out, int64_t seconds)
{
	time_t at = (time_t)seconds;
	char text[32] = "";
	struct tm t;

	if (gmtime_r(&at, &t) != NULL)
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t);
	buf_add_c(out, text);
}

/* Comments and line ends (CFWS of RFC 5322 sec. 3.2.2) become a blank. -1: a comment has no end, or it is too long. */
static int without_comments(struct str text, char *copy, size_t size)
{
	unsigned depth = 0;
	bool blank = false;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (depth > 0 && c == '\\') {
			i++;
		} else if (c == '(' || (depth > 0 && c == ')')) {
			depth += c == '(' ? 1 : -1U;
			blank = true;
		} else if (depth > 0 || c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			blank = true;
		} else if (c == '\0' || n + 2 >= size) {
			return -1;
		} else {
			if (blank && n > 0)
				copy[n++] = ' ';
			copy[n++] = c;
			blank = false;
		}
	}
	copy[n] = '\0';
	return depth == 0 ? 0 : -1;
}

/* obs-zone (sec. 4.3), in hours east; a name that is not known says nothing, and counts as UTC. False: no name. */
static bool named_zone(struct str name, long *hours)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = { { "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 }, { "MST", -7 }, { "MDT", -6 },
		{ "PST", -8 }, { "PDT", -7 } };

	*hours = 0;
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_alpha(name.p[i]))
			return false;
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (str_ieq(name, str_c(zones[i].name)))
			*hours = zones[i].hours;
	return name.n > 0 && name.n <= 5;
}

/* The zone, which is all that is left, in seconds east. */
static bool mail_zone(const char *text, long *east)
{
	struct tm t = { 0 };
	const char *end;
	long hours;

	if (named_zone(str_c(text), &hours)) {
		*east = hours * 3600;
		return true;
	}
	end = strptime(text, "%z", &t);
	*east = t.tm_gmtoff;
	return end && *end == '\0';
}

/* obs-year (sec. 4.3): of two digits, or of three */
static int full_year(int year)
{
	return year < 50 ? year + 2000 : year < 1000 ? year + 1900 : year;
}

int datetime_parse_mail(struct str text, int64_t *seconds)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S ", "%d %b %Y %H:%M:%S ", "%a, %d %b %Y %H:%M ",
		"%d %b %Y %H:%M " };
	char copy[64];

	*seconds = 0;
	if (without_comments(text, copy, sizeof copy) < 0)
		return -1;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm t = { 0 };
		const char *end = strptime(copy, forms[i], &t);
		int day = t.tm_mday;
		long east;

		if (end == NULL || !mail_zone(end, &east))
			continue;
		t.tm_year = full_year(t.tm_year + 1900) - 1900;
		*seconds = (int64_t)timegm(&t) - east;
		return t.tm_year >= 70 && t.tm_mday == day && *seconds >= 0 ? 0 : -1;
	}
	return -1;
}

void datetime_put_mail(struct buf *out, int64_t seconds)
{
	time_t at = (time_t)seconds;
	char text[64] = "";
	struct tm t;

	if (gmtime_r(&at, &t) != NULL)
		strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &t);
	buf_add_c(out, text);
}
