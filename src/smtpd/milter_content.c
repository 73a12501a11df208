/*
 * A whole message is shown to a milter: field by field, then the body in pieces, read again from where the spool has it,
 * so that a message of any size costs one piece of memory. The next milter sees what the one before has made of it.
 */
#include "smtpd/milter.h"
#include "log/spool_reader.h"

enum {
	PATIENCE = 4,		   /* times milter_content_timeout, however often it says that it is still at work */
	FIELDS_AHEAD = 32 * 1024,  /* octets of fields that are sent as one, when none is answered */
	BODY_AT_ONCE = 192 * 1024, /* octets of a body that no answer comes to, before others have their turn */
	NAME_MAX_OCTETS = 1000,
	SEPARATOR_OCTETS = 2 /* the empty line, with which the spool begins */
};

void milter_content_begin(struct milter_link *l)
{
	struct milter_mail *m = l->of->session->tx->milter;

	m->phase = CONTENT_HEADER;
	m->head_left = buf_str(&m->head);
	m->cursor = (struct spool_cursor){ 0, SEPARATOR_OCTETS };
	m->at_line_start = true;
	m->macros_sent = false;
	m->until_ms = 0;
}

/* Each answer has milter_content_timeout, all together PATIENCE times that. */
static uint64_t time_left(struct milter_link *l)
{
	struct milter_mail *m = l->of->session->tx->milter;
	uint64_t now = now_ms(), left;

	if (m->until_ms == 0)
		m->until_ms = now + PATIENCE * l->spec->content_ms;
	left = m->until_ms > now ? m->until_ms - now : 1;
	return left < l->spec->content_ms ? left : l->spec->content_ms;
}

void milter_content_goes_on(struct milter_link *l)
{
	if (l->asked == MILTER_EOM && l->of->session->tx)
		milter_conn_time(l->conn, time_left(l));
}

static bool is_told(const struct milter_link *l, enum milter_event e)
{
	return milter_terms_tells(&l->conn->terms, e) && !(l->skips & 1u << e);
}

/* Once for all fields, for all pieces of the body. */
static void put_macros_once(struct milter_link *l, enum milter_event e)
{
	struct milter_mail *m = l->of->session->tx->milter;

	if (!m->macros_sent)
		milter_put_macros(l, e);
	m->macros_sent = true;
}

static void put_field(struct milter_link *l, const struct milter_field *f)
{
	/* Of one that is longer than a packet the filter sees the beginning. */
	struct buf *out = &l->conn->out, value = BUF_INIT(MILTER_BODY_OCTETS - NAME_MAX_OCTETS - 2);
	size_t start = milter_packet_begin(out, milter_event_row(MILTER_HEADER)->command);

	milter_head_value(f, l->conn->terms.protocol & MILTER_LEADING_SPACE, &value);
	milter_put_text(out, f->name);
	milter_put_text(out, buf_str(&value));
	buf_free(&value);
	if (milter_packet_end(out, start) != 0)
		milter_link_fail(l, "a field of the header does not fit into a packet");
}

/* True: it waits. */
static bool show_fields(struct milter_link *l)
{
	struct milter_mail *m = l->of->session->tx->milter;
	struct milter_field f;
	bool answers = milter_terms_answers(&l->conn->terms, MILTER_HEADER);

	while (is_told(l, MILTER_HEADER) && milter_head_next(&m->head_left, &f)) {
		if (f.name.n == 0 || f.name.n > NAME_MAX_OCTETS || (m->own.n && str_eq(f.text, m->own)))
			continue;
		put_macros_once(l, MILTER_HEADER);
		put_field(l, &f);
		if (l->failed)
			return false;
		if (!answers && l->conn->out.n < FIELDS_AHEAD)
			continue;
		if (milter_link_ask(l, MILTER_HEADER, time_left(l)) || l->conn->out.n > 0)
			return true;
	}
	m->phase = CONTENT_EOH;
	m->macros_sent = false;
	return false;
}

static bool show_end_of_header(struct milter_link *l)
{
	struct milter_mail *m = l->of->session->tx->milter;

	m->phase = CONTENT_BODY;
	if (l->conn->terms.untold & MILTER_NO_EOH)
		return false;
	milter_put_macros(l, MILTER_EOH);
	if (is_told(l, MILTER_EOH))
		milter_put_command(&l->conn->out, milter_event_row(MILTER_EOH)->command);
	return milter_link_ask(l, MILTER_EOH, time_left(l));
}

/* Octets of the next piece in out; 0: there is none left; -1: it cannot be read. */
static ssize_t put_piece(struct milter_link *l)
{
	struct transaction *t = l->of->session->tx;
	struct milter_mail *m = t->milter;
	struct buf *out = &l->conn->out;
	size_t start = milter_packet_begin(out, milter_event_row(MILTER_BODY)->command), had = out->n;
	ssize_t n = 1;

	while (n > 0 && out->n - had < MILTER_BODY_OCTETS) {
		size_t room = MILTER_BODY_OCTETS - (out->n - had);
		char *p = buf_reserve(out, room);

		n = p ? spool_msg_read(&t->msg, &m->cursor, p, room) : -1;
		if (n > 0)
			buf_commit(out, dot_unstuff(p, (size_t)n, &m->at_line_start));
	}
	if (n < 0 || out->n == had) {
		out->n = start;
		return n < 0 ? -1 : 0;
	}
	n = (ssize_t)(out->n - had);
	return milter_packet_end(out, start) == 0 ? n : -1;
}

static bool show_body(struct milter_link *l)
{
	struct milter_mail *m = l->of->session->tx->milter;
	size_t shown = 0;

	while (is_told(l, MILTER_BODY)) {
		ssize_t n;

		if (l->conn->out.n > 0)
			return true; /* one piece at a time */
		if (shown >= BODY_AT_ONCE) {
			milter_conn_turn(l->conn);
			return true;
		}
		if (l->of->session->tx->msg.n_extent == 0 && l->of->session->tx->msg.pending.n == 0)
			break; /* a header, and nothing else */
		put_macros_once(l, MILTER_BODY);
		n = put_piece(l);
		if (n < 0) {
			log_warn("%s: the message cannot be read again for a milter", l->of->session->tx->id);
			milter_refuse(&l->of->verdict, 451, "4.3.0", "Error: queue file write error");
			return false;
		}
		if (n == 0)
			break;
		shown += (size_t)n;
		if (milter_link_ask(l, MILTER_BODY, time_left(l)))
			return true;
	}
	m->phase = CONTENT_EOM;
	return false;
}

static bool show_end(struct milter_link *l)
{
	struct milter_mail *m = l->of->session->tx->milter;

	m->phase = CONTENT_CHANGES;
	milter_put_macros(l, MILTER_EOM);
	milter_put_command(&l->conn->out, milter_event_row(MILTER_EOM)->command);
	milter_link_ask(l, MILTER_EOM, time_left(l));
	return true;
}

bool milter_content_step(struct milter_link *l)
{
	switch (l->of->session->tx->milter->phase) {
	case CONTENT_HEADER:
		return show_fields(l);
	case CONTENT_EOH:
		return show_end_of_header(l);
	case CONTENT_BODY:
		return show_body(l);
	case CONTENT_EOM:
		return show_end(l);
	default: /* answered: it is done with it */
		l->told = true;
		l->in_mail = false;
		return false;
	}
}
