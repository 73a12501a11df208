/* A connection to a milter: made without waiting, with the terms agreed first; octets out, packets in, each in its time. */
#include "smtpd/milter.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	AGAIN_MS = 50,
	TURN_MS = 1 /* 0: libuv calls it in this turn */,
	OUT_MAX = 2 * MILTER_WIRE_OCTETS + 65536,
	IN_MAX = 2 * MILTER_WIRE_OCTETS
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void conn_connect(struct milter_conn *c);

static size_t n_connections;

size_t milter_connections(void)
{
	return n_connections;
}

static void one_closed(struct milter_conn *c)
{
	if (--c->open_handles > 0)
		return;
	if (c->fd >= 0) {
		close(c->fd);
		n_connections--;
	}
	buf_free(&c->in);
	buf_free(&c->out);
	buf_free(&c->terms_text);
	free(c);
}

static void on_poll_closed(uv_handle_t *h)
{
	one_closed(container_of((uv_poll_t *)(void *)h, struct milter_conn, poll));
}

static void on_timer_closed(uv_handle_t *h)
{
	one_closed(container_of((uv_timer_t *)(void *)h, struct milter_conn, timer));
}

static void on_again_closed(uv_handle_t *h)
{
	one_closed(container_of((uv_timer_t *)(void *)h, struct milter_conn, again));
}

static void query_end(struct milter_conn *c)
{
	if (!c->asks_name)
		return;
	dns_cancel(&c->name_query);
	dns_done(&c->name_query);
	c->asks_name = false;
}

static void shut(struct milter_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->link = NULL;
	query_end(c);
	if (c->has_poll)
		uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->again, on_again_closed);
}

/* From the loop only. */
static void fail(struct milter_conn *c, const char *why)
{
	struct milter_link *l = c->link;

	shut(c);
	if (l)
		milter_on_failure(l, why);
}

static void on_turn(uv_timer_t *timer)
{
	milter_on_sent(container_of(timer, struct milter_conn, again)->link);
}

void milter_conn_turn(struct milter_conn *c)
{
	uv_timer_start(&c->again, on_turn, TURN_MS, 0);
}

static void on_time(uv_timer_t *timer)
{
	struct milter_conn *c = container_of(timer, struct milter_conn, timer);

	fail(c, c->fault	? c->fault
		: !c->connected ? "it cannot be connected to in time"
				: "it does not answer in time");
}

void milter_conn_time(struct milter_conn *c, uint64_t ms)
{
	if (ms == 0)
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, on_time, ms, 0);
}

static void watch(struct milter_conn *c)
{
	bool writes = !c->connected || c->sent < c->out.n;

	int events = writes ? UV_READABLE | UV_WRITABLE : UV_READABLE;

	if (events != c->events)
		uv_poll_start(&c->poll, events, on_poll);
	c->events = events;
}

/* As much as goes now. What is wrong with the socket is told by it to on_poll(). */
static void write_now(struct milter_conn *c)
{
	while (c->sent < c->out.n) {
		ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		c->sent += (size_t)n;
	}
	buf_reset(&c->out);
	c->sent = 0;
	if (c->out.cap > 4096)
		buf_free(&c->out);
}

void milter_conn_send(struct milter_conn *c)
{
	if (c->connected)
		write_now(c);
	watch(c);
}

/* The terms, before anything else. */
static void take_terms(struct milter_conn *c, const struct milter_packet *p)
{
	struct milter_packet own = *p;
	const char *why = "it answers the negotiation with something else";

	if (p->command == MILTER_NEGOTIATE) {
		buf_add_str(&c->terms_text, p->data);
		own.data = buf_str(&c->terms_text);
		why = milter_terms_take(own.data, &c->spec->offer, &c->terms);
	}
	if (why) {
		fail(c, why);
		return;
	}
	c->up = true;
	milter_conn_time(c, 0);
	milter_on_up(c->link);
}

/* What is there of packets. The one that takes it may close the connection. */
static void take_packets(struct milter_conn *c)
{
	struct milter_packet p;
	size_t used;
	int r;

	while (!c->closing && (r = milter_packet_next(buf_str(&c->in), &used, &p)) != 0) {
		if (r < 0) {
			fail(c, "it sends something that is no packet of the milter protocol");
			return;
		}
		if (c->up)
			milter_on_packet(c->link, &p);
		else
			take_terms(c, &p);
		buf_consume(&c->in, used);
	}
	if (c->in.n == 0)
		buf_free(&c->in);
}

