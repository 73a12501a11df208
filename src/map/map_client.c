#include "map/map_client.h"
#include "base/log.h"
#include "map/resolve.h"
#include "msg/map_msg.h"

#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MS = 10 * 1000, SLOTS_MAX = 65536 };

struct request_list {
	struct map_request *first, **last;
};

/* One connection to one mapd; lives until libuv has closed it. */
struct channel {
	struct ipc ipc;
	struct map_client *client; /* NULL: replaced or freed */
};

struct map_client {
	uv_loop_t *loop;
	uv_idle_t deliver; /* runs while `ready` has answers */
	uv_timer_t timeout;
	unsigned open_handles;
	bool freed;
	struct table_set *tables;
	struct resolve_settings settings;
	struct resolver *resolver;
	struct channel *channel;	    /* NULL: mapd is not there */
	struct request_list ready, waiting; /* waiting: for mapd, oldest first */
	struct map_request **slots;	    /* by id % n_slots */
	size_t n_slots, n_waiting;
	uint32_t next_id;
};

static void list_init(struct request_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct request_list *l, struct map_request *r)
{
	r->next = NULL;
	r->link = l->last;
	*l->last = r;
	l->last = &r->next;
}

static void list_take(struct request_list *l, struct map_request *r)
{
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	else
		l->last = r->link;
	r->next = NULL;
	r->link = NULL;
}

static void take(struct map_request *r)
{
	struct map_client *c = r->client;

	if (r->link == NULL)
		return;
	if (r->question_type) {
		c->slots[r->id % c->n_slots] = NULL;
		c->n_waiting--;
		r->question_type = 0;
		list_take(&c->waiting, r);
	} else {
		list_take(&c->ready, r);
	}
}

/* An answer is there: it is delivered from the loop. */
static void put_ready(struct map_request *r, const struct map_answer *a)
{
	r->status = a->status;
	r->why = a->why;
	r->value = a->value;
	r->class = a->class;
	r->exists = a->exists;
	r->unknown_text = map_unknown_text(a->class);
	r->expanded = a->expanded;
	r->n_expanded = a->n_expanded;
	r->alias_loop = a->alias_loop;
	r->service = a->service;
	r->nexthop = a->nexthop;
}

static void on_deliver(uv_idle_t *idle)
{
	struct map_client *c = container_of(idle, struct map_client, deliver);
	struct map_request *r = c->ready.first, **end = c->ready.last;

	/* Only what is there now: an answer may lead to the next question. */
	while (r) {
		bool last = &r->next == end;

		list_take(&c->ready, r);
		if (c->ready.first == NULL)
			uv_idle_stop(idle);
		r->on_answer(r);
		if (last || c->freed)
			return;
		r = c->ready.first;
	}
	uv_idle_stop(idle);
}

static void answer(struct map_request *r, const struct map_answer *a)
{
	put_ready(r, a);
	list_add(&r->client->ready, r);
	uv_idle_start(&r->client->deliver, on_deliver);
}

static void answer_temporary(struct map_request *r, const char *why)
{
	answer(r, &(struct map_answer){ .status = MAP_TEMPORARY, .class = CLASS_DEFAULT, .why = str_c(why) });
}

static void on_timeout(uv_timer_t *timer);

static void set_timer(struct map_client *c)
{
	uint64_t now = uv_now(c->loop);
	const struct map_request *r = c->waiting.first;

	if (r == NULL)
		uv_timer_stop(&c->timeout);
	else
		uv_timer_start(&c->timeout, on_timeout, r->deadline_ms > now ? r->deadline_ms - now : 0, 0);
}

static void on_timeout(uv_timer_t *timer)
{
	struct map_client *c = container_of(timer, struct map_client, timeout);

	while (c->waiting.first && c->waiting.first->deadline_ms <= uv_now(c->loop)) {
		struct map_request *r = c->waiting.first;

		take(r);
		answer_temporary(r, c->channel ? "mapd did not answer within 10 seconds" : "mapd is not there");
	}
	set_timer(c);
}

/* Addresses that the answer will have no room for: they wait in the request. */
static int on_more(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct map_client *c = container_of(ipc, struct channel, ipc)->client;
	uint32_t id = ipc_get_u32(in);
	struct map_request *r = c && c->n_slots ? c->slots[id % c->n_slots] : NULL;
	struct arena *unwanted;
	struct str *none = NULL;
	size_t n = 0;
	int e;

	(void)fds;
	(void)n_fds;
	if (r && r->id == id)
		return map_more_decode(in, r->mem, &r->expanded, &r->n_expanded);
	unwanted = arena_new(0);
	e = map_more_decode(in, unwanted, &none, &n);
	arena_free(&unwanted);
	return e;
}

