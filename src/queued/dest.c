/* dest.c - destinations: a FIFO each, round robin among them, as many jobs at a time as they bear. */
#include "queued/queued.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { FORGET_AFTER_MS = 600 * 1000 };

static const struct {
	const char *name;
	enum service_kind kind;
} kinds[] = {
	{ "smtp", SERVICE_RELAY },
	{ "relay", SERVICE_RELAY },
	{ "lmtp", SERVICE_DELIVER },
	{ "virtual", SERVICE_DELIVER },
	{ "local", SERVICE_DELIVER },
	{ "pipe", SERVICE_DELIVER },
	{ "error", SERVICE_ERROR },
	{ "retry", SERVICE_RETRY },
	{ "discard", SERVICE_DISCARD },
};

static bool kind_of(struct str name, enum service_kind *kind)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (!str_eq(name, str_c(kinds[i].name)))
			continue;
		*kind = kinds[i].kind;
		return true;
	}
	return false;
}

static unsigned limit(const struct conf_view *v, const char *service, const char *suffix, const char *otherwise)
{
	char name[128];
	const char *value;
	uint64_t n;

	snprintf(name, sizeof name, "%s%s", service, suffix);
	value = conf_lookup(v, name);
	if (value == NULL || !str_u64(str_c(value), &n))
		n = (uint64_t)conf_int(v, otherwise);
	return n == 0 || n > UINT32_MAX ? UINT32_MAX : (unsigned)n; /* 0: no limit */
}

static void set_limits(const struct conf_view *v, struct service *s)
{
	s->window_first = limit(v, s->name, "_initial_destination_concurrency", "initial_destination_concurrency");
	s->window_limit = limit(v, s->name, "_destination_concurrency_limit", "default_destination_concurrency_limit");
	s->rcpts_limit = limit(v, s->name, "_destination_recipient_limit", "default_destination_recipient_limit");
	s->cohort_limit = limit(v, s->name, "_destination_concurrency_failed_cohort_limit",
		"default_destination_concurrency_failed_cohort_limit");
	if (s->rcpts_limit == 1) /* postconf(5): then the limit is of recipients, not of domains; a job is one anyway */
		s->window_first = s->window_limit;
	if (s->window_first > s->window_limit)
		s->window_first = s->window_limit;
	if (s->rcpts_limit > RCPTS_PER_JOB_MAX)
		s->rcpts_limit = RCPTS_PER_JOB_MAX;
}

struct service *service_get(struct queued *q, struct str name)
{
	const struct conf_service *row = conf_service_find(q->child.conf, name, "unix");
	struct service *s;

	for (s = q->services; s; s = s->next)
		if (str_eq(str_c(s->name), name))
			return s;
	s = xcalloc(1, sizeof *s);
	s->name = xstrndup(name);
	s->kind = SERVICE_RETRY;
	if (!kind_of(name, &s->kind) && !(row && kind_of(str_c(row->command), &s->kind)))
		log_warn("transport %s: no such service of type unix in master.cf; its mail waits", s->name);
	set_limits(q->child.main, s);
	s->next = q->services;
	q->services = s;
	return s;
}

static struct dest **slot_of(struct queued *q, struct str key)
{
	return &q->dest_hash[str_hash(key) % (sizeof q->dest_hash / sizeof *q->dest_hash)];
}

static uint32_t new_number(struct queued *q, struct dest *d)
{
	if (q->n_unused_dests > 0) {
		uint32_t number = q->unused_dests[--q->n_unused_dests];

		q->dests[number] = d;
		return number;
	}
	if (q->n_dests + 1 >= q->cap_dests) {
		q->cap_dests = q->cap_dests ? q->cap_dests * 2 : 64;
		q->dests = xrealloc(q->dests, q->cap_dests * sizeof(struct dest *));
		q->unused_dests = xrealloc(q->unused_dests, q->cap_dests * sizeof *q->unused_dests);
	}
	if (q->n_dests == 0)
		q->dests[q->n_dests++] = NULL; /* 0 is "none" */
	q->dests[q->n_dests] = d;
	return (uint32_t)q->n_dests++;
}

struct dest *dest_get(struct queued *q, struct service *s, struct str nexthop)
{
	struct buf key = BUF_INIT(65536);
	struct dest **slot, *d;

	buf_addf(&key, "%s\n%.*s", s->name, STR_ARG(nexthop));
	slot = slot_of(q, buf_str(&key));
	for (d = *slot; d; d = d->hash_next) {
		if (!str_eq(str_c(d->key), buf_str(&key)))
			continue;
		buf_free(&key);
		return d;
	}
	d = xcalloc(1, sizeof *d + key.n + 1);
	memcpy(d->key, key.p, key.n);
	d->nexthop = str_c(d->key + strlen(s->name) + 1);
	d->service = s;
	d->number = new_number(q, d);
	d->last = &d->first;
	d->window = s->window_first;
	d->used_ms = uv_now(q->child.loop);
	d->hash_next = *slot;
	*slot = d;
	buf_free(&key);
	return d;
}

