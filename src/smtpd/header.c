/*
 * The header of a message on its way in: fields are looked at line by line, the body passes untouched. What is done
 * here is what Postfix's cleanup(8) does: counting hops, dropping message_drop_headers, adding what is missing.
 */
#include "smtpd/smtpd.h"
#include "mime/received.h"

#include <time.h>

enum { MESSAGE_ID_MAX = 998 };

static void keep(struct transaction *t, struct str octets)
{
	if (!milter_keep(t, octets))
		spool_msg_add(&t->msg, octets);
}

static void keep_own(struct transaction *t, const char *text)
{
	t->own_octets += (int64_t)strlen(text);
	keep(t, str_c(text));
}

void header_clear(struct header_scan *h)
{
	buf_free(&h->line);
}

static bool is_submitted(const struct session *s)
{
	if (s->forward && (s->forward->is_local || s->forward->is_remote))
		return s->forward->is_local;
	return session_is_ours(s);
}

/* Fields that RFC 5322 sec. 3.6 wants, for mail that is submitted here. */
static void add_missing(struct session *s, struct transaction *t)
{
	const struct header_scan *h = &t->header;
	time_t now = time(NULL);
	char text[64];
	struct tm tm;

	if (!is_submitted(s) && !s->service->add_missing_headers)
		return;
	if (!h->has_message_id) {
		strftime(text, sizeof text, "%Y%m%d%H%M%S", gmtime_r(&now, &tm));
		t->message_id = str_c(arena_printf(t->mem, "<%s.%s@%s>", text, t->id, s->service->hostname));
		keep_own(t, arena_printf(t->mem, "Message-Id: %s\r\n", t->message_id.p));
	}
	if (!h->has_date)
		keep_own(t, arena_printf(t->mem, "Date: %s\r\n", rfc5322_date(now, text)));
	if (!h->has_from) {
		struct str from = t->sender.n ? address_made_ascii(t->mem, t->sender) : STR("MAILER-DAEMON");

		keep_own(t, arena_printf(t->mem, "From: %.*s\r\n", STR_ARG(from)));
	}
}

static void header_end(struct session *s, struct transaction *t)
{
	add_missing(s, t);
	t->header.ended = true;
	log_info("%s: message-id=%.*s", t->id, STR_ARG(t->message_id.n ? t->message_id : STR("<>")));
	buf_free(&t->header.line);
}

/* "Subject" of "Subject: …" (RFC 5322 sec. 2.2; blanks before the colon are obsolete, sec. 4.5.3). n == 0: no field. */
static struct str field_name(struct str line)
{
	size_t n = 0;

	while (n < line.n && ascii_is_graph(line.p[n]) && line.p[n] != ':')
		n++;
	for (size_t i = n; i < line.n; i++) {
		if (line.p[i] == ':')
			return str_sub(line, 0, n);
		if (line.p[i] != ' ' && line.p[i] != '\t')
			break;
	}
	return STR("");
}

static bool is_dropped(const struct session *s, struct str name)
{
	for (size_t i = 0; i < s->service->n_dropped; i++)
		if (str_ieq(s->service->dropped[i], name))
			return true;
	return false;
}

static void take_message_id(struct transaction *t, struct str text)
{
	text = str_trim(text);
	if (t->header.in_message_id && t->message_id.n == 0 && text.n)
		t->message_id = arena_dup(t->mem, str_sub(text, 0, MESSAGE_ID_MAX));
}

static void new_field(struct session *s, struct transaction *t, struct str name, struct str line)
{
	struct header_scan *h = &t->header;

	h->dropping = is_dropped(s, name);
	h->field_octets = 0;
	h->in_message_id = str_ieq(name, STR("Message-ID"));
	if (h->in_message_id)
		h->has_message_id = true;
	else if (str_ieq(name, STR("Date")))
		h->has_date = true;
	else if (str_ieq(name, STR("From")))
		h->has_from = true;
	else if (str_ieq(name, STR("Received")))
		h->hops++;
	if (h->in_message_id)
		take_message_id(t, str_from(line, (size_t)str_chr(line, ':') + 1));
}

