/* dest.c - destinations: a FIFO each, round robin among them, as many jobs at a time as they bear. */
#include "queued/queued.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	FORGET_AFTER_MS = 600 * 1000,
	PRIORITY_MS = 60 * 1000, /* of waiting, that a level of priority is worth */
	LIST_RCPTS = 50,	 /* a message with more recipients is a list: it does not go before other mail */
	REFUSED_MAX = 50,	 /* attempts again that may fail in a row */
	PRIORITIES = 2 * PRIORITY_MAX + 1,
	PROMPT_TURNS = 4 /* that many jobs of LANE_PROMPT for one of LANE_REST, when both have some */
};

static struct dest **slot_of(struct queued *q, uint32_t number)
{
	return &q->dest_hash[number % DEST_SLOTS];
}

struct dest *dest_by_number(const struct queued *q, uint32_t number)
{
	struct dest *d = q->dest_hash[number % DEST_SLOTS];

	while (d && d->number != number)
		d = d->hash_next;
	return d;
}

static struct dest *dest_new(struct queued *q, struct service *s, struct str key, uint32_t number)
{
	struct dest *d = xcalloc(1, sizeof *d + key.n + 1), **slot = slot_of(q, number);

	memcpy(d->key, key.p, key.n);
	d->nexthop = str_c(d->key + strlen(s->name) + 1);
	d->service = s;
	d->number = number;
	d->plain.last = &d->plain.first;
	d->window = s->window_first;
	d->used_ms = uv_now(q->child.loop);
	d->hash_next = *slot;
	*slot = d;
	q->n_dests++;
	return d;
}

struct dest *dest_get(struct queued *q, struct service *s, struct str nexthop)
{
	struct buf key = BUF_INIT(65536);
	struct dest *d;
	uint32_t number;

	buf_addf(&key, "%s\n%.*s", s->name, STR_ARG(nexthop));
	number = (uint32_t)str_hash(buf_str(&key));
	for (;; number++) { /* two keys with one hash: the later one takes the next number */
		if (number == 0)
			continue;
		d = dest_by_number(q, number);
		if (d == NULL || str_eq(str_c(d->key), buf_str(&key)))
			break;
	}
	if (d == NULL)
		d = dest_new(q, s, buf_str(&key), number);
	buf_free(&key);
	return d;
}

bool dest_is_dead(const struct queued *q, const struct dest *d)
{
	return d->dead_until_ms > uv_now(q->child.loop);
}

bool dest_refuses(const struct queued *q, const struct dest *d)
{
	return d->retry_at_ms > uv_now(q->child.loop);
}

/* Which goes next: of those that are first of their priority the one with the lowest rank. NULL: none is queued. */
static struct unit *head_of(const struct dest *d)
{
	struct unit *head = d->plain.first;

	for (size_t i = PRIORITIES; d->others && i > 0; i--) {
		struct unit *u = d->others[i - 1].first;

		if (u && (head == NULL || u->rank < head->rank))
			head = u;
	}
	return head;
}

static struct fifo *fifo_of(struct dest *d, const struct unit *u)
{
	int8_t priority = u->active->message->priority;

	if (priority == 0)
		return &d->plain;
	if (d->others == NULL) {
		d->others = xcalloc(PRIORITIES, sizeof *d->others);
		for (size_t i = 0; i < PRIORITIES; i++)
			d->others[i].last = &d->others[i].first;
	}
	return &d->others[priority + PRIORITY_MAX];
}

static enum lane lane_of(const struct dest *d)
{
	const struct active *a = head_of(d)->active;
	bool works = d->failures <= 0 && d->refused == 0 && d->dead_until_ms == 0;

	return works && a->n <= LIST_RCPTS && a->message->attempts == 0 ? LANE_PROMPT : LANE_REST;
}

void dest_enter_ring(struct queued *q, struct dest *d)
{
	struct ring *r;

	if (d->in_ring || d->queued == 0 || d->busy >= (unsigned)d->window || dest_pauses(q, d))
		return;
	r = &q->ring[d->service->kind][lane_of(d)];
	if (r->first == NULL)
		r->last = &r->first;
	d->in_ring = true;
	d->ring_next = NULL;
	*r->last = d;
	r->last = &d->ring_next;
}

