/*
 * top.c - what goes where, how fast, and why things wait. Messages that wait are gathered by the destination of their
 * last attempt, or, where that is not known (after a restart; several of them), by the domain of their first recipient.
 */
#include "queued/control.h"

#include <stdlib.h>

enum { SLOTS = 65536, ROWS_MAX = 32768, ROWS_SHOWN = 200, LOOK_AT_CLOCK = 256 };

struct row {
	uint32_t key; /* struct dest.number, or hash of the domain */
	bool is_domain;
	size_t waiting;
	uint64_t oldest_us;	 /* arrival */
	uint64_t sample, oldest; /* messages: one with the reason that most have; the oldest */
	uint32_t reason, votes;
};

struct top {
	struct row *row;
	size_t n, others;     /* messages of destinations that found no place */
	uint16_t slot[SLOTS]; /* number + 1 */
};

void top_begin(struct client *c)
{
	c->top = xcalloc(1, sizeof *c->top);
	c->top->row = xcalloc(ROWS_MAX, sizeof *c->top->row);
	c->more = top_more;
}

void top_free(struct client *c)
{
	if (c->top == NULL)
		return;
	free(c->top->row);
	free(c->top);
	c->top = NULL;
}

static struct row *row_of(struct top *t, uint32_t key, bool is_domain)
{
	uint32_t i = (key * 2654435761u + is_domain) % SLOTS;

	for (; t->slot[i]; i = (i + 1) % SLOTS) {
		struct row *r = &t->row[t->slot[i] - 1];

		if (r->key == key && r->is_domain == is_domain)
			return r;
	}
	if (t->n == ROWS_MAX)
		return NULL;
	t->row[t->n] = (struct row){ .key = key, .is_domain = is_domain };
	t->slot[i] = (uint16_t)(t->n + 1);
	return &t->row[t->n++];
}

/* The reason of the majority, if there is one, without counting each (Boyer and Moore). */
static void vote(struct row *r, const struct message *m, uint32_t reason)
{
	if (r->votes == 0) {
		r->reason = reason;
		r->sample = m->id;
	}
	if (reason == r->reason)
		r->votes++;
	else
		r->votes--;
}

static void count(struct client *c, struct message *m)
{
	const struct rcpt_ref *refs = message_rcpts(m);
	struct dest *d = m->dest ? dest_by_number(c->q, m->dest) : NULL;
	struct row *r;

	if (queue_of(m) != QUEUE_DEFERRED || m->state == MSG_PARKED || m->n_rcpt == 0)
		return; /* parked: its destination has it in a list of its own */
	r = row_of(c->top, d ? m->dest : refs[0].domain, d == NULL);
	if (r == NULL) {
		c->top->others++;
		return;
	}
	if (r->waiting++ == 0 || m->arrival_us < r->oldest_us) {
		r->oldest_us = m->arrival_us;
		r->oldest = m->id;
	}
	vote(r, m, refs[0].reason);
}

static int more_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->waiting < y->waiting ? 1 : x->waiting > y->waiting ? -1 : 0;
}

/* The name behind the hash is in an envelope. */
static void put_domain(struct client *c, const struct row *r)
{
	const struct message *m = message_find(c->q, r->oldest);
	struct arena *mem = arena_new(2048);
	struct str name = STR("?");
	struct envelope e;

	if (m && message_envelope(c->q, m, mem, &e) == 0)
		for (size_t i = 0; i < e.n_rcpt; i++)
			if (domain_hash(e.rcpt[i].address) == r->key)
				name = str_from(e.rcpt[i].address, (size_t)(str_rchr(e.rcpt[i].address, '@') + 1));
	put_json(&c->out, name);
	arena_free(&mem);
}

static void put_reason(struct client *c, const struct row *r, const struct dest *d)
{
	struct message *m = r->sample ? message_find(c->q, r->sample) : NULL;
	uint32_t reason = m && m->n_rcpt ? message_rcpts(m)->reason : 0;

	put_json(&c->out, reason ? reason_text(reason) : d && d->why ? str_c(d->why) : STR(""));
}

