#include "queued/queued.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Payloads are described in docs/protocol/log.md; past.c reads them. */

static void remember_about(struct queued *q, struct segment *s)
{
	struct segment *r = q->current;

	if (r == NULL || s->last_result == r->head.generation)
		return;
	s->last_result = r->head.generation;
	if (r->n_about == r->cap_about) {
		r->cap_about = r->cap_about ? r->cap_about * 2 : 16;
		r->about = xrealloc(r->about, r->cap_about * sizeof *r->about);
	}
	r->about[r->n_about++] = s->head.generation;
}

/* It is read: we wrote it ourselves. */
static void close_current(struct queued *q)
{
	struct segment *s = q->current;

	q->current = NULL;
	if (s == NULL)
		return;
	s->was_read = true;
	segment_close(q, s, s->known);
}

/* A new segment for results. */
static bool next_current(struct queued *q)
{
	struct segment *s = segment_take(q, SEG_RESULT);

	if (s == NULL)
		return false;
	close_current(q);
	s->state = SEG_CURRENT;
	q->current = s;
	return true;
}

static bool has_room(const struct queued *q, size_t octets)
{
	return q->current && q->current->head.size - q->current->known - q->results.n >= octets;
}

/*
 * The flush in the background, if there is one, is over: its error. Of two flushes of one file only one is told of a failure:
 * who flushes at once has to know how the other one ended.
 */
static int background_flush_end(struct queued *q)
{
	if (!q->flushing_results || q->results_flush_seen)
		return 0;
	uv_sem_wait(&q->results_flush_over);
	q->results_flush_seen = true;
	return q->results_flush_error;
}

static void flush_failed(struct queued *q, struct segment *s, int err)
{
	log_error("results: segment file %08x: flush: %s; they are written again elsewhere", s->number, strerror(-err));
	s->failed = true;
	q->result_failures++;
	if (s == q->current)
		close_current(q);
}

/*
 * A flush that failed is never tried again: the kernel may have dropped what it could not write. What the segment holds is
 * still readable, most of the time, and carry_failed() writes it elsewhere.
 */
static int flush_current(struct queued *q)
{
	unsigned before = q->result_failures;
	struct segment *s;
	int err;

	result_write(q);
	if (q->result_failures != before) /* it is in another segment now, or waits for one */
		return -EIO;
	err = background_flush_end(q);
	s = err != 0 ? segment_find(q, q->results_flush_generation) : NULL;
	if (s != NULL) {
		flush_failed(q, s, err);
		return err;
	}
	if (q->current == NULL || !q->results_dirty)
		return 0;
	q->results_dirty = false;
	err = fdatasync(q->current->fd) == 0 ? 0 : -errno;
	if (err != 0)
		flush_failed(q, q->current, err);
	return err;
}

/* False: there is no place for it. */
static bool put_now(struct queued *q, enum record_type type, struct segment *about, struct str payload)
{
	size_t octets = record_octets(payload.n);

	if (!has_room(q, octets))
		flush_current(q);
	if (!has_room(q, octets))
		next_current(q);
	if (!has_room(q, octets))
		return false;
	remember_about(q, about);
	record_put(&q->results, &q->current->head, type, payload);
	q->carried += q->carrying ? octets : 0;
	return true;
}

/* In order, what found no place before. True: all of it is on its way now. */
static bool put_backlog(struct queued *q)
{
	size_t used = 0;

	if (q->backlog.n == 0 || q->in_backlog) /* called by itself, by way of a flush that failed */
		return q->backlog.n == 0;
	q->in_backlog = true;
	while (used < q->backlog.n) {
		struct ipc_in in = { str_from(buf_str(&q->backlog), used), false };
		enum record_type type = (enum record_type)ipc_get_u16(&in);
		struct segment *about = segment_find(q, ipc_get_u64(&in));
		struct str waiting = ipc_get_str(&in), payload;
		size_t end = (size_t)(waiting.p + waiting.n - q->backlog.p);
		struct arena *mem = arena_new(0);
		bool is_put;

		require(!in.bad);
		payload = arena_dup(mem, waiting); /* a write that fails adds to the backlog */
		is_put = about == NULL || put_now(q, type, about, payload);
		arena_free(&mem);
		if (!is_put)
			break;
		used = end;
	}
	if (used > 0 && used == q->backlog.n)
		log_info("results: all that waited is written down");
	if (used > 0)
		buf_consume(&q->backlog, used);
	q->in_backlog = false;
	return q->backlog.n == 0;
}

