#include "smtp/client_own.h"

#include "base/log.h"
#include "base/utf8.h"
#include "log/envelope.h"
#include "smtp/datetime.h"
#include "smtp/esmtp.h"

#include <stdio.h>

/*
 * One mail transaction (RFC 5321 sec. 3.3). Its commands are numbered: 0 is MAIL, 1 … n RCPT, n + 1 DATA. With
 * PIPELINING all are sent at once (RFC 2920 sec. 3.1), without it one by one; replies come in the same order.
 */

enum { BODY_PIECE = 64 * 1024 };

static size_t last_command(const struct smtp_client *c)
{
	return c->message->n_rcpt + 1;
}

static void settle(
	struct client_rcpt *r, enum client_outcome outcome, enum client_step step, const char *dsn, struct str text)
{
	r->outcome = outcome;
	r->step = step;
	snprintf(r->dsn, sizeof r->dsn, "%s", dsn);
	r->text = text;
}

void client_settle_own(struct client_rcpt *r, enum client_outcome outcome, const char *dsn, const char *text)
{
	settle(r, outcome, CLIENT_STEP_IDLE, dsn, str_c(text));
	r->own = true;
}

void client_settle_all_own(struct client_message *m, enum client_outcome outcome, const char *dsn, const char *text)
{
	for (size_t i = 0; i < m->n_rcpt; i++)
		if (m->rcpt[i].outcome == CLIENT_OPEN)
			client_settle_own(&m->rcpt[i], outcome, dsn, text);
}

/* The verdict of the reply that is there now, for a step that did not get what it expects. */
struct verdict {
	enum client_outcome outcome;
	enum client_step step;
	char dsn[12];
	struct str text;
};

static void judge(struct smtp_client *c, bool success, struct verdict *v)
{
	struct buf line = BUF_INIT(2048);
	int class = c->reply.code / 100;

	client_reply_text(c, &line);
	v->text = arena_dup(c->message->mem, buf_str(&line));
	buf_free(&line);
	v->step = c->step == CLIENT_STEP_BODY ? CLIENT_STEP_DOT : c->step;
	v->outcome = success ? CLIENT_DELIVERED : class == 5 ? CLIENT_BOUNCED : CLIENT_DEFERRED;
	if (success || class == 4 || class == 5) {
		reply_enhanced(&c->reply, v->dsn);
		return;
	}
	/* 2xx or 3xx where it makes no sense: their replies and our commands are out of step. */
	snprintf(v->dsn, sizeof v->dsn, "4.5.0");
	c->unusable = c->gone = true;
}

static void settle_verdict(struct client_rcpt *r, const struct verdict *v)
{
	if (r->outcome == CLIENT_OPEN)
		settle(r, v->outcome, v->step, v->dsn, v->text);
}

/* Of those that were sent. */
static void settle_all(struct smtp_client *c, bool success)
{
	struct verdict v;

	judge(c, success, &v);
	for (size_t i = 0; i < c->message->n_rcpt; i++)
		if (!c->message->rcpt[i].held_back)
			settle_verdict(&c->message->rcpt[i], &v);
}

static enum client_event finish(struct smtp_client *c)
{
	if (c->unusable) {
		c->step = CLIENT_STEP_OVER;
	} else if (c->needs_rset) {
		c->needs_rset = false;
		client_command(c, "RSET", CLIENT_STEP_RSET);
		return CLIENT_MORE;
	} else {
		c->step = CLIENT_STEP_IDLE;
	}
	client_body_end(c);
	c->message = NULL;
	return CLIENT_SENT;
}

/* RFC 6531 sec. 3.4: an address says so itself, when an alias or a mail filter brought it in. */
static uint32_t utf8_flag(const struct client_message *m)
{
	bool is_8bit = str_is_8bit(m->sender);

	for (size_t i = 0; i < m->n_rcpt; i++) {
		const struct client_rcpt *r = &m->rcpt[i];

		is_8bit |= r->outcome == CLIENT_OPEN && !r->held_back && str_is_8bit(r->address);
	}
	return is_8bit ? ENV_SMTPUTF8 : 0;
}

