/*
 * Any content through the conversion (mime/convert.h), whole and split. The first octet chooses the target and the split.
 * What must hold: the split changes nothing; what is said to need no change is fit, and what comes out is fit: 7 bits (for
 * a server of 7 bits), lines of at most 998 octets that end in CRLF, no bare CR or LF, no NUL; converted once more it
 * needs no change, so its parts are where they were; and a body of one part decodes to the octets that went in. What is
 * refused comes out fit where it may be spoiled. For a server of binary content what is behind the header stays.
 */
#include "base/log.h"
#include "base/utf8.h"
#include "mime/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static enum mime_answer convert_to(enum mime_target target, bool may_spoil, struct str in, size_t step, struct buf *out)
{
	struct mime_convert *c = mime_convert_new(target, may_spoil);
	struct mime_refusal why;
	enum mime_answer answer;

	for (size_t i = 0; i < in.n; i += step)
		mime_convert_look(c, str_sub(in, i, step));
	answer = mime_convert_answer(c, &why);
	require(answer != MIME_REFUSED || (why.dsn != NULL && why.text != NULL));
	if (answer == MIME_CHANGED) {
		for (size_t i = 0; i < in.n; i += step)
			mime_convert_put(c, str_sub(in, i, step), out);
		mime_convert_finish(c, out);
	}
	mime_convert_free(&c);
	return answer;
}

static enum mime_answer convert(enum mime_target target, struct str in, size_t step, struct buf *out)
{
	return convert_to(target, false, in, step, out);
}

/* "|" makes a line end, so that mutations find structure. */
static void make_content(struct str in, struct buf *content)
{
	for (size_t i = 0; i < in.n; i++)
		buf_add(content, in.p[i] == '|' ? "\r\n" : in.p + i, in.p[i] == '|' ? 2 : 1);
	if (!str_has_suffix(buf_str(content), STR("\r\n")))
		buf_add_c(content, "\r\n");
}

static void check_fit(struct str s, enum mime_target target)
{
	size_t line = 0;

	require(target != MIME_TO_7BIT || !str_is_8bit(s));
	for (size_t i = 0; i < s.n; i++) {
		require(s.p[i] != '\0');
		require(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'));
		require(s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r'));
		line = s.p[i] == '\n' ? 0 : line + 1;
		require(line <= 998 + (s.p[i] == '\r'));
	}
	require(s.n == 0 || str_has_suffix(s, STR("\r\n")));
}

static int value_of(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static unsigned hex(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

static void decode(struct str in, bool is_base64, struct buf *out)
{
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < in.n; i++) {
		int v = value_of(in.p[i]);

		if (is_base64 && v >= 0) {
			bits = bits << 6 | (unsigned)v;
			held += 6;
			if (held >= 8)
				buf_add_char(out, (char)(bits >> (held -= 8) & 255));
		} else if (!is_base64 && in.p[i] == '=') {
			require(i + 2 < in.n);
			if (in.p[i + 1] != '\r')
				buf_add_char(out, (char)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2])));
			i += 2;
		} else if (!is_base64) {
			buf_add_char(out, in.p[i]);
		}
	}
}

static void unstuff(struct str wire, struct buf *out)
{
	for (size_t i = 0; i < wire.n; i++)
		if (wire.p[i] != '.' || (i > 0 && !str_has_suffix(str_sub(wire, 0, i), STR("\r\n"))))
			buf_add_char(out, wire.p[i]);
}

/* A message of one part around the input: its body comes back. */
static void check_body(struct str body, bool is_base64, size_t step)
{
	struct buf in = BUF_INIT(1 << 24), wire = BUF_INIT(1 << 24), out = BUF_INIT(1 << 24), back = BUF_INIT(1 << 24);
	const char *end;
	struct str line;

	buf_addf(&in, "MIME-Version: 1.0\r\nContent-Type: %s/x\r\n\r\n", is_base64 ? "image" : "text");
	buf_add_str(&in, body);
	if (convert(MIME_TO_7BIT, buf_str(&in), step, &wire) == MIME_CHANGED) {
		unstuff(buf_str(&wire), &out);
		end = memmem(out.p, out.n, "\r\n\r\n", 4);
		require(end != NULL);
		line = str_from(buf_str(&out), (size_t)(end - out.p) + 4);
		decode(line, is_base64, &back);
		require(str_eq(buf_str(&back), body));
		for (struct str rest = line; str_field(&rest, "\n", &line);)
			require(line.n <= 77);
	}
	buf_free(&in);
	buf_free(&wire);
	buf_free(&out);
	buf_free(&back);
}

/* What comes before the first blank line alone is changed, once. */
static void check_binary(struct str in, size_t step)
{
	struct buf wire = BUF_INIT(1 << 24), split = BUF_INIT(1 << 24), out = BUF_INIT(1 << 24);
	const char *blank = memmem(in.p, in.n, "\r\n\r\n", 4);

	if (convert(MIME_TO_BINARY, in, in.n, &wire) == MIME_CHANGED) {
		require(convert(MIME_TO_BINARY, in, step, &split) == MIME_CHANGED);
		require(str_eq(buf_str(&wire), buf_str(&split)));
		for (size_t i = 0; i < wire.n; i++)
			if (wire.p[i] != '.' || (i > 0 && wire.p[i - 1] != '\n'))
				buf_add_char(&out, wire.p[i]);
			else if (++i < wire.n)
				buf_add_char(&out, wire.p[i]);
		require(blank == NULL || str_has_suffix(buf_str(&out), str_from(in, (size_t)(blank - in.p))));
		buf_reset(&split);
		require(convert(MIME_TO_BINARY, buf_str(&out), step, &split) == MIME_UNCHANGED);
	}
	buf_free(&wire);
	buf_free(&split);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf in = BUF_INIT(1 << 24), whole = BUF_INIT(1 << 24), split = BUF_INIT(1 << 24),
		   fit = BUF_INIT(1 << 24);
	enum mime_target target;
	enum mime_answer answer;
	size_t step;

	if (n < 2)
		return 0;
	target = !(p[0] & 1) ? MIME_TO_7BIT : p[0] & 4 ? MIME_TO_8BIT_BODIES : MIME_TO_8BIT;
	step = 1 + (p[0] >> 1) * 9u;
	make_content(str_pn(p + 1, n - 1), &in);
	answer = convert(target, buf_str(&in), in.n, &whole);
	require(convert(target, buf_str(&in), step, &split) == answer);
	require(str_eq(buf_str(&whole), buf_str(&split)));
	if (answer == MIME_UNCHANGED)
		check_fit(buf_str(&in), target);
	if (answer == MIME_CHANGED) {
		unstuff(buf_str(&whole), &fit);
		check_fit(buf_str(&fit), target);
		require(convert(target, buf_str(&fit), fit.n, &split) == MIME_UNCHANGED);
	}
	check_body(buf_str(&in), p[0] & 2, step);
	check_binary(buf_str(&in), step);
	if (answer == MIME_REFUSED) {
		buf_reset(&split);
		if (convert_to(target, true, buf_str(&in), step, &split) == MIME_CHANGED) {
			unstuff(buf_str(&split), &fit);
			check_fit(buf_str(&fit), target);
		}
	}
	buf_free(&in);
	buf_free(&whole);
	buf_free(&split);
	buf_free(&fit);
	return 0;
}
