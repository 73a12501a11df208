/* policy.c - connections to policy services. */
#include "smtpd/policy.h"
#include "base/arena.h"
#include "base/log.h"
#include "smtpd/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 8192, IDLE_MAX_MS = 300 * 1000, IDLE_MAX = 64 };

struct policy_conn {
	struct policy_conn *next;	/* of the idle ones */
	struct policy_request *request; /* NULL: idle */
	char *endpoint;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open_handles;
	struct buf in;
	size_t sent;
	bool reused, closing;
	const char *fault; /* found while it was made; told from the loop */
};

static struct policy_conn *idle;
static unsigned n_idle;

static void one_closed(struct policy_conn *c)
{
	if (--c->open_handles > 0)
		return;
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->in);
	free(c->endpoint);
	free(c);
}

static void on_poll_closed(uv_handle_t *h)
{
	one_closed(container_of((uv_poll_t *)(void *)h, struct policy_conn, poll));
}

static void on_timer_closed(uv_handle_t *h)
{
	one_closed(container_of((uv_timer_t *)(void *)h, struct policy_conn, timer));
}

static void leave_idle(struct policy_conn *c)
{
	for (struct policy_conn **at = &idle; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			n_idle--;
			return;
		}
}

static void conn_close(struct policy_conn *c)
{
	if (c->closing)
		return;
	leave_idle(c);
	c->closing = true;
	if (c->fd >= 0)
		uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void conn_start(struct policy_conn *c, struct policy_request *r);
static struct policy_conn *conn_new(uv_loop_t *loop, const char *endpoint);

static void answer(struct policy_request *r, const char *why)
{
	r->conn = NULL;
	r->why = why;
	r->on_answer(r);
}

/* The connection is of no use. One that was idle may just have been closed by the other side: then once more anew. */
static void conn_failed(struct policy_conn *c, const char *why)
{
	struct policy_request *r = c->request;
	bool again = c->reused && c->in.n == 0;
	uv_loop_t *loop = c->timer.loop;

	c->request = NULL;
	conn_close(c);
	if (r == NULL)
		return;
	if (again)
		conn_start(conn_new(loop, r->endpoint), r);
	else
		answer(r, why);
}

/* "action=…" of a whole answer; other attributes are left for later versions of the protocol. */
static bool take_action(struct str text, struct buf *action)
{
	struct str line;

	while (str_field(&text, "\n", &line))
		if (str_has_iprefix(line, STR("action="))) {
			struct str value = str_trim(str_from(line, 7));

			return value.n > 0 && buf_add_str(action, value) == 0;
		}
	return false;
}

static void on_idle_timeout(uv_timer_t *timer)
{
	conn_close(container_of(timer, struct policy_conn, timer));
}

static void go_idle(struct policy_conn *c)
{
	if (n_idle >= IDLE_MAX) {
		conn_close(c);
		return;
	}
	buf_free(&c->in);
	c->next = idle;
	idle = c;
	n_idle++;
	uv_timer_start(&c->timer, on_idle_timeout, IDLE_MAX_MS, 0);
}

static void conn_read(struct policy_conn *c)
{
	struct policy_request *r = c->request;
	char chunk[4096];
	ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
	const char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || r == NULL) {
		conn_failed(c, n < 0 ? strerror(errno) : "it closed the connection");
		return;
	}
	if (buf_add(&c->in, chunk, (size_t)n) != 0) {
		conn_failed(c, "its answer is too long");
		return;
	}
	end = memmem(c->in.p, c->in.n, "\n\n", 2);
	if (end == NULL)
		return;
	if (!take_action(str_pn(c->in.p, (size_t)(end - c->in.p)), &r->action)) {
		c->reused = false;
		conn_failed(c, "its answer has no action");
		return;
	}
	c->request = NULL;
	go_idle(c);
	answer(r, NULL);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static bool conn_write(struct policy_conn *c)
{
	struct buf *out = &c->request->out;

	while (c->sent < out->n) {
		ssize_t n = send(c->fd, out->p + c->sent, out->n - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
			uv_poll_start(&c->poll, UV_READABLE | UV_WRITABLE, on_poll);
			return true;
		}
		if (n < 0) {
			conn_failed(c, strerror(errno));
			return false;
		}
		c->sent += (size_t)n;
	}
	uv_poll_start(&c->poll, UV_READABLE, on_poll);
	return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct policy_conn *c = container_of(poll, struct policy_conn, poll);

	if (status < 0) {
		conn_failed(c, endpoint_fault(c->fd));
		return;
	}
	if ((events & UV_WRITABLE) && c->request && !conn_write(c))
		return;
	if (events & UV_READABLE)
		conn_read(c);
}

static void on_timeout(uv_timer_t *timer)
{
	struct policy_conn *c = container_of(timer, struct policy_conn, timer);

	c->reused = false;
	conn_failed(c, c->fault ? c->fault : "it does not answer in time");
}

static struct policy_conn *conn_new(uv_loop_t *loop, const char *endpoint)
{
	struct policy_conn *c = xcalloc(1, sizeof *c);

	c->endpoint = xstrdup(endpoint);
	c->in = BUF_INIT(ANSWER_MAX);
	c->fault = "no socket";
	c->fd = endpoint_connect(str_c(endpoint), &c->fault);
	uv_timer_init(loop, &c->timer);
	c->open_handles = 1;
	if (c->fd >= 0) {
		c->fault = NULL;
		uv_poll_init(loop, &c->poll, c->fd);
		c->open_handles = 2;
	}
	return c;
}

static void conn_start(struct policy_conn *c, struct policy_request *r)
{
	c->request = r;
	c->sent = 0;
	r->conn = c;
	uv_timer_start(&c->timer, on_timeout, c->fault ? 0 : r->timeout_ms, 0);
	/* Written from the loop, so that no answer comes from within the call. */
	if (c->fault == NULL)
		uv_poll_start(&c->poll, UV_READABLE | UV_WRITABLE, on_poll);
}

void policy_ask(struct policy_request *r, uv_loop_t *loop, struct str endpoint, struct str request, uint64_t timeout_ms)
{
	struct policy_conn *c = idle;

	r->action = BUF_INIT(ANSWER_MAX);
	r->out = BUF_INIT(65536);
	buf_add_str(&r->out, request);
	r->endpoint = xstrndup(endpoint);
	r->timeout_ms = timeout_ms;
	while (c && strcmp(c->endpoint, r->endpoint) != 0)
		c = c->next;
	if (c) {
		leave_idle(c);
		c->reused = true;
	} else {
		c = conn_new(loop, r->endpoint);
	}
	conn_start(c, r);
}

void policy_end(struct policy_request *r)
{
	if (r->conn) {
		r->conn->request = NULL;
		conn_close(r->conn); /* an answer that nobody waits for would be the next one's */
		r->conn = NULL;
	}
	buf_free(&r->action);
	buf_free(&r->out);
	free(r->endpoint);
	r->endpoint = NULL;
}