struct dest *dest_by_number(const struct queued *q, uint32_t number)
{
	return number < q->n_dests ? q->dests[number] : NULL;
}

bool dest_is_dead(const struct queued *q, const struct dest *d)
{
	return d->dead_until_ms > uv_now(q->child.loop);
}

static void enter_ring(struct queued *q, struct dest *d)
{
	unsigned kind = d->service->kind;

	if (d->in_ring || d->first == NULL || d->busy >= (unsigned)d->window)
		return;
	if (q->ring_last[kind] == NULL)
		q->ring_last[kind] = &q->ring[kind];
	d->in_ring = true;
	d->ring_next = NULL;
	*q->ring_last[kind] = d;
	q->ring_last[kind] = &d->ring_next;
}

static struct dest *leave_ring(struct queued *q, unsigned kind)
{
	struct dest *d = q->ring[kind];

	q->ring[kind] = d->ring_next;
	if (q->ring[kind] == NULL)
		q->ring_last[kind] = &q->ring[kind];
	d->in_ring = false;
	d->ring_next = NULL;
	return d;
}

void dest_push(struct queued *q, struct unit *u, bool front)
{
	struct dest *d = u->dest;

	if (front) {
		u->next = d->first;
		d->first = u;
		if (u->next == NULL)
			d->last = &u->next;
	} else {
		u->next = NULL;
		*d->last = u;
		d->last = &u->next;
	}
	d->queued++;
	d->used_ms = uv_now(q->child.loop);
	enter_ring(q, d);
}

static struct unit *pop(struct dest *d)
{
	struct unit *u = d->first;

	d->first = u->next;
	if (d->first == NULL)
		d->last = &d->first;
	u->next = NULL;
	d->queued--;
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
	while (d->first)
		end_unit(q, pop(d), d->why_dsn, "delivery temporarily suspended: ", d->why);
}

/*
 * A job came back. Growth is one for each window full of successes, shrinking one for each window full of failures;
 * that many failures without a success between them and the destination is dead for a while.
 */
void dest_result(struct queued *q, struct dest *d, bool dead, struct str dsn, struct str why)
{
	require(d->busy > 0);
	d->busy--;
	d->used_ms = uv_now(q->child.loop);
	if (!dead) {
		d->failures = 0;
		d->dead_until_ms = 0;
		if (d->window < d->service->window_limit)
			d->window += 1 / d->window;
		enter_ring(q, d);
		return;
	}
	d->failures += 1 / d->window;
	d->window = d->window > 2 ? d->window - 1 / d->window : 1;
	if (!dest_is_dead(q, d) && (d->failures >= d->service->cohort_limit || d->dead_until_ms != 0))
		die(q, d, dsn, why);
	enter_ring(q, d);
}

void schedule(struct queued *q)
{
	for (unsigned kind = 0; kind < 2; kind++) {
		while (q->ring[kind]) {
			struct dest *d = q->ring[kind];
			struct agent *g = agent_pick(q, kind == SERVICE_RELAY ? ROLE_RELAY : ROLE_DELIVER, d);
			struct unit *u;

			if (g == NULL)
				break;
			leave_ring(q, kind);
			if (d->first == NULL)
				continue;
			u = pop(d);
			if (u->active->message->flags & (MF_DELETED | MF_HELD)) {
				withdraw(q, u);
				enter_ring(q, d);
				continue;
			}
			d->busy++;
			if (agent_send(q, g, u) != 0) {
				d->busy--;
				end_unit(q, u, "4.3.0", "", "the message cannot be read from the queue");
			}
			enter_ring(q, d);
		}
	}
}

void dests_tick(struct queued *q)
{
	uint64_t now = uv_now(q->child.loop);

	for (size_t i = 0; i < sizeof q->dest_hash / sizeof *q->dest_hash; i++) {
		for (struct dest **at = &q->dest_hash[i]; *at;) {
			struct dest *d = *at;

			if (d->dead_until_ms && d->dead_until_ms <= now && d->window > 1)
				d->window =
					d->service->window_first < 2 ? d->service->window_first : 2; /* a few first */
			if (d->first || d->busy || d->in_ring || dest_is_dead(q, d) ||
				now - d->used_ms < FORGET_AFTER_MS) {
				at = &d->hash_next;
				continue;
			}
			*at = d->hash_next;
			q->dests[d->number] = NULL;
			q->unused_dests[q->n_unused_dests++] = d->number;
			free(d->why);
			free(d);
		}
	}
}
