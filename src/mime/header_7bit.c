#include "mime/header_7bit.h"
#include "mime/content_type.h"
#include "mime/convert.h"
#include "mime/encoded_word.h"
#include "base/log.h"
#include "base/utf8.h"
#include "smtp/data.h"

enum {
	NAME_MAX_OCTETS = 64, /* of a parameter: it comes again in each line of a long value */
	/* Nothing grows by more than this while it is coded: a short word in its own encoded word, a long name. */
	GROWTH_MAX = 32,
	FIELD_ROOM = GROWTH_MAX * MIME_FIELD_MAX
};

struct str mime_field_name(struct str field, struct str *value)
{
	size_t n = 0, i;

	while (n < field.n && ascii_is_graph(field.p[n]) && field.p[n] != ':')
		n++;
	for (i = n; i < field.n && (field.p[i] == ' ' || field.p[i] == '\t');)
		i++;
	if (n == 0 || i == field.n || field.p[i] != ':')
		return str_sub(field, 0, 0);
	*value = str_from(field, i + 1);
	return str_sub(field, 0, n);
}

static bool is_stray(struct str s, size_t i)
{
	switch (s.p[i]) {
	case '\0':
		return true;
	case '\r':
		return i + 1 == s.n || s.p[i + 1] != '\n';
	case '\n':
		return i == 0 || s.p[i - 1] != '\r';
	default:
		return false;
	}
}

bool mime_field_is_odd(struct str field, bool to_7bit)
{
	size_t line = 0;

	for (size_t i = 0; i < field.n; i++) {
		if (is_stray(field, i) || (to_7bit && (unsigned char)field.p[i] > 127))
			return true;
		line = field.p[i] == '\n' ? 0 : line + 1;
		if (line > DATA_LINE_MAX + (field.p[i] == '\r'))
			return true;
	}
	return false;
}

static void add(struct buf *out, struct str s)
{
	require(buf_add_str(out, s) == 0);
}

/* Octets of a comment up to its next parenthesis, from `from` on. */
static size_t comment_text(struct str comment, size_t from)
{
	size_t i = from;

	while (i < comment.n && comment.p[i] != '(' && comment.p[i] != ')')
		i += comment.p[i] == '\\' && i + 1 < comment.n ? 2 : 1;
	return i - from;
}

/* Is its first word one that has to be an encoded word? */
static bool begins_8bit(struct str text)
{
	size_t n = 0;

	while (n < text.n && strchr(" \t\r\n", text.p[n]) == NULL)
		n++;
	return str_is_8bit(str_sub(text, 0, n));
}

/*
 * The text between the parentheses of a comment, nested ones kept: RFC 2047 sec. 5 (2). A blank may stand before and behind
 * each parenthesis.
 */
static void put_comment(struct buf *out, struct str comment)
{
	for (size_t at = 0, n; at < comment.n; at += n) {
		struct str parenthesis = str_sub(comment, at, comment.p[at] == '(' || comment.p[at] == ')');
		struct str text;

		n = parenthesis.n + comment_text(comment, at + parenthesis.n);
		text = str_sub(comment, at + parenthesis.n, n - parenthesis.n);
		if (str_eq(parenthesis, STR("(")) && begins_8bit(text))
			mime_make_room(out);
		add(out, parenthesis);
		if (str_eq(parenthesis, STR(")")) && begins_8bit(text))
			mime_make_room(out);
		mime_put_text(out, text);
	}
}

/* A display name (RFC 5322 sec. 3.2.5) as encoded words; its comments behind it. */
static void put_phrase(struct buf *out, struct str phrase)
{
	struct buf text = BUF_INIT(FIELD_ROOM);
	struct str rest = phrase, item;
	char c;

	if (str_trim(phrase).p != phrase.p)
		add(out, STR(" "));
	else
		mime_make_room(out);
	while ((c = mime_item(&rest, &item)) != 0) {
		char *to;

		if (c == '(')
			continue;
		if (c == ' ') {
			if (text.n > 0 && text.p[text.n - 1] != ' ')
				buf_add_char(&text, ' ');
			continue;
		}
		to = buf_reserve(&text, item.n);
		require(to != NULL);
		buf_commit(&text, mime_unquote(item, to, item.n));
	}
	mime_put_words(out, str_trim(buf_str(&text)));
	buf_free(&text);
	for (rest = phrase; (c = mime_item(&rest, &item)) != 0;)
		if (c == '(') {
			add(out, STR(" "));
			put_comment(out, item);
		}
}

