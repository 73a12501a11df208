/*
 * userdb:SOCKET[?FIELD]: asks Dovecot's authentication service for a user, over its userdb protocol. The value is
 * the field FIELD of the answer, or the user's name.
 *
 * One connection is kept; an answer must come within five seconds. Where the service ends it instead of answering (it was
 * started anew), the question is asked once more on a new one. After a failure the next second's lookups fail
 * without another try, so that a service that is away does not hold up all others.
 */
#include "map/map_text.h"
#include "map/table.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MS = 5000, REST_MS = 1000, FRESH_MS = 60000, LINE_MAX_OCTETS = 64 * 1024, MAJOR = 1 };

struct userdb_table {
	struct table table;
	char *path, *field;
	int fd; /* -1: none */
	bool greeted, cut_off;
	uint32_t id;
	struct buf in;
	uint64_t failed_ms, dialled_ms;
	char fault[256];
};

static struct userdb_table *userdb_of(struct table *t)
{
	return container_of(t, struct userdb_table, table);
}

static struct table *userdb_make(void)
{
	struct userdb_table *u = xcalloc(1, sizeof *u);

	u->fd = -1;
	u->in = BUF_INIT(LINE_MAX_OCTETS);
	return &u->table;
}

static void hang_up(struct userdb_table *u)
{
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	u->greeted = false;
	buf_reset(&u->in);
}

static void userdb_free(struct table *t)
{
	struct userdb_table *u = userdb_of(t);

	hang_up(u);
	buf_wipe(&u->in);
	free(u->path);
	free(u->field);
	free(u);
}

static void split_name(struct userdb_table *u)
{
	struct str rest = str_c(u->table.name), word;
	struct buf path = BUF_INIT(4096);

	/* "?" and not ",": a comma separates the tables of a list. */
	str_field(&rest, "?", &word);
	u->field = rest.n ? xstrndup(rest) : xstrdup("user");
	if (word.n && word.p[0] != '/' && *table_set_queue_directory(u->table.set))
		buf_addf(&path, "%s/", table_set_queue_directory(u->table.set));
	buf_add_str(&path, word);
	u->path = path.p ? path.p : xstrdup("");
}

static bool fault(struct userdb_table *u, const char *what, const char *reason)
{
	struct buf b = BUF_INIT(sizeof u->fault - 1);

	if (buf_addf(&b, "%s: %s", what, reason) != 0)
		buf_addf(&b, "%s", what);
	memcpy(u->fault, b.p, b.n + 1);
	buf_free(&b);
	u->failed_ms = table_now_ms();
	hang_up(u);
	return false;
}

static bool dial(struct userdb_table *u)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlen(u->path) >= sizeof sun.sun_path)
		return fault(u, "the path of the socket is too long", u->path);
	memcpy(sun.sun_path, u->path, strlen(u->path));
	u->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (u->fd < 0)
		return fault(u, "no socket", strerror(errno));
	if (connect(u->fd, (struct sockaddr *)&sun, sizeof sun) != 0)
		return fault(u, "cannot connect", strerror(errno));
	u->dialled_ms = table_now_ms();
	return true;
}

/* Wait for the socket. 0, or -1 when the time is over. */
static int wait_for(struct userdb_table *u, short events, uint64_t until)
{
	uint64_t now = table_now_ms();
	struct pollfd p = { .fd = u->fd, .events = events };

	return now < until && poll(&p, 1, (int)(until - now)) > 0 ? 0 : -1;
}

static bool write_all(struct userdb_table *u, struct str s, uint64_t until)
{
	while (s.n) {
		ssize_t n = send(u->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n > 0)
			s = str_from(s, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		else if (wait_for(u, POLLOUT, until) != 0)
			return false;
	}
	return true;
}

static bool cut_off(struct userdb_table *u, const char *what, const char *why)
{
	u->cut_off = true;
	return fault(u, what, why);
}

/* The next line, without LF, in `line` (a copy). False: time, end or overlength (u->fault). */
static bool read_line(struct userdb_table *u, struct buf *line, uint64_t until)
{
	for (;;) {
		ptrdiff_t lf = str_chr(buf_str(&u->in), '\n');
		char *at;
		ssize_t n;

		if (lf >= 0) {
			buf_reset(line);
			buf_add(line, u->in.p, (size_t)lf);
			buf_consume(&u->in, (size_t)lf + 1);
			return true;
		}
		if (wait_for(u, POLLIN, until) != 0)
			return fault(u, "no answer", "it took longer than five seconds");
		at = buf_reserve(&u->in, 4096);
		if (at == NULL)
			return fault(u, "bad answer", "the line is too long");
		n = recv(u->fd, at, 4096, 0);
		if (n > 0)
			buf_commit(&u->in, (size_t)n);
		else if (n == 0 || errno == ECONNRESET)
			return cut_off(u, "no answer", "the service closed the connection");
		else if (errno != EAGAIN && errno != EINTR)
			return fault(u, "no answer", strerror(errno));
	}
}

/* Both sides give their version, without waiting for each other's. */
static bool connected(struct userdb_table *u, uint64_t until)
{
	char end;

	/* An idle connection that the service has closed shows here, and costs no lookup. */
	if (u->fd >= 0) {
		ssize_t n = recv(u->fd, &end, 1, MSG_PEEK | MSG_DONTWAIT);

		if (table_now_ms() - u->dialled_ms > FRESH_MS)
			n = 0; /* so that a process that was stopped or reloaded loses its last client */
		if (n > 0 || (n < 0 && errno == EAGAIN))
			return true;
		hang_up(u);
	}
	if (!dial(u))
		return false;
	if (!write_all(u, STR("VERSION\t1\t1\n"), until))
		return fault(u, "cannot write", strerror(errno));
	return true;
}

/* A field with \001-escapes, as the protocol has them. */
static void unescape(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\001' && i + 1 < s.n) {
			c = s.p[++i];
			c = c == '0'   ? '\0'
			    : c == '1' ? '\001'
			    : c == 't' ? '\t'
			    : c == 'r' ? '\r'
			    : c == 'n' ? '\n'
				       : c;
		}
		buf_add_char(out, c);
	}
}

