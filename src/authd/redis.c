/*
 * The stream of share.h, in Redis: XADD for what happens here, XREAD for what happened elsewhere. Two connections, because
 * one waits in XREAD. While Redis is away everything goes on by what this node knows; one line says that it went, and one
 * that it is back; what happened meanwhile is told then. Nothing waits for it, and what is kept and sent is bounded.
 */
#include "authd/login.h"
#include "authd/share.h"
#include "authd/untold.h"
#include "base/log.h"
#include "base/random.h"

#include <hiredis/async.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What the loop calls when there is something to read: the library ends the process by what nobody asked for. */
static void read_asked(redisAsyncContext *c);
static void on_poll(uv_poll_t *handle, int status, int events);
#define redisAsyncHandleRead		       read_asked
#define uv_poll_start(handle, events, its_own) uv_poll_start(handle, events, on_poll)
#include <hiredis/adapters/libuv.h>
#undef uv_poll_start
#undef redisAsyncHandleRead

/*
 * A connection that is refused is an error to libuv, of which some versions of the adapter take no notice: it would look as if
 * nobody answered. The library finds out what it is.
 */
static void on_poll(uv_poll_t *handle, int status, int events)
{
	const redisLibuvEvents *p = handle->data;

	redisLibuvPoll(handle, 0, status ? p->events : events);
}

enum {
	EVERY_MS = 1000,
	SILENT_MS = 10 * 1000,	 /* a connection that is not made, or not answered on, for so long is given up */
	WAIT_IN_REDIS_MS = 4000, /* of XREAD */
	ENTRIES_A_TURN = 500,
	SENT_MAX = 4096,	       /* entries that Redis has not confirmed: more are not sent */
	ANSWER_MAX = 16 * 1024 * 1024, /* octets */
	ELEMENTS_MAX = 65536	       /* of an array in an answer */
};
#define STREAM_MAX "100000" /* entries that Redis keeps, about */

struct link { /* one connection */
	struct redis *redis;
	redisAsyncContext *context; /* NULL: none */
	uint64_t heard_ms;	    /* when it last answered, or was begun */
	unsigned unanswered;
	bool is_up;
};

struct redis {
	struct authd *a;
	const struct share_settings *set;
	struct link reader, writer;
	uv_timer_t timer;
	struct untold untold;
	uv_getaddrinfo_t look_up;
	bool is_looking_up;
	char address[64]; /* "": not looked up */
	bool is_away;	  /* said */
};

static struct redis the_redis;

/* ---- there, or away ---- */

static void went(struct redis *r, const char *why)
{
	if (!r->is_away)
		log_warn("auth: Redis at %s is away: %s; failed logins are counted by this node alone until it is back",
			r->set->host, why);
	r->is_away = true;
}

static void came(struct redis *r)
{
	if (r->is_away)
		log_info("auth: Redis at %s is back; failed logins are counted with the other nodes", r->set->host);
	r->is_away = false;
}

static void drop(struct link *l, const char *why)
{
	redisAsyncContext *c = l->context;

	if (c == NULL)
		return;
	went(l->redis, why);
	l->context = NULL;
	l->is_up = false;
	redisAsyncFree(c);
}

static struct link *link_of(const redisAsyncContext *c)
{
	return c->data;
}

static bool has_more(const redisAsyncContext *c)
{
	return c->c.reader->pos < c->c.reader->len;
}

static void read_asked(redisAsyncContext *c)
{
	struct link *l = link_of(c);
	char octet;

	if (c->c.reader->len > ANSWER_MAX)
		drop(l, "its answer has no end");
	else if ((c->c.flags & REDIS_CONNECTED) && c->replies.head == NULL && recv(c->c.fd, &octet, 1, MSG_PEEK) > 0)
		drop(l, "it says what nobody asked for");
	else
		redisAsyncHandleRead(c);
}

#if HIREDIS_MAJOR > 0
typedef size_t array_size;
#else
typedef int array_size;
#endif
static const redisReplyObjectFunctions *library_objects;

static void *create_array(const redisReadTask *task, array_size n)
{
	return n >= 0 && (size_t)n <= ELEMENTS_MAX ? library_objects->createArray(task, n) : NULL;
}

/* An array is made when its length is read: that must not be any. */
static void bound_arrays(redisAsyncContext *c)
{
	static redisReplyObjectFunctions ours;

	library_objects = library_objects ? library_objects : c->c.reader->fn;
	ours = *library_objects;
	ours.createArray = create_array;
	c->c.reader->fn = &ours;
}

