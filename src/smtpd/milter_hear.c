/* What milters answer, and what counts when one does not. */
#include "smtpd/milter.h"

#include <stdio.h>

enum { REFUSAL_MAX = MILTER_REPLY_OCTETS + 256 };

/* ---- refusals ---- */

void milter_refuse(struct milter_refusal *r, int code, const char *enhanced, const char *text)
{
	buf_free(&r->lines);
	r->lines = BUF_INIT(REFUSAL_MAX);
	r->code = code;
	snprintf(r->enhanced, sizeof r->enhanced, "%s", enhanced);
	buf_addf(&r->lines, "%s\n", text);
}

void milter_refusal_drop(struct milter_refusal *r)
{
	buf_free(&r->lines);
	r->code = 0;
}

void milter_refusal_copy(struct milter_refusal *to, const struct milter_refusal *from)
{
	milter_refusal_drop(to);
	*to = *from;
	to->lines = BUF_INIT(REFUSAL_MAX);
	buf_add_str(&to->lines, buf_str(&from->lines));
}

void milter_log_refusal(const struct session *s, const struct milter_refusal *r)
{
	struct str line = buf_str(&r->lines);
	struct buf shown = BUF_INIT(1024);
	ptrdiff_t lf = str_chr(line, '\n');

	line = str_sub(line, 0, lf < 0 ? line.n : (size_t)lf);
	buf_addf(&shown, "%d%s%s %.*s", r->code, *r->enhanced ? " " : "", r->enhanced, STR_ARG(str_sub(line, 0, 900)));
	log_action(s, "milter-reject", shown.p);
	buf_free(&shown);
}

enum outcome milter_answer_refusal(struct session *s, const struct milter_refusal *r)
{
	struct str rest = buf_str(&r->lines), line;

	milter_log_refusal(s, r);
	while (str_field(&rest, "\n", &line) && rest.n > 0)
		reply_moref(s, r->code, r->enhanced, "%.*s", STR_ARG(str_sub(line, 0, 900)));
	replyf(s, r->code, r->enhanced, "%.*s", STR_ARG(str_sub(line, 0, 900)));
	return r->code == 421 ? R_CLOSE : R_DONE;
}

/* ---- what a filter that is away leads to ---- */

static void note_away(const struct milter_spec *spec, const char *why)
{
	struct milter_service *m = spec->service;

	m->failures++;
	if (m->away)
		return;
	m->away = true;
	log_warn("milter %.*s: %s; until it is back, its default_action is taken: %s", STR_ARG(m->where), why,
		spec->on_error_name);
}

static void note_here(struct milter_service *m)
{
	if (m->away)
		log_info("milter %.*s: it is back, after %llu failures", STR_ARG(m->where), m->failures);
	m->away = false;
	m->failures = 0;
}

void milter_hold_mail(struct session *s, const char *why)
{
	if (s->tx == NULL || s->tx->milter == NULL || s->tx->milter->hold)
		return;
	s->tx->milter->hold = true;
	log_action(s, "milter-hold", why);
}

static void set_default_action(struct milter_link *l)
{
	static const char *const text = "Service unavailable - try again later";

	milter_refusal_drop(&l->refusal);
	if (l->spec->on_error == ON_ERROR_ACCEPT || l->spec->on_error == ON_ERROR_QUARANTINE)
		return;
	if (l->spec->fault)
		milter_refuse(&l->refusal, l->spec->on_error == ON_ERROR_SHUTDOWN ? 421 : 451, "4.3.5",
			"Server configuration problem - try again later");
	else if (l->spec->on_error == ON_ERROR_REJECT)
		milter_refuse(&l->refusal, 550, "5.5.0", "Service unavailable");
	else
		milter_refuse(&l->refusal, l->spec->on_error == ON_ERROR_SHUTDOWN ? 421 : 451, "4.7.1", text);
}

void milter_link_fail(struct milter_link *l, const char *why)
{
	struct transaction *t = l->of->session->tx;

	if (l->conn) {
		milter_conn_close(l->conn);
		l->conn = NULL;
	}
	if (l->failed)
		return;
	l->failed = true;
	l->awaited = l->in_mail = l->checking = false;
	if (l->spec->fault == NULL)
		note_away(l->spec, why);
	set_default_action(l);
	if (t && t->milter && l->of->event == MILTER_EOM && milter_is_at_hand(l))
		milter_change_drop(t->milter);
}

/* ---- answers ---- */

