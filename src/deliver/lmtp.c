/* lmtp.c - service lmtp: hand mail to a local delivery service (RFC 2033), such as Dovecot's. */
#include "deliver/lmtp.h"
#include "base/log.h"
#include "smtp/orcpt.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_AT_ONCE = 65536 };

static void go_on(struct lmtp_conn *c);

void lmtp_on_closed(uv_handle_t *h)
{
	struct lmtp_conn *c = h->data;

	if (--c->open_handles > 0)
		return;
	smtp_client_free(&c->client);
	free(c->nexthop);
	free(c->service);
	free(c);
}

void lmtp_close(struct lmtp_conn *c)
{
	struct lmtp_conn **at = &c->deliver->lmtp;

	if (c->closing)
		return;
	require(c->run == NULL);
	c->closing = true;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->state == LMTP_RESOLVING)
		uv_cancel((uv_req_t *)&c->resolve);
	else if (c->fd >= 0)
		uv_close((uv_handle_t *)&c->poll, lmtp_on_closed);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	uv_close((uv_handle_t *)&c->timer, lmtp_on_closed);
}

/* Seconds that the step under way may take (lmtp_*_timeout). */
static int64_t time_limit(const struct lmtp_conn *c)
{
	static const char *const names[] = {
		[CLIENT_STEP_GREETING] = "lmtp_lhlo_timeout",
		[CLIENT_STEP_EHLO] = "lmtp_lhlo_timeout",
		[CLIENT_STEP_HELO] = "lmtp_lhlo_timeout",
		[CLIENT_STEP_LHLO] = "lmtp_lhlo_timeout",
		[CLIENT_STEP_STARTTLS] = "lmtp_lhlo_timeout",
		[CLIENT_STEP_TLS] = "lmtp_lhlo_timeout",
		[CLIENT_STEP_AUTH] = "lmtp_lhlo_timeout",
		[CLIENT_STEP_IDLE] = "lmtp_connection_cache_time_limit",
		[CLIENT_STEP_XFORWARD] = "lmtp_mail_timeout", /* never said here */
		[CLIENT_STEP_MAIL] = "lmtp_mail_timeout",
		[CLIENT_STEP_RCPT] = "lmtp_rcpt_timeout",
		[CLIENT_STEP_DATA] = "lmtp_data_init_timeout",
		[CLIENT_STEP_BODY] = "lmtp_data_xfer_timeout",
		[CLIENT_STEP_DOT] = "lmtp_data_done_timeout",
		[CLIENT_STEP_RSET] = "lmtp_rset_timeout",
		[CLIENT_STEP_QUIT] = "lmtp_quit_timeout",
	};
	enum client_step s = c->client.step;

	if (c->state == LMTP_RESOLVING || c->state == LMTP_CONNECTING) {
		int64_t s_connect = conf_seconds(c->view, "lmtp_connect_timeout");
		return s_connect > 0 ? s_connect : 30; /* 0: as long as the system lets it take */
	}
	return s < CLIENT_STEP_OVER ? conf_seconds(c->view, names[s]) : 1;
}

void lmtp_fail_and_close(struct lmtp_conn *c, const char *dsn, const char *why)
{
	if (c->run)
		lmtp_run_failed(c, true, dsn, "connect to %s: %s", c->relay, why);
	lmtp_close(c);
}

/* The connection is gone, in whatever state. A job on a connection kept from before gets a fresh one. */
static void lost(struct lmtp_conn *c, const char *why)
{
	struct run *r = c->run;
	enum client_step step = c->client.step;

	smtp_client_lost(&c->client);
	if (r && c->used && step < CLIENT_STEP_BODY) {
		c->run = NULL;
		lmtp_close(c);
		lmtp_connect(r);
		return;
	}
	if (r)
		lmtp_run_failed(
			c, step < CLIENT_STEP_IDLE, "4.4.2", "%s %s while %s", why, c->relay, client_step_doing(step));
	lmtp_close(c);
}

static void after_job(struct lmtp_conn *c);

/* All of a large message at once would keep the other connections waiting. */
static void look(struct lmtp_conn *c)
{
	if (smtp_client_look(&c->client) == CLIENT_SENT)
		after_job(c);
	go_on(c);
}

static void on_timer(uv_timer_t *timer)
{
	struct lmtp_conn *c = timer->data;

	if (smtp_client_is_looking(&c->client))
		look(c);
	else if (c->state == LMTP_RESOLVING || c->state == LMTP_CONNECTING) {
		lmtp_fail_and_close(c, "4.4.1", strerror(ETIMEDOUT));
	} else if (c->state == LMTP_IDLE) {
		c->state = LMTP_QUITTING;
		smtp_client_quit(&c->client);
		go_on(c);
	} else {
		lost(c, "conversation timed out with");
	}
}

void lmtp_restart_timer(struct lmtp_conn *c)
{
	uint64_t ms = smtp_client_is_looking(&c->client) ? 0 : (uint64_t)time_limit(c) * 1000 + 1;

	uv_timer_start(&c->timer, on_timer, ms, 0);
}

static ssize_t read_body(struct client_message *m, void *p, size_t n)
{
	struct lmtp_conn *c = container_of(m, struct lmtp_conn, message);
	ssize_t got = extents_read(c->run->channel->segments, &c->run->job.env, c->body_from, p, n);

	if (got > 0)
		c->body_from += (uint64_t)got;
	return got;
}

static void rewind_body(struct client_message *m)
{
	container_of(m, struct lmtp_conn, message)->body_from = 0;
}