static struct dest *leave_ring(struct ring *r)
{
	struct dest *d = r->first;

	r->first = d->ring_next;
	d->in_ring = false;
	d->ring_next = NULL;
	return d;
}

/* At the end of its priority; so one of a higher goes before those that have not waited much longer than it (RFC 6710). */
static void append(struct dest *d, struct unit *u)
{
	struct fifo *f = fifo_of(d, u);

	u->next = NULL;
	*f->last = u;
	f->last = &u->next;
	d->queued++;
}

static void prepend(struct dest *d, struct unit *u)
{
	struct fifo *f = fifo_of(d, u);

	u->next = f->first;
	f->first = u;
	if (u->next == NULL)
		f->last = &u->next;
	d->queued++;
}

void dest_push(struct queued *q, struct unit *u, bool front)
{
	struct dest *d = u->dest;

	if (front) {
		prepend(d, u);
	} else {
		u->rank = (int64_t)uv_now(q->child.loop) - u->active->message->priority * PRIORITY_MS;
		append(d, u);
	}
	d->used_ms = uv_now(q->child.loop);
	dest_enter_ring(q, d);
}

/* The rest of a list goes to the end: what came after it is served between its parts. */
static struct unit *pop(struct dest *d)
{
	struct unit *u = head_of(d);
	struct fifo *f = fifo_of(d, u);
	int64_t last_rank = container_of(f->last, struct unit, next)->rank;

	f->first = u->next;
	if (f->first == NULL)
		f->last = &f->first;
	u->next = NULL;
	d->queued--;
	if (u->more) {
		u->more->rank = last_rank > u->rank ? last_rank : u->rank;
		append(d, u->more);
	}
	u->more = NULL;
	return u;
}

static void end_unit(struct queued *q, struct unit *u, const char *dsn, const char *prefix, const char *why)
{
	char text[512];
	int n = snprintf(text, sizeof text, "%s%s", prefix, why);

	for (size_t i = 0; i < u->n; i++) {
		active_rcpt_end(u->rcpt[i], RCPT_DEFERRED, dsn,
			str_pn(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1));
		log_rcpt(q, u->rcpt[i], "deferred");
	}
	unit_done(q, u);
}

/* An operator was faster than its destination. */
static void withdraw(struct queued *q, struct unit *u)
{
	for (size_t i = 0; i < u->n; i++)
		active_rcpt_end(u->rcpt[i], RCPT_DEFERRED, "4.3.0", STR("withdrawn by the operator"));
	unit_done(q, u);
}

static void die(struct queued *q, struct dest *d, struct str dsn, struct str why)
{
	d->dead_until_ms = uv_now(q->child.loop) + q->min_backoff_s * 1000;
	free(d->why);
	d->why = xstrndup(why);
	snprintf(d->why_dsn, sizeof d->why_dsn, "%.*s", STR_ARG(dsn));
	d->failures = 0;
	while (d->queued > 0)
		end_unit(q, pop(d), d->why_dsn, "delivery temporarily suspended: ", d->why);
	while (dest_parked(d) > 0) /* fresh ones among them get their word when they are due */
		message_ready(q, dest_first_parked(d));
}

/*
 * Mail that is tried again and deferred again, and nothing that gets through between: what else waits for this
 * destination would fare no better. It waits until a few have been tried again. Fresh mail says nothing: a server that
 * wants to see everybody twice (greylisting) defers all of it.
 */
static void refused(struct queued *q, struct dest *d)
{
	uint64_t now = uv_now(q->child.loop);

	if (d->retry_at_ms > now)
		return;
	if (++d->refused < REFUSED_MAX)
		return;
	d->refused = 1;
	d->retry_at_ms = now + q->min_backoff_s * 1000;
}

static void failed(struct queued *q, struct dest *d, struct str dsn, struct str why)
{
	d->failures += 1 / d->window;
	d->window = d->window > 2 ? d->window - 1 / d->window : 1;
	if (!dest_is_dead(q, d) && (d->failures >= d->service->cohort_limit || d->dead_until_ms != 0))
		die(q, d, dsn, why);
}

/*
 * Growth is one for each window full of successes, shrinking one for each window full of failures; that many failures
 * without a success between them and the destination is dead for a while.
 */
