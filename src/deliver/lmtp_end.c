#include "deliver/lmtp.h"

#include <stdio.h>

/* RFC 2033 sec. 1 calls LMTP final; as in Postfix that is for lmtp_assume_final to say: there may be a relay behind it. */
static enum rcpt_relayed relayed(const struct lmtp_conn *c)
{
	if (c->message.passed_dsn)
		return RELAYED_DSN;
	return conf_bool(c->view, "lmtp_assume_final") ? RELAYED_NOT : RELAYED_PLAIN;
}

static void end_one(struct lmtp_conn *c, struct rcpt_run *q, const struct client_rcpt *o)
{
	static const enum rcpt_status status[] = {
		[CLIENT_DELIVERED] = RCPT_SENT, [CLIENT_DEFERRED] = RCPT_DEFERRED, [CLIENT_BOUNCED] = RCPT_BOUNCED
	};
	struct buf text = BUF_INIT(8192);
	struct rcpt_end e = { .status = status[o->outcome],
		.dsn = o->dsn,
		.relay = c->relay,
		.remote_mta = o->own ? STR("") : str_c(c->host),
		.diagnostic = o->text,
		.relayed = o->outcome == CLIENT_DELIVERED ? relayed(c) : RELAYED_NOT };

	if (o->outcome == CLIENT_DELIVERED || o->own)
		buf_add_str(&text, o->text);
	else
		buf_addf(&text, "host %s said: %.*s (in reply to %s)", c->relay, STR_ARG(o->text),
			client_step_command(o->step));
	e.text = buf_str(&text);
	rcpt_end(q, &e);
	buf_free(&text);
}

static struct run *take_run(struct lmtp_conn *c)
{
	struct run *r = c->run;

	c->run = NULL;
	return r;
}

void lmtp_run_failed(struct lmtp_conn *c, bool dead, const char *dsn, const char *fmt, ...)
{
	struct run *r = take_run(c);
	struct client_rcpt *outcome = c->message.rcpt;
	size_t n = r->job.env.n_rcpt;
	struct buf text = BUF_INIT(8192);
	struct rcpt_end e = { .status = RCPT_DEFERRED, .nexthop_dead = dead, .dsn = dsn, .relay = c->relay };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	e.text = e.diagnostic = buf_str(&text);
	c->message.rcpt = NULL;
	for (size_t i = 0; i < n; i++)
		if (outcome && outcome[i].outcome != CLIENT_OPEN)
			end_one(c, &r->rcpt[i], &outcome[i]);
		else
			rcpt_end(&r->rcpt[i], &e);
	buf_free(&text);
}

void lmtp_run_sent(struct lmtp_conn *c)
{
	lmtp_run_failed(c, false, "4.4.2", "the server gave no answer for this recipient");
}