/* MAIL with the parameters that this server knows. AUTH= is for servers that know who we are (RFC 4954 sec. 5). */
static void put_mail(struct smtp_client *c)
{
	const struct client_message *m = c->message;
	struct mail_params p = { .has_size = m->size > 0 && c->convert == NULL,
		.size = m->size,
		.flags = client_body_flags(c, m) | utf8_flag(m),
		.envid = m->envid,
		.solicit = m->solicit,
		.has_priority = true, /* RFC 6710 sec. 4.2: 0 too */
		.priority = m->priority,
		.has_by = m->has_by,
		.by_s = m->by_s,
		.has_auth = c->logged_in && m->auth.n > 0,
		.auth = m->auth };

	if (!c->secured)
		p.flags &= ~(uint32_t)ENV_REQUIRETLS;
	buf_add_c(&c->out, "MAIL FROM:<");
	buf_add_str(&c->out, m->sender);
	buf_add_char(&c->out, '>');
	mail_params_put(&c->out, &p, c->offered);
	buf_add_c(&c->out, "\r\n");
}

/* RFC 2852 sec. 4.1.4.2: a server that keeps no BY=…;N is asked to tell of a delay at least, while there is time. */
static uint8_t notify_of(const struct smtp_client *c, const struct client_rcpt *r)
{
	const struct client_message *m = c->message;

	if (!m->has_by || !(m->flags & ENV_BY_NOTIFY) || m->by_s <= 0 || m->passed_by || (r->notify & NOTIFY_NEVER))
		return r->notify;
	return r->notify ? r->notify | NOTIFY_DELAY : NOTIFY_FAILURE | NOTIFY_DELAY;
}

static void put_rcpt(struct smtp_client *c, const struct client_rcpt *r)
{
	struct rcpt_params p = { .notify = notify_of(c, r),
		.orcpt = r->orcpt,
		.valid_since = r->valid_since,
		.since_may_end = r->since_may_end };

	buf_add_c(&c->out, "RCPT TO:<");
	buf_add_str(&c->out, r->address);
	buf_add_char(&c->out, '>');
	rcpt_params_put(&c->out, &p, c->offered);
	buf_add_c(&c->out, "\r\n");
}

/* Commands of recipients that were settled before anything was sent, or are held back, are left out. */
static size_t skip_own(const struct client_message *m, size_t i)
{
	while (i >= 1 && i <= m->n_rcpt && (m->rcpt[i - 1].own || m->rcpt[i - 1].held_back))
		i++;
	return i;
}

static void set_step(struct smtp_client *c)
{
	c->step = c->forward_open		   ? CLIENT_STEP_XFORWARD
		  : c->answered == 0		   ? CLIENT_STEP_MAIL
		  : c->answered == last_command(c) ? CLIENT_STEP_DATA
						   : CLIENT_STEP_RCPT;
}

/* Send what may be sent now: all of it, or the one next command. */
static void send_commands(struct smtp_client *c)
{
	bool pipelining = client_is_offered(c, EXT_PIPELINING), held = client_forward_holds(c);

	while (!held && c->sent <= last_command(c) && (pipelining || c->sent == c->answered)) {
		if (c->in_chunks && c->sent == last_command(c))
			break; /* no DATA: the first chunk waits until a recipient is taken */
		if (c->sent == 0)
			put_mail(c);
		else if (c->sent == last_command(c))
			buf_add_c(&c->out, "DATA\r\n");
		else
			put_rcpt(c, &c->message->rcpt[c->sent - 1]);
		c->sent = skip_own(c->message, c->sent + 1);
	}
	set_step(c);
}

static void put_since_fields(struct smtp_client *c)
{
	for (size_t i = 0; i < c->message->n_rcpt && !client_is_offered(c, EXT_RRVS); i++) {
		const struct client_rcpt *r = &c->message->rcpt[i];

		if (r->valid_since == 0 || !r->accepted)
			continue;
		buf_addf(&c->out, "Require-Recipient-Valid-Since: %.*s; ", STR_ARG(r->address));
		datetime_put_mail(&c->out, (int64_t)r->valid_since);
		buf_add_c(&c->out, "\r\n");
	}
}

