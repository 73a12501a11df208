/* past.c - what the results of an earlier run say about the mail that is found in the log. */
#include "queued/queued.h"
#include "base/log.h"

#include <malloc.h>
#include <stdlib.h>

struct past_reason {
	uint32_t index, reason;
};
struct past_entry {
	struct past_entry *next;
	uint64_t id, generation;
	uint64_t next_us;
	uint32_t attempts;
	uint8_t flags;
	bool all_done;
	uint8_t held; /* enum hold_flag */
	bool tells_hold;
	uint32_t *done;
	uint32_t n_done;
	struct past_reason *reason;
	uint32_t n_reason;
};
struct past {
	struct past_entry **hash;
	size_t n_hash, n;
};

static size_t slot_of(const struct past *p, uint64_t id)
{
	return (size_t)((id * 0x9E3779B97F4A7C15U) >> 20) & (p->n_hash - 1);
}

struct past_entry *past_find(const struct queued *q, uint64_t id, uint64_t generation)
{
	if (q->past == NULL)
		return NULL;
	for (struct past_entry *e = q->past->hash[slot_of(q->past, id)]; e; e = e->next)
		if (e->id == id && e->generation == generation)
			return e;
	return NULL;
}

/* Of a copy that had moved when what was said of the new one was not flushed yet: it is as the one before was. */
struct past_entry *past_of_earlier_copy(const struct queued *q, uint64_t id, uint64_t generation)
{
	struct past_entry *last = NULL;

	if (q->past == NULL)
		return NULL;
	for (struct past_entry *e = q->past->hash[slot_of(q->past, id)]; e; e = e->next)
		if (e->id == id && e->generation < generation && (last == NULL || e->generation > last->generation))
			last = e;
	return last;
}

bool past_is_done(const struct queued *q, uint64_t id, uint64_t generation)
{
	if (q->past == NULL)
		return false;
	/* A later copy of the same message that is done ends the earlier one too. */
	for (struct past_entry *e = q->past->hash[slot_of(q->past, id)]; e; e = e->next)
		if (e->id == id && e->generation >= generation && e->all_done)
			return true;
	return false;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

bool past_rcpt_is_done(const struct past_entry *e, uint32_t index)
{
	if (e == NULL || e->n_done == 0)
		return false;
	return e->all_done || bsearch(&index, e->done, e->n_done, sizeof index, by_number) != NULL;
}

static void grow(struct past *p)
{
	struct past_entry **old = p->hash;
	size_t n = p->n_hash;

	p->n_hash = n ? n * 2 : 1024;
	p->hash = xcalloc(p->n_hash, sizeof(struct past_entry *));
	for (size_t i = 0; i < n; i++) {
		for (struct past_entry *e = old[i], *next; e; e = next) {
			struct past_entry **slot = &p->hash[slot_of(p, e->id)];

			next = e->next;
			e->next = *slot;
			*slot = e;
		}
	}
	free(old);
}

static struct past_entry *get(struct queued *q, uint64_t id, uint64_t generation)
{
	struct past_entry *e = past_find(q, id, generation), **slot;

	if (e)
		return e;
	if (q->past->n >= q->past->n_hash)
		grow(q->past);
	e = xcalloc(1, sizeof *e);
	e->id = id;
	e->generation = generation;
	slot = &q->past->hash[slot_of(q->past, id)];
	e->next = *slot;
	*slot = e;
	q->past->n++;
	return e;
}

static void add_done(struct past_entry *e, struct ipc_in *in)
{
	uint32_t n = ipc_get_u32(in);

	if (in->bad || n > in->rest.n / 4)
		return;
	if (n == 0) {
		e->all_done = true;
		return;
	}
	e->done = xrealloc(e->done, (e->n_done + n) * sizeof *e->done);
	for (uint32_t i = 0; i < n; i++)
		e->done[e->n_done++] = ipc_get_u32(in);
	qsort(e->done, e->n_done, sizeof *e->done, by_number);
}

static void drop_reasons(struct past_entry *e)
{
	for (uint32_t i = 0; i < e->n_reason; i++)
		reason_put(e->reason[i].reason);
	free(e->reason);
	e->reason = NULL;
	e->n_reason = 0;
}

static void set_deferred(struct past_entry *e, struct ipc_in *in)
{
	uint32_t n;

	e->next_us = ipc_get_u64(in);
	e->attempts = ipc_get_u32(in);
	e->flags = ipc_get_u8(in);
	n = ipc_get_u32(in);
	drop_reasons(e);
	if (in->bad || n > in->rest.n / 12)
		return;
	e->reason = xcalloc(n ? n : 1, sizeof *e->reason);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = ipc_get_u32(in);
		struct str dsn = ipc_get_str(in);
		struct str text = ipc_get_str(in);

		e->reason[e->n_reason++] = (struct past_reason){ index, reason_get(dsn, text) };
	}
}

