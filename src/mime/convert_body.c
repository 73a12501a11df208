#include "mime/convert_impl.h"
#include "base/log.h"

void mime_emit(struct mime_convert *c, struct str octets)
{
	if (!c->writing)
		return;
	while (octets.n > 0) {
		ptrdiff_t lf = str_chr(octets, '\n');
		size_t n = lf < 0 ? octets.n : (size_t)lf + 1;

		if (c->at_line_start && octets.p[0] == '.')
			require(buf_add_char(c->out, '.') == 0);
		require(buf_add(c->out, octets.p, n) == 0);
		c->at_line_start = lf >= 0;
		octets = str_from(octets, n);
	}
}

/* One octet of UTF-8 (RFC 3629 sec. 4). */
static void look_utf8(struct mime_convert *c, unsigned char ch)
{
	if (c->utf8_need > 0) {
		if (ch < c->utf8_low || ch > c->utf8_high)
			c->found |= FOUND_NO_UTF8;
		c->utf8_need--;
	} else if (ch >= 0x80) {
		if (ch < 0xc2 || ch > 0xf4)
			c->found |= FOUND_NO_UTF8;
		c->utf8_need = ch < 0xe0 ? 1 : ch < 0xf0 ? 2 : 3;
		c->utf8_low = ch == 0xe0 ? 0xa0 : ch == 0xf0 ? 0x90 : 0x80;
		c->utf8_high = ch == 0xed ? 0x9f : ch == 0xf4 ? 0x8f : 0xbf;
		return;
	}
	c->utf8_low = 0x80;
	c->utf8_high = 0xbf;
}

static unsigned look_at(struct str octets)
{
	unsigned char high = 0, stray = 0;

	for (size_t i = 0; i < octets.n; i++) {
		unsigned char ch = (unsigned char)octets.p[i];

		high |= ch;
		stray |= (unsigned char)((ch == '\0') | (ch == '\r') | (ch == '\n'));
	}
	return (high & 0x80 ? FOUND_8BIT : 0u) | (stray ? FOUND_BINARY : 0u);
}

static void look(struct mime_convert *c, struct str octets, bool ends)
{
	c->found |= look_at(octets);
	c->column += octets.n;
	if (c->column > DATA_LINE_MAX)
		c->found |= FOUND_LONG;
	if (ends)
		c->column = 0;
	if (mime_top(c)->has_type || (c->found & FOUND_NO_UTF8))
		return;
	for (size_t i = 0; i < octets.n; i++)
		look_utf8(c, (unsigned char)octets.p[i]);
	if (ends && c->utf8_need > 0)
		c->found |= FOUND_NO_UTF8;
}

void mime_body_begin(struct mime_convert *c)
{
	c->found = 0;
	c->column = 0;
	c->utf8_need = 0;
	c->held_newline = false;
	mime_coder_init(&c->coder, (enum mime_code)(mime_planned(c, mime_top(c)) & PLAN_CODE));
}

static void put_newline(struct mime_convert *c)
{
	if (!c->held_newline)
		return;
	c->held_newline = false;
	if (c->coder.code == CODE_NONE) {
		mime_emit(c, STR("\r\n"));
		return;
	}
	buf_reset(&c->scratch);
	mime_code_newline(&c->coder, &c->scratch);
	mime_emit(c, buf_str(&c->scratch));
}

void mime_body_piece(struct mime_convert *c, struct str octets, bool ends)
{
	if (!c->writing) {
		look(c, octets, ends);
		return;
	}
	put_newline(c);
	if (c->coder.code == CODE_NONE) {
		mime_emit(c, octets);
	} else {
		buf_reset(&c->scratch);
		mime_code_octets(&c->coder, octets, &c->scratch);
		mime_emit(c, buf_str(&c->scratch));
	}
	c->held_newline = ends;
}

/* How this body becomes fit. CODE_NONE: it cannot. */
static enum mime_code code_for(const struct mime_level *l)
{
	if (l->kind == MIME_SEALED)
		return CODE_NONE;
	switch (l->cte) {
	case CTE_7BIT:
	case CTE_8BIT:
	case CTE_BINARY:
		return l->kind == MIME_TEXT ? CODE_QP : CODE_BASE64;
	case CTE_QP:
		return CODE_MEND_QP;
	case CTE_BASE64:
		return CODE_MEND_BASE64;
	case CTE_UNKNOWN:
		break;
	}
	return CODE_NONE;
}

/* What this next hop does not take in a body. */
static unsigned bad_for(enum mime_target target)
{
	switch (target) {
	case MIME_TO_7BIT:
		return FOUND_LONG | FOUND_BINARY | FOUND_8BIT;
	case MIME_TO_8BIT:
	case MIME_TO_8BIT_BODIES:
		return FOUND_LONG | FOUND_BINARY;
	case MIME_TO_BINARY:
		break;
	}
	return 0;
}

static void decide(struct mime_convert *c)
{
	static const char sealed[] = "a part of it is signed, encrypted, a fragment or without a known boundary";
	unsigned bad = bad_for(c->target);
	const struct mime_level *l = mime_top(c);
	unsigned plan = code_for(l);

	if (!(c->found & bad))
		return;
	c->dirty = true;
	if (plan == CODE_NONE && c->may_spoil)
		plan = CODE_SPOIL;
	else if (plan == CODE_NONE)
		mime_refuse(c, "5.6.3",
			l->kind == MIME_SEALED ? sealed : "a part of it is in an encoding that is not known");
	if (plan == CODE_QP && !l->has_type && (c->found & FOUND_8BIT))
		plan |= c->found & FOUND_NO_UTF8 ? PLAN_TYPE : PLAN_TYPE_UTF8;
	if (l->number < c->plan.n)
		c->plan.p[l->number] = (char)plan;
}

/* Ended where no boundary follows: what is no whole line of the code is made one that adds nothing. */
static void end_text(struct mime_convert *c)
{
	if (c->coder.column == 0)
		return;
	if (c->coder.code == CODE_QP || c->coder.code == CODE_MEND_QP)
		mime_emit(c, STR("="));
	mime_emit(c, STR("\r\n"));
}

void mime_body_end(struct mime_convert *c, bool at_end)
{
	if (!c->writing) {
		if (c->utf8_need > 0)
			c->found |= FOUND_NO_UTF8;
		decide(c);
		return;
	}
	if (at_end)
		put_newline(c);
	if (c->coder.code == CODE_NONE)
		return;
	buf_reset(&c->scratch);
	mime_code_end(&c->coder, &c->scratch);
	mime_emit(c, buf_str(&c->scratch));
	if (at_end)
		end_text(c);
}

bool mime_is_fit(const struct mime_convert *c, struct str octets)
{
	unsigned bad = FOUND_BINARY | (c->target == MIME_TO_7BIT ? FOUND_8BIT : 0u);

	return octets.n <= DATA_LINE_MAX && !(look_at(octets) & bad);
}

void mime_around_piece(struct mime_convert *c, struct str octets, bool starts, bool ends)
{
	if (starts)
		c->skipping = !mime_is_fit(c, octets);
	c->dirty |= c->skipping;
	mime_top(c)->unfit |= c->skipping && !mime_top(c)->parted;
	if (!c->skipping)
		mime_emit(c, octets);
	if (ends)
		mime_emit(c, STR("\r\n"));
}
