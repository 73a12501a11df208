/* lmtp_connect.c - from a nexthop to a connection: parse, resolve, connect. */
#include "deliver/lmtp.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

static void connect_to(struct lmtp_conn *c, const struct sockaddr *addr, socklen_t n)
{
	c->state = LMTP_CONNECTING;
	c->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		lmtp_fail_and_close(c, "4.4.1", strerror(errno));
		return;
	}
	uv_poll_init(c->deliver->child.loop, &c->poll, c->fd);
	c->poll.data = c;
	c->open_handles++;
	/* EAGAIN: the backlog of a UNIX socket is full; it never becomes writable then. */
	if (connect(c->fd, addr, n) != 0 && errno != EINPROGRESS) {
		lmtp_fail_and_close(c, "4.4.1", strerror(errno));
		return;
	}
	uv_poll_start(&c->poll, UV_WRITABLE, lmtp_on_socket);
	lmtp_restart_timer(c);
}

static void connect_unix(struct lmtp_conn *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", c->dest.path);
	connect_to(c, (const struct sockaddr *)&addr, sizeof addr);
}

static void on_resolved(uv_getaddrinfo_t *q, int status, struct addrinfo *res)
{
	struct lmtp_conn *c = q->data;
	char address[64] = "";

	if (c->closing) {
		uv_freeaddrinfo(res);
		lmtp_on_closed((uv_handle_t *)&c->timer);
		return;
	}
	c->open_handles--;
	c->state = LMTP_CONNECTING;
	if (status != 0 || res == NULL) {
		lmtp_fail_and_close(c, "4.4.3", status ? uv_strerror(status) : "no address");
		uv_freeaddrinfo(res);
		return;
	}
	getnameinfo(res->ai_addr, res->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST);
	snprintf(c->relay, sizeof c->relay, "%s[%s]:%s", c->host, address, c->dest.port);
	connect_to(c, res->ai_addr, res->ai_addrlen);
	uv_freeaddrinfo(res);
}

static void resolve(struct lmtp_conn *c)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	int err;

	c->state = LMTP_RESOLVING;
	c->resolve.data = c;
	err = uv_getaddrinfo(c->deliver->child.loop, &c->resolve, on_resolved, c->dest.host, c->dest.port, &hints);
	if (err != 0) {
		c->state = LMTP_CONNECTING;
		lmtp_fail_and_close(c, "4.4.3", uv_strerror(err));
		return;
	}
	c->open_handles++;
	lmtp_restart_timer(c);
}

static struct lmtp_conn *new_conn(struct run *r)
{
	struct deliver *d = r->deliver;
	struct lmtp_conn *c = xcalloc(1, sizeof *c);
	struct client_options options = { .lmtp = true,
		.helo = conf_str(r->view, "lmtp_lhlo_name"),
		.no_conversion = conf_bool(r->view, "disable_mime_output_conversion"),
		.mime_depth = (unsigned)conf_int(r->view, "mime_nesting_limit") };

	c->deliver = d;
	c->nexthop = xstrndup(r->job.nexthop);
	c->service = xstrndup(r->job.service);
	c->view = r->view;
	c->run = r;
	c->fd = -1;
	c->state = LMTP_CONNECTING;
	smtp_client_init(&c->client, &options);
	uv_timer_init(d->child.loop, &c->timer);
	c->timer.data = c;
	c->open_handles = 1;
	c->next = d->lmtp;
	d->lmtp = c;
	return c;
}

void lmtp_connect(struct run *r)
{
	struct lmtp_conn *c = new_conn(r);
	const char *fault = lmtp_dest_parse(&c->dest, r->job.nexthop, conf_str(r->view, "lmtp_tcp_port"));

	if (fault) {
		snprintf(c->relay, sizeof c->relay, "none");
		lmtp_run_failed(c, true, "4.3.5", "nexthop \"%s\" %s", c->nexthop, fault);
		lmtp_close(c);
	} else if (c->dest.is_unix) {
		snprintf(c->host, sizeof c->host, "%s", conf_str(r->view, "myhostname"));
		snprintf(c->relay, sizeof c->relay, "%s[%s]", c->host, c->dest.path);
		connect_unix(c);
	} else {
		snprintf(c->host, sizeof c->host, "%s", c->dest.host);
		snprintf(c->relay, sizeof c->relay, "%s[%s]:%s", c->host, c->host, c->dest.port);
		resolve(c);
	}
}