static void join_expanded(struct map_request *r, struct map_answer *a)
{
	size_t n = r->n_expanded + a->n_expanded;
	struct str *all;

	if (r->n_expanded == 0)
		return;
	all = arena_array(r->mem, n, sizeof *all);
	memcpy(all, r->expanded, r->n_expanded * sizeof *all);
	if (a->n_expanded > 0)
		memcpy(all + r->n_expanded, a->expanded, a->n_expanded * sizeof *all);
	a->expanded = all;
	a->n_expanded = n;
}

static int on_answer(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct map_client *c = container_of(ipc, struct channel, ipc)->client;
	uint32_t id = ipc_get_u32(in);
	struct map_request *r;
	struct map_answer a;
	struct arena *unwanted;
	int e;

	(void)fds;
	(void)n_fds;
	r = c && c->n_slots ? c->slots[id % c->n_slots] : NULL;
	if (r && r->id == id) {
		if (map_answer_decode(in, r->mem, &a) != 0)
			return -1;
		join_expanded(r, &a);
		take(r);
		answer(r, &a);
		set_timer(c);
		return 0;
	}
	/* Too late, or cancelled: but it has to be well-formed. */
	unwanted = arena_new(0);
	e = map_answer_decode(in, unwanted, &a);
	arena_free(&unwanted);
	return e;
}

static const struct ipc_rule rules[] = { { MSG_MAP_ANSWER, 0, on_answer }, { MSG_MAP_MORE, 0, on_more } };

static void on_channel_closed(struct ipc *ipc)
{
	free(container_of(ipc, struct channel, ipc));
}

static void hang_up(struct map_client *c)
{
	struct channel *ch = c->channel;

	c->channel = NULL;
	if (ch) {
		ch->client = NULL;
		ipc_close(&ch->ipc, on_channel_closed);
	}
}

static void on_channel_end(struct ipc *ipc, enum ipc_end end)
{
	struct channel *ch = container_of(ipc, struct channel, ipc);

	if (end == IPC_VIOLATION)
		log_error("mapd broke the protocol of its channel: %s", ipc->why);
	/* The questions stay: master starts the next mapd, and they are asked again there. */
	if (ch->client)
		hang_up(ch->client);
}

void map_client_peer(struct map_client *c, int fd)
{
	struct channel *ch = xcalloc(1, sizeof *ch);

	hang_up(c);
	ch->client = c;
	c->channel = ch;
	ipc_open(&ch->ipc, c->loop, fd, rules, sizeof rules / sizeof *rules, on_channel_end);
	for (struct map_request *r = c->waiting.first; r && c->channel == ch; r = r->next) {
		r->n_expanded = 0; /* what the other one had begun to tell */
		ipc_send(&ch->ipc, r->question_type, r->question, NULL, 0);
	}
}

struct map_client *map_client_new(uv_loop_t *loop, const struct conf *conf)
{
	struct map_client *c = xcalloc(1, sizeof *c);

	c->loop = loop;
	list_init(&c->ready);
	list_init(&c->waiting);
	uv_idle_init(loop, &c->deliver);
	uv_timer_init(loop, &c->timeout);
	c->open_handles = 2;
	c->tables = table_set_new(TABLES_LOCAL, conf_str(conf_main(conf), "queue_directory"));
	resolve_settings_load(&c->settings, conf_main(conf));
	c->resolver = resolver_new(&c->settings, c->tables);
	return c;
}

static void free_when_closed(struct map_client *c)
{
	if (--c->open_handles == 0)
		free(c);
}

static void on_idle_closed(uv_handle_t *h)
{
	free_when_closed(container_of((uv_idle_t *)h, struct map_client, deliver));
}

static void on_timer_closed(uv_handle_t *h)
{
	free_when_closed(container_of((uv_timer_t *)h, struct map_client, timeout));
}

