#include "mime/body_code.h"
#include "base/log.h"

enum {
	LINE_FULL = 75,	 /* with the "=" of a soft line break: 76 (RFC 2045 sec. 6.7 rule 5) */
	MEND_FULL = 900, /* a line that comes from elsewhere is broken only behind this, between two escapes, … */
	MEND_LAST = 990	 /* … or here at the latest: RFC 5322 sec. 2.1.1 */
};

void mime_coder_init(struct mime_coder *c, enum mime_code code)
{
	*c = (struct mime_coder){ .code = code, .since = 3 };
}

static char *room(struct buf *out, size_t n)
{
	char *to = buf_reserve(out, n);

	require(to != NULL);
	return to;
}

static char *put_hex(char *to, unsigned char octet)
{
	static const char digits[] = "0123456789ABCDEF";

	*to++ = '=';
	*to++ = digits[octet >> 4];
	*to++ = digits[octet & 15];
	return to;
}

static char *soft_break(struct mime_coder *c, char *to)
{
	*to++ = '=';
	*to++ = '\r';
	*to++ = '\n';
	c->column = 0;
	return to;
}

static char *put_qp(struct mime_coder *c, char *to, unsigned char octet, bool literal)
{
	unsigned n = literal ? 1 : 3;

	if (c->column + n > LINE_FULL)
		to = soft_break(c, to);
	c->column += n;
	if (!literal)
		return put_hex(to, octet);
	*to++ = (char)octet;
	return to;
}

/* A "-" that begins a line of output, unless it is known that no other one follows. */
static bool may_be_boundary(const struct mime_coder *c, unsigned n, unsigned full, struct str at)
{
	return at.p[0] == '-' && (c->column == 0 || c->column + n > full) && (at.n == 1 || at.p[1] == '-');
}

static char *release_blank(struct mime_coder *c, char *to, bool literal)
{
	if (c->n > 0)
		to = put_qp(c, to, c->held[0], literal);
	c->n = 0;
	return to;
}

static void qp(struct mime_coder *c, struct str in, struct buf *out)
{
	char *start = room(out, in.n * 6 + 12), *to = start;

	for (size_t i = 0; i < in.n; i++) {
		unsigned char octet = (unsigned char)in.p[i];

		to = release_blank(c, to, true);
		if (octet == ' ' || octet == '\t') {
			c->held[c->n++] = octet;
			continue;
		}
		to = put_qp(c, to, octet,
			octet > ' ' && octet < 0x7f && octet != '=' &&
				!may_be_boundary(c, 1, LINE_FULL, str_from(in, i)));
	}
	buf_commit(out, (size_t)(to - start));
}

static void mend_qp(struct mime_coder *c, struct str in, struct buf *out)
{
	char *start = room(out, in.n * 6 + 12), *to = start;

	for (size_t i = 0; i < in.n; i++) {
		unsigned char octet = (unsigned char)in.p[i];
		bool literal = (octet >= ' ' && octet < 0x7f) || octet == '\t';

		if ((c->column > MEND_FULL && c->since > 2) || c->column > MEND_LAST)
			to = soft_break(c, to);
		if (may_be_boundary(c, 1, MEND_LAST, str_from(in, i)))
			literal = false;
		c->column += literal ? 1 : 3;
		c->since = octet == '=' ? 1 : c->since + 1;
		if (literal)
			*to++ = (char)octet;
		else
			to = put_hex(to, octet);
	}
	buf_commit(out, (size_t)(to - start));
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* What is held, filled up with "=". */
static char *put_base64(struct mime_coder *c, char *to)
{
	unsigned bits = (unsigned)c->held[0] << 16 | (unsigned)(c->n > 1 ? c->held[1] : 0) << 8 |
			(unsigned)(c->n > 2 ? c->held[2] : 0);

	if (c->column + 4 > 76) {
		*to++ = '\r';
		*to++ = '\n';
		c->column = 0;
	}
	*to++ = alphabet[bits >> 18];
	*to++ = alphabet[bits >> 12 & 63];
	*to++ = c->n > 1 ? alphabet[bits >> 6 & 63] : '=';
	*to++ = c->n > 2 ? alphabet[bits & 63] : '=';
	c->column += 4;
	c->n = 0;
	return to;
}

static void base64(struct mime_coder *c, struct str in, struct buf *out)
{
	char *start = room(out, in.n * 2 + 12), *to = start;

	for (size_t i = 0; i < in.n; i++) {
		c->held[c->n++] = (unsigned char)in.p[i];
		if (c->n == 3)
			to = put_base64(c, to);
	}
	buf_commit(out, (size_t)(to - start));
}

static void mend_base64(struct mime_coder *c, struct str in, struct buf *out)
{
	char *start = room(out, in.n * 3 + 12), *to = start;

	for (size_t i = 0; i < in.n; i++) {
		char ch = in.p[i];

		if (!ascii_is_alnum(ch) && ch != '+' && ch != '/' && ch != '=')
			continue;
		if (c->column == 76) {
			*to++ = '\r';
			*to++ = '\n';
			c->column = 0;
		}
		*to++ = ch;
		c->column++;
	}
	buf_commit(out, (size_t)(to - start));
}

static bool is_spoilt(char c)
{
	return (unsigned char)c > 0x7f || c == '\0' || c == '\r' || c == '\n';
}

static void spoil(struct mime_coder *c, struct str in, struct buf *out)
{
	char *start = room(out, in.n * 4 + 12), *to = start, *first = to;
	bool spoilt = false;

	for (size_t i = 0; i < in.n; i++) {
		if (c->column == MEND_LAST) {
			*to++ = '\r';
			*to++ = '\n';
			*to++ = ' ';
			c->column = 1;
		}
		if (c->column++ == 0)
			first = to;
		spoilt |= is_spoilt(in.p[i]);
		*to++ = is_spoilt(in.p[i]) ? '?' : in.p[i];
	}
	if (spoilt && str_has_prefix(str_pn(first, (size_t)(to - first)), STR("--")))
		*first = '?';
	buf_commit(out, (size_t)(to - start));
}

void mime_code_octets(struct mime_coder *c, struct str octets, struct buf *out)
{
	static void (*const coders[])(struct mime_coder *, struct str, struct buf *) = { [CODE_QP] = qp,
		[CODE_BASE64] = base64,
		[CODE_MEND_QP] = mend_qp,
		[CODE_MEND_BASE64] = mend_base64,
		[CODE_SPOIL] = spoil };

	require(c->code != CODE_NONE);
	coders[c->code](c, octets, out);
}

void mime_code_newline(struct mime_coder *c, struct buf *out)
{
	if (c->code == CODE_BASE64) {
		base64(c, STR("\r\n"), out);
		return;
	}
	mime_code_end(c, out);
	require(buf_add_c(out, "\r\n") == 0);
	c->column = 0;
	c->since = 3;
}

void mime_code_end(struct mime_coder *c, struct buf *out)
{
	char *start, *to;

	if (c->n == 0)
		return;
	start = to = room(out, 12);
	/* A blank at the end of a line would be lost on the way: RFC 2045 sec. 6.7 rule 3. */
	to = c->code == CODE_BASE64 ? put_base64(c, to) : release_blank(c, to, false);
	buf_commit(out, (size_t)(to - start));
}
