/* Connections: octets in, lines out of them, octets out. */
#include "authd/authd.h"

#include "auth/auth_proto.h"
#include "authd/handover.h"
#include "authd/trace.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT_MAX = 64 * 1024 * 1024, MINOR_USERS = 1 };

/* ---- a connection's end ---- */

static void on_handle_closed(struct client *c)
{
	if (--c->handles == 0)
		free(c);
}

static void on_poll_closed(uv_handle_t *h)
{
	on_handle_closed(container_of((uv_poll_t *)(void *)h, struct client, poll));
}

static void on_grace_closed(uv_handle_t *h)
{
	on_handle_closed(container_of((uv_timer_t *)(void *)h, struct client, grace));
}

static void unlink_dirty(struct client *c)
{
	struct client **at = &c->authd->dirty;

	while (*at && *at != c)
		at = &(*at)->next_dirty;
	if (*at)
		*at = c->next_dirty;
	c->is_dirty = false;
}

void client_end(struct client *c, const char *why)
{
	struct authd *a = c->authd;

	if (c->is_ended)
		return;
	c->is_ended = true;
	if (why)
		log_warn("auth: client %u (process %u): %s; ending its connection", c->cuid, c->cpid, why);
	login_drop_all(c);
	users_drop(c);
	trace_drop(c);
	handover_drop(c);
	if (c->is_dirty)
		unlink_dirty(c);
	*(c->prev ? &c->prev->next : &a->clients) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	a->n_clients--;
	uv_poll_stop(&c->poll);
	close(c->fd);
	c->fd = -1;
	buf_wipe(&c->in);
	buf_wipe(&c->out);
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	uv_close((uv_handle_t *)&c->grace, on_grace_closed);
	if (a->is_stopping && a->n_clients == 0)
		child_exit(&a->child);
}

/* ---- out ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

/* libuv takes a descriptor out of the kernel's list and puts it back, whether anything changes or not. */
static void wait_for(struct client *c, int events)
{
	if (c->events != events)
		uv_poll_start(&c->poll, events, on_poll);
	c->events = events;
}

static void client_flush(struct client *c)
{
	while (c->out.n) {
		ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			client_end(c, NULL);
			return;
		}
		if (n < 0)
			break;
		buf_consume(&c->out, (size_t)n);
	}
	if (c->out.n > CLIENT_OUT_MAX) {
		client_end(c, "it does not read its answers");
		return;
	}
	wait_for(c, c->out.n ? UV_READABLE | UV_WRITABLE : UV_READABLE);
	if (c->out.n == 0)
		buf_wipe(&c->out);
}

static void on_flush(uv_prepare_t *p)
{
	struct authd *a = container_of(p, struct authd, flush);
	struct client *c;

	uv_prepare_stop(p);
	while ((c = a->dirty) != NULL) {
		a->dirty = c->next_dirty;
		c->is_dirty = false;
		client_flush(c);
		if (c->is_ended)
			continue;
		if (c->listing && c->out.n < LIST_CHUNK)
			users_more(c);
		else if (a->is_stopping && c->n_logins == 0 && c->out.n == 0)
			client_end(c, NULL);
	}
}

void client_send_soon(struct client *c)
{
	struct authd *a = c->authd;

	if (c->is_dirty || c->is_ended)
		return;
	c->is_dirty = true;
	c->next_dirty = a->dirty;
	a->dirty = c;
	if (!uv_is_active((uv_handle_t *)&a->flush))
		uv_prepare_start(&a->flush, on_flush);
}

/* ---- the handshake ---- */

static bool is_login_socket(const struct client *c)
{
	return c->listener->set->type == LISTEN_AUTH || c->listener->set->type == LISTEN_LOGIN;
}

static void greet(struct client *c)
{
	if (c->is_greeted)
		return;
	c->is_greeted = true;
	uv_timer_stop(&c->grace);
	login_greet(c);
	client_send_soon(c);
}

static void on_grace(uv_timer_t *t)
{
	greet(container_of(t, struct client, grace));
}

static int refuse(struct client *c, const char *why)
{
	client_end(c, why);
	return -1;
}

static int on_version(struct client *c, struct str rest)
{
	struct str major = { 0 }, minor = { 0 };
	uint64_t n;

	auth_field(&rest, &major);
	auth_field(&rest, &minor);
	if (!str_eq(major, STR("1")))
		return refuse(c, "it speaks another major version of the protocol");
	if (!str_u64(minor, &n) || n > 1000)
		return refuse(c, "VERSION without a minor number");
	c->minor = (unsigned)n;
	c->has_version = true;
	if (is_login_socket(c))
		greet(c);
	return 0;
}

static int on_cpid(struct client *c, struct str rest)
{
	struct str field = { 0 };
	uint32_t pid;

	auth_field(&rest, &field);
	if (!auth_id(field, &pid))
		return refuse(c, "CPID without a process number");
	if (c->has_cpid && c->listener->set->type == LISTEN_LOGIN)
		return refuse(c, "CPID twice");
	c->cpid = pid;
	c->has_cpid = true;
	return 0;
}