/* Of an answer. NULL: it was an error, or the end of the connection; said. */
static const redisReply *heard(redisAsyncContext *c, void *answer)
{
	struct link *l = link_of(c);
	const redisReply *reply = answer;

	if (l->context != c)
		return NULL;
	if (reply && c->replies.head == NULL && has_more(c)) {
		drop(l, "it says what nobody asked for");
		return NULL;
	}
	l->heard_ms = uv_now(l->redis->timer.loop);
	if (l->unanswered)
		l->unanswered--;
	if (reply && reply->type != REDIS_REPLY_ERROR) {
		if (l->redis->reader.is_up && l->redis->writer.is_up)
			came(l->redis);
		return reply;
	}
	/* The library is in the middle of this connection: on_timer() ends it. */
	went(l->redis, reply ? reply->str : *c->errstr ? c->errstr : "the connection ended");
	l->is_up = false;
	l->heard_ms = 0;
	return NULL;
}

/* ---- what others say ---- */

static void read_more(struct link *l);

static void take_entry(struct redis *r, const redisReply *entry)
{
	struct str field[2 * SHARE_FIELDS];
	const redisReply *id, *values;
	struct defence_event e;
	uint64_t node;
	size_t n = 0;

	if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2)
		return;
	id = entry->element[0];
	values = entry->element[1];
	if (id->type != REDIS_REPLY_STRING || !share_is_id(str_pn(id->str, (size_t)id->len)))
		return;
	snprintf(r->a->defence.seen, sizeof r->a->defence.seen, "%s", id->str);
	r->a->defence.is_changed = true;
	if (values->type != REDIS_REPLY_ARRAY)
		return;
	for (; n < values->elements && n < sizeof field / sizeof *field; n++) {
		if (values->element[n]->type != REDIS_REPLY_STRING)
			return;
		field[n] = str_pn(values->element[n]->str, (size_t)values->element[n]->len);
	}
	if (share_read(field, n, &e, &node) == 0 && node != r->a->defence.node)
		defence_apply(&r->a->defence, &e, wall_ms());
}

/* Of XREAD: nil when nothing came, else one stream, its name and its entries. */
static void on_entries(redisAsyncContext *c, void *answer, void *unused)
{
	const redisReply *reply = heard(c, answer), *stream;

	(void)unused;
	if (reply == NULL)
		return;
	if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) {
		stream = reply->element[0];
		if (stream->type == REDIS_REPLY_ARRAY && stream->elements == 2 &&
			stream->element[1]->type == REDIS_REPLY_ARRAY)
			for (size_t i = 0; i < stream->element[1]->elements; i++)
				take_entry(link_of(c)->redis, stream->element[1]->element[i]);
	}
	read_more(link_of(c));
}

enum { WORDS_MAX = 6 + SHARE_FIELDS };

static void send_words(struct link *l, redisCallbackFn *done, const struct str *word, size_t n)
{
	const char *p[WORDS_MAX];
	size_t length[WORDS_MAX];

	require(n <= WORDS_MAX);
	for (size_t i = 0; i < n; i++) {
		p[i] = word[i].p ? word[i].p : "";
		length[i] = word[i].n;
	}
	if (redisAsyncCommandArgv(l->context, done, NULL, (int)n, p, length) == REDIS_OK)
		l->unanswered++;
}

static struct str number(struct arena *mem, unsigned n)
{
	return str_c(arena_printf(mem, "%u", n));
}

static void read_more(struct link *l)
{
	const struct redis *r = l->redis;
	struct arena *mem = arena_new(0);
	const struct str words[] = { STR("XREAD"), STR("COUNT"), number(mem, ENTRIES_A_TURN), STR("BLOCK"),
		number(mem, WAIT_IN_REDIS_MS), STR("STREAMS"), str_c(r->set->stream),
		str_c(*r->a->defence.seen ? r->a->defence.seen : "0") };

	send_words(l, on_entries, words, sizeof words / sizeof *words);
	arena_free(&mem);
}

/* ---- what we say ---- */

static void on_confirmed(redisAsyncContext *c, void *answer, void *unused);

static bool can_tell(const struct redis *r)
{
	return r->writer.is_up && r->writer.unanswered < SENT_MAX;
}

static void tell(struct redis *r, const struct defence_event *event)
{
	struct defence_event e = *event;
	struct str words[WORDS_MAX] = { STR("XADD"), str_c(r->set->stream), STR("MAXLEN"), STR("~"), STR(STREAM_MAX),
		STR("*") };
	struct arena *mem = arena_new(0);

	if (e.user.n > UNTOLD_USER_MAX)
		e.user = STR("");
	share_write(&e, r->a->defence.node, mem, words + WORDS_MAX - SHARE_FIELDS);
	send_words(&r->writer, on_confirmed, words, WORDS_MAX);
	arena_wipe(&mem);
}