/* An address without a name: only its comments may be of other letters. */
static int put_bare(struct buf *out, struct str address)
{
	struct str item;
	char c;

	while ((c = mime_item(&address, &item)) != 0) {
		if (c == '(')
			put_comment(out, item);
		else if (str_is_8bit(item))
			return -1;
		else
			add(out, item);
	}
	return 0;
}

static bool has_8bit_word(struct str s)
{
	struct str item;
	char c;

	while ((c = mime_item(&s, &item)) != 0)
		if (c != '(' && str_is_8bit(item))
			return true;
	return false;
}

static void end_with_blank(struct buf *out)
{
	if (out->p[out->n - 1] != ' ' && out->p[out->n - 1] != '\t')
		add(out, STR(" "));
}

static int put_addresses(struct buf *out, struct str value)
{
	struct str from = value, item, rest = value;
	char c;

	do {
		struct str before;

		c = mime_item(&rest, &item);
		if (c != 0 && c != ',' && c != ';' && c != ':' && c != '<')
			continue;
		before = str_sub(from, 0, (size_t)(item.p - from.p));
		if (!str_is_8bit(before))
			add(out, before);
		else if (c == '<' || c == ':' || (str_chr(before, '@') < 0 && has_8bit_word(before)))
			put_phrase(out, before);
		else if (put_bare(out, before) < 0)
			return -1;
		if (str_is_8bit(item))
			return -1;
		if (c == '<' && from.p != item.p)
			end_with_blank(out);
		add(out, item);
		from = rest;
	} while (c != 0);
	return 0;
}

/* The next parameter with what is before it, up to its ";" or the end. */
static struct str next_parameter(struct str *rest)
{
	const char *from = rest->p;
	struct str item;
	char c;

	while ((c = mime_item(rest, &item)) != 0 && c != ';')
		;
	return str_pn(from, (size_t)((c == ';' ? item.p : rest->p) - from));
}

/* One parameter "name=value" (RFC 2045 sec. 5.1) as RFC 2231 sec. 3 and 4 say. -1: it cannot be. */
static int put_parameter(struct buf *out, struct str parameter)
{
	ptrdiff_t equals = str_chr(parameter, '=');
	struct str name = equals > 0 ? str_trim(str_sub(parameter, 0, (size_t)equals)) : STR("");
	struct str value = str_trim(str_from(parameter, (size_t)equals + 1));
	struct buf text = BUF_INIT(FIELD_ROOM);
	char *to;

	if (name.n == 0 || name.n > NAME_MAX_OCTETS || str_is_8bit(name) || str_chr(name, '*') >= 0 ||
		str_ieq(name, STR("boundary")))
		return -1;
	to = buf_reserve(&text, value.n + 1);
	require(to != NULL);
	buf_commit(&text, mime_unquote(value, to, value.n));
	mime_put_parameter(out, name, buf_str(&text));
	buf_free(&text);
	return 0;
}

static int put_parameters(struct buf *out, struct str value)
{
	struct str rest = value, part;

	for (bool is_first = true; rest.n > 0 || is_first; is_first = false) {
		part = next_parameter(&rest);
		if (!is_first)
			add(out, STR(";"));
		if (!str_is_8bit(part))
			add(out, part);
		else if (is_first ? put_bare(out, part) < 0 : put_parameter(out, part) < 0)
			return -1;
	}
	return 0;
}

static int put_plain(struct buf *out, struct str value)
{
	mime_put_text(out, value);
	return 0;
}

static int put_whole(struct buf *out, struct str value)
{
	add(out, STR(" "));
	mime_put_words(out, str_trim(value));
	return 0;
}

static const struct {
	const char *name; /* "-" at the end: all that begin so */
	int (*put)(struct buf *out, struct str value);
} fields[] = {
	{ "From", put_addresses },
	{ "Sender", put_addresses },
	{ "Reply-To", put_addresses },
	{ "To", put_addresses },
	{ "Cc", put_addresses },
	{ "Bcc", put_addresses },
	{ "Resent-From", put_addresses },
	{ "Resent-Sender", put_addresses },
	{ "Resent-Reply-To", put_addresses },
	{ "Resent-To", put_addresses },
	{ "Resent-Cc", put_addresses },
	{ "Resent-Bcc", put_addresses },
	{ "Return-Path", put_addresses },
	{ "Disposition-Notification-To", put_addresses },
	{ "Mail-Followup-To", put_addresses },
	{ "Mail-Reply-To", put_addresses },
	{ "List-Id", put_addresses },
	{ "Content-Type", put_parameters },
	{ "Content-Disposition", put_parameters },
	{ "Received", put_whole },
	{ "Message-ID", put_whole },
	{ "Resent-Message-ID", put_whole },
	{ "In-Reply-To", put_whole },
	{ "References", put_whole },
	{ "Content-ID", put_whole },
	{ "Content-Transfer-Encoding", put_whole },
	{ "MIME-Version", put_whole },
	{ "Date", put_whole },
	{ "Resent-Date", put_whole },
	{ "Original-Recipient", put_whole },
	{ "Final-Recipient", put_whole },
	{ "DKIM-Signature", put_whole },
	{ "Authentication-Results", put_whole },
	{ "ARC-", put_whole },
	{ "List-", put_whole },
};