/* Until a segment is at hand. A crash before that brings the message twice, which is the lesser evil. */
static void keep_for_later(struct queued *q, enum record_type type, const struct segment *about, struct str payload)
{
	enum { BACKLOG_MAX = 64 * 1024 * 1024, ENTRY_OCTETS = 14 };

	if (q->backlog.max == 0)
		q->backlog = BUF_INIT(BACKLOG_MAX);
	if (q->backlog.n == 0)
		log_warn("results: no segment is at hand; they wait to be written down");
	if (q->backlog.n + ENTRY_OCTETS + payload.n > BACKLOG_MAX) {
		log_error("results: too many wait to be written down; one is dropped");
		return;
	}
	ipc_put_u16(&q->backlog, (uint16_t)type);
	ipc_put_u64(&q->backlog, about->head.generation);
	ipc_put_str(&q->backlog, payload);
}

/* False: there is no place for it now. */
static bool put(struct queued *q, enum record_type type, struct segment *about, struct str payload)
{
	if (put_backlog(q) && put_now(q, type, about, payload))
		return true;
	if (!q->carrying) /* what is carried stands elsewhere, too */
		keep_for_later(q, type, about, payload);
	return false;
}

/*
 * A DEFER is written for each attempt, and the last one counts. Without this each of them would be carried along for as
 * long as the message is there: with a million of them, more than any disk and any start can bear. `in`: behind the
 * generation.
 */
static bool is_superseded(const struct message *m, struct ipc_in *in)
{
	ipc_get_u64(in); /* the next try */
	return m->attempts == 0 || ipc_get_u32(in) != m->attempts;
}

/*
 * What still matters of a result segment goes forward, then nothing refers to it. A DEFER is superseded by the state that
 * is in memory. False: not all of it found a place, or could be read.
 */
static bool carry_forward(struct queued *q, const struct record *r)
{
	struct ipc_in in = { r->payload, false };
	uint64_t id = ipc_get_u64(&in), generation = ipc_get_u64(&in);
	struct segment *s = segment_find(q, generation);
	struct message *m = message_find(q, id);

	if (s == NULL)
		return true;
	if (r->type == RECORD_DONE)
		return put(q, RECORD_DONE, s, r->payload);
	if (m == NULL || m->seg != s)
		return true;
	if (r->type == RECORD_DEFER)
		return is_superseded(m, &in) ? true : result_defer(q, m);
	if (r->type == RECORD_HOLD) /* also that it is held no more: an older segment may say that it is */
		return result_hold(q, m);
	return true;
}

static bool carry_all(struct queued *q, struct segment *old)
{
	struct log_scan scan;
	struct record r;
	bool all = true, carrying;
	int got = 1;

	if (old->again_ms != 0)
		return false;
	log_scan_begin(&scan, old->fd, &old->head);
	scan.passes_errors = old->scan.passes_errors;
	carrying = q->carrying;
	q->carrying = true;
	while (all && (got = log_scan_next(&scan, old->known, &r)) == 1)
		all = carry_forward(q, &r);
	q->carrying = carrying;
	log_scan_rest(&scan);
	old->scan.offset = scan.offset;
	if (got < 0)
		reread_later(q, old, got);
	else if (got == 0)
		reread_worked(old);
	return all && got == 0;
}

/* The records of the buffer, encoded for a segment that does not take them. */
static void put_again(struct queued *q, struct str records)
{
	struct record r;

	while (records.n >= RECORD_HEADER_OCTETS) {
		struct ipc_in in = { str_from(records, 16), false };
		uint32_t octets = ipc_get_u32(&in);

		r.type = ipc_get_u16(&in);
		r.payload = str_pn(records.p + RECORD_HEADER_OCTETS, octets);
		carry_forward(q, &r);
		records = str_from(records, record_octets(octets));
	}
}