static void tell_untold(struct redis *r)
{
	char user[UNTOLD_USER_MAX];
	struct defence_event e;

	while (can_tell(r) && untold_take(&r->untold, &e, user))
		tell(r, &e);
	explicit_bzero(user, sizeof user);
}

static void on_confirmed(redisAsyncContext *c, void *answer, void *unused)
{
	(void)unused;
	if (heard(c, answer))
		tell_untold(link_of(c)->redis);
}

static void on_event(struct defence *d, const struct defence_event *e)
{
	struct redis *r = &the_redis;

	(void)d;
	if (r->untold.n == 0 && can_tell(r))
		tell(r, e);
	else
		untold_add(&r->untold, e);
}

/* ---- connections ---- */

static void log_in(struct link *l)
{
	const struct share_settings *set = l->redis->set;

	if (*set->password)
		send_words(l, on_confirmed, (struct str[]){ STR("AUTH"), str_c(set->password) }, 2);
	if (*set->db)
		send_words(l, on_confirmed, (struct str[]){ STR("SELECT"), str_c(set->db) }, 2);
	if (l == &l->redis->reader) {
		read_more(l);
		return;
	}
	send_words(l, on_confirmed, (struct str[]){ STR("PING") }, 1);
	tell_untold(l->redis);
}

static void on_connected(const redisAsyncContext *c, int status)
{
	struct link *l = link_of(c);

	if (l->context != c)
		return;
	if (status != REDIS_OK) {
		l->context = NULL; /* the library frees it */
		went(l->redis, c->errstr);
		return;
	}
	l->is_up = true;
	l->heard_ms = uv_now(l->redis->timer.loop);
	log_in(l);
}

static void on_gone(const redisAsyncContext *c, int status)
{
	struct link *l = link_of(c);

	(void)status;
	if (l->context != c)
		return;
	l->context = NULL;
	l->is_up = false;
	went(l->redis, *c->errstr ? c->errstr : "it ended the connection");
}

static void connect_link(struct redis *r, struct link *l)
{
	redisAsyncContext *c =
		r->set->path ? redisAsyncConnectUnix(r->set->path) : redisAsyncConnect(r->address, r->set->port);

	*l = (struct link){ .redis = r, .heard_ms = uv_now(r->timer.loop) };
	if (c == NULL || c->err || redisLibuvAttach(c, r->timer.loop) != REDIS_OK) {
		went(r, c && *c->errstr ? c->errstr : "no connection can be made");
		if (c)
			redisAsyncFree(c);
		return;
	}
	l->context = c;
	c->data = l;
	bound_arrays(c);
	redisAsyncSetConnectCallback(c, on_connected);
	redisAsyncSetDisconnectCallback(c, on_gone);
}

static void watch(struct redis *r, struct link *l)
{
	if (l->context && uv_now(r->timer.loop) - l->heard_ms > SILENT_MS)
		drop(l, "it does not answer");
	if (l->context == NULL && (r->set->path || *r->address))
		connect_link(r, l);
	else if (l == &r->writer && l->is_up && l->unanswered == 0)
		send_words(l, on_confirmed, (struct str[]){ STR("PING") }, 1);
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct redis *r = container_of(request, struct redis, look_up);

	r->is_looking_up = false;
	if (status != 0 || getnameinfo(list->ai_addr, list->ai_addrlen, r->address, sizeof r->address, NULL, 0,
				   NI_NUMERICHOST) != 0) {
		*r->address = '\0';
		went(r, status ? uv_strerror(status) : "its name has no address");
	}
	uv_freeaddrinfo(list);
	watch(r, &r->reader);
	watch(r, &r->writer);
}

/* In a thread: a name may take its time. An address is one at once. */
static void look_up(struct redis *r)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

	if (r->is_looking_up)
		return;
	r->is_looking_up = uv_getaddrinfo(r->timer.loop, &r->look_up, on_looked_up, r->set->host, NULL, &hints) == 0;
}

static void on_timer(uv_timer_t *t)
{
	struct redis *r = container_of(t, struct redis, timer);

	/* Looked up anew while it is away: it may have moved. */
	if (r->set->path == NULL && (*r->address == '\0' || r->is_away))
		look_up(r);
	watch(r, &r->reader);
	watch(r, &r->writer);
}

bool redis_is_there(void)
{
	return true;
}

void redis_start(struct authd *a)
{
	struct redis *r = &the_redis;

	if (a->set->share.host == NULL || !a->defence.set.is_on)
		return;
	r->a = a;
	r->set = &a->set->share;
	random_octets(&a->defence.node, sizeof a->defence.node);
	a->defence.on_event = on_event;
	uv_timer_init(a->child.loop, &r->timer);
	uv_timer_start(&r->timer, on_timer, 0, EVERY_MS);
}
