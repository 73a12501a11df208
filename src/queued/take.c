/* take.c - COMMIT records become messages: of segments that are being written, and of those that were found at start. */
#include "queued/queued.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>

enum {
	RECORDS_A_TURN = 512,
	OCTETS_A_TURN = 2 * 1024 * 1024, /* of a segment; results and new mail wait for no more than that */
	DECODED_AHEAD = 2000
};

void take_wake(struct queued *q)
{
	(void)q;
	if (!uv_is_active((uv_handle_t *)&q->busy))
		uv_idle_start(&q->busy, q->busy.idle_cb);
}

/* 1, 0, or negative errno: it cannot be read now. */
static int content_is_there(struct queued *q, struct segment *s, const struct envelope *e, bool *spans)
{
	int there = 1;

	*spans = false;
	for (size_t i = 0; i < e->n_extent; i++)
		*spans |= e->extent[i].generation != s->head.generation;
	for (size_t i = 0; i < e->n_extent && there == 1 && !(e->flags & ENV_LOST); i++) {
		struct envelope one = { .extent = &e->extent[i], .n_extent = 1 };

		if (one.extent->generation == s->head.generation)
			there = log_scan_has_data(&s->scan, one.extent->offset, one.extent->octets);
		else
			there = message_content_is_whole(q, &one);
	}
	return there < 0 && s->scan.passes_errors ? 0 : there;
}

/* The recipients that are not done. Returns their number. */
static uint32_t pending_rcpts(const struct envelope *e, const struct past_entry *past, struct rcpt_ref *refs)
{
	uint32_t n = 0;

	for (size_t i = 0; i < e->n_rcpt; i++)
		if (!past_rcpt_is_done(past, e->rcpt[i].index))
			refs[n++] = (struct rcpt_ref){ e->rcpt[i].index, domain_hash(e->rcpt[i].address), 0 };
	return n;
}

static void place(struct message *m, struct segment *s, const struct record *r, const struct envelope *e, bool spans)
{
	m->seg = s;
	m->commit_at = (uint32_t)(r->offset / 8);
	m->size = e->size < UINT32_MAX ? (uint32_t)e->size : UINT32_MAX;
	m->flags |= spans ? MF_SPANS : 0;
}

/* A message that we copied forward: from now on it is there. 0, or negative errno: it cannot be read now. */
static int relocate(
	struct queued *q, struct message *m, struct segment *s, const struct record *r, const struct envelope *e)
{
	struct segment *old = m->seg;
	bool spans = false;
	int there = content_is_there(q, s, e, &spans);

	if (there < 0)
		return there;
	m->flags &= (uint8_t)~MF_MOVING;
	if (there == 0) { /* the old one stays */
		damaged_copy_keep(q, s, r, e);
		return 0;
	}
	if (m->flags & MF_SPANS) {
		struct arena *mem = arena_new(0);
		struct envelope before;
		uint64_t last = 0;

		if (message_envelope(q, m, mem, &before) == 0) {
			for (size_t i = 0; i < before.n_extent; i++) {
				struct segment *x = segment_find(q, before.extent[i].generation);

				if (x && x != old && x->head.generation != last)
					segment_unref(q, x, before.extent[i].octets);
				last = before.extent[i].generation;
			}
		}
		arena_free(&mem);
	}
	segment_unref(q, old, m->size);
	m->flags = (uint8_t)((m->flags & ~MF_SPANS) | MF_MOVED);
	place(m, s, r, e, spans);
	message_ref_segments(q, m, e);
	if (m->state == MSG_HELD || (m->flags & (MF_HELD | MF_EXPIRE)) || (e->flags & ENV_HELD))
		result_hold(q, m);
	if (m->attempts > 0)
		result_defer(q, m);
	result_done_commit(q, m->id, old);
	if (m->flags & MF_DELETED)
		operate_delete(q, m);
	return 0;
}

static int seen_again(
	struct queued *q, struct message *m, struct segment *s, const struct record *r, const struct envelope *e)
{
	if (m->flags & MF_MOVING)
		return relocate(q, m, s, r, e);
	if (m->seg != s) /* recovery reads the newest copy first: this one is older */
		result_done_commit(q, m->id, s);
	return 0;
}

/*
 * Its sender will be told, when its time is over or an operator gives it up; until then fsck may mend it. But where it may
 * be the later copy of a message that moved, the earlier one may still be whole, and is what counts then.
 */
static bool is_told_of(struct queued *q, struct segment *s, const struct record *r, const struct envelope *e)
{
	bool only = e->id >> 20 == s->head.generation;
	char id[ENVELOPE_ID_TEXT];

	for (size_t i = 0; i < e->n_extent; i++) /* begun there, before its COMMIT */
		only |= e->id >> 20 == e->extent[i].generation;

	log_error("%s: from=<%.*s>: its content is damaged in segment file %08x; kept for `gatepost queue fsck`",
		envelope_id_text(e->id, id), STR_ARG(e->sender), s->number);
	if (only)
		q->damaged++;
	else
		damaged_copy_keep(q, s, r, e);
	return only;
}

