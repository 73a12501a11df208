#include "relay/relay.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_timer(uv_timer_t *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);

	if (c->delivery == NULL) {
		conn_close(c); /* idle for long enough */
	} else if (smtp_client_is_looking(&c->client)) {
		conn_look(c);
	} else if (c->connecting && !c->has_run && c->service->connect_ms > RACE_MS) {
		c->has_run = true;
		conn_start_timer(c, c->service->connect_ms - RACE_MS);
		race_go_on(c->delivery);
	} else {
		conn_lost(c, "Connection timed out");
	}
}

void conn_start_timer(struct conn *c, uint64_t ms)
{
	uv_timer_start(&c->timer, on_timer, ms, 0);
}

void conn_watch(struct conn *c)
{
	int events = c->connecting ? UV_WRITABLE : UV_READABLE | (c->want_write ? UV_WRITABLE : 0);

	if (events == c->watched)
		return;
	c->watched = events;
	uv_poll_start(&c->poll, events, conn_on_io);
}

/* Take the connection away from its delivery, which then hears of the failure. */
static struct delivery *detach(struct conn *c)
{
	struct delivery *d = c->delivery;

	if (!race_leave(c))
		d->conn = NULL;
	conn_close(c);
	return d;
}

static void fail_session(struct conn *c, struct trouble *t)
{
	t->relay = conn_name(c, c->delivery->mem, true);
	t->remote_mta = arena_dup(c->delivery->mem, c->host);
	delivery_conn_failed(detach(c), t);
}

/* A password that was meant for TLS is not shown to whoever has broken it: no fallback with a login. */
static bool may_go_plain(const struct conn *c)
{
	return c->policy.level == LEVEL_MAY && c->login.n == 0;
}

static void fail_tls(struct conn *c, const char *why)
{
	struct delivery *d = c->delivery;
	struct trouble t = { .dsn = "4.7.5", .dead = true };
	struct str name = conn_name(c, d->mem, false);

	if (may_go_plain(c)) {
		log_info("Cannot start TLS with %.*s: %s; delivering in plain text", STR_ARG(name), why);
		delivery_conn_no_tls(detach(c));
		return;
	}
	t.text = str_c(arena_printf(d->mem, "Cannot start TLS: %s: host %.*s", why, STR_ARG(name)));
	fail_session(c, &t);
}

/* The engine's failure as a sentence, in Postfix's words. A 5xx here is no verdict on the message: it is kept. */
static void on_failed(struct conn *c)
{
	const struct client_failure *f = &c->client.failure;
	struct delivery *d = c->delivery;
	struct str name = conn_name(c, d->mem, false), said = arena_dup(d->mem, buf_str(&f->text));
	struct trouble t = { .dead = true };

	if (may_go_plain(c) && f->step == CLIENT_STEP_STARTTLS && f->code) {
		char why[200];

		snprintf(why, sizeof why, "the server answered %.*s", STR_ARG(said));
		fail_tls(c, why);
		return;
	}
	if (f->step == CLIENT_STEP_AUTH && f->code == 535 && conn_login_again(c))
		return;
	memcpy(t.dsn, f->dsn, sizeof t.dsn);
	t.permanent = f->step == CLIENT_STEP_GREETING && f->code / 100 == 5 &&
		      !conf_bool(c->service->view, "smtp_skip_5xx_greeting");
	if (!t.permanent)
		t.dsn[0] = '4';
	t.diagnostic = f->code ? said : str_c("");
	if (f->step == CLIENT_STEP_AUTH && f->code)
		t.text = str_c(arena_printf(
			d->mem, "SASL authentication failed; server %.*s said: %.*s", STR_ARG(name), STR_ARG(said)));
	else if (f->step == CLIENT_STEP_STARTTLS && f->code)
		t.text = str_c(arena_printf(d->mem, "TLS is required, but host %.*s refused to start TLS: %.*s",
			STR_ARG(name), STR_ARG(said)));
	else if (f->code)
		t.text = str_c(
			arena_printf(d->mem, "host %.*s refused to talk to me: %.*s", STR_ARG(name), STR_ARG(said)));
	else if (str_eq(str_c(f->dsn), STR("4.7.4")))
		t.text = str_c(arena_printf(d->mem, "%.*s by host %.*s", STR_ARG(said), STR_ARG(name)));
	else
		t.text = str_c(arena_printf(d->mem, "host %.*s: %.*s", STR_ARG(name), STR_ARG(said)));
	fail_session(c, &t);
}

