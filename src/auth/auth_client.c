#include "auth/auth_client.h"

#include "auth/auth_proto.h"
#include "base/log.h"
#include "sasl/base64.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BUCKETS = 256,
	OUT_MAX = 4 * 1024 * 1024, /* octets that the service may be behind before a request counts as unanswered */
	RETRY_MS = 1000,
	RETRY_FIRST_MS = 150, /* a service that starts together with us needs about that long */
	TICK_MS = 250,
	HANDSHAKE_MS = 10000,
	FRESH_MS = 60000, /* an older connection is made anew before the next request */
	MECHS_MAX = 64
};

enum link_state {
	LINK_DOWN,	 /* no descriptor; retry_ms says when to try again */
	LINK_CONNECTING, /* connect() is under way */
	LINK_GREETING,	 /* connected; before DONE */
	LINK_UP
};

/* One connection; libuv wants it to live until its close callback, when the next one may be under way already. */
struct link {
	uv_poll_t poll;
	struct auth_client *client; /* NULL: given up */
};

struct auth_client {
	uv_loop_t *loop;
	uv_timer_t timer;
	uv_prepare_t flush; /* what one turn of the loop asks leaves in one write */
	unsigned closing;
	char *path;
	struct sockaddr_storage address;
	socklen_t address_size;
	const char *address_error; /* static; NULL: address is good */
	uint64_t timeout_ms;
	enum link_state state;
	struct link *link;
	int fd;
	uint64_t retry_ms, tried_ms, handshake_ms; /* uv_now() */
	uint64_t up_ms, heard_ms;		   /* DONE came; the last octet came */
	dev_t dev;				   /* the socket's file when it was connected to; 0: none was seen */
	ino_t ino;
	unsigned failures;	 /* connections in a row that came to nothing */
	const char *what, *hint; /* of the last failure: "cannot connect to" why hint */
	char why[128];
	bool said; /* "cannot connect" is in the log, "is back" not yet */
	struct buf in, out;
	struct arena *mech_mem, *new_mem;
	struct auth_mech mechs[MECHS_MAX], new_mechs[MECHS_MAX];
	size_t n_mechs, n_new;
	uint32_t last_id;
	size_t n_requests;
	struct auth_request *bucket[BUCKETS];
	struct auth_request *temp, *bad; /* ended within a call of the caller: told from the timer */
};

/* ---- requests ---- */

static struct auth_request **find(struct auth_client *c, uint32_t id)
{
	struct auth_request **at = &c->bucket[id % BUCKETS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static struct auth_request *take(struct auth_client *c, uint32_t id)
{
	struct auth_request **at = find(c, id), *r = *at;

	if (r) {
		*at = r->next;
		r->next = NULL;
		c->n_requests--;
	}
	return r;
}

static void end(struct auth_request *r, enum auth_outcome outcome, struct str user, struct str reason)
{
	r->client = NULL;
	r->next = NULL;
	r->on_end(r, outcome, user, reason);
}

static void end_list(struct auth_request **list, enum auth_outcome outcome, const char *reason)
{
	struct auth_request *r;

	while ((r = *list) != NULL) {
		*list = r->next;
		end(r, outcome, STR(""), str_c(reason));
	}
}

static void on_timer(uv_timer_t *t);

static void arm(struct auth_client *c, uint64_t ms)
{
	if (!uv_is_active((uv_handle_t *)&c->timer) || uv_timer_get_due_in(&c->timer) > ms)
		uv_timer_start(&c->timer, on_timer, ms, 0);
}

static void end_later(struct auth_client *c, struct auth_request **list, struct auth_request *r)
{
	r->next = *list;
	*list = r;
	arm(c, 0);
}

/* All that was asked on a connection that is gone, told from the timer. */
static void end_all_later(struct auth_client *c)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct auth_request *r;

		while ((r = c->bucket[i]) != NULL) {
			c->bucket[i] = r->next;
			end_later(c, &c->temp, r);
		}
	}
	c->n_requests = 0;
}

/* ---- the connection ---- */

static void on_link_closed(uv_handle_t *h)
{
	free(container_of((uv_poll_t *)(void *)h, struct link, poll));
}

static void link_close(struct auth_client *c)
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

