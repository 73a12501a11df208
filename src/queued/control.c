/*
 * control.c - public/queue, where postqueue(1), postsuper(1) and postcat(1) ask. A client sends one line, gets lines of
 * JSON, and the end of the connection. Who may ask: root, the owners of the queue and of the mail, and who runs us.
 * docs/protocol/ipc.md
 */
#include "queued/queued.h"
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
	LINE_MAX_OCTETS = 4096,
	CLIENTS_MAX = 64,
	OUT_OCTETS =
		256 * 1024, /* gathered before it is written; a listing of a million messages goes in such pieces */
	WALK_A_TURN = 4096
};

struct control {
	uv_poll_t poll;
	struct queued *q;
	int fd;
	unsigned n;
	uid_t allowed[4];
};

struct client {
	uv_poll_t poll;
	struct control *control;
	int fd;
	struct buf in, out;
	bool asked, walking;
	size_t at; /* of the walk */
	void (*each)(struct client *c, struct message *m);
	bool (*change)(struct queued *q, struct message *m);
	size_t changed;
	const struct message *content; /* cat: whose content is next */
};

static void on_client_closed(uv_handle_t *handle)
{
	struct client *c = container_of((uv_poll_t *)(void *)handle, struct client, poll);

	c->control->n--;
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void client_end(struct client *c)
{
	uv_poll_stop(&c->poll);
	uv_close((uv_handle_t *)&c->poll, on_client_closed);
}

static void put_json(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 32 || c == 127)
			buf_addf(out, "\\u%04x", c);
		else
			buf_add_char(out, (char)c);
	}
	buf_add_char(out, '"');
}

static const char *queue_name(const struct message *m)
{
	switch ((enum message_state)m->state) {
	case MSG_ACTIVE:
	case MSG_PARKED:
		return "active";
	case MSG_HELD:
		return "hold";
	case MSG_READY:
		return m->flags & MF_FRESH ? "incoming" : "deferred";
	case MSG_WAITING:
		break;
	}
	return "deferred";
}

/* The keys are postqueue(1)'s; "reason" is without the text's status code, as there. */
static void list_one(struct client *c, struct message *m)
{
	const struct rcpt_ref *refs = message_rcpts(m);
	struct arena *mem = arena_new(2048);
	char id[ENVELOPE_ID_TEXT];
	struct envelope e;
	uint32_t n = 0;

	if (message_envelope(c->control->q, m, mem, &e) == 0) {
		buf_addf(&c->out,
			"{\"queue_name\": \"%s\", \"queue_id\": \"%s\", \"arrival_time\": %llu, \"message_size\": "
			"%llu, "
			"\"forced_expire\": false, \"sender\": ",
			queue_name(m), envelope_id_text(m->id, id), (unsigned long long)(e.arrival_us / 1000000),
			(unsigned long long)e.size);
		put_json(&c->out, e.sender.n ? e.sender : STR("MAILER-DAEMON"));
		buf_add_c(&c->out, ", \"recipients\": [");
		for (size_t i = 0; i < e.n_rcpt && n < m->n_rcpt; i++) {
			if (e.rcpt[i].index != refs[n].index)
				continue;
			buf_add_c(&c->out, n ? ", {\"address\": " : "{\"address\": ");
			put_json(&c->out, e.rcpt[i].address);
			if (refs[n].reason) {
				buf_add_c(&c->out, ", \"delay_reason\": ");
				put_json(&c->out, reason_text(refs[n].reason));
			}
			buf_add_char(&c->out, '}');
			n++;
		}
		buf_add_c(&c->out, "]}\n");
	}
	arena_free(&mem);
}

static void change_one(struct client *c, struct message *m)
{
	c->changed += c->change(c->control->q, m);
}

static bool is_deferred_or_active(const struct message *m)
{
	return m->state != MSG_HELD;
}

static bool requeue(struct queued *q, struct message *m)
{
	return operate_requeue(q, m);
}

static const struct {
	const char *word;
	bool (*change)(struct queued *q, struct message *m);
} changes[] = {
	{ "delete", operate_delete },
	{ "hold", operate_hold },
	{ "release", operate_release },
	{ "requeue", requeue },
	{ "flush", operate_flush },
};

static void answer_count(struct client *c)
{
	buf_addf(&c->out, "{\"count\": %zu}\n", c->changed);
}

static void envelope_lines(struct client *c, const struct message *m, const struct envelope *e)
{
	struct buf *out = &c->out;

	buf_addf(out, "{\"queue_name\": \"%s\", \"arrival_us\": %llu, \"size\": %llu, \"sender\": ", queue_name(m),
		(unsigned long long)e->arrival_us, (unsigned long long)e->size);
	put_json(out, e->sender);
	buf_addf(out, ", \"octets\": %llu, \"attributes\": {", (unsigned long long)extents_octets(e));
	buf_add_c(out, "\"client_name\": ");
	put_json(out, e->client_name);
	buf_add_c(out, ", \"client_address\": ");
	put_json(out, e->client_addr);
	buf_add_c(out, ", \"protocol_name\": ");
	put_json(out, e->proto);
	buf_add_c(out, ", \"helo_name\": ");
	put_json(out, e->helo);
	buf_add_c(out, ", \"sasl_method\": ");
	put_json(out, e->sasl_method);
	buf_add_c(out, ", \"sasl_username\": ");
	put_json(out, e->sasl_username);
	buf_add_c(out, "}, \"recipients\": [");
	for (size_t i = 0; i < e->n_rcpt; i++) {
		buf_add_c(out, i ? ", {\"address\": " : "{\"address\": ");
		put_json(out, e->rcpt[i].address);
		buf_add_c(out, ", \"original\": ");
		put_json(out, e->rcpt[i].original);
		buf_add_c(out, ", \"orcpt\": ");
		put_json(out, e->rcpt[i].orcpt);
		buf_add_char(out, '}');
	}
	buf_add_c(out, "]}\n");
}

