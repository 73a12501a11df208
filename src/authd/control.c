/*
 * queue_directory/public/auth: failed logins are forgotten, for `gatepost auth unblock`. One line a
 * connection, one JSON object back (docs/protocol/auth.md). Who may ask is decided by the uid that the kernel tells: root,
 * the account that runs the instance, auth_owner.
 */
#include "authd/login.h"
#include "authd/socket_path.h"
#include "base/log.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ASKING_MAX = 16, ASK_MS = 5000, LINE_OCTETS = 1024 };

static struct control {
	struct authd *authd;
	struct door door;
	int fd;
	uid_t runner;
	unsigned n;
} control;

struct asking { /* one connection */
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles;
	int fd;
	struct buf in, out;
};

static void on_closed(struct asking *c)
{
	if (--c->handles)
		return;
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
	control.n--;
}

static void on_poll_closed(uv_handle_t *h)
{
	on_closed(container_of((uv_poll_t *)(void *)h, struct asking, poll));
}

static void on_timer_closed(uv_handle_t *h)
{
	on_closed(container_of((uv_timer_t *)(void *)h, struct asking, timer));
}

static void end(struct asking *c)
{
	if (c->fd < 0)
		return;
	uv_poll_stop(&c->poll);
	close(c->fd);
	c->fd = -1;
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

/* ---- unblock ---- */

static json_t *unblock(struct str what)
{
	struct arena *mem = arena_new(0);
	struct vars v = { 0 };
	struct network network;
	const char *why;
	size_t n;

	if (!network_parse(what, &network) && username_normalise(control.authd->set, &v, what, mem, &why) == 0)
		what = v.user;
	n = defence_lift(&control.authd->defence, what, wall_ms());
	log_info("auth: %.*s: %zu counts of failed logins lifted by an operator", STR_ARG(what), n);
	arena_wipe(&mem);
	return json_pack("{s:I}", "lifted", (json_int_t)n);
}

/* ---- a line ---- */

static json_t *run(struct str line)
{
	struct str word = { 0 };

	str_word(&line, " ", &word);
	line = str_trim(line);
	if (!str_eq(word, STR("unblock")) || line.n == 0)
		return json_pack("{s:s}", "error", "not understood");
	return unblock(line);
}

static void on_asking(uv_poll_t *poll, int status, int events);

static void answer(struct asking *c, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	buf_add_c(&c->out, text ? text : "{\"error\": \"no memory\"}");
	buf_add_char(&c->out, '\n');
	free(text);
	uv_poll_start(&c->poll, UV_WRITABLE, on_asking);
}

static void read_some(struct asking *c)
{
	char *p = buf_reserve(&c->in, 256);
	ssize_t n = p ? recv(c->fd, p, 256, 0) : 0;
	ptrdiff_t lf;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(c);
		return;
	}
	buf_commit(&c->in, (size_t)n);
	lf = str_chr(buf_str(&c->in), '\n');
	if (lf >= 0)
		answer(c, run(str_trim(str_sub(buf_str(&c->in), 0, (size_t)lf))));
}

static void on_asking(uv_poll_t *poll, int status, int events)
{
	struct asking *c = container_of(poll, struct asking, poll);

	(void)events;
	if (status < 0) {
		end(c);
	} else if (c->out.n == 0) {
		read_some(c);
	} else {
		ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

		if (n > 0)
			buf_consume(&c->out, (size_t)n);
		if (c->out.n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			end(c);
	}
}

static void on_late(uv_timer_t *t)
{
	end(container_of(t, struct asking, timer));
}

static bool may_ask(int fd)
{
	struct ucred who_asks;
	socklen_t len = sizeof who_asks;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who_asks, &len) != 0)
		return false;
	if (who_asks.uid == 0 || who_asks.uid == control.runner || who_asks.uid == control.authd->child.uid)
		return true;
	log_warn("public/auth: uid %u (pid %d) may not ask", (unsigned)who_asks.uid, (int)who_asks.pid);
	return false;
}

static void on_control(struct door *door, int fd)
{
	static const char no[] = "{\"error\": \"no permission\"}\n";
	struct asking *c;

	(void)door;
	if (control.n >= ASKING_MAX || !may_ask(fd)) {
		send(fd, no, sizeof no - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->fd = fd;
	c->handles = 2;
	c->in = BUF_INIT(LINE_OCTETS);
	c->out = BUF_INIT(4096);
	control.n++;
	uv_poll_init(control.authd->child.loop, &c->poll, fd);
	uv_timer_init(control.authd->child.loop, &c->timer);
	uv_timer_start(&c->timer, on_late, ASK_MS, 0);
	uv_poll_start(&c->poll, UV_READABLE, on_asking);
}

/* ---- the socket ---- */

void control_bind(struct authd *a)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct socket_path at;
	const char *path = at.name, *fresh = at.fresh;

	control.authd = a;
	control.runner = getuid();
	if (socket_path_make(&at, "public/auth", a->child.queue_directory) < 0)
		fatal("%s: the path is longer than a socket's may be (about 100 octets); take a shorter "
		      "queue_directory",
			path);
	memcpy(un.sun_path, fresh, strlen(fresh) + 1);
	unlink(fresh);
	control.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control.fd < 0 || bind(control.fd, (struct sockaddr *)&un, sizeof un) != 0 || chmod(fresh, 0666) != 0 ||
		listen(control.fd, ASKING_MAX) != 0 || rename(fresh, path) != 0)
		fatal("%s: %s", path, strerror(errno));
}

void control_start(struct authd *a)
{
	door_open(&control.door, a->child.loop, control.fd, "public/auth", on_control);
}

void control_stop(void)
{
	door_close(&control.door);
}