static void read_on(struct milter_conn *c)
{
	enum { PIECE = 16 * 1024 };
	char *p = buf_reserve(&c->in, PIECE);
	ssize_t n = p ? recv(c->fd, p, PIECE, 0) : 0;

	require(p != NULL); /* a whole packet is taken before there is more */
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(c, n < 0 ? strerror(errno) : "it closed the connection");
		return;
	}
	buf_commit(&c->in, (size_t)n);
	take_packets(c);
}

static int socket_error(const struct milter_conn *c)
{
	int err = 0;
	socklen_t n = sizeof err;

	return getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 ? err : errno;
}

/* False: it came to nothing. */
static bool is_connected(struct milter_conn *c)
{
	int err;

	if (c->connected)
		return true;
	err = socket_error(c);
	if (err) {
		fail(c, strerror(err));
		return false;
	}
	c->connected = true;
	milter_conn_time(c, c->spec->command_ms);
	return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct milter_conn *c = container_of(poll, struct milter_conn, poll);

	if (status < 0) {
		fail(c, endpoint_fault(c->fd));
		return;
	}
	if (!is_connected(c))
		return;
	if ((events & UV_WRITABLE) && c->out.n > 0) {
		write_now(c);
		watch(c);
		if (c->out.n == 0 && c->up)
			milter_on_sent(c->link);
	}
	if ((events & UV_READABLE) && !c->closing)
		read_on(c);
}

static void conn_made(struct milter_conn *c, int fd)
{
	c->fd = fd;
	n_connections++;
	uv_poll_init(c->loop, &c->poll, fd);
	c->has_poll = true;
	c->open_handles++;
	watch(c); /* writable: connected, or not */
}

static void on_again(uv_timer_t *timer)
{
	conn_connect(container_of(timer, struct milter_conn, again));
}

/* A fault is told from the loop. */
static void no_connection(struct milter_conn *c, const char *why)
{
	c->fault = why;
	milter_conn_time(c, 1);
}

static void connect_to(struct milter_conn *c, struct sockaddr *addr, socklen_t n)
{
	const char *why = "";
	int fd = endpoint_connect_addr(addr, n, &why);

	if (fd < 0)
		no_connection(c, why);
	else
		conn_made(c, fd);
}

static void on_addr(struct dns_query *q)
{
	struct milter_conn *c = container_of(q, struct milter_conn, name_query);
	struct dns_addr a;

	if (q->n_addr == 0) {
		query_end(c);
		fail(c, "its host is not found");
		return;
	}
	a = q->addr[0];
	query_end(c);
	if (a.addr.ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&a.addr)->sin6_port = htons(c->spec->port);
	else
		((struct sockaddr_in *)(void *)&a.addr)->sin_port = htons(c->spec->port);
	connect_to(c, (struct sockaddr *)&a.addr, a.len);
}

static void connect_tcp(struct milter_conn *c)
{
	union endpoint_addr addr;
	socklen_t n = endpoint_addr(c->spec->host, c->spec->port, &addr);

	if (n > 0) {
		connect_to(c, &addr.any, n);
		return;
	}
	c->name_query.on_answer = on_addr;
	c->asks_name = true;
	dns_ask_addr(smtpd.dns, &c->name_query, c->spec->host, true, true);
}

/* A UNIX socket whose queue is full is tried again: its owner is busy, not away. */
static void conn_connect(struct milter_conn *c)
{
	const char *why = "";
	int fd;

	if (c->spec->unix_path.n == 0) {
		connect_tcp(c);
		return;
	}
	fd = endpoint_connect_unix(c->spec->unix_path, &why);
	if (fd >= 0)
		conn_made(c, fd);
	else if (errno == EAGAIN)
		uv_timer_start(&c->again, on_again, AGAIN_MS, 0);
	else
		no_connection(c, why);
}

struct milter_conn *milter_conn_new(uv_loop_t *loop, const struct milter_spec *spec, struct milter_link *link)
{
	struct milter_conn *c = xcalloc(1, sizeof *c);

	c->loop = loop;
	c->spec = spec;
	c->link = link;
	c->fd = -1;
	c->in = BUF_INIT(IN_MAX);
	c->out = BUF_INIT(OUT_MAX);
	c->terms_text = BUF_INIT(MILTER_PACKET_OCTETS);
	uv_timer_init(loop, &c->timer);
	uv_timer_init(loop, &c->again);
	c->open_handles = 2;
	milter_terms_put(&c->out, &spec->offer);
	milter_conn_time(c, spec->connect_ms);
	conn_connect(c);
	return c;
}

void milter_conn_close(struct milter_conn *c)
{
	if (c->up && !c->closing && c->out.n == 0) {
		milter_put_command(&c->out, MILTER_QUIT);
		write_now(c);
	}
	shut(c);
}