struct admission {
	struct rcpt_ref *refs; /* of those that are not done */
	uint32_t n;
	struct past_entry *past; /* of this copy */
	bool is_damaged, spans;
};

static void admit_as(struct queued *q, struct segment *s, const struct record *r, struct arena **mem,
	struct envelope *e, const struct admission *a)
{
	struct past_entry *said = a->past;
	struct message *m = message_new(q, e->id);

	m->content_is_damaged = a->is_damaged;
	m->arrival_us = s->in_recovery ? e->arrival_us : queue_now_us(q);
	m->flags = MF_FRESH;
	m->priority = (int8_t)e->priority;
	m->is_timed = e->deliver_by_us > 0;
	place(m, s, r, e, a->spans);
	message_set_rcpts(q, m, a->refs, a->n);
	message_ref_segments(q, m, e);
	if (s->in_recovery)
		q->recovered++;
	else
		q->n_accepted++;
	m->state = MSG_READY;
	if (said == NULL && s->in_recovery)
		said = past_of_earlier_copy(q, e->id, s->head.generation);
	past_apply(q, said, m);
	if ((e->flags & ENV_HELD) && !past_tells_hold(said))
		message_hold(q, m);
	if (m->state == MSG_WAITING && (e->flags & ENV_LOST)) /* nothing that is worth the waiting */
		message_ready(q, m);
	if (m->state != MSG_READY || m->prev)
		return;
	message_ready(q, m);
	if (s->in_recovery || q->n_active + q->fresh.n + q->n_urgent > DECODED_AHEAD)
		return;
	active_new(q, m, *mem, e); /* takes the arena */
	*mem = NULL;
}

static struct admission admission_of(struct queued *q, struct segment *s, struct arena *mem, const struct envelope *e)
{
	struct admission a = { .refs = arena_array(mem, e->n_rcpt, sizeof *a.refs) };

	a.past = s->in_recovery ? past_find(q, e->id, s->head.generation) : NULL;
	a.n = pending_rcpts(e, a.past, a.refs);
	return a;
}

static int admit(struct queued *q, struct segment *s, const struct record *r, struct arena **mem, struct envelope *e)
{
	struct admission a = admission_of(q, s, *mem, e);
	int there = a.n > 0 ? content_is_there(q, s, e, &a.spans) : 0;

	if (a.n == 0 || there < 0)
		return there;
	a.is_damaged = there == 0;
	if (!a.is_damaged || is_told_of(q, s, r, e))
		admit_as(q, s, r, mem, e, &a);
	return 0;
}

/* All is read, and what these were made of is gone: the sender of each is told as of any damaged message. */
static void admit_damaged_copies(struct queued *q)
{
	struct arena *mem = arena_new(0);
	struct envelope e;
	struct segment *s;
	struct record r;

	while (damaged_copy_take_orphan(q, mem, &s, &r, &e)) {
		struct admission a = admission_of(q, s, mem, &e);

		a.is_damaged = true;
		for (size_t i = 0; i < e.n_extent; i++)
			a.spans |= e.extent[i].generation != s->head.generation;
		q->damaged++;
		admit_as(q, s, &r, &mem, &e, &a);
		require(mem != NULL); /* of before the start: it is not decoded ahead */
		arena_reset(mem);
	}
	arena_free(&mem);
}

/* 0, or negative errno: its content cannot be read now. */
static int take_commit(struct queued *q, struct segment *s, const struct record *r)
{
	struct arena *mem = arena_new(2048);
	struct envelope e;
	struct message *m;
	int err = 0;

	if (envelope_decode(arena_dup(mem, r->payload), mem, &e) != 0) {
		log_error("segment file %08x: a COMMIT at %" PRIu64
			  " cannot be understood; kept for `gatepost queue fsck`",
			s->number, r->offset);
		q->damaged++;
		s->damaged++;
	} else if (!s->in_recovery || !past_is_done(q, e.id, s->head.generation)) {
		m = message_find(q, e.id);
		if (m)
			err = seen_again(q, m, s, r, &e);
		else
			err = admit(q, s, r, &mem, &e);
	}
	arena_free(&mem);
	return err;
}

static void read_to_end(struct queued *q, struct segment *s)
{
	if (s->scan.skipped > 0)
		log_warn("segment file %08x: %" PRIu64 " octets are damaged and were passed over", s->number,
			s->scan.skipped);
	if (s->scan.unreadable > 0)
		log_error("segment file %08x: %" PRIu64
			  " octets cannot be read and were passed over; kept for `gatepost queue fsck`",
			s->number, s->scan.unreadable);
	if (s->scan.commits_lost > 0)
		log_error("segment file %08x: %u COMMIT records in it do not check; kept for `gatepost queue fsck`",
			s->number, s->scan.commits_lost);
	s->damaged += s->scan.commits_lost;
	q->damaged += s->scan.commits_lost;
	log_scan_rest(&s->scan);
	s->was_read = true;
	q->recycle_due = true;
}

