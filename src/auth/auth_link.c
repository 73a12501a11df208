/* auth_link.c - the connection to the authentication service: made, made again, read and written. */
#include "auth/client_impl.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

static void on_link_closed(uv_handle_t *h)
{
	free(container_of((uv_poll_t *)(void *)h, struct link, poll));
}

void auth_link_close(struct auth_client *c)
{
	if (c->link) {
		c->link->client = NULL;
		uv_poll_stop(&c->link->poll);
		uv_close((uv_handle_t *)&c->link->poll, on_link_closed);
		c->link = NULL;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = LINK_DOWN;
	buf_wipe(&c->in);
	buf_wipe(&c->out);
	uv_prepare_stop(&c->flush);
	arena_free(&c->new_mem);
	c->n_new = 0;
	c->only_spid = false;
}

static const char *advice(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ENOENT:
		return "; is authd or Dovecot running, and is the socket where smtpd_sasl_path says, below "
		       "queue_directory?";
	case EACCES:
	case EPERM:
		return "; the mode and owner of the socket (unix_listener … { mode user group }) do not let this "
		       "process in";
	}
	return "";
}

bool auth_client_fault(const struct auth_client *c, struct buf *out)
{
	if (c->what == NULL || c->state == LINK_UP)
		return false;
	buf_addf(out, "%s %s: %s%s", c->what, c->path, c->why, c->hint);
	return true;
}

void auth_link_say_down(struct auth_client *c)
{
	if (c->said)
		return;
	c->said = true;
	log_warn("%s %s: %s%s", c->what, c->path, c->why, c->hint);
}

/*
 * The connection came to nothing or ended. It is said when somebody was refused for it, or when the second attempt
 * failed too: a service that is only just starting, or restarts at once, leaves no line.
 */
void auth_link_failed(struct auth_client *c, const char *what, const char *why, const char *hint)
{
	bool was_up = c->state == LINK_UP;
	uint64_t wait_ms;

	auth_link_close(c);
	c->failures = was_up ? 0 : c->failures + 1;
	c->what = what;
	c->hint = hint;
	snprintf(c->why, sizeof c->why, "%s", why);
	if (c->n_requests || c->failures >= 2)
		auth_link_say_down(c);
	auth_requests_end_later(c);
	wait_ms = was_up ? 0 : c->failures == 1 ? RETRY_FIRST_MS : RETRY_MS;
	c->retry_ms = uv_now(c->loop) + wait_ms;
	auth_client_arm(c, wait_ms);
}

void auth_link_no_greeting(struct auth_client *c, const char *what, const char *why, const char *hint)
{
	if (c->only_spid && c->n_new == 0)
		auth_link_failed(c, "cannot use", "it offers no mechanism",
			"; is it a master or userdb socket, not one for clients?");
	else
		auth_link_failed(c, what, why, hint);
}

/* Dovecot and authd end the connection of a client that has come to another socket. */
static void lost(struct auth_client *c, const char *why)
{
	if (c->state == LINK_GREETING)
		auth_link_no_greeting(c, "lost the connection to", why,
			"; it said nothing of what it offers: is it an authentication socket of Dovecot's protocol?");
	else
		auth_link_failed(c, "lost the connection to", why, "");
}

static void on_poll(uv_poll_t *poll, int status, int events);

void auth_link_flush(struct auth_client *c)
{
	if (c->state != LINK_UP && c->state != LINK_GREETING)
		return;
	while (c->out.n) {
		ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			uv_poll_start(&c->link->poll, UV_READABLE | UV_WRITABLE, on_poll);
			return;
		}
		if (n < 0) {
			auth_link_failed(c, "lost the connection to", strerror(errno), "");
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	uv_poll_start(&c->link->poll, UV_READABLE, on_poll);
}

static void greet(struct auth_client *c)
{
	struct buf asked = c->out;
	char hello[64];
	int n = snprintf(hello, sizeof hello, "VERSION\t%d\t%d\nCPID\t%d\n", AUTH_MAJOR, AUTH_MINOR, (int)getpid());

	c->state = LINK_GREETING;
	c->handshake_ms = uv_now(c->loop) + HANDSHAKE_MS;
	/* Requests wait in `out` for DONE: what the service offers is not known before. */
	c->out = BUF_SECRET(OUT_MAX);
	buf_add(&c->out, hello, (size_t)n);
	auth_link_flush(c);
	if (c->state == LINK_GREETING && c->out.n == 0) {
		buf_free(&c->out);
		c->out = asked;
		return;
	}
	buf_wipe(&asked);
	if (c->state == LINK_GREETING) /* 30 octets did not fit into a new socket: it is no working one */
		auth_link_failed(c, "cannot talk to", "it takes no data", "");
}

static void note_file(struct auth_client *c, dev_t *dev, ino_t *ino)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&c->address;
	struct stat st;

	*dev = 0;
	*ino = 0;
	if (un->sun_family == AF_UNIX && stat(un->sun_path, &st) == 0) {
		*dev = st.st_dev;
		*ino = st.st_ino;
	}
}