static void say_down(struct auth_client *c)
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
static void link_failed(struct auth_client *c, const char *what, const char *why, const char *hint)
{
	bool was_up = c->state == LINK_UP;
	uint64_t wait_ms;

	link_close(c);
	c->failures = was_up ? 0 : c->failures + 1;
	c->what = what;
	c->hint = hint;
	snprintf(c->why, sizeof c->why, "%s", why);
	if (c->n_requests || c->failures >= 2)
		say_down(c);
	end_all_later(c);
	wait_ms = was_up ? 0 : c->failures == 1 ? RETRY_FIRST_MS : RETRY_MS;
	c->retry_ms = uv_now(c->loop) + wait_ms;
	arm(c, wait_ms);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void link_flush(struct auth_client *c)
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
			link_failed(c, "lost the connection to", strerror(errno), "");
			return;
		}
		mem_wipe(c->out.p, (size_t)n);
		buf_consume(&c->out, (size_t)n);
	}
	uv_poll_start(&c->link->poll, UV_READABLE, on_poll);
}

static void on_flush(uv_prepare_t *p)
{
	struct auth_client *c = container_of(p, struct auth_client, flush);

	uv_prepare_stop(p);
	if (c->state == LINK_UP)
		link_flush(c);
}

static void greet(struct auth_client *c)
{
	struct buf asked = c->out;
	char hello[64];
	int n = snprintf(
		hello, sizeof hello, "VERSION\t%d\t%d\nCPID\t%d\n", AUTH_MAJOR, AUTH_MINOR_EMPTY, (int)getpid());

	c->state = LINK_GREETING;
	c->handshake_ms = uv_now(c->loop) + HANDSHAKE_MS;
	/* Requests wait in `out` for DONE: what the service offers is not known before. */
	c->out = BUF_INIT(OUT_MAX);
	buf_add(&c->out, hello, (size_t)n);
	link_flush(c);
	if (c->state == LINK_GREETING && c->out.n == 0) {
		buf_free(&c->out);
		c->out = asked;
		return;
	}
	buf_wipe(&asked);
	if (c->state == LINK_GREETING) /* 30 octets did not fit into a new socket: it is no working one */
		link_failed(c, "cannot talk to", "it takes no data", "");
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

static void try_connect(struct auth_client *c)
{
	uint64_t now = uv_now(c->loop);
	int r;

	c->tried_ms = now;
	note_file(c, &c->dev, &c->ino);
	if (c->address_error) {
		link_failed(c, "cannot use smtpd_sasl_path", c->address_error, "");
		return;
	}
	c->fd = socket(c->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		link_failed(c, "cannot connect to", strerror(errno), "");
		return;
	}
	do
		r = connect(c->fd, (const struct sockaddr *)&c->address, c->address_size);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno != EINPROGRESS) {
		int error = errno;

		link_failed(c, "cannot connect to", strerror(error), advice(error));
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
	arm(c, TICK_MS);
}

/*
 * A process of Dovecot's that was stopped or reloaded serves the connections that it has for as long as its clients keep
 * them, with its old settings or with no database behind it. So a connection that nobody is using is left when another
 * socket has taken the place of its own, and after a minute.
 */
static bool is_stale(struct auth_client *c)
{
	dev_t dev;
	ino_t ino;

	if (c->state != LINK_UP || c->n_requests)
		return false;
	note_file(c, &dev, &ino);
	return dev != c->dev || ino != c->ino || uv_now(c->loop) - c->up_ms > FRESH_MS;
}

/* ---- what the service says ---- */

static void on_mech(struct auth_client *c, struct str rest)
{
	struct str name, flag;
	struct auth_mech *m;

	if (!auth_field(&rest, &name) || name.n == 0 || name.n > 20 || c->n_new == MECHS_MAX)
		return; /* RFC 4422 sec. 3.1: a name has 1 to 20 characters */
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '_')
			return;
	if (c->new_mem == NULL)
		c->new_mem = arena_new(0);
	m = &c->new_mechs[c->n_new++];
	*m = (struct auth_mech){ .name = arena_dup(c->new_mem, name) };
	while (auth_field(&rest, &flag))
		m->flags |= auth_flag(flag);
}

