/*
 * A session tells its milters what happens, one after the other, and hears their verdicts. The first refusal counts; what
 * comes behind it is not asked.
 */
#include "smtpd/milter.h"

#include <stdio.h>
#include <stdlib.h>

enum { OUT_BUSY = 64 * 1024 };
enum step { STEP_NEXT, STEP_WAIT, STEP_END };

bool milter_is_at_hand(const struct milter_link *l)
{
	const struct question *q = l->of->session->question;

	return q && q->what == ASK_MILTER && !q->answered && l == &l->of->link[l->of->at];
}

bool milter_link_ask(struct milter_link *l, enum milter_event e, uint64_t ms)
{
	struct milter_conn *c = l->conn;

	if (c->out.n == 0)
		return false;
	l->awaited = milter_terms_answers(&c->terms, e);
	l->asked = e;
	milter_conn_time(c, ms);
	milter_conn_send(c);
	if (!l->awaited && c->out.n == 0)
		milter_conn_time(c, 0);
	return l->awaited;
}

static void put_connect(struct milter_link *l, struct buf *out)
{
	const struct session *s = l->of->session;
	bool known = strcmp(s->name, "unknown") != 0;
	char name[sizeof s->addr + 3];

	snprintf(name, sizeof name, "[%s]", s->addr);
	milter_put_text(out, str_c(known ? s->name : name));
	if (s->peer.any.sa_family == AF_UNSPEC) {
		milter_put_octets(out, STR("U"));
		return;
	}
	milter_put_octets(out, s->peer.any.sa_family == AF_INET6 ? STR("6") : STR("4"));
	milter_put_u16(out, s->port);
	milter_put_text(out, str_c(s->addr));
}

/* "<address>", then each ESMTP parameter, as the client sent them. */
static void put_address(struct buf *out, struct str address, struct str params)
{
	struct str word;

	milter_put_octets(out, STR("<"));
	milter_put_octets(out, address);
	milter_put_text(out, STR(">"));
	while (str_word(&params, " ", &word))
		milter_put_text(out, word);
}

static void put_event(struct milter_link *l, enum milter_event e, struct buf *out)
{
	const struct session *s = l->of->session;
	size_t start = milter_packet_begin(out, milter_event_row(e)->command);

	if (e == MILTER_CONNECT)
		put_connect(l, out);
	else if (e == MILTER_HELO)
		milter_put_text(out, str_c(s->helo));
	else if (e == MILTER_MAIL)
		put_address(out, s->tx->sender_arg, s->tx->mail_args);
	else if (e == MILTER_RCPT)
		put_address(out, s->tx->rcpt_arg, s->tx->rcpt_args);
	else if (e == MILTER_UNKNOWN)
		milter_put_text(out, buf_str(&l->of->text));
	if (milter_packet_end(out, start) != 0)
		milter_link_fail(l, "what is to be told does not fit into a packet");
}

/* True: its answer is to be waited for. */
static bool tell(struct milter_link *l, enum milter_event e)
{
	if ((l->conn->terms.untold & milter_event_row(e)->no_event) || (l->skips & 1u << e))
		return false;	 /* its version of the protocol does not have it; or it had enough of them */
	milter_put_macros(l, e); /* also of what it is not told, as libmilter expects */
	if (milter_terms_tells(&l->conn->terms, e))
		put_event(l, e, &l->conn->out);
	return !l->failed && milter_link_ask(l, e, l->spec->command_ms);
}

static void link_open(struct milter_link *l)
{
	l->told_connect = l->told_helo = false;
	if (l->spec->fault)
		milter_link_fail(l, l->spec->fault);
	else
		l->conn = milter_conn_new(smtpd.child.loop, l->spec, l);
}

/* It has failed, or has refused the whole session. */
static enum step persisted(struct milter_link *l)
{
	struct milter_session *m = l->of;

	if (l->failed && l->spec->on_error == ON_ERROR_QUARANTINE)
		milter_hold_mail(m->session, "default_action");
	if (l->refusal.code == 0)
		return STEP_NEXT;
	milter_refusal_copy(&m->verdict, &l->refusal);
	return STEP_END;
}

static bool is_of_message(enum milter_event e)
{
	return e >= MILTER_MAIL && e != MILTER_UNKNOWN;
}

static enum step link_step(struct milter_link *l)
{
	struct milter_session *m = l->of;
	bool waits;

	for (;;) {
		if (l->over || (l->accepted && is_of_message(m->event)))
			return STEP_NEXT;
		if (l->failed || l->refusal.code)
			return persisted(l);
		if (l->conn == NULL && m->event == MILTER_UNKNOWN)
			return STEP_NEXT; /* nobody is connected to for that */
		if (l->conn == NULL) {
			link_open(l);
			continue;
		}
		if (!l->conn->up || l->awaited || l->conn->out.n > OUT_BUSY)
			return STEP_WAIT;
		if (m->verdict.code)
			return STEP_END;
		if (!l->told_connect) {
			l->told_connect = true;
			waits = tell(l, MILTER_CONNECT);
		} else if (!l->told_helo && m->session->helo && m->event != MILTER_CONNECT) {
			l->told_helo = true;
			waits = tell(l, MILTER_HELO);
		} else if (l->told || milter_is_early(m)) {
			return STEP_NEXT;
		} else if (m->event == MILTER_EOM) {
			waits = milter_content_step(l);
		} else {
			l->told = true;
			l->in_mail |= m->event == MILTER_MAIL;
			waits = tell(l, m->event);
		}
		if (waits)
			return STEP_WAIT;
	}
}

static bool is_discarded(const struct session *s)
{
	return s->tx && s->tx->milter && s->tx->milter->discard;
}

/* Until all have been told, or one refuses. True: one is waited for. */
static bool advance(struct milter_session *m)
{
	while (m->at < m->n && !is_discarded(m->session)) {
		enum step step = link_step(&m->link[m->at]);

		if (step == STEP_WAIT)
			return true;
		if (step == STEP_END)
			return false;
		m->at++;
		if (m->at < m->n)
			m->link[m->at].told = false;
		if (m->at < m->n && m->event == MILTER_EOM)
			milter_content_begin(&m->link[m->at]);
	}
	return false;
}

static enum outcome finish(struct session *s)
{
	struct milter_session *m = s->milters;
	enum outcome (*then)(struct session * s, bool taken) = m->then;
	enum outcome r, after;
	bool refused = m->verdict.code != 0;

	question_end(s);
	if (!refused || milter_is_early(m))
		return then(s, !refused);
	r = milter_answer_refusal(s, &m->verdict);
	milter_refusal_drop(&m->verdict);
	after = then(s, false);
	return r == R_CLOSE ? R_CLOSE : after;
}

void milter_resume(struct milter_link *l)
{
	struct milter_session *m = l->of;
	struct session *s = m->session;

	if (!milter_is_at_hand(l))
		return;
	log_session(s);
	if (!advance(m))
		session_answer(s);
}

enum outcome milter_begin(struct session *s, enum milter_event e, enum outcome (*then)(struct session *s, bool taken))
{
	struct milter_session *m = s->milters;

	require(m->verdict.code == 0);
	m->event = e;
	m->then = then;
	m->at = 0;
	if (m->n == 0)
		return then(s, true);
	m->link[0].told = false;
	if (e == MILTER_EOM)
		milter_content_begin(&m->link[0]);
	question_new(s, ASK_MILTER, finish);
	if (advance(m))
		return R_WAIT;
	s->question->answered = true;
	return finish(s);
}