/* What is to be sent is known. */
static enum client_event begin(struct smtp_client *c)
{
	struct client_message *m = c->message;

	if (client_hold_back(c, m) == 0) {
		for (size_t i = 0; i < m->n_rcpt; i++)
			c->unusable |= m->rcpt[i].held_back; /* of domains that only another session can have */
		client_body_end(c);
		c->message = NULL;
		c->step = CLIENT_STEP_IDLE;
		return CLIENT_SENT;
	}
	c->mails++;
	c->sent = c->answered = c->accepted = c->lmtp_next = 0;
	c->mail_refused = c->aborting = c->body_ended = c->chunk_open = false;
	c->in_chunks = client_body_flags(c, m) & ENV_BINARY;
	c->at_line_start = c->chunk_line_start = true;
	c->tail[0] = '\r'; /* an empty body ends like one whose last line is complete */
	c->tail[1] = '\n';
	client_forward_begin(c);
	send_commands(c);
	return CLIENT_MORE;
}

bool smtp_client_is_looking(const struct smtp_client *c)
{
	return c->looking;
}

enum client_event smtp_client_look(struct smtp_client *c)
{
	require(c->looking);
	return client_body_look(c) ? begin(c) : CLIENT_MORE;
}

enum client_event smtp_client_send(struct smtp_client *c, struct client_message *m)
{
	require(c->step == CLIENT_STEP_IDLE && !c->unusable && m->n_rcpt > 0);
	for (size_t i = 0; i < m->n_rcpt; i++) {
		struct client_rcpt *r = &m->rcpt[i];

		settle(r, CLIENT_OPEN, CLIENT_STEP_IDLE, "", (struct str){ NULL, 0 });
		r->accepted = r->own = r->held_back = false;
	}
	m->passed_dsn = client_is_offered(c, EXT_DSN);
	m->passed_by = client_is_offered(c, EXT_DELIVERBY);
	client_settle_impossible(c, m);
	c->message = m;
	c->step = CLIENT_STEP_MAIL;
	return client_body_begin(c, m) ? CLIENT_MORE : begin(c);
}

static void on_mail(struct smtp_client *c)
{
	if (c->reply.code / 100 == 2)
		return;
	c->mail_refused = true;
	settle_all(c, false);
}

static void on_rcpt(struct smtp_client *c)
{
	struct client_rcpt *r = &c->message->rcpt[c->answered - 1];
	struct verdict v;

	if (c->mail_refused)
		return; /* the answer to MAIL has settled it */
	if (c->reply.code / 100 == 2) {
		r->accepted = true;
		c->accepted++;
		return;
	}
	judge(c, false, &v);
	settle_verdict(r, &v);
}

static enum client_event on_data(struct smtp_client *c)
{
	if (c->reply.code == 354 && c->accepted > 0) {
		put_since_fields(c);
		c->step = CLIENT_STEP_BODY;
		return CLIENT_MORE;
	}
	if (c->reply.code == 354) {
		/* It waits for a message though it took no recipient (RFC 2920 sec. 3.1): give it an empty one. */
		c->aborting = true;
		client_command(c, ".", CLIENT_STEP_DOT);
		return CLIENT_MORE;
	}
	settle_all(c, false);
	c->needs_rset = true;
	return finish(c);
}

static enum client_event on_command(struct smtp_client *c)
{
	if (c->answered == last_command(c))
		return on_data(c);
	if (c->answered == 0)
		on_mail(c);
	else
		on_rcpt(c);
	if (c->unusable) { /* out of step: no later reply can be matched */
		settle_all(c, false);
		return finish(c);
	}
	c->answered = skip_own(c->message, c->answered + 1);
	/* Without pipelining nothing more needs to be said once it is hopeless. */
	if (c->sent == c->answered && (c->mail_refused || (c->answered == last_command(c) && c->accepted == 0))) {
		c->needs_rset = true;
		return finish(c);
	}
	send_commands(c);
	if (c->in_chunks && c->answered == last_command(c))
		c->step = CLIENT_STEP_BODY;
	return CLIENT_MORE;
}