static void put_row(struct client *c, const struct row *r, bool first)
{
	struct dest *d = r->is_domain ? NULL : dest_by_number(c->q, r->key);
	uint64_t now_us = queue_now_us(c->q), now_ms = uv_now(c->q->child.loop);
	struct buf *out = &c->out;

	buf_add_c(out, first ? "\n{\"transport\": " : ",\n{\"transport\": ");
	put_json(out, d ? str_c(d->service->name) : STR(""));
	buf_add_c(out, ", \"nexthop\": ");
	if (d)
		put_json(out, d->nexthop);
	else
		put_domain(c, r);
	buf_addf(out, ", \"active\": %u, \"waiting\": %zu, \"deferred\": %zu", d ? d->busy : 0,
		d ? d->queued + dest_parked(d) : 0, r->waiting);
	if (d)
		buf_addf(out,
			", \"sent_per_minute\": %.1f, \"deferred_per_minute\": %.1f, \"bounced_per_minute\": %.1f, "
			"\"concurrency\": %u, \"concurrency_limit\": %u",
			dest_rate(c->q, d, RCPT_SENT), dest_rate(c->q, d, RCPT_DEFERRED),
			dest_rate(c->q, d, RCPT_BOUNCED), (unsigned)d->window, d->service->window_limit);
	buf_addf(out, ", \"suspended_seconds\": %llu, \"oldest_seconds\": %llu, \"reason\": ",
		(unsigned long long)(d && d->dead_until_ms > now_ms ? (d->dead_until_ms - now_ms) / 1000 : 0),
		(unsigned long long)(r->waiting && now_us > r->oldest_us ? (now_us - r->oldest_us) / 1000000 : 0));
	put_reason(c, r, d);
	buf_add_char(out, '}');
}

static bool is_busy(const struct queued *q, const struct dest *d)
{
	return d->busy || d->queued || dest_parked(d) || dest_is_dead(q, d) || dest_rate(q, d, RCPT_SENT) > 0 ||
	       dest_rate(q, d, RCPT_DEFERRED) > 0 || dest_rate(q, d, RCPT_BOUNCED) > 0;
}

static void put_all(struct client *c)
{
	const struct queued *q = c->q;
	struct top *t = c->top;

	for (size_t i = 0; i < DEST_SLOTS; i++)
		for (const struct dest *d = q->dest_hash[i]; d; d = d->hash_next)
			if (is_busy(q, d))
				row_of(t, d->number, false);
	qsort(t->row, t->n, sizeof *t->row, more_first); /* the slots do not count any more */
	buf_addf(&c->out,
		"{\"time\": %llu, \"messages\": %zu, \"recipients\": %zu, \"incoming\": %zu, \"active\": %zu, "
		"\"deferred\": %zu, \"hold\": %zu, \"accepted\": %llu, \"sent\": %llu, \"deferrals\": %llu, "
		"\"bounced\": %llu, \"recovering\": %s, \"intake\": %u, \"destinations\": [",
		(unsigned long long)(queue_now_us(q) / 1000000), q->n_messages, q->n_rcpts, q->fresh.n + q->n_urgent,
		q->n_active, q->n_waiting + q->due.n, q->held.n, (unsigned long long)q->n_accepted,
		(unsigned long long)q->n_sent, (unsigned long long)q->n_deferred, (unsigned long long)q->n_bounced,
		q->recovering ? "true" : "false", q->intake);
	for (size_t i = 0; i < t->n && i < ROWS_SHOWN; i++)
		put_row(c, &t->row[i], i == 0);
	for (size_t i = ROWS_SHOWN; i < t->n; i++)
		t->others += t->row[i].waiting;
	buf_addf(&c->out, "], \"destinations_in_all\": %zu, \"others_deferred\": %zu}\n", t->n, t->others);
}

bool top_more(struct client *c)
{
	uint64_t until = client_until(c);

	for (unsigned n = 1;; n++) {
		struct message *m = message_walk(c->q, &c->at);

		if (m == NULL) {
			put_all(c);
			return false;
		}
		count(c, m);
		if (n % LOOK_AT_CLOCK == 0 && uv_hrtime() > until)
			return true;
	}
}
