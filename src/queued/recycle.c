/* recycle.c - when a segment may be used again. */
#include "queued/queued.h"
#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

/* A result segment may go when no segment that it speaks of is there any more: a DONE outlives its COMMIT. */
static bool results_are_history(const struct queued *q, struct segment *r)
{
	size_t n = 0;

	if (q->header_is_lost && r->in_recovery)
		return false;
	for (size_t i = 0; i < r->n_about; i++)
		if (segment_find(q, r->about[i]))
			r->about[n++] = r->about[i];
	r->n_about = n;
	return n == 0;
}

/*
 * May a COMMIT that was written before `s` was closed, and speaks of content in it, still be unread? Its writer ended `s`
 * only after it had announced that COMMIT, so it is enough to have read all that was known then.
 */
static bool is_awaited(const struct queued *q, const struct segment *s)
{
	for (const struct segment *x = q->segments; x; x = x->next) {
		if (x == s || x->head.class != SEG_MAIL || x->was_read || x->state == SEG_FREE || x->state == SEG_BAD)
			continue;
		if (x->state == SEG_LENT && x->scan.offset < x->owed)
			return true;
		if (x->state == SEG_LENT && x->scan.offset >= x->known)
			continue;
		if (x->read_to <= s->closed_at)
			return true;
	}
	return false;
}

static bool may_recycle(const struct queued *q, struct segment *s)
{
	if (s->is_looked_at || s->state != SEG_CLOSED || !s->was_read || s->live > 0 || s->damaged > 0 || q->recovering)
		return false;
	if (s->head.class == SEG_MAIL && s->scan.unreadable > 0)
		return false;
	return s->head.class == SEG_MAIL ? !is_awaited(q, s) : results_are_history(q, s);
}

/* The greatest generation must stay known: the next one given is greater. */
static bool is_newest(const struct queued *q, const struct segment *s)
{
	for (const struct segment *x = q->segments; x; x = x->next)
		if (x->head.generation > s->head.generation)
			return false;
	return true;
}

/* Where a flush failed nothing is kept again. */
static void give_up(struct queued *q, struct segment *s)
{
	segment_unlink(q, s);
	if (s->no_file && fsync(q->dir) == 0)
		return;
	log_error("segment file %08x: cannot be removed; left alone", s->number);
	s->no_file = false;
	s->state = SEG_BAD;
}

static void make_spare(struct queued *q, struct segment *s)
{
	struct segment_head h = s->head;
	int err;

	agents_drop_segment(q, s->head.generation);
	if (s->agent_fd >= 0)
		close(s->agent_fd);
	s->agent_fd = -1;
	if (segment_is_locked(s)) /* an agent has not closed it yet; the next tick tries again */
		return;
	log_scan_rest(&s->scan);
	if (s->failed) {
		give_up(q, s);
		return;
	}
	h.class = SEG_SPARE;
	err = segment_head_write(s->fd, &h);
	if (err != 0) {
		segment_head_failed(s, err);
		return;
	}
	s->head = h;
	s->state = SEG_FREE;
	if (segments_count(q, SEG_FREE) > SPARES_MAX && !is_newest(q, s))
		segment_unlink(q, s);
}

static void drop_unlinked(struct queued *q)
{
	for (struct segment **at = &q->segments; *at;) {
		struct segment *s = *at;

		if (s->no_file) {
			*at = s->next;
			close(s->fd);
			free(s->about);
			free(s);
		} else {
			at = &s->next;
		}
	}
}

void segments_recycle(struct queued *q)
{
	bool flushed = false, stuck = false;

	for (struct segment *s = q->segments; s && !stuck; s = s->next) {
		if (!may_recycle(q, s))
			continue;
		/* A message that was moved away from here must not rise again from a second COMMIT elsewhere. */
		if (!flushed && s->head.class == SEG_MAIL && result_flush(q, true) != 0) {
			stuck = true;
			if (segments_count(q, SEG_FREE) > 0 || !q->create_failed)
				break; /* but where else should the results go? */
		}
		flushed |= s->head.class == SEG_MAIL;
		make_spare(q, s);
	}
	drop_unlinked(q);
	segments_serve(q);
}

/* Where the last COMMIT ends that stands in a lent segment now. One that cannot be read owes all. */
static uint64_t last_commit_end(const struct segment *s)
{
	uint64_t end = 0;
	struct log_scan scan;
	struct record r;
	int got;

	log_scan_begin(&scan, s->fd, &s->head);
	scan.offset = s->scan.offset;
	scan.no_skip = scan.trusts_data = true;
	while ((got = log_scan_next(&scan, s->head.size, &r)) == 1)
		end = r.type == RECORD_COMMIT ? scan.offset : end;
	log_scan_rest(&scan);
	return got < 0 ? s->head.size : end;
}

/*
 * An smtpd that outlived a queued has left a segment that the other one had lent it. What it, or its channel's end, will
 * tell of COMMITs that speak of content there may be under way; but they stand in its later segments by now.
 */
static void note_what_is_owed(struct queued *q)
{
	for (struct segment *s = q->segments; s; s = s->next)
		if (s->state == SEG_LENT && s->head.class == SEG_MAIL)
			s->owed = last_commit_end(s);
}

static void look_after_foreign(struct queued *q, struct segment *s)
{
	if (!segment_has_writer(s)) {
		s->scan.no_skip = false;
		log_scan_anew(&s->scan); /* what it wrote last came after that, and would be passed over as damage */
		segment_close(q, s, s->head.size);
		note_what_is_owed(q);
	}
	take_wake(q); /* there may be more in it meanwhile */
}

bool segments_tick(struct queued *q)
{
	bool foreign = false;

	for (struct segment *s = q->segments; s; s = s->next) {
		if (s->state != SEG_FOREIGN)
			continue;
		look_after_foreign(q, s);
		foreign |= s->state == SEG_FOREIGN;
	}
	segments_serve(q);
	segments_recycle(q);
	return foreign;
}
