#include "base/ipc.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct ipc_pending {
	struct ipc_pending *next;
	uint16_t type;
	unsigned n_fds;
	int fds[IPC_MAX_FDS];
	size_t n;
	char payload[];
};

static uint64_t get_le(struct ipc_in *in, size_t octets)
{
	uint64_t v = 0;

	if (in->bad || in->rest.n < octets) {
		in->bad = true;
		return 0;
	}
	for (size_t i = 0; i < octets; i++)
		v |= (uint64_t)(unsigned char)in->rest.p[i] << (8 * i);
	in->rest = str_from(in->rest, octets);
	return v;
}

uint8_t ipc_get_u8(struct ipc_in *in)
{
	return (uint8_t)get_le(in, 1);
}

uint16_t ipc_get_u16(struct ipc_in *in)
{
	return (uint16_t)get_le(in, 2);
}

uint32_t ipc_get_u32(struct ipc_in *in)
{
	return (uint32_t)get_le(in, 4);
}

uint64_t ipc_get_u64(struct ipc_in *in)
{
	return get_le(in, 8);
}

struct str ipc_get_str(struct ipc_in *in)
{
	size_t n = ipc_get_u32(in);
	struct str s;

	if (in->bad || n > in->rest.n) {
		in->bad = true;
		return (struct str){ "", 0 };
	}
	s = str_sub(in->rest, 0, n);
	in->rest = str_from(in->rest, n);
	return s;
}

bool ipc_get_end(const struct ipc_in *in)
{
	return !in->bad && in->rest.n == 0;
}

static void put_le(struct buf *b, uint64_t v, size_t octets)
{
	char le[8];

	for (size_t i = 0; i < octets; i++)
		le[i] = (char)(v >> (8 * i));
	if (buf_add(b, le, octets) != 0)
		panic("ipc: message over %zu octets", b->max);
}