void auth_link_connect(struct auth_client *c)
{
	uint64_t now = uv_now(c->loop);
	int r;

	c->tried_ms = now;
	note_file(c, &c->dev, &c->ino);
	if (c->address_error) {
		auth_link_failed(c, "cannot use smtpd_sasl_path", c->address_error, "");
		return;
	}
	c->fd = socket(c->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		auth_link_failed(c, "cannot connect to", strerror(errno), "");
		return;
	}
	do
		r = connect(c->fd, (const struct sockaddr *)&c->address, c->address_size);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno != EINPROGRESS) {
		int error = errno;

		auth_link_failed(c, "cannot connect to", strerror(error), advice(error));
		return;
	}
	c->link = xcalloc(1, sizeof *c->link);
	c->link->client = c;
	if (uv_poll_init(c->loop, &c->link->poll, c->fd) != 0)
		panic("uv_poll_init: no watcher for a socket");
	c->handshake_ms = now + HANDSHAKE_MS;
	c->state = LINK_CONNECTING;
	if (r == 0)
		greet(c);
	else
		uv_poll_start(&c->link->poll, UV_WRITABLE, on_poll);
	auth_client_arm(c, TICK_MS);
}

/*
 * A process of Dovecot's that was stopped or reloaded serves the connections that it has for as long as its clients keep
 * them, with its old settings or with no database behind it. So a connection that nobody is using is left when another
 * socket has taken the place of its own, and after a minute.
 */
bool auth_link_is_stale(struct auth_client *c)
{
	dev_t dev;
	ino_t ino;

	if (c->state != LINK_UP || c->n_requests)
		return false;
	note_file(c, &dev, &ino);
	return dev != c->dev || ino != c->ino || uv_now(c->loop) - c->up_ms > FRESH_MS;
}

/* A callback may end the client's connection: c->link tells. */
static void on_input(struct auth_client *c)
{
	struct link *link = c->link;
	size_t done = 0, used;
	struct str line, word;
	int r = 0;

	while (c->link == link && (r = auth_line_next(str_from(buf_str(&c->in), done), &used, &line)) == 1) {
		done += used;
		if (!auth_field(&line, &word))
			continue;
		if (c->state == LINK_UP)
			auth_answer_line(c, word, line);
		else if (auth_greeting_line(c, word, line) < 0)
			return;
	}
	if (c->link != link)
		return;
	if (r < 0) {
		auth_link_failed(c, "gave up the connection to", "a line is longer than 16384 octets", "");
		return;
	}
	buf_consume(&c->in, done);
	if (c->in.n == 0)
		buf_free(&c->in);
}

static void on_readable(struct auth_client *c)
{
	char *p = buf_reserve(&c->in, AUTH_MAX_LINE);
	ssize_t n;

	require(p != NULL);
	n = recv(c->fd, p, AUTH_MAX_LINE, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(c, n < 0 ? strerror(errno) : "the service closed it");
		return;
	}
	buf_commit(&c->in, (size_t)n);
	c->heard_ms = uv_now(c->loop);
	on_input(c);
}

static int socket_error(const struct auth_client *c)
{
	int error = 0;
	socklen_t size = sizeof error;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

static void on_connected(struct auth_client *c)
{
	int error = socket_error(c);

	if (error)
		auth_link_failed(c, "cannot connect to", strerror(error), advice(error));
	else
		greet(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct link *link = container_of(poll, struct link, poll);
	struct auth_client *c = link->client;

	if (c == NULL)
		return;
	if (c->state == LINK_CONNECTING) {
		on_connected(c);
		return;
	}
	if (status < 0) { /* libuv has but one word for every error and end */
		int error = socket_error(c);

		lost(c, error ? strerror(error) : "the service closed it");
		return;
	}
	if (events & UV_WRITABLE)
		auth_link_flush(c);
	if (link->client && (events & UV_READABLE))
		on_readable(c);
}

const char *auth_link_parse_unix(struct auth_client *c, const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *)(void *)&c->address;

	if (*path == '\0')
		return "the path is empty";
	if (strlen(path) >= sizeof un->sun_path)
		return "the path is longer than a socket's may be (107 octets)";
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	c->address_size = (socklen_t)sizeof *un;
	return NULL;
}

const char *auth_link_parse_inet(struct auth_client *c, const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list = NULL;
	struct str t = str_c(text);
	ptrdiff_t colon = str_rchr(t, ':');
	struct str host = str_sub(t, 0, colon < 0 ? 0 : (size_t)colon);
	char *name;
	int r;

	if (colon <= 0 || (size_t)colon + 1 == t.n)
		return "it is not inet:host:port";
	if (host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_sub(host, 1, host.n - 2);
	/* A chroot has no /etc/hosts. */
	name = xstrndup(str_ieq(host, STR("localhost")) ? STR("127.0.0.1") : host);
	r = getaddrinfo(name, text + colon + 1, &hints, &list);
	free(name);
	if (r != 0)
		return "the host has no address, or the port is no number";
	memcpy(&c->address, list->ai_addr, list->ai_addrlen);
	c->address_size = list->ai_addrlen;
	freeaddrinfo(list);
	return NULL;
}
