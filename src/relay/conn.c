#include "relay/relay.h"

#include "base/log.h"
#include "sasl/sasl_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct str conn_name(const struct conn *c, struct arena *mem, bool with_port)
{
	return str_c(with_port ? arena_printf(mem, "%.*s[%s]:%u", STR_ARG(c->host), c->addr, c->port)
			       : arena_printf(mem, "%.*s[%s]", STR_ARG(c->host), c->addr));
}

static void conn_free(struct conn *c)
{
	if (--c->open_handles > 0)
		return;
	if (c->sasl) {
		mem_wipe(c->sasl, sizeof *c->sasl);
		free(c->sasl);
	}
	arena_free(&c->mem);
	free(c);
	relay.n_conn--;
}

static void on_poll_closed(uv_handle_t *h)
{
	struct conn *c = container_of((uv_poll_t *)h, struct conn, poll);

	tls_free(&c->tls);
	close(c->fd);
	conn_free(c);
}

static void on_timer_closed(uv_handle_t *h)
{
	conn_free(container_of((uv_timer_t *)h, struct conn, timer));
}

/* One attempt to say QUIT: nobody waits for the answer, and a full socket is not worth waiting for. */
static void say_quit(struct conn *c)
{
	struct str octets;
	size_t n;

	smtp_client_quit(&c->client);
	if (smtp_client_output(&c->client, &octets) != 1)
		return;
	if (c->tls)
		tls_write(c->tls, octets.p, octets.n, &n);
	else if (send(c->fd, octets.p, octets.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("QUIT was not sent: %s", strerror(errno));
}

void conn_close(struct conn *c)
{
	if (c->closing)
		return;
	cache_drop(c);
	if (!c->connecting && !c->handshaking && !c->client.gone && !c->want_write)
		say_quit(c);
	c->closing = true;
	c->delivery = NULL;
	smtp_client_free(&c->client);
	buf_wipe(&c->sasl_out);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
}

static int open_socket(const struct service *s, const struct target *t)
{
	bool six = t->addr.ss_family == AF_INET6;
	const struct sockaddr_storage *bind_to = six ? &s->bind6 : &s->bind4;
	int one = 1, fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if ((six ? s->has_bind6 : s->has_bind4) &&
		bind(fd, (const struct sockaddr *)(const void *)bind_to, t->len) != 0)
		log_warn("service %s: smtp_bind_address%s: %s", s->name, six ? "6" : "", strerror(errno));
	if (connect(fd, (const struct sockaddr *)(const void *)&t->addr, t->len) == 0 || errno == EINPROGRESS)
		return fd;
	one = errno;
	close(fd);
	errno = one;
	return -1;
}

static struct conn *conn_new(struct delivery *d, const struct target *t)
{
	struct conn *c = xcalloc(1, sizeof *c);

	c->mem = arena_new(512);
	c->service = d->service;
	c->delivery = d;
	c->policy.level = d->tls.level;
	c->policy.text = arena_dup(c->mem, d->tls.text);
	c->nexthop = arena_dup(c->mem, d->job.nexthop);
	c->host = arena_dup(c->mem, t->host);
	c->login = arena_dup(c->mem, d->user);
	memcpy(c->addr, t->text, sizeof c->addr);
	c->port = d->nexthop.port;
	c->sasl_out = BUF_INIT(16 * 1024);
	c->fd = -1;
	c->target = t;
	race_enter(c);
	return c;
}

/* No socket could be made, or the network says at once that it is not there. */
static void conn_stillborn(struct conn *c, const char *why)
{
	struct delivery *d = c->delivery;
	struct trouble t = { .dsn = "4.4.1", .dead = true, .relay = STR("none") };

	t.text = str_c(arena_printf(d->mem, "connect to %.*s: %s", STR_ARG(conn_name(c, d->mem, true)), why));
	race_leave(c);
	arena_free(&c->mem);
	free(c);
	log_info("%.*s", STR_ARG(t.text));
	delivery_conn_failed(d, &t);
}

void conn_open(struct delivery *d, const struct target *t)
{
	struct conn *c = conn_new(d, t);
	bool no_tls = d->plain_only || d->tls.level == LEVEL_NONE;
	struct client_options options = { .helo = d->service->helo,
		.tls = no_tls			   ? CLIENT_TLS_NONE
		       : d->tls.level == LEVEL_MAY ? CLIENT_TLS_MAY
						   : CLIENT_TLS_MUST,
		.secured = d->service->wrapper && !no_tls,
		.login = d->user.n > 0,
		.ignore = t->ignore,
		.no_conversion = conf_bool(d->service->view, "disable_mime_output_conversion"),
		.mime_depth = (unsigned)conf_int(d->service->view, "mime_nesting_limit") };

	c->fd = open_socket(d->service, t);
	if (c->fd < 0) {
		conn_stillborn(c, strerror(errno));
		return;
	}
	smtp_client_init(&c->client, &options);
	if (uv_poll_init(relay.child.loop, &c->poll, c->fd) != 0)
		panic("a socket cannot be watched");
	uv_timer_init(relay.child.loop, &c->timer);
	c->open_handles = 2;
	relay.n_conn++;
	c->connecting = true;
	conn_watch(c);
	conn_start_timer(c, d->service->connect_ms < RACE_MS ? d->service->connect_ms : RACE_MS);
}

/* All of a large message at once would keep the other connections waiting. */
static void begun(struct conn *c, enum client_event event)
{
	if (event == CLIENT_SENT) {
		conn_event(c, CLIENT_SENT);
	} else if (smtp_client_is_looking(&c->client)) {
		conn_watch(c);
		conn_start_timer(c, 0);
	} else {
		conn_flush(c);
	}
}

void conn_look(struct conn *c)
{
	begun(c, smtp_client_look(&c->client));
}

void conn_send(struct conn *c, struct delivery *d)
{
	c->delivery = d;
	d->conn = c;
	c->answered = false;
	begun(c, smtp_client_send(&c->client, &d->message));
}
