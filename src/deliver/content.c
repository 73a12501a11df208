#include "deliver/content.h"

#include <stdlib.h>

enum { HEADER_MAX = 1024 * 1024, HEADER_LINE_MAX = 4096 };

size_t content_to_lf(char *p, size_t n, bool *held_cr)
{
	size_t to = 0, from = 0;

	if (n == 0)
		return 0;
	if (*held_cr && p[0] != '\n') {
		memmove(p + 1, p, n);
		p[0] = '\r';
		n++;
		to = from = 1;
	}
	*held_cr = p[n - 1] == '\r' && n > from;
	if (*held_cr)
		n--;
	while (from < n) {
		const char *cr = memchr(p + from, '\r', n - from);
		size_t run = cr ? (size_t)(cr - (p + from)) : n - from;
		memmove(p + to, p + from, run);
		to += run;
		from += run;
		if (cr == NULL)
			break;
		if (from + 1 >= n || p[from + 1] != '\n')
			p[to++] = '\r';
		from++;
	}
	return to;
}

ssize_t content_next(struct content *c, char *p)
{
	if (!c->begun) {
		c->begun = true;
		c->at_line_start = true;
	}
	for (;;) {
		ssize_t got = extents_read(c->segments, c->env, c->from, p, CONTENT_CHUNK);
		if (got < 0)
			return got;
		if (got == 0 && c->held_cr) {
			c->held_cr = false;
			p[0] = '\r';
			return 1;
		}
		if (got == 0)
			return 0;
		c->from += (uint64_t)got;
		size_t n = content_to_lf(p, dot_unstuff(p, (size_t)got, &c->at_line_start), &c->held_cr);
		if (n > 0)
			return (ssize_t)n; /* else only dots and a CR: read on */
	}
}

/* One header line: 1 when it is the field we look for, 2 at the end of the header. */
static int look_at_line(struct str line, struct str address)
{
	struct str name = STR("Delivered-To:");

	if (line.n == 0)
		return 2;
	return str_has_iprefix(line, name) && str_ieq(str_trim(str_from(line, name.n)), address);
}

int content_was_delivered_to(const struct segment_set *segments, const struct envelope *env, struct str address)
{
	struct content c = { .segments = segments, .env = env };
	struct buf line = BUF_INIT(HEADER_LINE_MAX);
	char *p = xcalloc(1, CONTENT_CHUNK + 1);
	size_t seen = 0;
	int found = 0;

	while (found == 0 && seen < HEADER_MAX) {
		ssize_t n = content_next(&c, p);
		if (n <= 0) {
			found = n < 0 ? (int)n : 2;
			break;
		}
		seen += (size_t)n;
		struct str rest = str_pn(p, (size_t)n);
		while (found == 0 && rest.n > 0) {
			ptrdiff_t lf = str_chr(rest, '\n');
			/* A line over the buffer's maximum is no Delivered-To of ours: its rest is left out. */
			buf_add_str(&line, str_sub(rest, 0, lf < 0 ? rest.n : (size_t)lf));
			rest = str_from(rest, lf < 0 ? rest.n : (size_t)lf + 1);
			if (lf < 0)
				break;
			found = look_at_line(buf_str(&line), address);
			buf_reset(&line);
		}
	}
	buf_free(&line);
	free(p);
	return found == 2 ? 0 : found;
}