static void on_done(struct auth_client *c)
{
	arena_free(&c->mech_mem);
	c->mech_mem = c->new_mem;
	c->new_mem = NULL;
	memcpy(c->mechs, c->new_mechs, sizeof c->mechs);
	c->n_mechs = c->n_new;
	c->n_new = 0;
	c->state = LINK_UP;
	c->up_ms = uv_now(c->loop);
	c->failures = 0;
	if (c->said)
		log_info("authentication service %s is back", c->path);
	c->said = false;
	link_flush(c);
}

/* Returns -1 when the connection was given up. */
static int greeting_line(struct auth_client *c, struct str word, struct str rest)
{
	struct str major;

	if (str_eq(word, STR("VERSION"))) {
		auth_field(&rest, &major);
		if (str_eq(major, STR("1")))
			return 0;
		link_failed(c, "cannot use", "it speaks another major version of the authentication protocol", "");
		return -1;
	}
	if (str_eq(word, STR("MECH"))) {
		on_mech(c, rest);
	} else if (str_eq(word, STR("SPID")) && c->n_new == 0) {
		link_failed(c, "cannot use", "it offers no mechanism",
			"; is it a master or userdb socket, not one for clients?");
		return -1;
	} else if (str_eq(word, STR("DONE"))) {
		on_done(c);
		return c->state == LINK_UP ? 0 : -1;
	}
	return 0;
}

static void on_ok(struct auth_request *r, struct str rest, struct arena *mem)
{
	struct str field, user = { 0 };

	while (auth_field(&rest, &field))
		if (auth_is_key(field, "user=", &user))
			break;
	user = auth_unescape(mem, user);
	if (user.n == 0)
		end(r, AUTH_TEMP, STR(""), STR("the authentication service gave no user name"));
	else
		end(r, AUTH_OK, user, STR(""));
}

static void on_fail(struct auth_request *r, struct str rest, struct arena *mem)
{
	enum auth_outcome outcome = AUTH_FAIL;
	struct str field, value, user = { 0 }, reason = { 0 };

	while (auth_field(&rest, &field)) {
		if (auth_is_key(field, "user=", &value))
			user = auth_unescape(mem, value);
		else if (auth_is_key(field, "reason=", &value))
			reason = auth_unescape(mem, value);
		else if (str_eq(field, STR("code=temp_fail")) || str_eq(field, STR("temp")))
			outcome = AUTH_TEMP; /* "temp": Dovecot before 2.3 */
		else if (str_eq(field, STR("code=invalid_base64")))
			outcome = AUTH_BAD_BASE64;
	}
	end(r, outcome, user, reason);
}

static void answer_line(struct auth_client *c, struct str word, struct str rest)
{
	struct auth_request *r;
	struct arena *mem;
	struct str field;
	uint32_t id;
	bool cont = str_eq(word, STR("CONT")), ok = str_eq(word, STR("OK"));

	if (!cont && !ok && !str_eq(word, STR("FAIL")))
		return; /* CANCELLED, and what later minors may add */
	if (!auth_field(&rest, &field) || !auth_id(field, &id))
		return;
	r = *find(c, id);
	if (r == NULL)
		return; /* cancelled, or timed out, meanwhile */
	if (cont) {
		if (!auth_field(&rest, &field) || str_eq(field, STR("#")))
			field = STR("");
		r->deadline_ms = 0; /* the client's turn */
		r->on_challenge(r, field);
		return;
	}
	take(c, id);
	mem = arena_new(0);
	if (ok)
		on_ok(r, rest, mem);
	else
		on_fail(r, rest, mem);
	arena_free(&mem);
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
			answer_line(c, word, line);
		else if (greeting_line(c, word, line) < 0)
			return;
	}
	if (c->link != link)
		return;
	if (r < 0) {
		link_failed(c, "gave up the connection to", "a line is longer than 16384 octets", "");
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
		link_failed(c, "lost the connection to", n < 0 ? strerror(errno) : "the service closed it", "");
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
		link_failed(c, "cannot connect to", strerror(error), advice(error));
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

		link_failed(c, "lost the connection to", error ? strerror(error) : "the service closed it", "");
		return;
	}
	if (events & UV_WRITABLE)
		link_flush(c);
	if (link->client && (events & UV_READABLE))
		on_readable(c);
}

/* ---- time ---- */

