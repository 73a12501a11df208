#include "mime/encoded_word.h"
#include "base/log.h"
#include "base/utf8.h"

enum {
	LINE_FULL = 76,	   /* of a line with an encoded word: RFC 2047 sec. 2 */
	WORD_MAX = 75,	   /* of an encoded word */
	ROOM_MIN = 40,	   /* less is left in the line: it is folded first */
	LOOK_BACK = 128,   /* a column behind this one is as good as any other */
	PARAMETER_MAX = 50 /* octets of a value in one line */
};

static void add(struct buf *out, const char *s)
{
	require(buf_add_c(out, s) == 0);
}

static const char *charset_of(struct str text)
{
	return utf8_is_valid(text) ? "utf-8" : "unknown-8bit";
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Up to LOOK_BACK: a line that cannot be folded may be as long as the field. */
static size_t column_of(const struct buf *out)
{
	struct str tail = str_from(buf_str(out), out->n > LOOK_BACK ? out->n - LOOK_BACK : 0);

	return tail.n - (size_t)(str_rchr(tail, '\n') + 1);
}

/* False: there is none. */
static bool fold_at_blank(struct buf *out)
{
	char c = out->p[out->n - 1];

	if (c != ' ' && c != '\t')
		return false;
	out->n--;
	add(out, c == ' ' ? "\r\n " : "\r\n\t");
	return true;
}

/* Octets left for an encoded word in this line, or in the next one that is begun here. */
static size_t word_room(struct buf *out)
{
	size_t column = column_of(out);

	if (column + ROOM_MIN <= LINE_FULL)
		return LINE_FULL - column < WORD_MAX ? LINE_FULL - column : WORD_MAX;
	if (column > 1)
		fold_at_blank(out);
	return WORD_MAX;
}

void mime_make_room(struct buf *out)
{
	size_t column = column_of(out);

	if (column + ROOM_MIN > LINE_FULL && !fold_at_blank(out))
		add(out, "\r\n ");
}

/* What may stand for itself in the Q encoding wherever an encoded word may: RFC 2047 sec. 5 (3). */
static bool is_plain(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("!*+-/", c) != NULL);
}

/* Octets that stay together: a whole character (sec. 5, "each encoded-word MUST represent an integral number"). */
static size_t character(struct str text, bool utf8)
{
	size_t n = utf8 ? utf8_sequence(text) : 1;

	return n > 0 ? n : 1;
}

static size_t coded_size(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\r' || s.p[i] == '\n' ? 0 : s.p[i] == ' ' || is_plain(s.p[i]) ? 1 : 3;
	return n;
}

static void put_coded(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n')
			continue;
		if (s.p[i] == ' ')
			add(out, "_");
		else if (is_plain(s.p[i]))
			require(buf_add_char(out, s.p[i]) == 0);
		else
			require(buf_addf(out, "=%02X", (unsigned char)s.p[i]) == 0);
	}
}

void mime_put_words(struct buf *out, struct str text)
{
	const char *charset = charset_of(text);
	bool utf8 = utf8_is_valid(text);

	for (bool is_first = true; text.n > 0; is_first = false) {
		size_t frame = strlen(charset) + 7 /* =? ?q? ?= */, left, used = 0;

		if (!is_first)
			add(out, "\r\n ");
		left = word_room(out) - frame;
		require(buf_addf(out, "=?%s?q?", charset) == 0);
		while (text.n > 0) {
			struct str part = str_sub(text, 0, character(text, utf8));
			size_t n = coded_size(part);

			if (used + n > left)
				break;
			put_coded(out, part);
			used += n;
			text = str_from(text, part.n);
		}
		add(out, "?=");
	}
}

/* Octets of a run of blanks, or of a word. */
static size_t span(struct str s, bool blanks)
{
	size_t n = 0;

	while (n < s.n && is_blank(s.p[n]) == blanks)
		n++;
	return n;
}

/* Words with octets over 127 that follow each other, and the blanks between them: blanks between encoded words do not
 * count (RFC 2047 sec. 6.2), so they have to be in them. */
static size_t coded_run(struct str text)
{
	size_t n = 0, end;

	do {
		end = n + span(str_from(text, n), false);
		n = end + span(str_from(text, end), true);
	} while (n > end && n < text.n && str_is_8bit(str_sub(text, n, span(str_from(text, n), false))));
	return end;
}

void mime_put_text(struct buf *out, struct str text)
{
	while (text.n > 0) {
		size_t blanks = span(text, true), n;

		require(buf_add(out, text.p, blanks) == 0);
		text = str_from(text, blanks);
		n = span(text, false);
		if (str_is_8bit(str_sub(text, 0, n))) {
			n = coded_run(text);
			mime_put_words(out, str_sub(text, 0, n));
		} else {
			require(buf_add(out, text.p, n) == 0);
		}
		text = str_from(text, n);
	}
}

/* Octets of the next piece of a value: at most PARAMETER_MAX when encoded. */
static size_t parameter_piece(struct str value)
{
	size_t n = 0, size = 0;

	while (n < value.n && size + 3 <= PARAMETER_MAX)
		size += ascii_is_alnum(value.p[n++]) ? 1 : 3;
	return n;
}

void mime_put_parameter(struct buf *out, struct str name, struct str value)
{
	const char *charset = charset_of(value);
	bool is_long = parameter_piece(value) < value.n;

	for (unsigned i = 0; value.n > 0; i++) {
		size_t n = parameter_piece(value);

		require(buf_addf(out, "%s\r\n %.*s*", i ? ";" : "", STR_ARG(name)) == 0);
		if (is_long)
			require(buf_addf(out, "%u*", i) == 0);
		require(buf_addf(out, "=%s%s", i ? "" : charset, i ? "" : "''") == 0);
		for (size_t k = 0; k < n; k++)
			if (ascii_is_alnum(value.p[k]))
				require(buf_add_char(out, value.p[k]) == 0);
			else
				require(buf_addf(out, "%%%02X", (unsigned char)value.p[k]) == 0);
		value = str_from(value, n);
	}
}
