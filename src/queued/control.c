/*
 * control.c - public/queue, where postqueue(1), postsuper(1), postcat(1) and `gatepost queue` ask. A client sends one
 * line, gets lines of JSON, and the end of the connection. Root, the owners of the queue and of the mail, and who runs us
 * may all; others may list and flush, as authorized_mailq_users and authorized_flush_users say. docs/protocol/ipc.md
 */
#include "queued/control.h"
#include "base/door.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	LINE_MAX_OCTETS = 16384,
	CLIENTS_MAX = 64,
	FOR_OWNERS = 16, /* of these: other users cannot take all */
	TURN_NS = 4000000,
	TURN_LEAST_NS = 200000
};

struct control {
	struct door door;
	struct queued *q;
	int fd;
	unsigned n;
	struct client *waiting;		 /* for the end of recovery */
	uid_t owner[4];			 /* may do all */
	struct user_list lists, flushes; /* authorized_mailq_users, authorized_flush_users */
};

/* What a turn of the loop has for all clients together is shared. */
uint64_t client_until(const struct client *c)
{
	uint64_t part = TURN_NS / (c->control->n ? c->control->n : 1);

	return uv_hrtime() + (part < TURN_LEAST_NS ? TURN_LEAST_NS : part);
}

static void on_client(uv_poll_t *poll, int status, int events);

/* Until the log is read: what is not known yet can neither be shown nor changed. */
static void wait_for_recovery(struct client *c)
{
	c->waits = true;
	c->next_waiting = c->control->waiting;
	c->control->waiting = c;
	uv_poll_start(&c->poll, UV_DISCONNECT, on_client);
}

static void stop_waiting(struct client *c)
{
	struct client **at = &c->control->waiting;

	if (!c->waits)
		return;
	while (*at != c)
		at = &(*at)->next_waiting;
	*at = c->next_waiting;
	c->waits = false;
}

static void on_client_closed(uv_handle_t *handle)
{
	struct client *c = container_of((uv_poll_t *)(void *)handle, struct client, poll);

	stop_waiting(c);
	c->control->n--;
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	top_free(c);
	arena_free(&c->mem);
	free(c);
}

static void client_end(struct client *c)
{
	uv_poll_stop(&c->poll);
	uv_close((uv_handle_t *)&c->poll, on_client_closed);
}

static const struct change {
	const char *word;
	bool (*change)(struct queued *q, struct message *m);
} changes[] = {
	{ "delete", operate_delete },
	{ "hold", operate_hold },
	{ "release", operate_release },
	{ "requeue", operate_requeue },
	{ "expire", operate_expire },
	{ "expire-release", operate_expire_release },
	{ "flush", operate_flush },
};

static const char *begin_list(struct client *c, struct str rest)
{
	struct str word;

	while (str_word(&rest, "\t", &word))
		if (!filter_take(&c->filter, word))
			return "a filter was not understood";
	c->more = walk_list;
	return NULL;
}

static const char *begin_flush(struct client *c, struct str rest)
{
	struct str site = str_trim(str_from(rest, 5));

	if (str_eq(rest, STR("all"))) {
		c->change = operate_flush;
		c->more = walk_change;
		dests_revive(c->q);
		return NULL;
	}
	if (!str_has_prefix(rest, STR("site ")))
		return "not understood";
	if (!match_list_domain(c->q->flush_domains, site))
		return "not covered by fast_flush_domains";
	filter_take_domain(&c->filter, site);
	c->change = operate_flush;
	c->more = walk_change;
	dests_revive(c->q);
	return NULL;
}

/* "ID", "ALL", or filters. With an id or ALL the filters limit it, so all words are read before anything is done. */
static const char *begin_change(struct client *c, const struct change *how, struct str rest)
{
	bool all = false;
	struct message *m;
	struct str word;
	uint64_t id = 0;

	while (str_word(&rest, "\t", &word)) {
		if (str_eq(word, STR("ALL")) || filter_take(&c->filter, word))
			all = true;
		else if (str_chr(word, '=') >= 0)
			return "a filter was not understood";
		else if (id != 0 || !envelope_id_parse(word, &id))
			return "that is no queue id";
	}
	if (id == 0 && !all)
		return "not understood";
	c->change = how->change;
	if (id == 0) {
		c->more = walk_change;
		return NULL;
	}
	m = message_find(c->q, id);
	if (m)
		walk_visit(c, m);
	buf_addf(&c->out, "{\"count\": %zu}\n", c->changed);
	return NULL;
}

static bool is_owner(const struct control *k, uid_t uid)
{
	for (size_t i = 0; i < sizeof k->owner / sizeof *k->owner; i++)
		if (uid == k->owner[i])
			return true;
	return false;
}

static bool may(const struct client *c, struct str word)
{
	if (is_owner(c->control, c->uid))
		return true;
	if (str_eq(word, STR("list")) || str_eq(word, STR("top")))
		return user_list_has(&c->control->lists, c->uid);
	return str_eq(word, STR("flush")) && user_list_has(&c->control->flushes, c->uid);
}