static void end_overdue(struct auth_client *c)
{
	uint64_t now = uv_now(c->loop);
	struct auth_request *late = NULL;
	bool was_late;

	for (size_t i = 0; i < BUCKETS; i++) {
		struct auth_request **at = &c->bucket[i], *r;

		while ((r = *at) != NULL) {
			if (r->deadline_ms == 0 || r->deadline_ms > now) {
				at = &r->next;
				continue;
			}
			*at = r->next;
			c->n_requests--;
			buf_addf(&c->out, "CANCEL\t%u\n", r->id);
			r->next = late;
			late = r;
		}
	}
	was_late = late != NULL;
	if (was_late)
		log_warn("authentication service %s did not answer within %u seconds", c->path,
			(unsigned)(c->timeout_ms / 1000));
	/* On the list of the client, so that a callback may cancel another one of them. */
	while (late) {
		struct auth_request *next = late->next;

		end_later(c, &c->temp, late);
		late = next;
	}
	/* Silent altogether: it will not answer the next one either. */
	if (was_late && c->state == LINK_UP && now - c->heard_ms >= c->timeout_ms)
		link_failed(c, "gave up the connection to", "the service is silent", "");
	if (c->out.n && c->state == LINK_UP)
		link_flush(c);
}

static void on_timer(uv_timer_t *t)
{
	struct auth_client *c = container_of(t, struct auth_client, timer);
	uint64_t now = uv_now(c->loop);

	if (c->n_requests)
		end_overdue(c);
	end_list(&c->bad, AUTH_BAD_BASE64, "");
	end_list(&c->temp, AUTH_TEMP, "the authentication service is not available");
	if (c->closing)
		return;
	if ((c->state == LINK_CONNECTING || c->state == LINK_GREETING) && c->handshake_ms <= now)
		link_failed(c, "gave up the connection to", "no handshake within 10 seconds",
			"; is it an authentication socket of Dovecot's protocol?");
	else if (c->state == LINK_DOWN && c->retry_ms <= now)
		try_connect(c);
	if (c->state == LINK_DOWN)
		arm(c, c->retry_ms > now ? c->retry_ms - now : 1);
	else if (c->n_requests || c->state != LINK_UP)
		arm(c, TICK_MS);
}

/* ---- the interface ---- */

static const char *parse_unix(struct auth_client *c, const char *path)
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

static const char *parse_inet(struct auth_client *c, const char *text)
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

struct auth_client *auth_client_new(uv_loop_t *loop, const char *path, unsigned timeout_s)
{
	struct auth_client *c = xcalloc(1, sizeof *c);

	c->loop = loop;
	c->path = xstrdup(path);
	c->fd = -1;
	c->timeout_ms = (uint64_t)timeout_s * 1000;
	c->in = BUF_INIT(2 * AUTH_MAX_LINE);
	c->out = BUF_INIT(OUT_MAX);
	if (strncmp(path, "inet:", 5) == 0)
		c->address_error = parse_inet(c, path + 5);
	else
		c->address_error = parse_unix(c, strncmp(path, "unix:", 5) == 0 ? path + 5 : path);
	uv_timer_init(loop, &c->timer);
	uv_prepare_init(loop, &c->flush);
	uv_update_time(loop);
	try_connect(c);
	return c;
}

static void on_closed(struct auth_client *c)
{
	if (--c->closing)
		return;
	free(c->path);
	free(c);
}

static void on_timer_closed(uv_handle_t *h)
{
	on_closed(container_of((uv_timer_t *)(void *)h, struct auth_client, timer));
}

static void on_flush_closed(uv_handle_t *h)
{
	on_closed(container_of((uv_prepare_t *)(void *)h, struct auth_client, flush));
}

void auth_client_free(struct auth_client **at)
{
	struct auth_client *c = *at;

	*at = NULL;
	if (c == NULL)
		return;
	link_close(c);
	arena_free(&c->mech_mem);
	c->closing = 2;
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->flush, on_flush_closed);
}

size_t auth_client_mechs(const struct auth_client *c, const struct auth_mech **first)
{
	*first = c->mechs;
	return c->n_mechs;
}

bool auth_client_is_up(const struct auth_client *c)
{
	return c->state == LINK_UP;
}