static void write_failed(struct queued *q, struct segment *s, int err)
{
	struct buf records = q->results;
	bool carrying = q->carrying;

	log_error("results: segment file %08x: write: %s; they are written again elsewhere", s->number, strerror(-err));
	q->results = BUF_INIT(records.max);
	s->failed = true;
	q->result_failures++;
	q->carrying = false; /* nothing of this is dropped */
	if (!next_current(q))
		close_current(q);
	put_again(q, buf_str(&records));
	q->carrying = carrying;
	buf_free(&records);
}

static bool is_given_up(const struct segment *s)
{
	return s->head.class == SEG_RESULT && s->state == SEG_CLOSED && s->failed && !s->carried && s->n_about > 0;
}

/*
 * What stands in segments whose writing or flushing failed goes to one that can be trusted. 0; negative errno: not all of it
 * is there, and flushed, yet.
 */
static int carry_failed(struct queued *q)
{
	unsigned before = q->result_failures;
	bool any = false, all = true;
	int err = 0;

	for (struct segment *s = q->segments; s; s = s->next) {
		any |= is_given_up(s);
		all &= !is_given_up(s) || carry_all(q, s);
	}
	if (!any || !all)
		return all ? 0 : -EAGAIN;
	err = flush_current(q);
	if (err != 0)
		return err;
	if (q->result_failures != before) /* of what it went to, too */
		return -EAGAIN;
	for (struct segment *s = q->segments; s; s = s->next)
		if (is_given_up(s)) {
			s->carried = true;
			s->n_about = s->scan.passes_errors ? s->n_about : 0; /* the next start may read the rest */
		}
	return 0;
}

void result_write(struct queued *q)
{
	int err;

	if (q->results.n == 0)
		return;
	q->results_dirty = true;
	err = pwrite_all(q->current->fd, q->results.p, q->results.n, q->current->known, false);
	if (err != 0) {
		write_failed(q, q->current, err);
		return;
	}
	q->current->known += q->results.n;
	buf_reset(&q->results);
}

static void flush_results(uv_work_t *work)
{
	struct queued *q = container_of(work, struct queued, results_flush);

	q->results_flush_error = fdatasync(q->results_flush_fd) == 0 ? 0 : -errno;
	uv_sem_post(&q->results_flush_over);
}

static void on_results_flushed(uv_work_t *work, int status)
{
	struct queued *q = container_of(work, struct queued, results_flush);
	int err = background_flush_end(q);
	struct segment *s = err != 0 ? segment_find(q, q->results_flush_generation) : NULL;

	(void)status;
	close(q->results_flush_fd);
	uv_sem_destroy(&q->results_flush_over);
	q->flushing_results = false;
	if (s != NULL)
		flush_failed(q, s, err); /* the next flush sees to the rest */
}

void result_go_on(struct queued *q)
{
	put_backlog(q);
}

int result_flush(struct queued *q, bool now)
{
	int err;

	put_backlog(q);
	result_write(q);
	err = carry_failed(q);
	if (now && (err != 0 || q->backlog.n > 0))
		return err != 0 ? err : -EAGAIN;
	if (now)
		return flush_current(q) == 0 ? 0 : carry_failed(q);
	if (!q->results_dirty || q->current == NULL || q->flushing_results)
		return err;
	q->results_dirty = false;
	q->results_flush_generation = q->current->head.generation;
	q->results_flush_fd = fcntl(q->current->fd, F_DUPFD_CLOEXEC, 0);
	if (q->results_flush_fd < 0)
		return -errno;
	q->flushing_results = true;
	q->results_flush_seen = false;
	if (uv_sem_init(&q->results_flush_over, 0) != 0)
		panic("uv_sem_init");
	if (uv_queue_work(q->child.loop, &q->results_flush, flush_results, on_results_flushed) != 0)
		panic("uv_queue_work");
	return err;
}

static void put_done(struct queued *q, uint64_t id, struct segment *s, const uint32_t *index, uint32_t n)
{
	struct buf b = BUF_INIT(RECORD_MAX_OCTETS);

	ipc_put_u64(&b, id);
	ipc_put_u64(&b, s->head.generation);
	ipc_put_u32(&b, n);
	for (uint32_t i = 0; i < n; i++)
		ipc_put_u32(&b, index[i]);
	put(q, RECORD_DONE, s, buf_str(&b));
	buf_free(&b);
}