void conn_lost(struct conn *c, const char *how)
{
	struct delivery *d = c->delivery;
	enum client_step step = c->client.step;
	struct trouble t = { .dsn = "4.4.2", .dead = step <= CLIENT_STEP_MAIL };
	bool timed_out = strcmp(how, "Connection timed out") == 0;
	struct str name;

	if (d == NULL) {
		c->client.gone = true;
		conn_close(c);
		return;
	}
	name = conn_name(c, d->mem, c->connecting);
	smtp_client_lost(&c->client);
	if (c->connecting) {
		memcpy(t.dsn, "4.4.1", 6);
		t.text = str_c(arena_printf(d->mem, "connect to %.*s: %s", STR_ARG(name), how));
		t.relay = STR("none");
		log_info("%.*s", STR_ARG(t.text));
		delivery_conn_failed(detach(c), &t);
		return;
	}
	t.text = timed_out ? str_c(arena_printf(d->mem, "conversation with %.*s timed out while %s", STR_ARG(name),
				     client_step_doing(step)))
			   : str_c(arena_printf(d->mem, "lost connection with %.*s while %s", STR_ARG(name),
				     client_step_doing(step)));
	t.relay = conn_name(c, d->mem, true);
	t.remote_mta = arena_dup(d->mem, c->host);
	if (c->ready) {
		d->trouble = t;
		delivery_conn_sent(d);
	} else if ((c->tls != NULL || step == CLIENT_STEP_STARTTLS) && may_go_plain(c)) {
		/* also when we are done with the handshake: in TLS 1.3 a server may refuse us after that */
		fail_tls(c, timed_out ? "time-out" : "lost connection");
	} else {
		delivery_conn_failed(detach(c), &t);
	}
}

static void log_tls(const struct conn *c)
{
	struct tls_info i;

	if (c->service->tls_loglevel < 1)
		return;
	tls_info(c->tls, &i);
	log_info("%s TLS connection established to %.*s[%s]:%u: %s with cipher %s (%d/%d bits)",
		i.verified ? "Verified" : "Untrusted", STR_ARG(c->host), c->addr, c->port, i.protocol, i.cipher, i.bits,
		i.cipher_bits);
}

static void handshake(struct conn *c)
{
	enum tls_result r = tls_handshake(c->tls);

	if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
		c->want_write = r == TLS_WANT_WRITE;
		conn_watch(c);
		return;
	}
	c->want_write = false;
	if (r != TLS_DONE) {
		char why[200];

		/* The text dies with the connection. */
		strncpy(why, r == TLS_END ? "the server closed the connection" : tls_error_text(c->tls), sizeof why);
		why[sizeof why - 1] = '\0';
		fail_tls(c, why);
		return;
	}
	c->handshaking = false;
	log_tls(c);
	if (c->client.step == CLIENT_STEP_TLS)
		smtp_client_secured(&c->client);
	conn_watch(c);
	conn_flush(c);
}

static void start_tls(struct conn *c)
{
	const struct delivery *d = c->delivery;
	struct tls_peer peer = tls_policy_peer(c->service, &d->tls, c->host, d->nexthop.host, c->mem);

	c->tls = tls_connect(c->policy.level == LEVEL_MAY ? c->service->tls_may : c->service->tls_must, c->fd, &peer);
	c->handshaking = true;
	conn_start_timer(c, c->service->step_ms[CLIENT_STEP_TLS]);
	handshake(c);
}

/* RFC 5321 sec. 5.1: a server that bears our own name is ourselves. Other ports are other programs on this host. */
static bool is_myself(const struct conn *c)
{
	return c->port == 25 && str_ieq(buf_str(&c->client.server_name), str_c(c->service->myhostname));
}

static void on_ready(struct conn *c)
{
	struct delivery *d = c->delivery;
	struct trouble t = { .dsn = "5.4.6", .permanent = true };

	c->ready = true;
	uv_update_time(relay.child.loop);
	c->up_ms = uv_now(relay.child.loop);
	if (!is_myself(c)) {
		delivery_conn_up(d);
		return;
	}
	log_warn("host %.*s[%s]:%u greeted me with my own hostname %s", STR_ARG(c->host), c->addr, c->port,
		c->service->myhostname);
	t.text = str_c(arena_printf(d->mem, "mail for %.*s loops back to myself", STR_ARG(d->nexthop.host)));
	fail_session(c, &t);
}

