#include "master/master.h"
#include "base/log.h"
#include "msg/master_msg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * One request a connection, a word: "status", "reload", "stop". The answer is text (for status a JSON object), then the
 * end. Who may ask is decided by the peer's uid, which the kernel tells: root, and the account that runs the instance.
 */
enum { STATUS_WAIT_MS = 2000, MAX_CLIENTS = 16 };

struct client {
	struct client *next;
	struct control *control;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;
	uint32_t request;
	unsigned waiting; /* answers that are still to come */
	bool collecting;
	struct buf json;
	unsigned open_handles;
};

struct control {
	struct master *master;
	uv_poll_t poll;
	int fd;
	char *path;
	uint32_t last_request;
	struct client *clients;
	unsigned n_clients;
};

static void forget(struct client *c)
{
	struct client **at = &c->control->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->control->n_clients--;
	buf_free(&c->json);
	free(c);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct client *c = container_of((uv_poll_t *)(void *)handle, struct client, poll);

	if (--c->open_handles == 0)
		forget(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct client *c = container_of((uv_timer_t *)(void *)handle, struct client, timer);

	if (--c->open_handles == 0)
		forget(c);
}

static void client_end(struct client *c)
{
	if (c->fd < 0)
		return;
	uv_poll_stop(&c->poll);
	close(c->fd);
	c->fd = -1;
	c->collecting = false;
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void client_answer(struct client *c, struct str text)
{
	/* A peer that does not read its answer does not get it: the socket's buffer is the bound. */
	if (send(c->fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("control: an answer could not be sent: %s", strerror(errno));
	client_end(c);
}

static void finish_status(struct client *c)
{
	buf_add_c(&c->json, "]}\n");
	client_answer(c, buf_str(&c->json));
}

static void on_status_timeout(uv_timer_t *timer)
{
	finish_status(container_of(timer, struct client, timer));
}

static void begin_status(struct client *c)
{
	struct master *m = c->control->master;
	struct buf out = IPC_BUF;

	c->request = ++c->control->last_request;
	c->collecting = true;
	buf_addf(&c->json,
		"{\"pid\":%d,\"version\":\"%s\",\"config_directory\":\"%s\",\"root\":%s,\"generation\":%u,"
		"\"missing\":%u,\"restarts\":{",
		(int)getpid(), GATEPOST_VERSION, m->config_directory, m->root ? "true" : "false", m->generation,
		procs_missing(m));
	for (int r = ROLE_SMTPD; r < ROLE_COUNT; r++)
		buf_addf(&c->json, "%s\"%s\":%u", r == ROLE_SMTPD ? "" : ",", role_name((enum role)r), m->restarts[r]);
	buf_add_c(&c->json, "},\"listen\":[");
	for (unsigned i = 0; i < m->setup.listeners.n; i++)
		buf_addf(&c->json, "%s{\"service\":\"%s\",\"address\":\"%s\"}", i ? "," : "",
			m->setup.listeners.address[i].service, m->setup.listeners.address[i].address);
	buf_add_c(&c->json, "],\"processes\":[");
	ipc_put_u32(&out, c->request);
	for (struct proc *p = m->procs; p; p = p->next)
		if (!p->exited && p->channel_open && ipc_send(&p->channel, MSG_STATUS, buf_str(&out), NULL, 0) == 0)
			c->waiting++;
	buf_free(&out);
	uv_timer_start(&c->timer, on_status_timeout, STATUS_WAIT_MS, 0);
	if (c->waiting == 0)
		finish_status(c);
}

void control_status_answer(struct control *control, struct proc *p, uint32_t request, struct str json)
{
	for (struct client *c = control->clients; c; c = c->next) {
		if (!c->collecting || c->request != request)
			continue;
		buf_addf(&c->json,
			"%s{\"role\":\"%s\",\"index\":%u,\"pid\":%d,\"ready\":%s,\"leaving\":%s,\"jail\":\"%s\"",
			c->json.p[c->json.n - 1] == '[' ? "" : ",", role_name(p->role), p->index, p->handle.pid,
			p->ready ? "true" : "false", p->leaving ? "true" : "false", p->jail);
		if (json.n)
			buf_addf(&c->json, ",%.*s", STR_ARG(json));
		buf_add_c(&c->json, "}");
		if (--c->waiting == 0)
			finish_status(c);
		return;
	}
}

void control_proc_gone(struct control *control, const struct proc *p)
{
	(void)p;
	for (struct client *c = control->clients; c; c = c->next)
		if (c->collecting && c->waiting > 0 && --c->waiting == 0)
			finish_status(c);
}

static void run_request(struct client *c, struct str word)
{
	struct master *m = c->control->master;
	struct buf errors = BUF_INIT(65536);

	if (str_eq(word, STR("status"))) {
		begin_status(c);
	} else if (str_eq(word, STR("stop"))) {
		client_answer(c, STR("stopping\n"));
		master_stop(m);
	} else if (str_eq(word, STR("reload"))) {
		master_reload(m, &errors);
		client_answer(c, errors.n ? buf_str(&errors) : STR("ok\n"));
	} else {
		client_answer(c, STR("unknown request\n"));
	}
	buf_free(&errors);
}

static void on_request(uv_poll_t *poll, int status, int events)
{
	struct client *c = container_of(poll, struct client, poll);
	char word[64];
	ssize_t n;

	(void)events;
	if (status < 0) {
		client_end(c);
		return;
	}
	n = recv(c->fd, word, sizeof word, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || c->collecting) {
		client_end(c);
		return;
	}
	run_request(c, str_trim(str_pn(word, (size_t)n)));
}

static bool is_permitted(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return false;
	if (who.uid == 0 || who.uid == getuid())
		return true;
	log_warn("control: uid %d (pid %d) may not ask; only root and uid %d", (int)who.uid, (int)who.pid,
		(int)getuid());
	return false;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct control *control = container_of(poll, struct control, poll);
	struct client *c;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)status;
	(void)events;
	if (fd < 0)
		return;
	if (control->n_clients >= MAX_CLIENTS || !is_permitted(fd)) {
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->control = control;
	c->fd = fd;
	c->json = BUF_INIT(1024 * 1024);
	c->open_handles = 2;
	c->next = control->clients;
	control->clients = c;
	control->n_clients++;
	uv_poll_init(control->master->loop, &c->poll, fd);
	uv_timer_init(control->master->loop, &c->timer);
	uv_poll_start(&c->poll, UV_READABLE, on_request);
}

struct control *control_open(struct master *m, const char *path)
{
	struct control *c = xcalloc(1, sizeof *c);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof addr.sun_path)
		fatal("%s: the name of a socket may have %zu octets at most; take a shorter queue_directory", path,
			sizeof addr.sun_path - 1);
	strcpy(addr.sun_path, path);
	unlink(path);
	c->master = m;
	c->path = xstrdup(path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(c->fd, 16) != 0)
		fatal("%s: %s", path, strerror(errno));
	chmod(path, 0666); /* who may ask is decided by uid */
	uv_poll_init(m->loop, &c->poll, c->fd);
	uv_poll_start(&c->poll, UV_READABLE, on_connection);
	return c;
}

void control_close(struct control **c)
{
	if (*c == NULL)
		return;
	uv_poll_stop(&(*c)->poll);
	close((*c)->fd);
	unlink((*c)->path);
	/* The process ends right after: what libuv still holds of it goes with the process. */
	*c = NULL;
}
