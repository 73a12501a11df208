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

static void begin_entity(struct mime_convert *c, enum mime_kind kind, bool is_message)
{
	struct mime_level *l = &c->level[c->depth++];

	require(c->depth <= MIME_DEPTH_MAX);
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
	c->boundaries.n -= l->boundary_n;
	c->depth--;
	c->state = STATE_AROUND;
}

void mime_walk_end(struct mime_convert *c)
{
	while (c->depth > 0)
		pop(c, true);
}

static bool is_blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t')
			return false;
	return true;
}

/* Is this line a boundary of `l`? *last: its last one. */
static bool is_boundary(const struct mime_convert *c, const struct mime_level *l, struct str line, bool *last)
{
	struct str boundary = str_sub(buf_str(&c->boundaries), l->boundary_at, l->boundary_n);

	if (l->boundary_n == 0 || l->closed || !str_has_prefix(str_from(line, 2), boundary))
		return false;
	line = str_from(line, 2 + boundary.n);
	*last = str_has_prefix(line, STR("--"));
	return is_blank(str_from(line, *last ? 2 : 0));
}

/* The line is a boundary: of the innermost entity that has it, and what is in that one ends. */
static bool take_boundary(struct mime_convert *c, struct str line)
{
	unsigned d = c->depth - (c->state == STATE_HEADER); /* its own boundary counts from its body on */
	bool last = false;

	while (d > 0 && !is_boundary(c, &c->level[d - 1], line, &last))
		d--;
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
	mime_top(c)->closed = last;
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
	bool is_full = c->depth == MIME_DEPTH_MAX && (is_multipart || l->kind == MIME_MESSAGE);

	/* RFC 2045 sec. 6.4: a container has no encoding of its own. Readers overlook that of a multipart, and some
	 * believe that of a message. */
	if (is_full || (l->kind == MIME_MESSAGE && l->cte > CTE_BINARY)) {
		l->kind = MIME_SEALED;
		c->boundaries.n -= l->boundary_n;
		l->boundary_n = 0;
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
