#include "mime/convert_impl.h"
#include "base/log.h"

/* The structure: which line belongs to which entity (RFC 2046 sec. 5.1.1, 5.1.2, 5.2.1). */

void mime_refuse(struct mime_convert *c, const char *dsn, const char *text)
{
	if (c->why.dsn == NULL && !c->may_spoil)
		c->why = (struct mime_refusal){ .dsn = dsn, .text = text };
}

unsigned mime_planned(const struct mime_convert *c, const struct mime_level *l)
{
	if (!c->writing)
		return 0;
	if (l->number < c->plan.n)
		return (unsigned char)c->plan.p[l->number];
	return c->may_spoil ? CODE_SPOIL : CODE_NONE; /* more parts than were looked into */
}

void mime_walk_open(struct mime_convert *c, const char *boundary, size_t n)
{
	struct mime_level *l = mime_top(c);

	l->boundary_at = c->boundaries.n;
	l->boundary_n = n;
	if (n == 0)
		return;
	require(buf_add(&c->boundaries, boundary, n) == 0);
	l->boundary_hash = str_hash(str_pn(boundary, n));
	c->open[l->boundary_hash % OPEN_SLOTS]++;
}

/* Of the innermost entity: it has none any longer. */
static void close_boundary(struct mime_convert *c, struct mime_level *l)
{
	if (l->boundary_n == 0)
		return;
	c->open[l->boundary_hash % OPEN_SLOTS]--;
	c->boundaries.n -= l->boundary_n;
	l->boundary_n = 0;
}

static void begin_entity(struct mime_convert *c, enum mime_kind kind, bool is_message)
{
	struct mime_level *l = &c->level[c->depth++];

	require(c->depth <= c->depth_max);
	*l = (struct mime_level){ .kind = kind, .is_message = is_message, .number = c->next++ };
	if (!c->writing && buf_add_char(&c->plan, '\0') != 0)
		mime_refuse(c, "5.6.3", "it has more MIME parts than are looked into");
	c->state = STATE_HEADER;
}

void mime_walk_begin(struct mime_convert *c)
{
	c->depth = 0;
	c->next = 0;
	c->in_line = c->in_field_line = c->held_newline = c->skipping = c->cutting = c->field_is_cut = false;
	c->at_line_start = true;
	buf_reset(&c->boundaries);
	memset(c->open, 0, sizeof c->open);
	begin_entity(c, MIME_TEXT, true);
}

/* A container says 8bit or binary, and holds neither any longer (RFC 2045 sec. 6.4). */
static bool needs_label(const struct mime_convert *c, const struct mime_level *l)
{
	return l->changed && (l->cte == CTE_BINARY || (l->cte == CTE_8BIT && c->target == MIME_TO_7BIT));
}

/* The innermost entity is over: the plan has its last word now. */
static void pop(struct mime_convert *c, bool at_end)
{
	struct mime_level *l = mime_top(c);
	unsigned plan;

	if (c->state == STATE_HEADER)
		mime_field_end(c);
	if (c->state == STATE_BODY)
		mime_body_end(c, at_end);
	if (l->unfit && !l->parted)
		mime_refuse(c, "5.6.3", "a part of it has a boundary that does not occur");
	if (!c->writing && l->number < c->plan.n) {
		plan = (unsigned char)c->plan.p[l->number];
		l->changed |= plan != 0;
		if (plan == 0 && needs_label(c, l))
			plan |= PLAN_RELABEL;
		if (l->changed && l->is_message && !l->has_version)
			plan |= PLAN_VERSION;
		c->plan.p[l->number] = (char)plan;
	}
	if (c->depth > 1)
		l[-1].changed |= l->changed;
	close_boundary(c, l);
	c->depth--;
	c->state = STATE_AROUND;
}

void mime_walk_end(struct mime_convert *c)
{
	while (c->depth > 0)
		pop(c, true);
}

/* What may be a boundary in a line. With a hundred open, most lines must not be compared with each. */
struct candidate {
	struct str text;
	uint64_t hash;
	bool is_known; /* there may be such a boundary */
};

static struct candidate candidate(const struct mime_convert *c, struct str text)
{
	struct candidate is = { .text = text };

	if (text.n == 0 || text.n > MIME_BOUNDARY_MAX)
		return is;
	is.hash = str_hash(text);
	is.is_known = c->open[is.hash % OPEN_SLOTS] > 0;
	return is;
}

