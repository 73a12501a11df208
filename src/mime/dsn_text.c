#include "mime/dsn_text.h"
#include "base/utf8.h"

void dsn_puts(struct dsn_writer *w, const char *text)
{
	if (buf_add_c(w->out, text) != 0)
		w->full = true;
}

void dsn_putf(struct dsn_writer *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buf_vaddf(w->out, fmt, ap) != 0)
		w->full = true;
	va_end(ap);
}

void dsn_put_raw(struct dsn_writer *w, struct str octets)
{
	if (buf_add_str(w->out, octets) != 0)
		w->full = true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

/* Octets of `in` that stay together, 1 at least; *shown is what stands for them. */
static size_t clean_one(struct str in, bool utf8, struct str *shown)
{
	unsigned char c = (unsigned char)in.p[0];
	size_t n = 1;

	*shown = STR("?");
	if (c >= 0x80) {
		n = utf8 ? utf8_sequence(in) : 0;
		/* U+0080 to U+009F are control characters too, U+2028 and U+2029 end a line for some readers. */
		bool control = n == 2 && c == 0xc2 && (unsigned char)in.p[1] < 0xa0;
		bool line_end = n == 3 && c == 0xe2 && (unsigned char)in.p[1] == 0x80 &&
				((unsigned char)in.p[2] & 0xfe) == 0xa8;
		if (n > 0 && !control && !line_end)
			*shown = str_sub(in, 0, n);
		return n > 0 ? n : 1;
	}
	if (c >= 0x20 && c != 0x7f)
		*shown = str_sub(in, 0, 1);
	return 1;
}

void dsn_clean(struct buf *out, struct str in, bool utf8)
{
	size_t start = out->n;
	bool blank = false;

	while (in.n > 0) {
		struct str shown;
		if (is_blank(in.p[0])) {
			blank = out->n > start;
			in = str_from(in, 1);
			continue;
		}
		size_t used = clean_one(in, utf8, &shown);
		if (out->n - start + shown.n + blank > DSN_TEXT_MAX)
			return;
		if ((blank && buf_add_char(out, ' ') != 0) || buf_add_str(out, shown) != 0)
			return;
		blank = false;
		in = str_from(in, used);
	}
}

/* Octets of `s` up to a fit place at or before `room`, never inside a UTF-8 sequence. */
static size_t cut_place(struct str s, size_t room)
{
	size_t n = room;

	if (s.n <= room)
		return s.n;
	while (n > 1 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Words of `text`, the line being `column` long already; `fold` stands before a word that begins a new line. */
static void put_words(struct dsn_writer *w, struct str text, size_t column, const char *fold)
{
	struct str word;
	bool first = true;

	while (str_word(&text, " ", &word)) {
		if (!first && column + 1 + word.n > DSN_FOLD_AT) {
			dsn_putf(w, "\r\n%s", fold);
			column = strlen(fold);
		} else if (!first) {
			dsn_puts(w, " ");
			column++;
		}
		first = false;
		while (word.n > DSN_LINE_MAX) {
			size_t n = cut_place(word, DSN_LINE_MAX);
			dsn_put_raw(w, str_sub(word, 0, n));
			dsn_putf(w, "\r\n%s", fold);
			column = strlen(fold);
			word = str_from(word, n);
		}
		dsn_put_raw(w, word);
		column += word.n;
	}
	dsn_puts(w, "\r\n");
}

void dsn_field(struct dsn_writer *w, const char *name, const char *type, struct str value)
{
	struct buf clean = BUF_INIT(DSN_TEXT_MAX);

	dsn_clean(&clean, value, w->utf8);
	dsn_putf(w, "%s: %s%s", name, type, *type ? " " : "");
	put_words(w, buf_str(&clean), strlen(name) + 3 + strlen(type), " ");
	buf_free(&clean);
}

void dsn_paragraph(struct dsn_writer *w, struct str head, struct str text)
{
	struct buf clean = BUF_INIT(2 * DSN_TEXT_MAX + 2);

	dsn_clean(&clean, head, w->utf8);
	buf_add_char(&clean, ' ');
	dsn_clean(&clean, text, w->utf8);
	put_words(w, buf_str(&clean), 0, "    ");
	buf_free(&clean);
}

void dsn_indented(struct dsn_writer *w, const char *text)
{
	dsn_puts(w, "    ");
	put_words(w, str_c(text), 4, "    ");
}

bool dsn_status_is_valid(struct str status)
{
	struct str part;
	unsigned n = 0;

	while (str_field(&status, ".", &part)) {
		if (part.n == 0 || part.n > 3)
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!ascii_is_digit(part.p[i]))
				return false;
		if (n++ == 0 && (part.n != 1 || (part.p[0] != '2' && part.p[0] != '4' && part.p[0] != '5')))
			return false;
	}
	return n == 3;
}
