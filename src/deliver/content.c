#include "deliver/content.h"

#include <errno.h>
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

/* Octets of the content, unstuffed, into p. 0: the end; or there were only dots, which content_next() tells apart. */
static ssize_t read_wire(struct content *c, char *p, size_t *octets)
{
	ssize_t got = extents_read(c->segments, c->env, c->from, p, CONTENT_CHUNK);

	*octets = 0;
	if (got <= 0)
		return got;
	c->from += (uint64_t)got;
	*octets = dot_unstuff(p, (size_t)got, &c->at_line_start);
	return got;
}

static ssize_t read_converted(struct content *c, char *p, size_t *octets)
{
	ssize_t got = 1;

	*octets = 0;
	while (c->converted.n == 0 && !c->convert_ended) {
		got = read_wire(c, p, octets);
		if (got < 0)
			return got;
		c->convert_ended = got == 0;
		if (got > 0)
			mime_convert_put(c->convert, str_pn(p, *octets), &c->converted);
		else
			mime_convert_finish(c->convert, &c->converted);
	}
	got = c->converted.n < CONTENT_CHUNK ? (ssize_t)c->converted.n : CONTENT_CHUNK;
	if (got > 0)
		memcpy(p, c->converted.p, (size_t)got);
	buf_consume(&c->converted, (size_t)got);
	*octets = dot_unstuff(p, (size_t)got, &c->converted_line_start);
	return got;
}

static int look(struct content *c)
{
	char *p = xcalloc(1, CONTENT_CHUNK);
	size_t octets;
	ssize_t got;

	c->at_line_start = true;
	while ((got = read_wire(c, p, &octets)) > 0)
		mime_convert_look(c->convert, str_pn(p, octets));
	free(p);
	c->from = 0;
	return (int)got;
}

int content_begin(struct content *c)
{
	enum mime_answer answer;
	struct mime_refusal why;
	int err;

	if (!(c->env->flags & ENV_BINARY))
		return 0;
	c->convert = mime_convert_new(MIME_TO_8BIT, false);
	if (c->mime_depth)
		mime_convert_depth(c->convert, c->mime_depth < MIME_DEPTH_LIMIT ? c->mime_depth : MIME_DEPTH_LIMIT);
	c->converted = BUF_INIT(SIZE_MAX / 4);
	c->converted_line_start = true;
	err = look(c);
	if (err < 0)
		return err;
	answer = mime_convert_answer(c->convert, &why);
	if (answer == MIME_UNCHANGED)
		mime_convert_free(&c->convert);
	return answer == MIME_REFUSED ? -ENOMSG : 0;
}

void content_end(struct content *c)
{
	mime_convert_free(&c->convert);
	buf_free(&c->converted);
}

ssize_t content_next(struct content *c, char *p)
{
	if (!c->begun) {
		c->begun = true;
		c->at_line_start = true;
	}
	for (;;) {
		size_t octets;
		ssize_t got = c->convert ? read_converted(c, p, &octets) : read_wire(c, p, &octets);
		if (got < 0)
			return got;
		if (got == 0 && c->held_cr) {
			c->held_cr = false;
			p[0] = '\r';
			return 1;
		}
		if (got == 0)
			return 0;
		size_t n = content_to_lf(p, octets, &c->held_cr);
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
