#include "smtp/wire_check.h"
#include "base/utf8.h"
#include "log/envelope.h"
#include "smtp/data.h"

/* The octets of a line, or its beginning, up to its LF. `cr`: octets before its first CR; n: there is none. */
static bool check_line(struct wire_check *w, struct str octets, bool ends)
{
	const char *at = octets.n ? memchr(octets.p, '\r', octets.n) : NULL;
	size_t cr = at ? (size_t)(at - octets.p) : octets.n;

	if (w->held_cr && (octets.n > 0 || !ends))
		return false; /* a CR was the last octet, and this is no LF */
	if (at != NULL && cr + 1 < octets.n)
		return false; /* a CR with something behind it */
	if (ends && at == NULL && !w->held_cr)
		return false; /* an LF with no CR before it */
	if (!w->mid_line && octets.n > 0 && octets.p[0] == '.')
		cr--;
	w->line += cr;
	w->held_cr = at != NULL && !ends;
	w->mid_line = !ends;
	return w->line <= DATA_LINE_MAX;
}

bool wire_check(struct wire_check *w, struct str octets)
{
	while (octets.n > 0) {
		const char *lf = memchr(octets.p, '\n', octets.n);
		size_t n = lf ? (size_t)(lf - octets.p) : octets.n;

		if (!check_line(w, str_sub(octets, 0, n), lf != NULL))
			return false;
		if (lf != NULL)
			*w = (struct wire_check){ .line = 0 };
		octets = str_from(octets, n + (lf != NULL));
	}
	return true;
}

bool wire_check_end(const struct wire_check *w)
{
	return !w->held_cr;
}

static bool has_long_line(struct str content)
{
	while (content.n > DATA_LINE_MAX) {
		const char *lf = memchr(content.p, '\n', content.n);
		size_t n = lf ? (size_t)(lf - content.p) : content.n;

		if (n > DATA_LINE_MAX && n - (content.p[n - 1] == '\r') > DATA_LINE_MAX)
			return true;
		content = str_from(content, n + 1);
	}
	return false;
}

uint32_t content_flags(struct str content)
{
	return (str_is_8bit(content) ? (uint32_t)ENV_8BIT : 0) | (has_long_line(content) ? (uint32_t)ENV_LONG_LINE : 0);
}