static void escape(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		const char *known = strchr("\001\t\r\n", s.p[i]);

		if (s.p[i] == '\0')
			buf_add_c(out, "\0010");
		else if (known)
			buf_addf(out, "\001%c", "1trn"[known - "\001\t\r\n"]);
		else
			buf_add_char(out, s.p[i]);
	}
}

/* USER<tab>id<tab>name<tab>key=value… */
static enum map_status take_user(struct userdb_table *u, struct str rest, struct buf *value)
{
	struct str name = { "", 0 }, word;

	str_field(&rest, "\t", &name);
	if (strcmp(u->field, "user") == 0) {
		unescape(name, value);
		return MAP_FOUND;
	}
	while (str_field(&rest, "\t", &word)) {
		ptrdiff_t eq = str_chr(word, '=');

		if (eq > 0 && str_eq(str_sub(word, 0, (size_t)eq), str_c(u->field))) {
			unescape(str_from(word, (size_t)eq + 1), value);
			return MAP_FOUND;
		}
	}
	return MAP_NOT_FOUND;
}

/* One line: a status, or -1: not the answer to our question. */
static int take_line(struct userdb_table *u, struct str line, struct buf *value)
{
	struct str rest = line, word, id;
	uint64_t number;

	if (!str_field(&rest, "\t", &word))
		return -1;
	if (str_eq(word, STR("VERSION"))) {
		if (!str_field(&rest, "\t", &id) || !str_u64(id, &number) || number != MAJOR)
			fault(u, "bad greeting", "it speaks another version of the protocol");
		u->greeted = true;
		return u->fd < 0 ? (int)MAP_TEMPORARY : -1;
	}
	if (!str_field(&rest, "\t", &id) || !str_u64(id, &number) || number != u->id)
		return -1;
	if (str_eq(word, STR("USER")))
		return (int)take_user(u, rest, value);
	if (str_eq(word, STR("NOTFOUND")))
		return MAP_NOT_FOUND;
	if (!str_eq(word, STR("FAIL")))
		return -1;
	/* A new connection may find a sound process: one of a Dovecot that was stopped stays while it has clients. */
	snprintf(u->fault, sizeof u->fault, "the service could not look the user up; see its log");
	hang_up(u);
	return MAP_TEMPORARY;
}

static enum map_status ask(struct userdb_table *u, struct str key, struct buf *value, uint64_t until)
{
	struct buf line = BUF_INIT(LINE_MAX_OCTETS);
	int status = -1;

	u->id = u->id >= 0x7FFFFFFF ? 1 : u->id + 1;
	buf_addf(&line, "USER\t%u\t", u->id);
	escape(key, &line);
	buf_add_c(&line, "\tservice=smtp\n");
	if (!write_all(u, buf_str(&line), until)) {
		cut_off(u, "cannot write", strerror(errno));
		status = MAP_TEMPORARY;
	}
	while (status < 0)
		status = read_line(u, &line, until) ? take_line(u, buf_str(&line), value) : (int)MAP_TEMPORARY;
	buf_wipe(&line);
	return (enum map_status)status;
}

static enum map_status userdb_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct userdb_table *u = userdb_of(t);
	uint64_t now = table_now_ms();
	enum map_status status = MAP_TEMPORARY;

	if (u->path == NULL)
		split_name(u);
	u->cut_off = u->failed_ms == 0 || now - u->failed_ms >= REST_MS;
	for (int tries = 0; tries < 2 && u->cut_off; tries++) {
		u->cut_off = false;
		u->failed_ms = 0;
		if (connected(u, now + ANSWER_MS))
			status = ask(u, key, value, now + ANSWER_MS);
	}
	if (status == MAP_TEMPORARY)
		buf_addf(why, "%s: the socket %s: %s", t->spec, u->path, u->fault);
	return status;
}

const struct table_type table_userdb = { "userdb", TABLE_LIVE | TABLE_REMOTE, userdb_make, userdb_find, userdb_free,
	NULL, NULL };