/* The line of the envelope, then the content in its wire form, as many octets as that line says. */
static void cat(struct client *c, struct message *m)
{
	struct queued *q = c->control->q;
	struct arena *mem = arena_new(2048);
	struct envelope e;
	int err = message_envelope(q, m, mem, &e);

	if (err == 0) {
		c->out.max = 2 * (size_t)extents_octets(&e) + 16 * 1024 * 1024;
		envelope_lines(c, m, &e);
	}
	for (size_t i = 0; err == 0 && i < e.n_extent; i++) {
		struct segment *s = segment_find(q, e.extent[i].generation);
		char *p = buf_reserve(&c->out, e.extent[i].octets);

		err = s && p ? pread_all(s->fd, p, e.extent[i].octets, e.extent[i].offset) : -ESTALE;
		if (err == 0)
			buf_commit(&c->out, e.extent[i].octets);
	}
	if (err != 0)
		log_warn("postcat: %s", strerror(-err));
	arena_free(&mem);
}

/* Words: "list", "flush all", "flush site D", "cat ID", "delete|hold|release|requeue|flush ID|ALL". */
static bool run(struct client *c, struct str word, struct str arg)
{
	struct queued *q = c->control->q;
	struct message *m;
	uint64_t id;

	if (str_eq(word, STR("list"))) {
		c->each = list_one;
		c->walking = true;
		return true;
	}
	if (str_eq(word, STR("flush")) && str_eq(arg, STR("all"))) {
		c->changed = operate_flush_all(q);
		answer_count(c);
		return true;
	}
	if (str_eq(word, STR("flush")) && str_has_prefix(arg, STR("site "))) {
		struct str site = str_trim(str_from(arg, 5));

		if (!site_is_covered(q, site)) {
			buf_add_c(&c->out, "{\"error\": \"not covered by fast_flush_domains\"}\n");
			return true;
		}
		c->changed = operate_flush_site(q, site);
		answer_count(c);
		return true;
	}
	m = envelope_id_parse(arg, &id) ? message_find(q, id) : NULL;
	if (str_eq(word, STR("cat")) && m) {
		cat(c, m);
		return true;
	}
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		if (!str_eq(word, str_c(changes[i].word)))
			continue;
		c->change = changes[i].change;
		c->each = change_one;
		c->walking = str_eq(arg, STR("ALL"));
		if (m)
			change_one(c, m);
		if (!c->walking)
			answer_count(c);
		return true;
	}
	return str_eq(word, STR("cat"));
}

static void walk_on(struct client *c)
{
	struct message *m;

	for (unsigned n = 0; c->walking && n < WALK_A_TURN && c->out.n < OUT_OCTETS; n++) {
		m = message_walk(c->control->q, &c->at);
		if (m == NULL) {
			c->walking = false;
			if (c->change)
				answer_count(c);
			return;
		}
		if (c->change == NULL || is_deferred_or_active(m) || c->change != operate_flush)
			c->each(c, m);
	}
}

static void read_line(struct client *c)
{
	char *p = buf_reserve(&c->in, 512);
	ssize_t n = p ? read(c->fd, p, 512) : 0;
	struct str line, word;
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
	c->asked = true;
	if (!str_word(&line, " ", &word) || !run(c, word, str_trim(line)))
		buf_add_c(&c->out, "{\"error\": \"not understood\"}\n");
	take_wake(c->control->q);
}

static void on_client(uv_poll_t *poll, int status, int events);

static void write_some(struct client *c)
{
	walk_on(c);
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
	if (!c->walking)
		client_end(c);
}

static void on_client(uv_poll_t *poll, int status, int events)
{
	struct client *c = container_of(poll, struct client, poll);

	(void)events;
	if (status < 0) {
		client_end(c);
		return;
	}
	if (!c->asked) {
		read_line(c);
		if (c->asked)
			uv_poll_start(&c->poll, UV_WRITABLE, on_client);
		return;
	}
	write_some(c);
}

static bool may_ask(const struct control *k, int fd)
{
	struct ucred who;
	socklen_t n = sizeof who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return false;
	for (size_t i = 0; i < sizeof k->allowed / sizeof *k->allowed; i++)
		if (who.uid == k->allowed[i])
			return true;
	log_warn("public/queue: uid %d may not ask here", (int)who.uid);
	return false;
}

static void on_control(uv_poll_t *poll, int status, int events)
{
	struct control *k = container_of(poll, struct control, poll);
	int fd = accept4(k->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;

	(void)status;
	(void)events;
	if (fd < 0)
		return;
	if (k->n >= CLIENTS_MAX || !may_ask(k, fd)) {
		static const char no[] = "{\"error\": \"no permission, or too many ask at once\"}\n";

		send(fd, no, sizeof no - 1, MSG_NOSIGNAL);
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->control = k;
	c->fd = fd;
	c->in = BUF_INIT(LINE_MAX_OCTETS);
	c->out = BUF_INIT(64 * 1024 * 1024);
	k->n++;
	uv_poll_init(k->q->child.loop, &c->poll, fd);
	uv_poll_start(&c->poll, UV_READABLE, on_client);
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
	k.allowed[0] = 0;
	k.allowed[1] = geteuid();
	k.allowed[2] = q->child.root ? q->child.uid : geteuid();
	k.allowed[3] = owner ? owner->pw_uid : 0;
	q->control = &k;
}

void control_start(struct queued *q)
{
	uv_poll_init(q->child.loop, &q->control->poll, q->control->fd);
	uv_poll_start(&q->control->poll, UV_READABLE, on_control);
}