static void after_job(struct lmtp_conn *c)
{
	bool keep = smtp_client_is_reusable(&c->client) && !c->deliver->stopping;

	lmtp_run_sent(c);
	c->used = true;
	c->state = keep ? LMTP_IDLE : LMTP_QUITTING;
	if (!keep)
		smtp_client_quit(&c->client);
}

static void begin_message(struct lmtp_conn *c)
{
	struct run *r = c->run;
	const struct envelope *env = &r->job.env;
	struct client_rcpt *rcpt = arena_array(r->mem, env->n_rcpt, sizeof *rcpt);

	for (size_t i = 0; i < env->n_rcpt; i++) {
		rcpt[i].address = env->rcpt[i].address;
		rcpt[i].orcpt = orcpt_of(r->mem, &env->rcpt[i]);
		rcpt[i].notify = env->rcpt[i].notify;
		rcpt[i].valid_since = env->rcpt[i].valid_since;
		rcpt[i].since_may_end = env->rcpt[i].since_may_end;
	}
	c->message = (struct client_message){ .sender = env->sender,
		.envid = env->envid,
		.solicit = env->solicit,
		.priority = env->priority,
		.flags = env->flags,
		.size = env->size,
		.rcpt = rcpt,
		.n_rcpt = env->n_rcpt,
		.mem = r->mem,
		.read = read_body,
		.rewind = rewind_body };
	c->body_from = 0;
	c->state = LMTP_BUSY;
	if (r->connected_us == 0)
		r->connected_us = now_us();
	if (smtp_client_send(&c->client, &c->message) == CLIENT_SENT)
		after_job(c);
}

/* 0: go on; -1: the connection is gone. */
static int do_event(struct lmtp_conn *c, enum client_event event)
{
	switch (event) {
	case CLIENT_READY:
		begin_message(c);
		return 0;
	case CLIENT_SENT:
		after_job(c);
		return 0;
	case CLIENT_FAILED:
		/* A service that turns everything away is out of order: that is no reason to return mail. */
		if (c->run)
			lmtp_run_failed(c, true, "4.3.2", "host %s refused to talk to me: %.*s", c->relay,
				STR_ARG(buf_str(&c->client.failure.text)));
		lmtp_close(c);
		return -1;
	case CLIENT_ENDED:
		if (c->run)
			lost(c, "lost connection with");
		else
			lmtp_close(c);
		return -1;
	case CLIENT_MORE:
		return 0;
	case CLIENT_STARTTLS:
	case CLIENT_LOGIN:
	case CLIENT_CHALLENGE:
		break; /* not asked for */
	}
	panic("lmtp: event %d was never asked for", (int)event);
}

/* Write what the engine has. Then wait for what comes next. */
static void go_on(struct lmtp_conn *c)
{
	struct str octets;
	bool blocked = false;
	int more;

	while ((more = smtp_client_output(&c->client, &octets)) == 1) {
		ssize_t n = send(c->fd, octets.p, octets.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			lost(c, "lost connection with");
			return;
		}
		blocked = n < 0;
		if (blocked)
			break;
		smtp_client_wrote(&c->client, (size_t)n);
		/* QUIT was said: nobody waits for the answer. */
	}
	if (more < 0) {
		lmtp_run_failed(c, false, "4.3.0", "cannot read the message from the queue");
		lmtp_close(c);
		return;
	}
	if (c->state == LMTP_QUITTING && !blocked) {
		lmtp_close(c);
		return;
	}
	uv_poll_start(&c->poll, UV_READABLE | (blocked ? UV_WRITABLE : 0), lmtp_on_socket);
	lmtp_restart_timer(c);
}

static void read_socket(struct lmtp_conn *c)
{
	static char octets[READ_AT_ONCE];
	ssize_t n = recv(c->fd, octets, sizeof octets, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(c, "lost connection with");
		return;
	}
	if (do_event(c, smtp_client_input(&c->client, str_pn(octets, (size_t)n))) == 0)
		go_on(c);
}

static void on_connected(struct lmtp_conn *c)
{
	int err = 0;
	socklen_t n = sizeof err;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0)
		err = errno;
	if (err != 0) {
		lmtp_fail_and_close(c, "4.4.1", strerror(err));
		return;
	}
	c->state = LMTP_SESSION;
	c->run->connected_us = now_us();
	go_on(c);
}

void lmtp_on_socket(uv_poll_t *poll, int status, int events)
{
	struct lmtp_conn *c = poll->data;

	if (c->state == LMTP_CONNECTING)
		on_connected(c);
	else if (status < 0)
		lost(c, "lost connection with");
	else if (events & UV_READABLE)
		read_socket(c);
	else
		go_on(c);
}

void lmtp_begin(struct run *r)
{
	for (struct lmtp_conn *c = r->deliver->lmtp; c; c = c->next) {
		if (c->state != LMTP_IDLE || !str_eq(str_c(c->nexthop), r->job.nexthop) ||
			!str_eq(str_c(c->service), r->job.service))
			continue;
		c->run = r;
		begin_message(c);
		go_on(c);
		return;
	}
	lmtp_connect(r);
}

void lmtp_stop(struct deliver *d)
{
	for (struct lmtp_conn *c = d->lmtp, *next; c; c = next) {
		next = c->next;
		if (c->state != LMTP_IDLE)
			continue;
		c->state = LMTP_QUITTING;
		smtp_client_quit(&c->client);
		go_on(c);
	}
}

size_t lmtp_connections(const struct deliver *d)
{
	size_t n = 0;

	for (const struct lmtp_conn *c = d->lmtp; c; c = c->next)
		n++;
	return n;
}
