#include "master/master.h"
#include "base/door.h"
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
 * One request a connection, a word: "status", "who", "reload", "stop". The answer is text (for the first two a JSON object),
 * then the end. Who may ask is decided by the peer's uid, which the kernel tells: root, and the account that runs the instance.
 */
enum {
	STATUS_WAIT_MS = 2000,
	SEND_WAIT_MS = 10000,
	MAX_CLIENTS = 16,
	ANSWER_MAX = 32 * 1024 * 1024,
	ANSWER_END = 64 /* room that is left for the end of the object */
};

struct client {
	struct client *next;
	struct control *control;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;
	uint32_t request;
	unsigned waiting; /* answers that are still to come */
	bool collecting;
	bool is_status; /* its rows are processes */
	bool is_cut;	/* there was more than an answer may have */
	struct buf json;
	size_t sent;
	unsigned open_handles;
};

struct control {
	struct master *master;
	struct door door;
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

static void on_send_timeout(uv_timer_t *timer)
{
	log_warn("control: an answer was not read");
	client_end(container_of(timer, struct client, timer));
}

static void on_writable(uv_poll_t *poll, int status, int events);

/* What stands in c->json, as fast as it is read. */
static void client_send(struct client *c)
{
	ssize_t n;

	c->collecting = false;
	while (c->sent < c->json.n) {
		n = send(c->fd, c->json.p + c->sent, c->json.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			uv_timer_start(&c->timer, on_send_timeout, SEND_WAIT_MS, 0);
			uv_poll_start(&c->poll, UV_WRITABLE, on_writable);
			return;
		}
		if (n < 0) {
			log_warn("control: an answer could not be sent: %s", strerror(errno));
			break;
		}
		c->sent += (size_t)n;
	}
	client_end(c);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
	struct client *c = container_of(poll, struct client, poll);

	(void)events;
	if (status < 0)
		client_end(c);
	else
		client_send(c);
}

static void client_answer(struct client *c, struct str text)
{
	buf_add_str(&c->json, text);
	client_send(c);
}

/* It is asked each request from its first one on, and answers in their order. */
static bool owes_answer(const struct proc *p, uint32_t request)
{
	return p->first_asked && p->first_asked <= request && p->last_answered < request;
}

static char separator(const struct client *c)
{
	return c->json.p[c->json.n - 1] == '[' ? ' ' : ',';
}

/* What master knows itself; of members that come twice the last one counts. */
static void add_process(struct client *c, const struct proc *p, struct str json)
{
	buf_addf(&c->json,
		"%c{%.*s%s\"role\":\"%s\",\"index\":%u,\"pid\":%d,\"ready\":%s,\"leaving\":%s,\"jail\":\"%s\"}",
		separator(c), STR_ARG(json), json.n ? "," : "", role_name(p->role), p->index, p->handle.pid,
		p->ready ? "true" : "false", p->leaving ? "true" : "false", p->jail);
}

/* The last member is an array. A process that hangs is the one that is looked for. */
static void finish_status(struct client *c)
{
	for (const struct proc *p = c->is_status ? c->control->master->procs : NULL; p; p = p->next)
		if (!p->exited && owes_answer(p, c->request))
			add_process(c, p, STR("\"answered\":false"));
	buf_addf(&c->json, "],\"unanswered\":%u,\"cut\":%s}\n", c->waiting, c->is_cut ? "true" : "false");
	client_send(c);
}

static void on_status_timeout(uv_timer_t *timer)
{
	finish_status(container_of(timer, struct client, timer));
}

/* Ask every process; on_status_timeout() waits no longer for those that are busy. */
static void ask_all(struct client *c, uint16_t type)
{
	struct buf out = IPC_BUF;

	ipc_put_u32(&out, c->request);
	for (struct proc *p = c->control->master->procs; p; p = p->next)
		if (!p->exited && p->channel_open && ipc_send(&p->channel, type, buf_str(&out), NULL, 0) == 0) {
			p->first_asked = p->first_asked ? p->first_asked : c->request;
			c->waiting++;
		}
	buf_free(&out);
	uv_timer_start(&c->timer, on_status_timeout, STATUS_WAIT_MS, 0);
	if (c->waiting == 0)
		finish_status(c);
}

static void begin_status(struct client *c)
{
	struct master *m = c->control->master;

	c->request = ++c->control->last_request;
	c->collecting = true;
	c->is_status = true;
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
	ask_all(c, MSG_STATUS);
}

static void begin_who(struct client *c)
{
	c->request = ++c->control->last_request;
	c->collecting = true;
	buf_add_c(&c->json, "{\"rows\":[");
	ask_all(c, MSG_WHO);
}

void control_who_answer(struct control *control, struct proc *p, uint32_t request, struct str rows, bool is_last)
{
	p->last_answered = is_last ? request : p->last_answered;
	for (struct client *c = control->clients; c; c = c->next) {
		if (!c->collecting || c->request != request)
			continue;
		if (c->json.n + rows.n + ANSWER_END > ANSWER_MAX)
			c->is_cut = true;
		else if (rows.n)
			buf_addf(&c->json, "%s%.*s", c->json.p[c->json.n - 1] == '[' ? "" : ",", STR_ARG(rows));
		if (is_last && --c->waiting == 0)
			finish_status(c);
		return;
	}
}

void control_status_answer(struct control *control, struct proc *p, uint32_t request, struct str json)
{
	p->last_answered = request;
	for (struct client *c = control->clients; c; c = c->next) {
		if (!c->collecting || c->request != request)
			continue;
		add_process(c, p, json);
		if (--c->waiting == 0)
			finish_status(c);
		return;
	}
}

void control_proc_gone(struct control *control, const struct proc *p)
{
	for (struct client *c = control->clients; c; c = c->next)
		if (c->collecting && owes_answer(p, c->request) && --c->waiting == 0)
			finish_status(c);
}

static void run_request(struct client *c, struct str word)
{
	struct master *m = c->control->master;
	struct buf errors = BUF_INIT(65536);

	if (str_eq(word, STR("status"))) {
		begin_status(c);
	} else if (str_eq(word, STR("who"))) {
		begin_who(c);
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

static void on_connection(struct door *door, int fd)
{
	struct control *control = container_of(door, struct control, door);
	struct client *c;

	if (control->n_clients >= MAX_CLIENTS || !is_permitted(fd)) {
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->control = control;
	c->fd = fd;
	c->json = BUF_INIT(ANSWER_MAX);
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
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof addr.sun_path)
		fatal("%s: the name of a socket may have %zu octets at most; take a shorter queue_directory", path,
			sizeof addr.sun_path - 1);
	strcpy(addr.sun_path, path);
	unlink(path);
	c->master = m;
	c->path = xstrdup(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 16) != 0)
		fatal("%s: %s", path, strerror(errno));
	chmod(path, 0666); /* who may ask is decided by uid */
	door_open(&c->door, m->loop, fd, "control", on_connection);
	return c;
}

void control_close(struct control **c)
{
	if (*c == NULL)
		return;
	door_close(&(*c)->door);
	unlink((*c)->path);
	/* The process ends right after: what libuv still holds of it goes with the process. */
	*c = NULL;
}
