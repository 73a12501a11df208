#include "queued/queued.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

enum { CHUNK_MESSAGES = 1024 };

struct message_chunk {
	struct message at[CHUNK_MESSAGES];
};

/* Ids are not secret but they are ours: their low bits spread well enough after one multiplication. */
static size_t slot_of(const struct queued *q, uint64_t id)
{
	return (size_t)((id * 0x9E3779B97F4A7C15U) >> 20) & (q->n_hash - 1);
}

struct message *message_find(const struct queued *q, uint64_t id)
{
	if (q->n_hash == 0)
		return NULL;
	for (struct message *m = q->hash[slot_of(q, id)]; m; m = m->hash_next)
		if (m->id == id)
			return m;
	return NULL;
}

static void hash_grow(struct queued *q)
{
	struct message **old = q->hash;
	size_t n = q->n_hash;

	q->n_hash = n ? n * 2 : 1024;
	q->hash = xcalloc(q->n_hash, sizeof(struct message *));
	for (size_t i = 0; i < n; i++) {
		for (struct message *m = old[i], *next; m; m = next) {
			struct message **slot = &q->hash[slot_of(q, m->id)];

			next = m->hash_next;
			m->hash_next = *slot;
			*slot = m;
		}
	}
	free(old);
}

static void chunk_new(struct queued *q)
{
	struct message_chunk *c = xcalloc(1, sizeof *c);

	q->chunks = xrealloc(q->chunks, (q->n_chunks + 1) * sizeof(struct message_chunk *));
	q->chunks[q->n_chunks++] = c;
	for (size_t i = CHUNK_MESSAGES; i > 0; i--) { /* used from the first on: a walk meets the oldest first */
		c->at[i - 1].next = q->unused;
		q->unused = &c->at[i - 1];
	}
}

struct message *message_new(struct queued *q, uint64_t id)
{
	struct message *m, **slot;

	if (q->unused == NULL)
		chunk_new(q);
	if (q->n_messages >= q->n_hash)
		hash_grow(q);
	m = q->unused;
	q->unused = m->next;
	memset(m, 0, sizeof *m);
	m->id = id;
	slot = &q->hash[slot_of(q, id)];
	m->hash_next = *slot;
	*slot = m;
	q->n_messages++;
	return m;
}

struct message *message_walk(const struct queued *q, size_t *at)
{
	while (*at < q->n_chunks * CHUNK_MESSAGES) {
		struct message *m = &q->chunks[*at / CHUNK_MESSAGES]->at[*at % CHUNK_MESSAGES];

		++*at;
		if (m->id != 0)
			return m;
	}
	return NULL;
}

struct rcpt_ref *message_rcpts(struct message *m)
{
	return m->n_rcpt == 1 ? &m->one : m->many;
}

static void drop_rcpts(struct queued *q, struct message *m)
{
	struct rcpt_ref *refs = message_rcpts(m);

	for (uint32_t i = 0; i < m->n_rcpt; i++)
		reason_put(refs[i].reason);
	if (m->n_rcpt > 1)
		free(m->many);
	q->n_rcpts -= m->n_rcpt;
	m->n_rcpt = 0;
	m->many = NULL;
}

void message_set_rcpts(struct queued *q, struct message *m, const struct rcpt_ref *refs, uint32_t n)
{
	struct rcpt_ref *many = NULL, one = { 0, 0, 0 };

	require(n > 0);
	if (n == 1) {
		one = refs[0];
	} else {
		many = xcalloc(n, sizeof *many);
		memcpy(many, refs, n * sizeof *many);
	}
	for (uint32_t i = 0; i < n; i++) /* hold the new before the old is let go: they may be the same */
		reason_get(reason_dsn(refs[i].reason), reason_text(refs[i].reason));
	drop_rcpts(q, m);
	m->n_rcpt = n;
	q->n_rcpts += n;
	if (n == 1)
		m->one = one;
	else
		m->many = many;
}

static void list_add(struct message_list *l, struct message *m)
{
	if (l->last == NULL)
		l->last = &l->first;
	m->next = NULL;
	m->prev = l->last;
	*l->last = m;
	l->last = &m->next;
	l->n++;
}

static struct message_list *parked_of(struct dest *d, const struct message *m)
{
	return &d->parked[m->priority > 0 || m->is_timed ? 0 : 1];
}

static struct message_list *list_of(struct queued *q, const struct message *m)
{
	switch ((enum message_state)m->state) {
	case MSG_WAITING:
		return &q->wheel[m->due_s % WHEEL_SLOTS];
	case MSG_READY:
		if (m->priority > 0)
			return &q->urgent[m->priority - 1];
		return m->flags & MF_FRESH ? &q->fresh : &q->due;
	case MSG_HELD:
		return &q->held;
	case MSG_PARKED:
		return parked_of(dest_by_number(q, m->dest), m);
	case MSG_ACTIVE:
		break;
	}
	return NULL;
}

void message_unlink(struct queued *q, struct message *m)
{
	struct message_list *l;

	if (m->prev == NULL)
		return;
	l = list_of(q, m);
	require(l != NULL);
	*m->prev = m->next;
	if (m->next)
		m->next->prev = m->prev;
	else
		l->last = m->prev;
	m->next = NULL;
	m->prev = NULL;
	l->n--;
	q->n_waiting -= m->state == MSG_WAITING;
	q->n_urgent -= m->state == MSG_READY && m->priority > 0;
}