/* RFC 3030 sec. 2: each chunk has its reply; one that is refused ends the message. */
static enum client_event on_chunk(struct smtp_client *c)
{
	c->chunk_open = false;
	if (c->reply.code / 100 == 2)
		return CLIENT_MORE;
	settle_all(c, false);
	c->needs_rset = true;
	return finish(c);
}

/* A reply while the message is still on its way: never a success, and the connection cannot go on. */
static enum client_event on_body(struct smtp_client *c)
{
	settle_all(c, false);
	c->unusable = c->gone = true;
	return finish(c);
}

/* RFC 2033 sec. 4.2: one reply for each recipient that was accepted, in the order of the RCPTs. */
static enum client_event on_lmtp_dot(struct smtp_client *c)
{
	struct client_message *m = c->message;
	struct verdict v;

	while (!m->rcpt[c->lmtp_next].accepted)
		c->lmtp_next++;
	judge(c, c->reply.code / 100 == 2, &v);
	settle_verdict(&m->rcpt[c->lmtp_next++], &v);
	return --c->accepted > 0 ? CLIENT_MORE : finish(c);
}

static enum client_event on_dot(struct smtp_client *c)
{
	if (c->aborting)
		return finish(c);
	if (c->options.lmtp)
		return on_lmtp_dot(c);
	settle_all(c, c->reply.code / 100 == 2);
	c->needs_rset =
		c->in_chunks && c->reply.code / 100 != 2; /* whether that ended the mail, RFC 3030 leaves open */
	return finish(c);
}

static enum client_event on_rset(struct smtp_client *c)
{
	if (c->reply.code / 100 != 2)
		c->unusable = true;
	return finish(c);
}

enum client_event client_mail_reply(struct smtp_client *c)
{
	if (c->reply.code == 421) { /* the server closes now (RFC 5321 sec. 3.8) */
		c->unusable = c->gone = true;
		settle_all(c, false);
		return finish(c);
	}
	if (c->forward_open) {
		c->forward_open = false;
		send_commands(c);
		return CLIENT_MORE;
	}
	switch (c->step) {
	case CLIENT_STEP_BODY:
		return c->chunk_open && c->out_done == c->out.n ? on_chunk(c) : on_body(c);
	case CLIENT_STEP_DOT:
		return on_dot(c);
	case CLIENT_STEP_RSET:
		return on_rset(c);
	default:
		return on_command(c);
	}
}

static void keep_tail(struct smtp_client *c, const char *p, size_t n)
{
	c->tail[0] = n > 1 ? p[n - 2] : c->tail[1];
	c->tail[1] = p[n - 1];
}

/* Octets to ask for at a time: all of a small message with its stuffed dots, so that its buffer stays small too. */
static size_t piece_size(const struct smtp_client *c)
{
	uint64_t size = c->message->size, room = BODY_PIECE - c->out.n;

	if (size > 0 && size < BODY_PIECE && size + size / 16 + 256 < room)
		room = size + size / 16 + 256;
	return (size_t)room;
}

int client_unreadable(struct smtp_client *c)
{
	buf_reset(&c->out);
	client_settle_all_own(c->message, CLIENT_DEFERRED, "4.3.0", "the message cannot be read from the queue");
	c->unusable = c->gone = true;
	c->step = CLIENT_STEP_OVER;
	client_body_end(c);
	c->message = NULL;
	return -1;
}

int client_mail_fill(struct smtp_client *c)
{
	while (c->out.n < BODY_PIECE && !c->body_ended) {
		size_t room = piece_size(c);
		char *p = buf_reserve(&c->out, room + 8);
		ssize_t n = client_body_read(c, p, room);

		if (n < 0)
			return client_unreadable(c);
		if (n == 0) { /* RFC 5321 sec. 4.1.1.4: the CRLF of the last line is the first of CRLF.CRLF */
			if (c->tail[0] != '\r' || c->tail[1] != '\n')
				buf_add_c(&c->out, "\r\n");
			buf_add_c(&c->out, ".\r\n");
			c->body_ended = true;
			return 0;
		}
		require((size_t)n <= room);
		keep_tail(c, p, (size_t)n);
		buf_commit(&c->out, (size_t)n);
	}
	return 0;
}