/* Which of what is known has been read: recycle.c asks. */
static void note_progress(struct queued *q, struct segment *s, bool caught_up)
{
	if (caught_up) {
		s->read_to = ++q->log_turn;
	} else if (s->scan.offset >= s->mark) {
		s->read_to = s->mark_at;
		s->mark = s->known;
		s->mark_at = ++q->log_turn;
	}
}

/* Up to `budget` records, or OCTETS_A_TURN. Returns how many records were read. */
static unsigned read_segment(struct queued *q, struct segment *s, unsigned budget)
{
	uint64_t enough = s->scan.offset + OCTETS_A_TURN;
	unsigned n = 0;
	struct record r;
	int got = 1;

	s->scan.trusts_data = s->state == SEG_LENT && !s->in_recovery;
	while (n < budget && s->scan.offset < enough && (got = log_scan_next(&s->scan, s->known, &r)) == 1) {
		int err = r.type == RECORD_COMMIT ? take_commit(q, s, &r) : 0;

		if (err < 0) {
			s->scan.offset = r.offset;
			got = err;
			break;
		}
		n++;
	}
	if (got < 0)
		reread_later(q, s, got);
	else
		reread_worked(s);
	if (got == 0 && s->state == SEG_CLOSED) {
		read_to_end(q, s);
	} else if (got == 0 && s->state == SEG_LENT && s->scan.offset < s->known) {
		s->scan.offset = s->known; /* nothing good between: a write that failed */
	}
	note_progress(q, s, got == 0);
	return n;
}

static bool is_unread(const struct segment *s)
{
	if (s->head.class != SEG_MAIL || s->was_read)
		return false;
	return s->state == SEG_CLOSED || (s->state == SEG_LENT && s->scan.offset < s->known);
}

/* Unread, and does not wait for the disk. */
static bool is_readable(const struct segment *s)
{
	return is_unread(s) && s->again_ms == 0;
}

/* The newest, even if the disk does not give it now: of two copies that of the greater generation is read first. */
static struct segment *next_recovered(struct queued *q)
{
	struct segment *best = NULL;

	for (struct segment *s = q->segments; s; s = s->next)
		if (s->in_recovery && is_unread(s) && (best == NULL || s->head.generation > best->head.generation))
			best = s;
	return best;
}

/* Does somebody still write to a segment of before the start? Then what is known of the past is still needed. */
static bool is_awaited(const struct queued *q)
{
	for (const struct segment *s = q->segments; s; s = s->next)
		if (s->in_recovery && s->state == SEG_FOREIGN && s->head.class == SEG_MAIL)
			return true;
	return false;
}

static void end_recovery(struct queued *q)
{
	admit_damaged_copies(q);
	q->recovering = false;
	q->recycle_due = true;
	log_info("recovery: %llu messages in %llu ms, %llu damaged", (unsigned long long)q->recovered,
		(unsigned long long)(uv_now(q->child.loop) - q->recovery_began_ms), (unsigned long long)q->damaged);
	control_recovered(q);
	site_recovered();
}

/* What was written since the start. True: there is more. */
static bool take_new(struct queued *q)
{
	unsigned budget = RECORDS_A_TURN;
	bool more = false;

	for (struct segment *s = q->segments; s && budget > 0; s = s->next)
		if (!s->in_recovery && is_readable(s))
			budget -= read_segment(q, s, budget);
	q->unread = 0;
	for (struct segment *s = q->segments; s; s = s->next) {
		more |= !s->in_recovery && is_readable(s);
		if (!s->in_recovery && s->state == SEG_LENT)
			q->unread += s->known - s->scan.offset;
	}
	return more;
}

/* What was there at the start. True: there is more. */
static bool take_old(struct queued *q)
{
	struct segment *old;

	for (struct segment *s = q->segments; s; s = s->next)
		if (s->state == SEG_FOREIGN && s->head.class == SEG_MAIL && s->again_ms == 0)
			read_segment(q, s, RECORDS_A_TURN);
	old = next_recovered(q);
	if (old && old->again_ms == 0)
		read_segment(q, old, RECORDS_A_TURN * 4);
	else if (old == NULL && q->recovering)
		end_recovery(q);
	else if (old == NULL && q->past && !is_awaited(q))
		past_end(q);
	return old != NULL && old->again_ms == 0;
}

bool take_some(struct queued *q)
{
	bool more = take_new(q);
	enum past_progress past = PAST_READ;

	if (q->recovering && segments_wait_for_header(q))
		past = PAST_WAITS;
	else if (q->recovering)
		past = past_some(q);
	if (past == PAST_READ)
		more |= take_old(q);
	return more || past == PAST_MORE;
}
