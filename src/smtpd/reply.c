/* Replies of a session, and its log lines in Postfix's shape. */
#include "smtpd/smtpd.h"

#include <stdarg.h>
#include <stdio.h>

static bool use_enhanced(const struct session *s)
{
	return s->service->extensions & ~s->hidden & EXT_BIT(EXT_ENHANCEDSTATUSCODES);
}

static void begin(struct session *s)
{
	if (!s->reply_goes_on)
		s->reply_at = s->out.n;
	s->reply_goes_on = false;
}

void reply(struct session *s, enum smtp_reply r)
{
	begin(s);
	s->last_code = smtp_reply_row(r)->code;
	smtp_reply_put(&s->out, r, state_name(s), use_enhanced(s));
}

static void put_line(struct session *s, int code, const char *enhanced, const char *fmt, va_list ap)
{
	char text[1024];
	int n = vsnprintf(text, sizeof text, fmt, ap);

	if (n < 0 || (size_t)n >= sizeof text)
		n = sizeof text - 1;
	begin(s);
	s->last_code = code;
	reply_put(&s->out, code, enhanced, use_enhanced(s), str_pn(text, (size_t)n));
}

void replyf(struct session *s, int code, const char *enhanced, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(s, code, enhanced, fmt, ap);
	va_end(ap);
}

void reply_moref(struct session *s, int code, const char *enhanced, const char *fmt, ...)
{
	size_t start = s->out.n;
	va_list ap;

	va_start(ap, fmt);
	put_line(s, code, enhanced, fmt, ap);
	va_end(ap);
	if (s->out.n > start + 3)
		s->out.p[start + 3] = '-';
	s->reply_goes_on = true;
}

void reply_hold(struct session *s)
{
	s->held_reply = BUF_INIT(OUTPUT_MAX);
	buf_add_str(&s->held_reply, str_from(buf_str(&s->out), s->reply_at));
	buf_cut(&s->out, s->reply_at);
}

void reply_let_go(struct session *s)
{
	if (s->held_reply.n == 0)
		return;
	buf_add_str(&s->out, buf_str(&s->held_reply));
	buf_free(&s->held_reply);
}

void reply_host(struct session *s, int code, const char *enhanced, const char *text)
{
	replyf(s, code, enhanced, "%s %s", s->service->hostname, text);
}

void reply_greeting(struct session *s)
{
	replyf(s, 220, "", "%s", s->service->banner);
}

const char *client_text(const struct session *s)
{
	static char text[320];

	snprintf(text, sizeof text, "%s[%s]", s->name, s->addr);
	return text;
}

const char *proto_text(const struct session *s)
{
	return s->hello == HELLO_EHLO ? "ESMTP" : "SMTP";
}

const char *state_name(const struct session *s)
{
	static char text[64];
	size_t i = 0;

	if (s->after_message)
		return "END-OF-MESSAGE";
	if (s->verb == VERB_NONE)
		return s->count[VERB_NONE].total ? "UNKNOWN" : "CONNECT";
	for (const char *p = verb_text(s->verb); *p && i + 1 < sizeof text; p++)
		text[i++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	text[i] = '\0';
	if (s->mode == MODE_DATA && s->tx)
		snprintf(text + i, sizeof text - i, " (%llu bytes)", (unsigned long long)s->tx->scan.content);
	return text;
}

void log_session(const struct session *s)
{
	log_name(s->service->log_name);
}

void log_action(const struct session *s, const char *action, const char *text)
{
	const struct transaction *t = s->tx;
	struct buf tail = BUF_INIT(2048);

	if (t) {
		buf_addf(&tail, " from=<%.*s>", STR_ARG(t->sender));
		if (t->rcpt_arg.n && s->verb == VERB_RCPT)
			buf_addf(&tail, " to=<%.*s>", STR_ARG(t->rcpt_arg));
		else if (t->n_rcpt == 1)
			buf_addf(&tail, " to=<%.*s>", STR_ARG(t->rcpt[0].address));
	}
	buf_addf(&tail, " proto=%s", proto_text(s));
	if (s->helo)
		buf_addf(&tail, " helo=<%s>", s->helo);
	log_info("%s: %s: %s from %s: %s;%s", t && *t->id ? t->id : "NOQUEUE", action, state_name(s), client_text(s),
		text, tail.p);
	buf_free(&tail);
}

/* "NOQUEUE: reject: RCPT from name[addr]: 554 5.7.1 …; from=<a> to=<b> proto=ESMTP helo=<h>" */
void reply_reject(struct session *s, int code, const char *enhanced, const char *text, bool only_warn)
{
	struct buf shown = BUF_INIT(4096);

	if (buf_addf(&shown, "%d %s %s", code, enhanced, text) != 0)
		buf_addf(&shown, "%d %s %.1000s", code, enhanced, text);
	log_action(s, only_warn ? "reject_warning" : "reject", shown.p);
	buf_free(&shown);
	if (!only_warn)
		replyf(s, code, enhanced, "%s", text);
}

void reply_refuse(struct session *s, enum smtp_reply r)
{
	const struct smtp_reply_row *row = smtp_reply_row(r);

	reply_reject(s, row->code, row->enhanced, row->text, false);
}

/* In the order of Postfix's command table. */
static const enum smtp_verb counted[] = { VERB_HELO, VERB_EHLO, VERB_STARTTLS, VERB_AUTH, VERB_MAIL, VERB_RCPT,
	VERB_DATA, VERB_BDAT, VERB_RSET, VERB_NOOP, VERB_VRFY, VERB_EXPN, VERB_ETRN, VERB_XCLIENT, VERB_XFORWARD,
	VERB_HELP, VERB_QUIT, VERB_NONE };

static void put_count(struct buf *b, const char *name, unsigned ok, unsigned total)
{
	if (ok == total)
		buf_addf(b, " %s=%u", name, total);
	else
		buf_addf(b, " %s=%u/%u", name, ok, total);
}

void log_disconnect(struct session *s)
{
	struct buf b = BUF_INIT(1024);
	unsigned ok = 0, total = 0;

	for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
		const struct verb_count *c = &s->count[counted[i]];

		if (c->total)
			put_count(&b, counted[i] == VERB_NONE ? "unknown" : verb_text(counted[i]), c->ok, c->total);
		ok += c->ok;
		total += c->total;
	}
	put_count(&b, "commands", ok, total);
	if (!s->service->is_local)
		log_info("disconnect from %s%s", client_text(s), b.p);
	buf_free(&b);
}