static void remember_about(struct segment *r, uint64_t generation)
{
	if (r->n_about > 0 && r->about[r->n_about - 1] == generation)
		return;
	for (size_t i = 0; i < r->n_about; i++)
		if (r->about[i] == generation)
			return;
	if (r->n_about == r->cap_about) {
		r->cap_about = r->cap_about ? r->cap_about * 2 : 16;
		r->about = xrealloc(r->about, r->cap_about * sizeof *r->about);
	}
	r->about[r->n_about++] = generation;
}

static void take(struct queued *q, struct segment *r, const struct record *record)
{
	struct ipc_in in = { record->payload, false };
	uint64_t id = ipc_get_u64(&in), generation = ipc_get_u64(&in);
	struct past_entry *e;

	if (in.bad || segment_find(q, generation) == NULL)
		return; /* its segment was used again: history */
	remember_about(r, generation);
	e = get(q, id, generation);
	if (record->type == RECORD_DONE)
		add_done(e, &in);
	else if (record->type == RECORD_DEFER)
		set_deferred(e, &in);
	else if (record->type == RECORD_HOLD) {
		e->held = ipc_get_u8(&in);
		e->tells_hold = true;
	}
}

static struct segment *next_results(struct queued *q)
{
	struct segment *first = NULL;

	for (struct segment *s = q->segments; s; s = s->next) {
		if (s->head.class != SEG_RESULT || !s->in_recovery || s->was_read || s->state == SEG_BAD)
			continue;
		if (first == NULL || s->head.generation < first->head.generation)
			first = s;
	}
	return first;
}

static void results_end(struct segment *s)
{
	if (s->scan.skipped > 0)
		log_warn("segment file %08x: %llu octets of results are damaged", s->number,
			(unsigned long long)s->scan.skipped);
	s->known = s->scan.offset;
	s->was_read = true;
	s->state = SEG_CLOSED;
	log_scan_rest(&s->scan);
}

enum past_progress past_some(struct queued *q)
{
	enum { RECORDS_A_TURN = 2048 };
	unsigned n = 0;

	if (q->past == NULL) {
		q->past = xcalloc(1, sizeof *q->past);
		grow(q->past);
	}
	for (struct segment *s = next_results(q); s && s->again_ms == 0; s = next_results(q)) {
		struct record r;
		int err = 0;

		while (n < RECORDS_A_TURN && (err = log_scan_next(&s->scan, s->head.size, &r)) == 1) {
			take(q, s, &r);
			n++;
		}
		if (n == RECORDS_A_TURN)
			return PAST_MORE;
		if (err < 0) {
			reread_later(q, s, err);
			continue;
		}
		reread_worked(s);
		results_end(s);
	}
	return next_results(q) ? PAST_WAITS : PAST_READ;
}

static uint32_t reason_of(const struct past_entry *e, uint32_t index)
{
	for (uint32_t i = 0; i < e->n_reason; i++)
		if (e->reason[i].index == index)
			return e->reason[i].reason;
	return 0;
}

/* What came due while nobody ran is tried bit by bit: a million at once would keep fresh mail waiting. */
static uint64_t spread(struct queued *q, uint64_t wait_s)
{
	enum { OVERDUE_A_SECOND = 2000 };

	return wait_s > 0 ? wait_s : q->n_overdue++ / OVERDUE_A_SECOND;
}

bool past_tells_hold(const struct past_entry *e)
{
	return e && e->tells_hold;
}

void past_apply(struct queued *q, const struct past_entry *e, struct message *m)
{
	uint64_t now = queue_now_us(q);
	uint64_t wait = e && e->next_us > now ? (e->next_us - now) / 1000000 : 0;
	struct rcpt_ref *refs = message_rcpts(m);

	if (e == NULL)
		return;
	for (uint32_t i = 0; i < m->n_rcpt; i++) {
		uint32_t reason = reason_of(e, refs[i].index);

		refs[i].reason = reason_get(reason_dsn(reason), reason_text(reason));
	}
	m->attempts = (uint8_t)(e->attempts < 255 ? e->attempts : 255);
	m->flags |= e->flags & (DEFER_WARNED | DEFER_MOVED);
	m->by_told = (e->flags & DEFER_BY_TOLD) != 0;
	m->flags |= e->held & HOLD_EXPIRE ? MF_EXPIRE : 0;
	if (e->held & HOLD_HELD)
		message_hold(q, m);
	else if (e->attempts > 0)
		message_wait(q, m,
			spread(q, wait < q->max_backoff_s ? wait : q->max_backoff_s)); /* the clock may have jumped */
}

void past_end(struct queued *q)
{
	struct past *p = q->past;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_hash; i++) {
		for (struct past_entry *e = p->hash[i], *next; e; e = next) {
			next = e->next;
			drop_reasons(e);
			free(e->done);
			free(e);
		}
	}
	free(p->hash);
	free(p);
	q->past = NULL;
	malloc_trim(0); /* it may have been more than all that stays, and lies between that */
}
