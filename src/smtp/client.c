#include "smtp/client_own.h"

#include "base/log.h"

#include <stdio.h>

void smtp_client_init(struct smtp_client *c, const struct client_options *o)
{
	memset(c, 0, sizeof *c);
	c->options = *o;
	c->secured = o->secured;
	c->step = CLIENT_STEP_GREETING;
	c->out = BUF_INIT(SIZE_MAX / 4);
	c->mechanisms = BUF_INIT(2048);
	c->challenge = BUF_INIT(16 * 1024);
	c->server_name = BUF_INIT(512);
	c->failure.text = BUF_INIT(2048);
}

void smtp_client_free(struct smtp_client *c)
{
	reply_reset(&c->reply);
	buf_wipe(&c->out);
	buf_wipe(&c->challenge);
	buf_free(&c->mechanisms);
	buf_free(&c->server_name);
	buf_free(&c->failure.text);
	client_body_end(c);
	c->message = NULL;
	c->step = CLIENT_STEP_OVER;
}

void client_command(struct smtp_client *c, const char *line, enum client_step next)
{
	buf_addf(&c->out, "%s\r\n", line);
	c->step = next;
}

static enum client_event fail(struct smtp_client *c, int code)
{
	c->failure.step = c->step;
	c->failure.code = code;
	c->step = CLIENT_STEP_OVER;
	c->unusable = true;
	return CLIENT_FAILED;
}

enum client_event client_fail_own(struct smtp_client *c, const char *dsn, const char *text)
{
	buf_reset(&c->failure.text);
	buf_add_c(&c->failure.text, text);
	snprintf(c->failure.dsn, sizeof c->failure.dsn, "%s", dsn);
	return fail(c, 0);
}

enum client_event client_fail_reply(struct smtp_client *c)
{
	int class = c->reply.code / 100;

	c->gone |= c->reply.code == 421; /* it closes now (RFC 5321 sec. 3.8) */
	buf_reset(&c->failure.text);
	client_reply_text(c, &c->failure.text);
	if (class == 4 || class == 5)
		reply_enhanced(&c->reply, c->failure.dsn);
	else
		snprintf(c->failure.dsn, sizeof c->failure.dsn, "4.5.0"); /* a protocol error of theirs: try again */
	return fail(c, c->reply.code);
}

static bool is_in_transaction(const struct smtp_client *c)
{
	return c->step >= CLIENT_STEP_XFORWARD && c->step <= CLIENT_STEP_RSET;
}

/* What came is no SMTP. A message under way stays undecided; before that the session fails. */
static enum client_event end_nonsense(struct smtp_client *c)
{
	static const char what[] = "the server sent what is no SMTP reply";

	c->gone = true;
	if (!is_in_transaction(c))
		return client_fail_own(c, "4.5.0", what);
	smtp_client_lost(c);
	buf_reset(&c->failure.text);
	buf_add_c(&c->failure.text, what);
	return CLIENT_SENT;
}

static enum client_event on_reply(struct smtp_client *c, bool more_octets)
{
	if (is_in_transaction(c))
		return client_mail_reply(c);
	if (c->step == CLIENT_STEP_QUIT) {
		c->step = CLIENT_STEP_OVER;
		return CLIENT_ENDED;
	}
	return client_session_reply(c, more_octets);
}

/* Octets behind the last reply that was awaited: nobody asked for them, so what follows cannot be trusted. */
static enum client_event on_surplus(struct smtp_client *c, enum client_event event)
{
	switch (event) {
	case CLIENT_SENT:
		c->unusable = true;
		return event;
	case CLIENT_FAILED:
	case CLIENT_ENDED:
		return event;
	default:
		c->gone = true;
		return client_fail_own(c, "4.5.0", "the server sent a reply to a command that was not given");
	}
}

static enum client_event take_replies(struct smtp_client *c, struct str rest)
{
	while (rest.n > 0) {
		enum client_event event;
		size_t used = 0;
		int got = reply_next(&c->reply, rest, &used);

		rest = str_from(rest, used);
		if (got < 0)
			return end_nonsense(c);
		if (got == 0)
			return CLIENT_MORE;
		event = on_reply(c, rest.n > 0);
		reply_reset(&c->reply);
		if (event != CLIENT_MORE)
			return rest.n > 0 ? on_surplus(c, event) : event;
	}
	return CLIENT_MORE;
}

/* Idle, in the handshake, before the first command of a message, or while it is our turn to answer a challenge: the server has nothing to say. */
static bool is_our_turn(const struct smtp_client *c)
{
	return c->looking || c->step == CLIENT_STEP_IDLE || c->step == CLIENT_STEP_TLS || c->step == CLIENT_STEP_OVER ||
	       (c->step == CLIENT_STEP_AUTH && !c->auth_line);
}

enum client_event smtp_client_input(struct smtp_client *c, struct str in)
{
	if (!is_our_turn(c))
		return take_replies(c, in);
	c->unusable = c->gone = true; /* mostly "421 time-out, closing" */
	c->step = c->looking ? c->step : CLIENT_STEP_OVER;
	return CLIENT_ENDED;
}

int smtp_client_output(struct smtp_client *c, struct str *octets)
{
	*octets = (struct str){ NULL, 0 };
	if (c->out_done == c->out.n) {
		buf_reset(&c->out);
		c->out_done = 0;
		if (c->step == CLIENT_STEP_BODY && !c->body_ended && !c->chunk_open &&
			(c->in_chunks ? client_chunk_fill(c) : client_mail_fill(c)) < 0)
			return -1;
	}
	*octets = str_from(buf_str(&c->out), c->out_done);
	return octets->n > 0;
}

void smtp_client_wrote(struct smtp_client *c, size_t n)
{
	require(n <= c->out.n - c->out_done);
	c->out_done += n;
	if (c->out_done < c->out.n)
		return;
	if (c->step == CLIENT_STEP_AUTH)
		buf_wipe(&c->out);
	else
		buf_reset(&c->out);
	c->out_done = 0;
	if (c->step == CLIENT_STEP_BODY && c->body_ended)
		c->step = CLIENT_STEP_DOT;
}

bool smtp_client_is_reusable(const struct smtp_client *c)
{
	return !c->unusable && c->step == CLIENT_STEP_IDLE && (c->mail_max == 0 || c->mails < c->mail_max);
}

void smtp_client_quit(struct smtp_client *c)
{
	buf_reset(&c->out);
	c->out_done = 0;
	reply_reset(&c->reply);
	c->unusable = true;
	client_command(c, "QUIT", CLIENT_STEP_QUIT);
}

void smtp_client_lost(struct smtp_client *c)
{
	c->failure.step = c->step;
	c->failure.code = 0;
	snprintf(c->failure.dsn, sizeof c->failure.dsn, "4.4.2");
	buf_reset(&c->failure.text);
	c->step = CLIENT_STEP_OVER;
	c->unusable = c->gone = true;
	client_body_end(c);
	c->message = NULL;
}