static int (*find_put(struct str name))(struct buf *, struct str)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct str row = str_c(fields[i].name);

		if (str_ieq(name, row) || (str_has_suffix(row, STR("-")) && str_has_iprefix(name, row)))
			return fields[i].put;
	}
	return put_plain;
}

static int put_7bit(struct buf *out, struct str field)
{
	struct str value = { "", 0 }, name = mime_field_name(field, &value);
	int (*put)(struct buf *, struct str) = find_put(name);
	bool ends = str_has_suffix(value, STR("\r\n"));

	/* A line that begins with "--" could become a boundary by what is written behind it. */
	if (field.n > MIME_FIELD_MAX || name.n == 0 || str_has_prefix(name, STR("--")))
		return -1;
	if (put == put_whole)
		add(out, STR("Downgraded-"));
	add(out, name);
	add(out, STR(":"));
	if (put(out, str_sub(value, 0, value.n - (ends ? 2 : 0))) < 0)
		return -1;
	add(out, ends ? STR("\r\n") : STR(""));
	return 0;
}

/* Where to break a line that is too long: before its last blank within `limit`, or, where there is none, at `limit`. */
static size_t fold_place(struct str line, size_t limit)
{
	size_t first_word = 0, n = limit;

	while (first_word < limit && (line.p[first_word] == ' ' || line.p[first_word] == '\t'))
		first_word++;
	while (n > first_word && line.p[n] != ' ' && line.p[n] != '\t')
		n--;
	if (n > first_word)
		return n;
	for (n = limit; n > limit - 4 && ((unsigned char)line.p[n] & 0xc0) == 0x80;)
		n--; /* a character of UTF-8 stays whole */
	return n;
}

static void put_folded(struct buf *out, struct str line)
{
	size_t indent = 0, n;

	while (line.n + indent > DATA_LINE_MAX) {
		n = fold_place(line, DATA_LINE_MAX - indent);
		add(out, str_sub(line, 0, n));
		line = str_from(line, n);
		/* Without a blank the line is cut, as Postfix does: the fields that have such words can stand it. */
		indent = line.p[0] == ' ' || line.p[0] == '\t' ? 0 : 1;
		add(out, indent ? STR("\r\n ") : STR("\r\n"));
	}
	add(out, line);
}

int mime_field_put(struct buf *out, struct str field, bool to_7bit)
{
	struct buf clean = BUF_INIT(FIELD_ROOM), coded = BUF_INIT(FIELD_ROOM);
	struct str rest, line;
	int r = 0;

	for (size_t i = 0; i < field.n; i++)
		buf_add_char(&clean, is_stray(field, i) ? ' ' : field.p[i]);
	rest = buf_str(&clean);
	if (to_7bit && str_is_8bit(rest)) {
		r = put_7bit(&coded, rest);
		rest = buf_str(&coded);
	}
	while (r == 0 && rest.n > 0) {
		size_t n = (size_t)(str_chr(rest, '\n') + 1);
		bool ends = n > 0;

		line = ends ? str_sub(rest, 0, n - 2) : rest;
		put_folded(out, line);
		if (ends)
			add(out, STR("\r\n"));
		rest = ends ? str_from(rest, n) : str_sub(rest, 0, 0);
	}
	buf_free(&clean);
	buf_free(&coded);
	return r;
}

int mime_field_put_spoilt(struct buf *out, struct str field)
{
	struct buf spoilt = BUF_INIT(FIELD_ROOM);
	int r;

	for (size_t i = 0; i < field.n; i++)
		buf_add_char(&spoilt, (unsigned char)field.p[i] > 127 ? '?' : field.p[i]);
	r = mime_field_put(out, buf_str(&spoilt), false);
	buf_free(&spoilt);
	return r;
}