static bool is_boundary(const struct mime_convert *c, const struct mime_level *l, const struct candidate *is)
{
	return is->is_known && l->boundary_n == is->text.n && l->boundary_hash == is->hash &&
	       str_eq(str_sub(buf_str(&c->boundaries), l->boundary_at, l->boundary_n), is->text);
}

/* Levels, of the first `d`, down to the innermost one that has this boundary; 0: none. *last: its last boundary. */
static unsigned find_boundary(const struct mime_convert *c, unsigned d, struct str line, bool *last)
{
	struct candidate one, end;

	line = str_from(line, 2);
	while (line.n > 0 && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--; /* boundaries do not end so */
	one = candidate(c, line);
	end = candidate(c, str_sub(line, 0, str_has_suffix(line, STR("--")) ? line.n - 2 : 0));
	if (!one.is_known && !end.is_known)
		return 0;
	for (; d > 0; d--) {
		*last = is_boundary(c, &c->level[d - 1], &end);
		if (*last || is_boundary(c, &c->level[d - 1], &one))
			break;
	}
	return d;
}

/* The line is a boundary: of the innermost entity that has it, and what is in that one ends. */
static bool take_boundary(struct mime_convert *c, struct str line)
{
	unsigned d = c->depth - (c->state == STATE_HEADER); /* its own boundary counts from its body on */
	bool last = false;

	d = find_boundary(c, d, line, &last);
	if (d == 0)
		return false;
	while (c->depth > d)
		pop(c, false);
	if (c->held_newline)
		mime_emit(c, STR("\r\n"));
	c->held_newline = false;
	mime_emit(c, line);
	mime_emit(c, STR("\r\n"));
	mime_top(c)->parted = true;
	if (last)
		close_boundary(c, mime_top(c));
	c->state = STATE_AROUND;
	if (!last)
		begin_entity(c, mime_top(c)->kind == MIME_DIGEST ? MIME_MESSAGE : MIME_TEXT, false);
	return true;
}

/* Behind the header: what it is shows what follows. */
static void begin_body(struct mime_convert *c)
{
	struct mime_level *l = mime_top(c);
	bool is_multipart = l->kind == MIME_MULTIPART || l->kind == MIME_DIGEST;
	bool is_full = c->depth == c->depth_max && (is_multipart || l->kind == MIME_MESSAGE);

	/* RFC 2045 sec. 6.4: a container has no encoding of its own. Readers overlook that of a multipart, and some
	 * believe that of a message. */
	if (c->target == MIME_TO_BINARY || is_full || (l->kind == MIME_MESSAGE && l->cte > CTE_BINARY)) {
		l->kind = MIME_SEALED;
		close_boundary(c, l);
	}
	if (l->kind == MIME_MESSAGE) {
		begin_entity(c, MIME_TEXT, true);
	} else if (is_multipart && l->kind != MIME_SEALED) {
		c->state = STATE_AROUND;
	} else {
		c->state = STATE_BODY;
		mime_body_begin(c);
	}
}

static void header_piece(struct mime_convert *c, struct str octets, bool starts, bool ends)
{
	if (!starts || mime_is_field(c, octets)) {
		mime_header_piece(c, octets, ends);
		return;
	}
	mime_field_end(c);
	if (octets.n == 0 && ends) {
		mime_header_add(c);
		mime_emit(c, STR("\r\n"));
		begin_body(c);
		return;
	}
	/* What is no field belongs to the body, though the blank line before it is not there. */
	if (mime_header_add(c))
		mime_emit(c, STR("\r\n"));
	begin_body(c);
	mime_walk_piece(c, octets, starts, ends);
}

bool mime_walk_boundary(struct mime_convert *c, struct str line)
{
	return str_has_prefix(line, STR("--")) && take_boundary(c, line);
}

void mime_walk_piece(struct mime_convert *c, struct str octets, bool starts, bool ends)
{
	if (starts && ends && mime_walk_boundary(c, octets))
		return;
	if (c->state == STATE_HEADER)
		header_piece(c, octets, starts, ends);
	else if (c->state == STATE_BODY)
		mime_body_piece(c, octets, ends);
	else
		mime_around_piece(c, octets, starts, ends);
}