void ipc_put_u8(struct buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void ipc_put_u16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void ipc_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void ipc_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void ipc_put_str(struct buf *b, struct str s)
{
	require(s.n <= UINT32_MAX);
	put_le(b, s.n, 4);
	if (buf_add_str(b, s) != 0)
		panic("ipc: message over %zu octets", b->max);
}

static int send_now(int fd, uint16_t type, struct str payload, const int *fds, unsigned n_fds)
{
	char le[2] = { (char)(type & 0xFF), (char)(type >> 8) };
	struct iovec iov[2] = { { le, 2 }, { (void *)(uintptr_t)payload.p, payload.n } };
	union {
		char octets[CMSG_SPACE(IPC_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	require(n_fds <= IPC_MAX_FDS && payload.n + 2 <= IPC_MAX_OCTETS);
	if (n_fds) {
		struct cmsghdr *head;

		memset(&control, 0, sizeof control);
		msg.msg_control = control.octets;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(head), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

static ssize_t recv_now(int fd, uint16_t *type, char *payload, size_t size, int *fds, unsigned *n_fds)
{
	unsigned char le[2] = { 0, 0 };
	struct iovec iov[2] = { { le, 2 }, { payload, size } };
	union {
		char octets[CMSG_SPACE(IPC_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = control.octets, .msg_controllen = sizeof control.octets
	};
	ssize_t n;

	*n_fds = 0;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n;
	for (struct cmsghdr *head = CMSG_FIRSTHDR(&msg); head; head = CMSG_NXTHDR(&msg, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		*n_fds = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(head), *n_fds * sizeof(int));
	}
	*type = (uint16_t)(le[0] | le[1] << 8);
	if (n < 2 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		*type = 0; /* no rule has type 0: a violation */
	return n;
}

static void close_fds(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct ipc *c)
{
	uv_poll_start(&c->poll, UV_READABLE | (c->first ? UV_WRITABLE : 0), on_poll);
}

/* It may hold a password (authd to authpam). */
static void free_pending(struct ipc_pending *m)
{
	mem_wipe(m->payload, m->n);
	free(m);
}

static void drop_pending(struct ipc *c)
{
	while (c->first) {
		struct ipc_pending *m = c->first;

		c->first = m->next;
		close_fds(m->fds, m->n_fds);
		free_pending(m);
	}
	c->last = &c->first;
	c->pending_octets = 0;
}

static void end(struct ipc *c, enum ipc_end how, const char *why)
{
	uv_poll_stop(&c->poll);
	c->why = why;
	c->on_end(c, how);
}

static void send_pending(struct ipc *c)
{
	while (c->first) {
		struct ipc_pending *m = c->first;

		if (send_now(c->fd, m->type, str_pn(m->payload, m->n), m->fds, m->n_fds) != 0) {
			if (errno != EAGAIN && errno != ENOBUFS)
				drop_pending(c); /* the read side reports the end */
			break;
		}
		c->first = m->next;
		if (c->first == NULL)
			c->last = &c->first;
		c->pending_octets -= m->n;
		close_fds(m->fds, m->n_fds);
		free_pending(m);
	}
	watch(c);
}

static const struct ipc_rule *rule_of(const struct ipc *c, uint16_t type)
{
	for (size_t i = 0; i < c->n_rules; i++)
		if (c->rules[i].type == type)
			return &c->rules[i];
	return NULL;
}

/* One message, by way of IPC_MAX_OCTETS at `payload`. Returns false when there is none now or the channel ended. */
static bool receive_one(struct ipc *c, char *payload)
{
	int fds[IPC_MAX_FDS];
	unsigned n_fds;
	uint16_t type = 0;
	ssize_t n = recv_now(c->fd, &type, payload, IPC_MAX_OCTETS, fds, &n_fds);
	const struct ipc_rule *rule;
	int r = -1;

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		end(c, IPC_CLOSED, n == 0 ? "the other side closed" : strerror(errno));
		return false;
	}
	rule = rule_of(c, type);
	if (rule && n_fds <= rule->max_fds) {
		struct ipc_in in = { { payload, (size_t)n - 2 }, false };

		r = rule->run(c, &in, fds, n_fds);
	}
	close_fds(fds, n_fds);
	if (c->fd < 0)
		return false;
	if (r != 0) {
		end(c, IPC_VIOLATION, rule ? "malformed message" : "message not in the permit table");
		return false;
	}
	return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct ipc *c = container_of(poll, struct ipc, poll);
	static char payload[IPC_MAX_OCTETS]; /* handlers copy what they keep; one thread per process reads channels */
	int budget = 64;		     /* then others get their turn */

	if (status < 0) {
		end(c, IPC_CLOSED, uv_strerror(status));
		return;
	}
	if (events & UV_WRITABLE)
		send_pending(c);
	if (events & UV_READABLE)
		while (budget-- > 0 && receive_one(c, payload))
			continue;
}

int ipc_wait(struct ipc *c, int timeout_ms)
{
	static char payload[IPC_MAX_OCTETS]; /* of its own: a handler of another channel may be waiting here */
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int r = poll(&p, 1, timeout_ms);

	if (r <= 0 && (r == 0 || errno != EINTR))
		return r;
	if (r > 0 && receive_one(c, payload))
		return 1;
	return ipc_is_open(c) ? 0 : -1;
}

void ipc_open(struct ipc *c, uv_loop_t *loop, int fd, const struct ipc_rule *rules, size_t n_rules,
	void (*on_end)(struct ipc *c, enum ipc_end end))
{
	int flags = fcntl(fd, F_GETFL);

	memset(c, 0, sizeof *c);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	c->fd = fd;
	c->rules = rules;
	c->n_rules = n_rules;
	c->on_end = on_end;
	c->last = &c->first;
	if (uv_poll_init(loop, &c->poll, fd) != 0)
		panic("ipc: cannot watch descriptor %d", fd);
	watch(c);
}

bool ipc_is_open(const struct ipc *c)
{
	return c->rules != NULL && c->fd >= 0;
}

static void keep_for_later(struct ipc *c, uint16_t type, struct str payload, const int *fds, unsigned n_fds)
{
	struct ipc_pending *m = xcalloc(1, sizeof *m + payload.n);

	m->type = type;
	m->n = payload.n;
	if (payload.n)
		memcpy(m->payload, payload.p, payload.n);
	for (unsigned i = 0; i < n_fds; i++)
		m->fds[m->n_fds++] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
	*c->last = m;
	c->last = &m->next;
	c->pending_octets += payload.n;
	watch(c);
}

int ipc_send(struct ipc *c, uint16_t type, struct str payload, const int *fds, unsigned n_fds)
{
	if (!ipc_is_open(c))
		return -1;
	if (c->pending_octets > IPC_MAX_PENDING)
		return -1;
	if (c->first == NULL && send_now(c->fd, type, payload, fds, n_fds) == 0)
		return 0;
	if (c->first == NULL && errno != EAGAIN && errno != ENOBUFS)
		return -1; /* the read side reports the end */
	keep_for_later(c, type, payload, fds, n_fds);
	return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct ipc *c = container_of((uv_poll_t *)(void *)handle, struct ipc, poll);

	if (c->on_closed)
		c->on_closed(c);
}

void ipc_close(struct ipc *c, void (*on_closed)(struct ipc *c))
{
	require(c->fd >= 0);
	drop_pending(c);
	c->on_closed = on_closed;
	uv_poll_stop(&c->poll);
	close(c->fd);
	c->fd = -1;
	uv_close((uv_handle_t *)&c->poll, on_handle_closed);
}

ssize_t ipc_read_now(int fd, uint16_t *type, char *payload, size_t size, int *fds, unsigned *n_fds)
{
	ssize_t n = recv_now(fd, type, payload, size, fds, n_fds);

	if (n == 0)
		errno = ECONNRESET;
	return n <= 0 || *type == 0 ? -1 : n - 2;
}

int ipc_write_now(int fd, uint16_t type, struct str payload, const int *fds, unsigned n_fds)
{
	return send_now(fd, type, payload, fds, n_fds);
}

int ipc_pair(int pair[2])
{
	int size = 4 * 1024 * 1024;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
			setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	}
	return 0;
}
