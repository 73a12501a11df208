/* The milters of a session, from their first message to the end of the connection; and what they say of one message. */
#include "smtpd/milter.h"

#include <stdlib.h>

enum { HEAD_MAX = 256 * 1024 };

/* ---- a message ---- */

struct milter_mail *milter_mail_new(void)
{
	struct milter_mail *m = xcalloc(1, sizeof *m);

	m->head = BUF_INIT(HEAD_MAX);
	m->last_agreed = &m->agreed;
	milter_change_drop(m);
	return m;
}

void milter_mail_free(struct milter_mail **at)
{
	struct milter_mail *m = *at;

	if (m == NULL)
		return;
	milter_change_drop(m);
	buf_free(&m->head);
	free(m);
	*at = NULL;
}

/* They forget the message at hand. One that is being waited for would answer out of turn: it is hung up on. */
void milter_mail_abort(struct session *s)
{
	struct milter_session *m = s->milters;

	for (size_t i = 0; m && i < m->n; i++) {
		struct milter_link *l = &m->link[i];

		l->accepted = false;
		l->skips = 0;
		if (l->failed) { /* perhaps it is back for the next message */
			l->failed = false;
			milter_refusal_drop(&l->refusal);
		}
		if (l->conn && l->awaited) {
			milter_conn_close(l->conn);
			l->conn = NULL;
		} else if (l->conn && l->in_mail && l->conn->up) {
			milter_put_command(&l->conn->out, MILTER_ABORT);
			milter_conn_send(l->conn);
		}
		l->awaited = l->in_mail = l->checking = false;
	}
}

bool milter_discards(const struct session *s)
{
	return s->tx && s->tx->milter && (s->tx->milter->discard || s->tx->n_rcpt == 0);
}

bool milter_holds(const struct transaction *t)
{
	return t->milter && t->milter->hold;
}

/* ---- its header is kept apart ---- */

void milter_content_open(struct session *s)
{
	struct milter_session *m = s->milters;
	struct milter_mail *mail = s->tx->milter;

	if (mail == NULL || m == NULL || mail->discard)
		return;
	for (size_t i = 0; i < m->n; i++)
		mail->keeps_head |= !m->link[i].over && !m->link[i].accepted;
}

bool milter_keep(struct transaction *t, struct str octets)
{
	struct milter_mail *m = t->milter;

	if (m == NULL || !m->keeps_head || t->header.ended)
		return false;
	if (m->own.n == 0)
		m->own = arena_dup(t->mem, octets); /* our Received comes first, and at once */
	if (!m->head_is_long && buf_add_str(&m->head, octets) != 0) {
		m->head_is_long = true;
		buf_free(&m->head);
	}
	return true;
}

bool milter_head_is_long(const struct transaction *t)
{
	return t->milter && t->milter->head_is_long;
}

/* ---- the session ---- */

static void session_new_with(struct session *s, struct milter_list list, struct arena *mem)
{
	struct milter_session *m = xcalloc(1, sizeof *m);

	m->session = s;
	m->text = BUF_INIT(SMTP_COMMAND_MAX);
	m->mem = mem;
	m->n = list.n;
	m->link = xcalloc(list.n + 1, sizeof *m->link);
	for (size_t i = 0; i < list.n; i++) {
		m->link[i].of = m;
		m->link[i].spec = &list.item[i];
	}
	s->milters = m;
}

void milter_session_end(struct session *s)
{
	struct milter_session *m = s->milters;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++) {
		if (m->link[i].conn)
			milter_conn_close(m->link[i].conn);
		buf_free(&m->link[i].refusal.lines);
	}
	buf_free(&m->verdict.lines);
	buf_free(&m->text);
	arena_free(&m->mem);
	free(m->link);
	free(m);
	s->milters = NULL;
}

void milter_hello_changed(struct session *s)
{
	for (size_t i = 0; s->milters && i < s->milters->n; i++)
		s->milters->link[i].told_helo = false;
}

/* ---- who they are: smtpd_milters, or what smtpd_milter_maps say of this client ---- */

static enum outcome list_known(struct session *s, bool taken)
{
	enum outcome (*then)(struct session * s, bool taken) = s->after_milters;

	return taken ? milter_begin(s, s->tx ? MILTER_MAIL : MILTER_CONNECT, then) : then(s, false);
}

static enum outcome maps_answered(struct session *s)
{
	const struct map_request *q = &s->question->map;
	struct milter_list list = s->service->milter->list;
	struct arena *mem = NULL;

	if (q->status == MAP_TEMPORARY) {
		log_warn("smtpd_milter_maps: %.*s", STR_ARG(q->why));
		question_end(s);
		if (s->tx) /* without one nothing is refused yet: it is asked again for MAIL */
			reply_reject(s, 451, "4.3.0", "Temporary lookup failure", false);
		return list_known(s, false);
	}
	if (q->status == MAP_FOUND && str_ieq(str_trim(q->value), STR("DISABLE"))) {
		list.n = 0;
	} else if (q->status == MAP_FOUND && q->value.n > 0) {
		mem = arena_new(1024);
		list = milter_list_parse(s->service->view, arena_dup(mem, q->value), mem);
	}
	question_end(s);
	session_new_with(s, list, mem);
	return list_known(s, true);
}

enum outcome milter_list_find(struct session *s, enum outcome (*then)(struct session *s, bool taken))
{
	s->after_milters = then;
	if (*s->service->milter->maps == '\0') {
		session_new_with(s, s->service->milter->list, NULL);
		return list_known(s, true);
	}
	ask_map(question_new(s, ASK_MAP, maps_answered), str_c(s->service->milter->maps), str_c(s->addr), MAP_EXACT);
	return R_WAIT;
}

enum outcome milter_tell(struct session *s, enum milter_event e, enum outcome (*then)(struct session *s, bool taken))
{
	if (s->tx == NULL || s->tx->milter == NULL || s->tx->milter->discard)
		return then(s, true);
	return s->milters ? milter_begin(s, e, then) : milter_list_find(s, then);
}

enum outcome milter_tell_unknown(
	struct session *s, struct str line, enum outcome (*then)(struct session *s, bool taken))
{
	struct milter_session *m = s->milters;

	if (m == NULL)
		return then(s, true);
	buf_reset(&m->text);
	buf_add_str(&m->text, line);
	return milter_begin(s, MILTER_UNKNOWN, then);
}

/* ---- the end of a message ---- */

/* Header and body are one again; what cannot be stored is told by the commit. */
static enum outcome envelope_changed(struct session *s, bool taken)
{
	struct transaction *t = s->tx;
	struct milter_mail *m = t->milter;

	if (taken && !t->msg.failed)
		spool_msg_put_first(&t->msg, buf_str(&m->head));
	buf_free(&m->head);
	if (taken && t->n_rcpt == 0)
		log_action(s, "milter-discard", "milters have deleted all recipients");
	return m->after_message(s, taken);
}

static enum outcome all_have_seen(struct session *s, bool taken)
{
	struct milter_mail *m = s->tx->milter;

	if (!taken || m->discard)
		return m->after_message(s, taken);
	return milter_change_apply(s, envelope_changed);
}

enum outcome milter_show(struct session *s, enum outcome (*then)(struct session *s, bool taken))
{
	struct transaction *t = s->tx;

	if (t->milter == NULL || !t->milter->keeps_head)
		return then(s, true);
	t->milter->after_message = then;
	if (t->msg.failed)
		return envelope_changed(s, true);
	return milter_begin(s, MILTER_EOM, all_have_seen);
}