/* docs/protocol/ipc.md has the words. NULL, or what is wrong. */
static const char *run(struct client *c, struct str word, struct str rest)
{
	struct message *m;
	uint64_t id;

	if (!may(c, word)) {
		log_warn("public/queue: uid %u may not ask for \"%.*s\"", (unsigned)c->uid, STR_ARG(word));
		return "no permission";
	}
	if (str_eq(word, STR("list")))
		return begin_list(c, rest);
	if (str_eq(word, STR("top"))) {
		top_begin(c);
		return NULL;
	}
	if (str_eq(word, STR("cat"))) {
		m = envelope_id_parse(rest, &id) ? message_find(c->q, id) : NULL;
		if (m == NULL || !cat_begin(c, m))
			return "no such message";
		c->more = cat_more;
		return NULL;
	}
	if (str_eq(word, STR("flush")) && (str_eq(rest, STR("all")) || str_has_prefix(rest, STR("site "))))
		return begin_flush(c, rest);
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
		if (str_eq(word, str_c(changes[i].word)))
			return begin_change(c, &changes[i], rest);
	return "not understood";
}

static void begin(struct client *c)
{
	struct str rest = c->line, word;
	const char *why;

	c->of = c->q->n_messages;
	why = str_word(&rest, " ", &word) ? run(c, word, str_trim(rest)) : "not understood";
	if (why)
		buf_addf(&c->out, "{\"error\": \"%s\"}\n", why);
	take_wake(c->q);
}

static void read_line(struct client *c)
{
	char *p = buf_reserve(&c->in, 512);
	ssize_t n = p ? read(c->fd, p, 512) : 0;
	struct str line;
	ptrdiff_t lf;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_end(c);
		return;
	}
	buf_commit(&c->in, (size_t)n);
	lf = str_chr(buf_str(&c->in), '\n');
	if (lf < 0)
		return;
	line = str_trim(str_sub(buf_str(&c->in), 0, (size_t)lf));
	c->progress = str_has_suffix(line, STR("\tprogress"));
	if (c->progress)
		line = str_trim(str_sub(line, 0, line.n - STR("\tprogress").n));
	c->line = line;
	c->asked = true;
	if (c->q->recovering && !str_eq(line, STR("top"))) { /* which says that more may come */
		wait_for_recovery(c);
		return;
	}
	begin(c);
	uv_poll_start(&c->poll, UV_WRITABLE | UV_DISCONNECT, on_client);
}

static void write_some(struct client *c)
{
	if (c->more && c->out.n < OUT_OCTETS && !c->more(c))
		c->more = NULL;
	while (c->out.n > 0) {
		ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			client_end(c);
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	if (c->more == NULL)
		client_end(c);
}

static void on_client(uv_poll_t *poll, int status, int events)
{
	struct client *c = container_of(poll, struct client, poll);

	if (status < 0 || (events & UV_DISCONNECT)) { /* it has had enough: a walk over all ends with its reader */
		client_end(c);
		return;
	}
	if (!c->asked) {
		read_line(c);
		return;
	}
	write_some(c);
}

static void on_control(struct door *door, int fd)
{
	struct control *k = container_of(door, struct control, door);
	struct ucred who;
	socklen_t n = sizeof who;
	struct client *c;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 ||
		k->n >= (is_owner(k, who.uid) ? CLIENTS_MAX : CLIENTS_MAX - FOR_OWNERS)) {
		static const char no[] = "{\"error\": \"too many ask at once\"}\n";

		send(fd, no, sizeof no - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->control = k;
	c->q = k->q;
	c->fd = fd;
	c->uid = who.uid;
	c->in = BUF_INIT(LINE_MAX_OCTETS);
	c->out = BUF_INIT(64 * 1024 * 1024);
	k->n++;
	uv_poll_init(k->q->child.loop, &c->poll, fd);
	uv_poll_start(&c->poll, UV_READABLE, on_client);
}

void control_recovered(struct queued *q)
{
	while (q->control && q->control->waiting) {
		struct client *c = q->control->waiting;

		stop_waiting(c);
		if (uv_is_closing((uv_handle_t *)&c->poll))
			continue;
		begin(c);
		uv_poll_start(&c->poll, UV_WRITABLE | UV_DISCONNECT, on_client);
	}
}

void control_open(struct queued *q)
{
	static struct control k;
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "public/queue" };
	const struct passwd *owner = getpwnam(conf_str(q->child.main, "mail_owner"));

	/* The path is relative: we stand in the queue directory. */
	mkdir("public", 0755);
	k.q = q;
	k.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(sa.sun_path);
	if (k.fd < 0 || bind(k.fd, (struct sockaddr *)&sa, sizeof sa) != 0 || chmod(sa.sun_path, 0666) != 0 ||
		listen(k.fd, 64) != 0)
		fatal("%s/public/queue: %s", q->child.queue_directory, strerror(errno));
	k.owner[0] = 0;
	k.owner[1] = geteuid();
	k.owner[2] = q->child.root ? q->child.uid : geteuid();
	k.owner[3] = owner ? owner->pw_uid : 0;
	user_list_read(&k.lists, str_c(conf_str(q->child.main, "authorized_mailq_users")));
	user_list_read(&k.flushes, str_c(conf_str(q->child.main, "authorized_flush_users")));
	q->control = &k;
}

void control_start(struct queued *q)
{
	door_open(&q->control->door, q->child.loop, q->control->fd, "public/queue", on_control);
}