static unsigned line_flaws(struct str line)
{
	struct str text = str_has_suffix(line, STR("\r\n")) ? str_sub(line, 0, line.n - 2) : line;
	unsigned flaws = text.n == line.n ? DATA_BARE_LF : 0;

	flaws |= str_chr(text, '\r') >= 0 ? (unsigned)DATA_BARE_CR : 0;
	flaws |= text.n > DATA_LINE_MAX ? (unsigned)DATA_LONG_LINE : 0;
	return flaws | (str_chr(text, '\0') >= 0 ? (unsigned)DATA_NUL : 0);
}

/* What of a field is over header_size_limit is cut off: the end of its first line, and whole lines behind that. */
static void keep_field(const struct session *s, struct transaction *t, struct str wire, bool folded)
{
	struct header_scan *h = &t->header;
	size_t room = s->service->header_limit > h->field_octets ? s->service->header_limit - h->field_octets : 0;

	h->field_octets += wire.n;
	if (wire.n <= room + 2) { /* with its CRLF */
		keep(t, wire);
		return;
	}
	t->own_octets -= (int64_t)wire.n;
	h->field_octets = s->service->header_limit; /* no more of it */
	if (folded)
		return;
	t->own_octets += (int64_t)room;
	keep(t, str_sub(wire, 0, room));
	keep_own(t, "\r\n");
}

/* `wire` is a line as it is stored: without the dot that RFC 5321 sec. 4.5.2 puts before it, it is the line that is meant. */
static void header_line(struct session *s, struct transaction *t, struct str wire)
{
	struct header_scan *h = &t->header;
	struct str line = wire.n && wire.p[0] == '.' ? str_from(wire, 1) : wire;
	bool folded = line.n && (line.p[0] == ' ' || line.p[0] == '\t') && h->lines > 0;
	struct str name = folded ? STR("") : field_name(line);

	if (!folded && name.n == 0) {
		header_end(s, t);
		if (!str_eq(line, STR("\r\n")))
			keep_own(t, "\r\n"); /* the blank line that the sender forgot */
		keep(t, wire);
		return;
	}
	h->lines++;
	h->flaws |= line_flaws(line);
	fields_take(t, name, line);
	if (!folded)
		new_field(s, t, name, line);
	else
		take_message_id(t, line);
	if (h->dropping)
		t->own_octets -= (int64_t)line.n;
	else
		keep_field(s, t, wire, folded);
}

void header_add(struct session *s, struct transaction *t, struct str *wire)
{
	struct header_scan *h = &t->header;

	while (!h->ended && wire->n) {
		ptrdiff_t at = str_chr(*wire, '\n');
		struct str part = at < 0 ? *wire : str_sub(*wire, 0, (size_t)at + 1);
		struct buf line;

		if (buf_add_str(&h->line, part) != 0) { /* a line over 64 KiB is no header */
			line = h->line;
			h->line = BUF_INIT(READ_OCTETS);
			header_end(s, t);
			keep_own(t, "\r\n");
			keep(t, buf_str(&line));
			buf_free(&line);
			return;
		}
		*wire = str_from(*wire, part.n);
		if (at < 0)
			return;
		line = h->line; /* header_end() gives up h->line */
		h->line = BUF_INIT(READ_OCTETS);
		header_line(s, t, buf_str(&line));
		buf_reset(&line);
		if (h->ended)
			buf_free(&line);
		else
			h->line = line;
	}
}

void header_finish(struct session *s, struct transaction *t)
{
	struct str end = STR("\r\n");

	if (t->header.ended)
		return;
	if (t->header.line.n)
		header_add(s, t, &end);
	if (!t->header.ended)
		header_end(s, t);
}