void milter_on_up(struct milter_link *l)
{
	note_here(l->spec->service);
	milter_resume(l);
}

void milter_on_sent(struct milter_link *l)
{
	if (!l->awaited)
		milter_conn_time(l->conn, 0);
	milter_resume(l);
}

void milter_on_failure(struct milter_link *l, const char *why)
{
	l->conn = NULL;
	if (!l->in_mail && !milter_is_at_hand(l))
		return; /* idle: for the next message it is connected to anew */
	log_session(l->of->session);
	milter_link_fail(l, why);
	milter_resume(l);
}

/* A refusal at connect or HELO is one of the whole session. */
static void refuse(struct milter_link *l, int code, const char *enhanced, const char *text)
{
	bool lasts = l->asked == MILTER_CONNECT || l->asked == MILTER_HELO || code == 421;

	milter_refuse(lasts ? &l->refusal : &l->of->verdict, code, enhanced, text);
	if (lasts && l->asked > MILTER_HELO)
		milter_refusal_copy(&l->of->verdict, &l->refusal);
}

static const char *take_reply(struct milter_link *l, struct str text)
{
	struct buf lines = BUF_INIT(REFUSAL_MAX);
	struct milter_reply r;

	if (milter_reply_parse(text, &r, &lines) != 0) {
		buf_free(&lines);
		return "it wants an SMTP reply to be sent that is none";
	}
	lines.n--; /* the last LF comes with the refusal */
	lines.p[lines.n] = '\0';
	refuse(l, r.code, r.enhanced, lines.p);
	buf_free(&lines);
	return NULL;
}

static const char *take_discard(struct milter_link *l)
{
	struct session *s = l->of->session;

	if (l->asked <= MILTER_HELO) {
		log_warn("milter %.*s: it wants to discard at connect or HELO, where there is no message",
			STR_ARG(l->spec->service->where));
		return NULL;
	}
	l->accepted = true;
	if (s->tx && s->tx->milter && !s->tx->milter->discard) {
		s->tx->milter->discard = true;
		log_action(s, "milter-discard", "milter triggers DISCARD action");
	}
	return NULL;
}

/* NULL: taken; else what is wrong with it. */
static const char *take_verdict(struct milter_link *l, const struct milter_answer *a)
{
	switch (a->kind) {
	case ANSWER_CONTINUE:
		return NULL;
	case ANSWER_ACCEPT:
		if (l->asked <= MILTER_HELO)
			l->over = true;
		else
			l->accepted = true;
		return NULL;
	case ANSWER_REJECT:
		refuse(l, 550, "5.7.1", "Command rejected");
		return NULL;
	case ANSWER_TEMPFAIL:
		refuse(l, 451, "4.7.1", "Service unavailable - try again later");
		return NULL;
	case ANSWER_SHUTDOWN:
	case ANSWER_CONNECTION:
		refuse(l, 421, "4.7.0", "Server closing connection");
		return NULL;
	case ANSWER_DISCARD:
		return take_discard(l);
	case ANSWER_REPLY:
		return take_reply(l, a->name);
	case ANSWER_SKIP:
		l->skips |= 1u << l->asked;
		return NULL;
	default:
		return "it wants a change where there is none to make";
	}
}

static const char *take_answer(struct milter_link *l, const struct milter_answer *a)
{
	struct session *s = l->of->session;
	const char *why;

	l->awaited = false;
	milter_conn_time(l->conn, 0);
	why = take_verdict(l, a);
	if (why || l->asked != MILTER_EOM)
		return why;
	l->in_mail = false;
	if (l->of->verdict.code == 0 && !s->tx->milter->discard)
		return milter_checks_begin(l) ? NULL : milter_change_commit(l);
	milter_change_drop(s->tx->milter);
	return NULL;
}

void milter_on_packet(struct milter_link *l, const struct milter_packet *p)
{
	struct milter_answer a;
	const char *why = NULL;

	log_session(l->of->session);
	if (!l->awaited || l->checking)
		why = "it answers what it was not asked";
	else if (milter_answer_parse(p, &a) != 0)
		why = "its answer is not understood";
	else if (a.kind == ANSWER_PROGRESS)
		milter_content_goes_on(l);
	else if (milter_answer_is_change(&a) && l->asked == MILTER_EOM)
		why = milter_change_take(l, &a);
	else {
		why = take_answer(l, &a);
	}
	if (why)
		milter_link_fail(l, why);
	if (!l->awaited)
		milter_resume(l);
}