void dest_result(struct queued *q, struct unit *u, enum job_end end, struct str dsn, struct str why)
{
	struct dest *d = u->dest;

	require(d->busy > 0);
	d->busy--;
	d->used_ms = uv_now(q->child.loop);
	dest_pause(q, d);
	if (end == JOB_DEAD) {
		failed(q, d, dsn, why);
	} else {
		d->failures = 0;
		d->dead_until_ms = 0;
		if (d->window < d->service->window_limit)
			d->window += 1 / d->window;
	}
	if (end == JOB_REFUSED && u->active->message->attempts > 0)
		refused(q, d);
	else if (end == JOB_SERVED)
		d->refused = 0, d->retry_at_ms = 0;
	dest_enter_ring(q, d);
}

/* Mail that fails keeps connections waiting: no more than half of what an agent can do is for it. */
static bool rest_may_go(const struct queued *q, unsigned kind)
{
	unsigned capacity = agents_capacity(q, kind == SERVICE_RELAY ? ROLE_RELAY : ROLE_DELIVER);

	return q->ring[kind][LANE_REST].first && q->busy_rest[kind] < (capacity > 1 ? capacity / 2 : 1);
}

/* -1: nothing is to go now. */
static int next_lane(struct queued *q, unsigned kind)
{
	bool rest = rest_may_go(q, kind);

	if (q->ring[kind][LANE_PROMPT].first == NULL)
		return rest ? LANE_REST : -1;
	return rest && q->ring_turn++ % (PROMPT_TURNS + 1) == 0 ? LANE_REST : LANE_PROMPT;
}

/* The next unit of a destination goes to an agent. */
static void serve(struct queued *q, struct dest *d, struct agent *g, enum lane lane)
{
	struct unit *u = pop(d);

	if (u->active->message->flags & (MF_DELETED | MF_HELD)) {
		withdraw(q, u);
		return;
	}
	if (dest_refuses(q, d) && unit_goes_back(q, u))
		return;
	d->busy++;
	u->lane = lane;
	if (agent_send(q, g, u) == 0)
		return;
	d->busy--;
	end_unit(q, u, "4.3.0", "", "the message cannot be read from the queue");
}

void schedule(struct queued *q)
{
	for (unsigned kind = 0; kind < 2; kind++) {
		int lane;

		while ((lane = next_lane(q, kind)) >= 0) {
			struct ring *r = &q->ring[kind][lane];
			struct dest *d = r->first;
			struct agent *g = agent_pick(q, kind == SERVICE_RELAY ? ROLE_RELAY : ROLE_DELIVER, d);

			if (g == NULL)
				break;
			leave_ring(r);
			if (d->queued > 0)
				serve(q, d, g, (enum lane)lane);
			dest_enter_ring(q, d);
			if (dest_parked(d) > 0)
				dest_unpark(q, d);
		}
	}
}

static void revive(struct dest *d)
{
	d->dead_until_ms = d->retry_at_ms = 0;
	d->refused = 0;
}

void dests_revive(struct queued *q)
{
	for (size_t i = 0; i < DEST_SLOTS; i++)
		for (struct dest *d = q->dest_hash[i]; d; d = d->hash_next)
			revive(d);
}

static bool is_forgettable(const struct queued *q, const struct dest *d)
{
	if (d->queued > 0 || d->busy || d->in_ring || d->is_pausing || dest_parked(d) > 0 || dest_is_dead(q, d) ||
		dest_refuses(q, d))
		return false;
	return uv_now(q->child.loop) - d->used_ms >= FORGET_AFTER_MS;
}

void dests_tick(struct queued *q)
{
	uint64_t now = uv_now(q->child.loop);

	for (size_t i = 0; i < DEST_SLOTS; i++) {
		for (struct dest **at = &q->dest_hash[i]; *at;) {
			struct dest *d = *at;

			dest_free_stranded(q, d);
			if (d->dead_until_ms && d->dead_until_ms <= now && d->window > 1)
				d->window =
					d->service->window_first < 2 ? d->service->window_first : 2; /* a few first */
			if (!is_forgettable(q, d)) {
				at = &d->hash_next;
				continue;
			}
			*at = d->hash_next;
			q->n_dests--;
			free(d->why);
			free(d->others);
			free(d);
		}
	}
}