void map_client_free(struct map_client **c)
{
	struct map_client *gone = *c;

	*c = NULL;
	if (gone == NULL)
		return;
	gone->freed = true;
	while (gone->ready.first)
		take(gone->ready.first);
	while (gone->waiting.first)
		take(gone->waiting.first);
	hang_up(gone);
	resolver_free(&gone->resolver);
	table_set_free(&gone->tables);
	free(gone->slots);
	uv_close((uv_handle_t *)&gone->deliver, on_idle_closed);
	uv_close((uv_handle_t *)&gone->timeout, on_timer_closed);
}

static void grow_slots(struct map_client *c)
{
	struct map_request **old = c->slots;

	c->n_slots = c->n_slots ? c->n_slots * 2 : 64;
	c->slots = xcalloc(c->n_slots, sizeof *c->slots);
	/* Ids are distinct below the old size, so they are below the new one. */
	for (struct map_request *r = c->waiting.first; r; r = r->next)
		c->slots[r->id % c->n_slots] = r;
	free(old);
}

/* Ask mapd. Takes: question. */
static void ask(struct map_request *r, uint16_t type, struct buf *question)
{
	struct map_client *c = r->client;

	if (c->n_waiting * 2 >= c->n_slots)
		grow_slots(c);
	while (c->slots[r->id % c->n_slots])
		r->id = ++c->next_id;
	c->slots[r->id % c->n_slots] = r;
	c->n_waiting++;
	for (unsigned i = 0; i < 4; i++)
		question->p[i] = (char)(r->id >> (8 * i));
	r->question = arena_dup(r->mem, buf_str(question));
	r->question_type = type;
	r->n_expanded = 0;
	buf_free(question);
	r->deadline_ms = uv_now(c->loop) + ANSWER_MS;
	list_add(&c->waiting, r);
	if (c->waiting.first == r)
		set_timer(c);
	if (c->channel)
		ipc_send(&c->channel->ipc, type, r->question, NULL, 0);
}

static bool begin(struct map_client *c, struct map_request *r, size_t octets)
{
	require(r->on_answer && r->link == NULL);
	if (r->mem == NULL)
		r->mem = arena_new(0);
	r->client = c;
	r->question_type = 0;
	r->id = ++c->next_id;
	if (octets + 64 > IPC_MAX_OCTETS) {
		answer_temporary(r, "the question to mapd is too long");
		return false;
	}
	if (c->n_waiting >= SLOTS_MAX / 2) {
		answer_temporary(r, "too many questions to mapd are unanswered");
		return false;
	}
	return true;
}

void map_lookup(struct map_client *c, struct map_request *r, struct str tables, struct str key, enum map_how how)
{
	struct buf question = IPC_BUF;
	struct map_answer a;

	if (!begin(c, r, tables.n + key.n))
		return;
	resolve_lookup(c->resolver, tables, key, how, r->mem, &a);
	if (a.status != MAP_ELSEWHERE) {
		answer(r, &a);
		return;
	}
	ipc_put_u32(&question, r->id);
	ipc_put_u8(&question, (uint8_t)how);
	ipc_put_str(&question, tables);
	ipc_put_str(&question, key);
	ask(r, MSG_MAP_LOOKUP, &question);
}

void map_rcpt(struct map_client *c, struct map_request *r, struct str address)
{
	struct buf question = IPC_BUF;
	struct map_answer a;

	if (!begin(c, r, address.n))
		return;
	resolve_rcpt(c->resolver, address, r->mem, &a);
	if (a.status != MAP_ELSEWHERE) {
		answer(r, &a);
		return;
	}
	ipc_put_u32(&question, r->id);
	ipc_put_str(&question, address);
	ask(r, MSG_MAP_RCPT, &question);
}

void map_route(struct map_client *c, struct map_request *r, struct str address, struct str sender)
{
	struct buf question = IPC_BUF;
	struct map_answer a;

	if (!begin(c, r, address.n + sender.n))
		return;
	resolve_route(c->resolver, address, sender, r->mem, &a);
	if (a.status != MAP_ELSEWHERE) {
		answer(r, &a);
		return;
	}
	ipc_put_u32(&question, r->id);
	ipc_put_str(&question, address);
	ipc_put_str(&question, sender);
	ask(r, MSG_MAP_ROUTE, &question);
}

void map_cancel(struct map_request *r)
{
	struct map_client *c = r->client;

	if (r->link == NULL)
		return;
	take(r);
	if (c->ready.first == NULL)
		uv_idle_stop(&c->deliver);
	set_timer(c);
}

void map_done(struct map_request *r)
{
	if (r->link)
		map_cancel(r);
	arena_free(&r->mem);
}