/* Returns 0, or -1: the client was ended. */
static int line_in(struct client *c, struct str line)
{
	struct str word;

	if (!auth_field(&line, &word))
		return 0;
	if (!c->has_version)
		return str_eq(word, STR("VERSION")) ? on_version(c, line) : refuse(c, "a command before VERSION");
	if (str_eq(word, STR("VERSION")))
		return refuse(c, "VERSION twice");
	if (c->listener->set->type == LISTEN_CONTROL)
		return trace_line(c, word, line);
	if (!is_login_socket(c))
		return users_line(c, word, line);
	if (str_eq(word, STR("CPID")))
		return on_cpid(c, line);
	if (!c->has_cpid)
		return refuse(c, "a command before CPID");
	return login_line(c, word, line);
}

/* ---- in ---- */

static void on_readable(struct client *c)
{
	char *p = buf_reserve(&c->in, AUTH_MAX_LINE);
	struct str line;
	size_t done = 0, used;
	ssize_t n;
	int r;

	require(p != NULL);
	n = recv(c->fd, p, AUTH_MAX_LINE, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_end(c, NULL);
		return;
	}
	buf_commit(&c->in, (size_t)n);
	while ((r = auth_line_next(str_from(buf_str(&c->in), done), &used, &line)) == 1) {
		done += used;
		if (line_in(c, line) < 0 || c->is_ended)
			return;
	}
	if (r < 0) {
		client_end(c, "a line is longer than 16384 octets");
		return;
	}
	mem_wipe(c->in.p, done); /* passwords */
	buf_consume(&c->in, done);
	if (c->in.n == 0)
		buf_free(&c->in);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct client *c = container_of(poll, struct client, poll);

	if (c->is_ended)
		return;
	if (status < 0) {
		client_end(c, NULL);
		return;
	}
	if (events & UV_WRITABLE) {
		client_flush(c);
		if (!c->is_ended && c->listing && c->out.n < LIST_CHUNK)
			users_more(c);
	}
	/* Who does not read his answers asks nothing more. */
	if (!c->is_ended && (events & UV_READABLE))
		on_readable(c);
}

/* ---- accept ---- */

static void check_peer(struct client *c)
{
	const struct listener *l = c->listener;
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (l->set->host || (l->set->mode != 0666 && l->set->type != LISTEN_CONTROL) || is_login_socket(c))
		return;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		peer.uid = (uid_t)-1, peer.gid = (gid_t)-1;
	c->peer_uid = peer.uid;
	c->is_restricted =
		peer.uid != l->uid && peer.uid != 0 && (peer.gid != l->gid || l->set->type == LISTEN_CONTROL);
}

static void client_new(struct listener *l, int fd)
{
	struct authd *a = l->authd;
	struct client *c = xcalloc(1, sizeof *c);

	c->authd = a;
	c->listener = l;
	c->fd = fd;
	c->in = BUF_SECRET(2 * AUTH_MAX_LINE);
	c->out = BUF_INIT(OUT_MAX);
	c->cuid = ++a->last_cuid;
	c->handles = 2;
	c->next = a->clients;
	if (c->next)
		c->next->prev = c;
	a->clients = c;
	a->n_clients++;
	if (uv_poll_init(a->child.loop, &c->poll, fd) != 0)
		panic("uv_poll_init: no watcher for a socket");
	uv_timer_init(a->child.loop, &c->grace);
	check_peer(c);
	if (is_login_socket(c)) {
		buf_addf(&c->out, "VERSION\t%d\t%d\n", AUTH_MAJOR, AUTH_MINOR);
		if (l->set->is_legacy)
			greet(c);
		else
			uv_timer_start(&c->grace, on_grace, GRACE_MS, 0);
	} else {
		buf_addf(&c->out, "VERSION\t%d\t%d\nSPID\t%d\n", AUTH_MAJOR, MINOR_USERS, (int)getpid());
	}
	client_flush(c);
}

static void on_client(struct door *door, int fd)
{
	client_new(container_of(door, struct listener, door), fd);
}

static void on_sweep(uv_timer_t *t)
{
	struct authd *a = container_of(t, struct authd, sweep);

	for (struct client *c = a->clients; c; c = c->next) {
		if (c->n_logins)
			login_sweep(c);
		handover_sweep(c);
	}
}

static void on_ticker(struct ticker *t)
{
	login_tick(container_of(t, struct authd, ticker));
}

void server_start(struct authd *a)
{
	uv_loop_t *loop = a->child.loop;

	uv_prepare_init(loop, &a->flush);
	uv_timer_init(loop, &a->tick);
	ticker_init(&a->ticker, loop, on_ticker);
	uv_timer_init(loop, &a->sweep);
	uv_timer_start(&a->sweep, on_sweep, 5000, 5000);
	for (size_t i = 0; i < a->n_listeners; i++)
		door_open(&a->listener[i].door, loop, a->listener[i].fd, "auth", on_client);
}

void server_stop(struct authd *a)
{
	for (size_t i = 0; i < a->n_listeners; i++)
		door_close(&a->listener[i].door);
	a->n_listeners = 0;
}