static void on_sent(struct conn *c)
{
	struct delivery *d = c->delivery;

	if (c->client.failure.text.n > 0 && c->client.failure.code == 0 && c->client.step == CLIENT_STEP_OVER) {
		struct trouble t = { .dsn = "4.5.0", .relay = conn_name(c, d->mem, true) };

		t.remote_mta = arena_dup(d->mem, c->host);
		t.text = str_c(arena_printf(d->mem, "host %.*s: %s (while %s)", STR_ARG(conn_name(c, d->mem, false)),
			c->client.failure.text.p, client_step_doing(c->client.failure.step)));
		d->trouble = t;
	}
	delivery_conn_sent(d);
}

void conn_event(struct conn *c, enum client_event event)
{
	switch (event) {
	case CLIENT_MORE:
		return;
	case CLIENT_STARTTLS:
		start_tls(c);
		return;
	case CLIENT_LOGIN:
		conn_login(c);
		return;
	case CLIENT_CHALLENGE:
		conn_challenge(c);
		return;
	case CLIENT_READY:
		if (conn_is_proven(c))
			on_ready(c);
		return;
	case CLIENT_SENT:
		on_sent(c);
		return;
	case CLIENT_FAILED:
		on_failed(c);
		return;
	case CLIENT_ENDED:
		conn_lost(c, "lost connection");
		return;
	}
}

/* Octets written; 0: the socket takes none now; -1: it is dead. */
static ssize_t write_some(struct conn *c, struct str octets)
{
	size_t n = 0;
	ssize_t r;

	if (c->tls == NULL) {
		r = send(c->fd, octets.p, octets.n, MSG_NOSIGNAL);
		return r < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : r;
	}
	switch (tls_write(c->tls, octets.p, octets.n, &n)) {
	case TLS_DONE:
		return (ssize_t)n;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		return 0;
	default:
		return -1;
	}
}

/* Several MiB could go to a fast reader without a pause; others wait for their turn after this much. */
enum { FLUSH_OCTETS = 512 * 1024 };

void conn_flush(struct conn *c)
{
	size_t written = 0;
	struct str octets;
	ssize_t n = 0;
	int state = 0;

	if (c->closing || c->connecting || c->handshaking || smtp_client_is_looking(&c->client))
		return;
	c->want_write = false;
	while (written < FLUSH_OCTETS && (state = smtp_client_output(&c->client, &octets)) == 1) {
		n = write_some(c, octets);
		if (n <= 0)
			break;
		smtp_client_wrote(&c->client, (size_t)n);
		written += (size_t)n;
	}
	if (state < 0) {
		conn_event(c, CLIENT_SENT);
		return;
	}
	if (n < 0) {
		/* What the server said before it closed explains more than our failed write: read it first. */
		conn_watch(c);
		return;
	}
	c->want_write = state == 1;
	conn_watch(c);
	if (c->delivery)
		conn_start_timer(c, c->service->step_ms[c->client.step]);
}

/* Octets read; 0: none now; -1: the end. */
static ssize_t read_some(struct conn *c)
{
	size_t n = 0;
	ssize_t r;

	if (c->tls == NULL) {
		r = recv(c->fd, relay.buffer, sizeof relay.buffer, 0);
		return r > 0 ? r : r < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	}
	switch (tls_read(c->tls, relay.buffer, sizeof relay.buffer, &n)) {
	case TLS_DONE:
		return (ssize_t)n;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		return 0;
	default:
		return -1;
	}
}

static void on_readable(struct conn *c)
{
	do {
		ssize_t n = read_some(c);

		if (n == 0)
			return;
		if (n < 0) {
			conn_lost(c, "lost connection");
			return;
		}
		c->answered = true;
		conn_event(c, smtp_client_input(&c->client, str_pn(relay.buffer, (size_t)n)));
		conn_flush(c);
	} while (!c->closing && c->tls != NULL && !c->handshaking && tls_has_pending(c->tls));
}

static void on_connected(struct conn *c)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error) {
		conn_lost(c, strerror(error));
		return;
	}
	c->connecting = false;
	race_won(c);
	conn_watch(c);
	conn_start_timer(c, c->service->step_ms[CLIENT_STEP_GREETING]);
	if (c->client.options.secured)
		start_tls(c);
}

void conn_on_io(uv_poll_t *poll, int status, int events)
{
	struct conn *c = container_of(poll, struct conn, poll);

	if (c->connecting) {
		on_connected(c);
	} else if (c->handshaking) {
		handshake(c);
	} else if (status != 0) {
		conn_lost(c, "lost connection");
	} else {
		if ((events & UV_WRITABLE) && c->want_write)
			conn_flush(c);
		if ((events & UV_READABLE) && !c->closing)
			on_readable(c);
	}
}