static void flush_soon(struct auth_client *c)
{
	if (c->state == LINK_UP && !uv_is_active((uv_handle_t *)&c->flush))
		uv_prepare_start(&c->flush, on_flush);
}

static bool is_base64(struct str s)
{
	struct buf raw = BUF_INIT(AUTH_MAX_LINE);
	bool good = s.n <= AUTH_MAX_INITIAL && (str_eq(s, STR("=")) || base64_decode(&raw, s) == 0);

	buf_wipe(&raw);
	return good;
}

static void add_request(struct buf *b, const struct auth_request *r)
{
	buf_addf(b, "AUTH\t%u\t%.*s", r->id, STR_ARG(r->mech));
	auth_add_field(b, "service=", r->service);
	if (r->local_ip.n)
		auth_add_field(b, "lip=", r->local_ip);
	if (r->remote_ip.n)
		auth_add_field(b, "rip=", r->remote_ip);
	if (r->local_port)
		buf_addf(b, "\tlport=%u", (unsigned)r->local_port);
	if (r->remote_port)
		buf_addf(b, "\trport=%u", (unsigned)r->remote_port);
	if (r->secured)
		buf_add_c(b, "\tsecured");
	buf_add_c(b, "\tnologin");
	if (r->has_initial)
		auth_add_field(b, "resp=", r->initial);
	buf_add_char(b, '\n');
}

/* Room for the longest line, so that none is ever sent in part. */
static bool has_room(const struct auth_client *c)
{
	return c->out.max - c->out.n > (size_t)2 * AUTH_MAX_LINE;
}

void auth_start(struct auth_client *c, struct auth_request *r)
{
	struct auth_request **at;

	r->client = c;
	r->next = NULL;
	if (r->has_initial && !is_base64(r->initial)) {
		end_later(c, &c->bad, r);
		return;
	}
	do
		r->id = ++c->last_id;
	while (r->id == 0 || *find(c, r->id));
	if (r->service.n + r->mech.n + r->local_ip.n + r->remote_ip.n > 1024 || !has_room(c)) {
		end_later(c, &c->temp, r);
		return;
	}
	if (is_stale(c)) {
		link_close(c);
		try_connect(c);
	}
	/* After a pause the first request finds out itself whether the service is there again. */
	if (c->state == LINK_DOWN && uv_now(c->loop) >= c->tried_ms + 100)
		try_connect(c);
	if (c->state == LINK_DOWN) {
		say_down(c);
		end_later(c, &c->temp, r);
		return;
	}
	r->deadline_ms = uv_now(c->loop) + c->timeout_ms;
	at = &c->bucket[r->id % BUCKETS];
	r->next = *at;
	*at = r;
	c->n_requests++;
	add_request(&c->out, r);
	flush_soon(c);
	arm(c, TICK_MS);
}

void auth_continue(struct auth_request *r, struct str base64)
{
	struct auth_client *c = r->client;

	if (c == NULL || *find(c, r->id) != r)
		return; /* it ended with its connection: on_end is on its way */
	if (!is_base64(base64) || !has_room(c)) {
		struct auth_request **list = has_room(c) ? &c->bad : &c->temp;

		take(c, r->id);
		buf_addf(&c->out, "CANCEL\t%u\n", r->id);
		end_later(c, list, r);
	} else {
		r->deadline_ms = uv_now(c->loop) + c->timeout_ms;
		buf_addf(&c->out, "CONT\t%u\t", r->id);
		buf_add_str(&c->out, str_eq(base64, STR("=")) ? STR("") : base64);
		buf_add_char(&c->out, '\n');
	}
	flush_soon(c);
	arm(c, TICK_MS);
}

static bool unlist(struct auth_request **list, struct auth_request *r)
{
	for (; *list; list = &(*list)->next)
		if (*list == r) {
			*list = r->next;
			return true;
		}
	return false;
}

void auth_cancel(struct auth_request *r)
{
	struct auth_client *c = r->client;

	if (c == NULL)
		return;
	r->client = NULL;
	if (unlist(&c->temp, r) || unlist(&c->bad, r) || *find(c, r->id) != r)
		return;
	take(c, r->id);
	buf_addf(&c->out, "CANCEL\t%u\n", r->id);
	flush_soon(c);
}
