#include "mime/convert_impl.h"
#include "base/arena.h"
#include "base/log.h"

#include <stdlib.h>

struct mime_convert *mime_convert_new(enum mime_target target, bool may_spoil)
{
	struct mime_convert *c = xcalloc(1, sizeof *c);

	c->target = target;
	c->may_spoil = may_spoil;
	c->plan = BUF_INIT(MIME_ENTITIES_MAX);
	c->line = BUF_INIT(PIECE_MAX);
	c->field = BUF_INIT(MIME_FIELD_MAX);
	c->scratch = BUF_INIT(SIZE_MAX / 4);
	mime_convert_depth(c, MIME_DEPTH_MAX);
	return c;
}

void mime_convert_depth(struct mime_convert *c, unsigned levels)
{
	require(levels > 0 && levels <= MIME_DEPTH_LIMIT && !c->writing && c->next <= 1);
	c->depth_max = levels + 1; /* and what is in the innermost */
	c->level = xrealloc(c->level, c->depth_max * sizeof *c->level);
	buf_free(&c->boundaries);
	c->boundaries = BUF_INIT((size_t)c->depth_max * MIME_BOUNDARY_MAX);
	buf_reset(&c->plan);
	mime_walk_begin(c);
}

void mime_convert_free(struct mime_convert **c)
{
	if (*c == NULL)
		return;
	buf_free(&(*c)->plan);
	buf_free(&(*c)->line);
	buf_free(&(*c)->boundaries);
	buf_free(&(*c)->field);
	buf_free(&(*c)->scratch);
	free((*c)->level);
	free(*c);
	*c = NULL;
}

/* Octets up to the end of the first CRLF that ends behind `from`, or 0: there is none. */
static size_t line_end(struct str in, size_t from)
{
	const char *lf;

	while (from < in.n && (lf = memchr(in.p + from, '\n', in.n - from)) != NULL) {
		from = (size_t)(lf - in.p) + 1;
		if (from > 1 && lf[-1] == '\r')
			return from;
	}
	return 0;
}

static void take_piece(struct mime_convert *c, struct str octets, bool ends)
{
	bool starts = !c->in_line;

	c->in_line = !ends;
	mime_walk_piece(c, octets, starts, ends);
}

/* The line in c->line is as long as we keep one: on with it. A CR stays, as it may be that of the line's end. */
static void take_full(struct mime_convert *c)
{
	bool cr = c->line.p[c->line.n - 1] == '\r';

	take_piece(c, str_sub(buf_str(&c->line), 0, c->line.n - cr), false);
	buf_reset(&c->line);
	if (cr)
		buf_add_char(&c->line, '\r');
}

/* How a line is cut into pieces depends on its octets alone, never on how they come in. */
static void take(struct mime_convert *c, struct str in)
{
	while (in.n > 0) {
		size_t before = c->line.n, n, end;

		if (before == 0 && (end = line_end(str_sub(in, 0, PIECE_MAX), 0)) > 0) {
			take_piece(c, str_sub(in, 0, end - 2), true);
			in = str_from(in, end);
			continue;
		}
		n = in.n < PIECE_MAX - before ? in.n : PIECE_MAX - before;
		buf_add(&c->line, in.p, n);
		end = line_end(buf_str(&c->line), before);
		in = str_from(in, end > 0 ? end - before : n);
		if (end > 0) {
			take_piece(c, str_sub(buf_str(&c->line), 0, end - 2), true);
			buf_reset(&c->line);
		} else if (c->line.n == PIECE_MAX) {
			take_full(c);
		}
	}
}

/* Octets behind the last CRLF: a line without an end. RFC 2046 sec. 5.1.1: the last boundary needs none. */
static void take_rest(struct mime_convert *c)
{
	if (c->line.n > 0 && (c->in_line || !mime_walk_boundary(c, buf_str(&c->line))))
		take_piece(c, buf_str(&c->line), false);
	buf_reset(&c->line);
	mime_walk_end(c);
}

void mime_convert_look(struct mime_convert *c, struct str content)
{
	take(c, content);
}

enum mime_answer mime_convert_answer(struct mime_convert *c, struct mime_refusal *why)
{
	take_rest(c);
	if (c->field_is_cut)
		mime_refuse(c, "5.6.3", "its header has a field that is longer than is looked into");
	*why = c->why;
	c->writing = true;
	mime_walk_begin(c);
	if (!c->dirty)
		return MIME_UNCHANGED;
	return c->why.dsn != NULL ? MIME_REFUSED : MIME_CHANGED;
}

void mime_convert_put(struct mime_convert *c, struct str content, struct buf *out)
{
	c->out = out;
	take(c, content);
}

void mime_convert_finish(struct mime_convert *c, struct buf *out)
{
	c->out = out;
	take_rest(c);
}