void message_wait(struct queued *q, struct message *m, uint64_t seconds)
{
	message_unlink(q, m);
	m->state = MSG_WAITING;
	m->flags &= (uint8_t)~MF_FRESH;
	m->due_s = loop_now_s(q) + (uint32_t)(seconds < UINT32_MAX / 2 ? seconds : UINT32_MAX / 2) + (seconds == 0);
	list_add(list_of(q, m), m);
	q->n_waiting++;
}

void message_ready(struct queued *q, struct message *m)
{
	if (m->flags & MF_MOVING) { /* ended now, it would rise again from its copy, which is on its way */
		message_wait(q, m, 1);
		return;
	}
	message_unlink(q, m);
	m->state = MSG_READY;
	list_add(list_of(q, m), m);
	q->n_urgent += m->priority > 0;
	take_wake(q);
}

size_t messages_ready(const struct queued *q)
{
	return q->fresh.n + q->due.n + q->n_urgent;
}

void message_hold(struct queued *q, struct message *m)
{
	message_unlink(q, m);
	m->state = MSG_HELD;
	list_add(&q->held, m);
}

void message_park(struct queued *q, struct message *m, struct dest *d)
{
	message_unlink(q, m);
	m->dest = d->number;
	m->state = MSG_PARKED;
	list_add(parked_of(d, m), m);
}

/* The seconds that went by since the last turn: what is due in them becomes ready. */
void wheel_turn(struct queued *q)
{
	uint32_t now = loop_now_s(q);

	if (now - q->wheel_at > WHEEL_SLOTS)
		q->wheel_at = now - WHEEL_SLOTS;
	while (q->wheel_at != now) {
		struct message *next;

		q->wheel_at++;
		for (struct message *m = q->wheel[q->wheel_at % WHEEL_SLOTS].first; m; m = next) {
			next = m->next;
			if (m->due_s <= now)
				message_ready(q, m);
		}
	}
}

int message_envelope(struct queued *q, const struct message *m, struct arena *mem, struct envelope *e)
{
	struct buf payload = BUF_INIT(RECORD_MAX_OCTETS);
	int err = record_read(m->seg->fd, &m->seg->head, (uint64_t)m->commit_at * 8, RECORD_COMMIT, &payload);

	(void)q;
	if (err == 0 && envelope_decode(arena_dup(mem, buf_str(&payload)), mem, e) != 0)
		err = -EBADMSG;
	buf_free(&payload);
	return err;
}

int message_content_is_whole(const struct queued *q, const struct envelope *e)
{
	for (size_t i = 0; i < e->n_extent; i++) {
		const struct extent *x = &e->extent[i];
		const struct segment *s = segment_find(q, x->generation);
		int there = s ? record_check_data(s->fd, &s->head, x->offset, x->octets) : 0;

		if (there != 1)
			return there;
	}
	return 1;
}

enum { COMMIT_COST_OCTETS = 300 };

void message_ref_segments(struct queued *q, const struct message *m, const struct envelope *e)
{
	m->seg->live++;
	m->seg->live_octets += COMMIT_COST_OCTETS + (m->flags & MF_SPANS ? 0 : m->size);
	for (size_t i = 0; i < e->n_extent && (m->flags & MF_SPANS); i++) {
		struct segment *s = segment_find(q, e->extent[i].generation);

		if (s && s != m->seg && (i == 0 || e->extent[i].generation != e->extent[i - 1].generation))
			s->live++;
		if (s)
			s->live_octets += e->extent[i].octets;
	}
}

static void unref_spanned(struct queued *q, const struct message *m)
{
	struct arena *mem = arena_new(0);
	struct envelope e;
	int err = message_envelope(q, m, mem, &e);

	if (err != 0)
		log_warn("segment %llX: a COMMIT can no longer be read: %s; the segments of its content stay",
			(unsigned long long)m->seg->head.generation, strerror(-err));
	for (size_t i = 0; err == 0 && i < e.n_extent; i++) {
		struct segment *s = segment_find(q, e.extent[i].generation);

		if (s == NULL)
			continue;
		s->live_octets -= e.extent[i].octets < s->live_octets ? e.extent[i].octets : s->live_octets;
		if (s != m->seg && (i == 0 || e.extent[i].generation != e.extent[i - 1].generation))
			segment_unref(q, s, 0);
	}
	arena_free(&mem);
}

void message_free(struct queued *q, struct message *m)
{
	struct message **slot = &q->hash[slot_of(q, m->id)];

	require(m->active == NULL);
	q->damaged -= m->content_is_damaged;
	message_unlink(q, m);
	while (*slot != m)
		slot = &(*slot)->hash_next;
	*slot = m->hash_next;
	if (m->flags & MF_SPANS)
		unref_spanned(q, m);
	segment_unref(q, m->seg, COMMIT_COST_OCTETS + (m->flags & MF_SPANS ? 0 : m->size));
	drop_rcpts(q, m);
	m->id = 0;
	m->next = q->unused;
	q->unused = m;
	q->n_messages--;
}