void result_done(struct queued *q, const struct message *m, const uint32_t *index, uint32_t n)
{
	put_done(q, m->id, m->seg, index, n);
	if (n == 0)
		damaged_copies_end(q, m->id);
}

void result_done_commit(struct queued *q, uint64_t id, struct segment *s)
{
	put_done(q, id, s, NULL, 0);
}

/* Why, of each recipient; of as many as a record of a small segment has room for. */
static uint32_t put_reasons(struct buf *out, const struct message *m)
{
	enum { REASONS_MAX_OCTETS = 1024 * 1024 };
	const struct rcpt_ref *refs = m->n_rcpt == 1 ? &m->one : m->many;
	uint32_t n = 0;

	for (; n < m->n_rcpt && out->n < REASONS_MAX_OCTETS; n++) {
		ipc_put_u32(out, refs[n].index);
		ipc_put_str(out, reason_dsn(refs[n].reason));
		ipc_put_str(out, reason_text(refs[n].reason));
	}
	return n;
}

bool result_defer(struct queued *q, const struct message *m)
{
	struct buf b = BUF_INIT(RECORD_MAX_OCTETS), reasons = BUF_INIT(RECORD_MAX_OCTETS);
	uint32_t now = loop_now_s(q);
	bool kept;

	ipc_put_u64(&b, m->id);
	ipc_put_u64(&b, m->seg->head.generation);
	ipc_put_u64(&b, queue_now_us(q) + (m->due_s > now ? (uint64_t)(m->due_s - now) * 1000000 : 0));
	ipc_put_u32(&b, m->attempts);
	ipc_put_u8(&b, (uint8_t)((m->flags & (DEFER_WARNED | DEFER_MOVED)) | (m->by_told ? DEFER_BY_TOLD : 0)));
	ipc_put_u32(&b, put_reasons(&reasons, m));
	buf_add_str(&b, buf_str(&reasons));
	kept = put(q, RECORD_DEFER, m->seg, buf_str(&b));
	buf_free(&reasons);
	buf_free(&b);
	return kept;
}

bool result_hold(struct queued *q, const struct message *m)
{
	struct buf b = BUF_INIT(64);
	bool kept;

	ipc_put_u64(&b, m->id);
	ipc_put_u64(&b, m->seg->head.generation);
	ipc_put_u8(&b, (uint8_t)((m->state == MSG_HELD || (m->flags & MF_HELD) ? HOLD_HELD : 0) |
				 (m->flags & MF_EXPIRE ? HOLD_EXPIRE : 0)));
	kept = put(q, RECORD_HOLD, m->seg, buf_str(&b));
	buf_free(&b);
	return kept;
}

/* So many segments of results may be. Where they are that many because most still counts, it is no use to go round at once. */
static unsigned results_kept(struct queued *q, unsigned n)
{
	enum { RESULT_SEGMENTS_KEPT = 6 };
	unsigned more;

	if (q->compacted_from > n)
		q->compacted_from = n;
	more = q->compacted_from + q->compacted_from / 2;
	return more > RESULT_SEGMENTS_KEPT ? more : RESULT_SEGMENTS_KEPT;
}

/* Result segments that segments full of old mail keep alive: the oldest one goes forward. */
void result_compact(struct queued *q)
{
	struct segment *oldest = NULL;
	uint64_t before = q->carried;
	unsigned n = 0;

	for (struct segment *s = q->segments; s; s = s->next) {
		if (s->head.class != SEG_RESULT || s->state != SEG_CLOSED || s->again_ms != 0 || s->scan.passes_errors)
			continue; /* what cannot be read stays */
		n++;
		if (oldest == NULL || s->head.generation < oldest->head.generation)
			oldest = s;
	}
	if (n <= results_kept(q, n) || q->recovering || !oldest->was_read || q->header_is_lost)
		return;
	if (!carry_all(q, oldest) || result_flush(q, true) != 0)
		return;
	q->compacted_from = q->carried - before > oldest->known / 2 ? n : 0;
	oldest->n_about = 0;
	q->recycle_due = true;
}
