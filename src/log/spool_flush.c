/* spool_flush.c - group commit: what is pending at the end of a turn is one write and one flush. */
#include "log/spool_impl.h"
#include "base/log.h"
#include "log/envelope_internal.h"

#include <errno.h>
#include <unistd.h>

static void finish(struct spool_msg *m, int err)
{
	void (*on_committed)(struct spool_msg *, int) = m->on_committed;

	spool_msg_release(m);
	on_committed(m, err);
}

static void finish_all(struct spool_msg *m, int err)
{
	while (m) { /* a callback may free it */
		struct spool_msg *next = m->next;

		finish(m, err);
		m = next;
	}
}

static struct spool_msg *take_first(struct spool_writer *w)
{
	struct spool_msg *m = w->first;

	w->first = m->next;
	if (w->first == NULL)
		w->last = &w->first;
	m->next = NULL;
	return m;
}

static void on_no_segment(uv_timer_t *timer)
{
	struct spool_writer *w = container_of(timer, struct spool_writer, no_segment);
	struct spool_msg *m = w->first;

	if (w->flying)
		return;
	w->first = NULL;
	w->last = &w->first;
	finish_all(m, -EAGAIN);
}

static void note_other_segment(struct flight *f, struct wseg *s)
{
	if (s == f->seg) {
		f->whole_file |= s->dirty;
		return;
	}
	for (size_t i = 0; i < f->n_also; i++)
		if (f->also[i] == s)
			return;
	if (!s->dirty)
		return;
	if (f->n_also == f->cap_also) {
		f->cap_also = f->cap_also ? f->cap_also * 2 : 4;
		f->also = xrealloc(f->also, f->cap_also * sizeof(struct wseg *));
	}
	f->also[f->n_also++] = s;
	s->refs++;
}

/* The rest of the content and the COMMIT go to the end of the batch. */
static void put_message(struct spool_writer *w, struct flight *f, struct spool_msg *m)
{
	for (size_t i = 0; i < m->n_extent; i++) /* chunks that are there already must be flushed too */
		if (i == 0 || m->extent[i].generation != m->extent[i - 1].generation)
			note_other_segment(f, wseg_find(w, m->extent[i].generation));
	if (m->pending.n > 0) {
		uint64_t at = f->at + f->octets.n + RECORD_HEADER_OCTETS;

		record_put(&f->octets, &f->seg->head, RECORD_DATA, buf_str(&m->pending));
		spool_msg_add_extent(m, f->seg, at, m->pending.n);
	}
	envelope_put_extents(&m->envelope, m->extent, m->n_extent);
	record_put(&f->octets, &f->seg->head, RECORD_COMMIT, buf_str(&m->envelope));
	*f->last = m;
	f->last = &m->next;
	f->n++;
}

static size_t octets_needed(const struct spool_msg *m)
{
	size_t extents = 5 + (m->n_extent + 1) * 20;

	return record_octets(m->envelope.n + extents) + (m->pending.n ? record_octets(m->pending.n) : 0);
}

/* A message whose rest stays larger than a chunk (no segment was there when it came): bring it into shape first. */
static int write_backlog(struct spool_msg *m)
{
	int r = 0;

	while (r == 0 && m->pending.n > CHUNK_OCTETS)
		r = spool_msg_write_chunk(m, CHUNK_OCTETS);
	return r;
}

/* Gather what is pending into one batch for one segment. Messages that can not be stored fail at once. */
static void gather(struct spool_writer *w, struct flight *f)
{
	f->seg = NULL;
	f->n = 0;
	f->n_also = 0;
	f->whole_file = false;
	f->first = NULL;
	f->last = &f->first;
	f->err = 0;
	buf_reset(&f->octets);
	while (w->first && f->octets.n < BATCH_OCTETS) {
		struct spool_msg *m = w->first;
		struct wseg *s;
		int r;

		if (f->seg && octets_needed(m) > f->seg->head.size - f->at - f->octets.n)
			return; /* the next flush, in the next segment */
		if (f->seg && m->pending.n > CHUNK_OCTETS)
			return;
		r = m->failed || spool_msg_has_failed(m) ? -1 : write_backlog(m);
		if (r < 0) {
			take_first(w);
			m->next = f->refused;
			f->refused = m;
			continue;
		}
		s = r == 0 && f->seg == NULL ? wseg_for(w, octets_needed(m)) : f->seg;
		if (s == NULL)
			return;
		if (f->seg == NULL) {
			f->seg = s;
			f->at = s->offset;
			s->refs++;
		}
		put_message(w, f, take_first(w));
	}
}

static void fly(uv_work_t *work)
{
	struct flight *f = container_of(work, struct flight, work);
	uint64_t began = uv_hrtime();

	for (size_t i = 0; i < f->n_also && f->err == 0; i++)
		if (fdatasync(f->also[i]->fd) != 0)
			f->err = -errno;
	if (f->err == 0)
		f->err = pwrite_all(f->seg->fd, f->octets.p, f->octets.n, f->at, !f->whole_file);
	if (f->err == 0 && f->whole_file && fdatasync(f->seg->fd) != 0)
		f->err = -errno;
	f->took_ns = uv_hrtime() - began;
}

static void unref_seg(struct spool_writer *w, struct wseg *s, bool failed)
{
	s->refs--;
	if (failed)
		wseg_close(w, s, true);
}

static void land(struct spool_writer *w)
{
	struct flight *f = &w->flight;
	struct spool_msg *m = f->first;
	struct wseg *seg = f->seg;
	uint64_t generation = seg->head.generation, end = f->at + f->octets.n;
	int err = f->err;

	w->flush_ns = f->took_ns;
	if (err != 0)
		log_warn("segment %llX: flush: %s; %zu messages are refused, the segment is given up",
			(unsigned long long)generation, strerror(-err), f->n);
	else if (!seg->orphan)
		w->ops->committed(w, generation, end);
	for (size_t i = 0; i < f->n_also; i++)
		unref_seg(w, f->also[i], err != 0);
	unref_seg(w, seg, err != 0);
	for (size_t i = 0; i < f->n_also; i++)
		wseg_end_if_idle(w, f->also[i]);
	if (f->octets.cap > BATCH_OCTETS)
		buf_free(&f->octets);
	f->first = NULL;
	finish_all(m, err);
	/* With COMMITs only in it, no message held it. */
	if (wseg_find(w, generation) == seg)
		wseg_end_if_idle(w, seg);
}

static void on_landed(uv_work_t *work, int status)
{
	struct spool_writer *w = container_of(work, struct spool_writer, flight.work);

	(void)status;
	w->flying = false;
	land(w);
}

static void wait_for_segment(struct spool_writer *w)
{
	if (w->first == NULL || uv_is_active((uv_handle_t *)&w->no_segment))
		return;
	wseg_ask_ahead(w);
	uv_timer_start(&w->no_segment, on_no_segment, WAIT_FOR_SEGMENT_MS, 0);
}

/*
 * Flush here, without a thread? Its two wake-ups cost more than a flush of a fast disk, and what comes in meanwhile is
 * the next batch. A disk that was slow the last time gets the thread, so that one slow flush holds the loop up, no more.
 */
static bool is_quick(const struct spool_writer *w, const struct flight *f)
{
	if (w->first != NULL || f->whole_file || f->n_also > 0)
		return false;
	return f->n == 1 || w->flush_ns < QUICK_FLUSH_NS;
}

/*
 * Something good behind the last COMMIT: where its header is damaged, the log would seem to end before it, and a message that
 * got its 250 would be gone without a word.
 */
static void put_end(struct flight *f)
{
	if (record_octets(0) <= f->seg->head.size - f->at - f->octets.n)
		record_put(&f->octets, &f->seg->head, RECORD_VOID, STR(""));
}

static void take_off(struct spool_writer *w)
{
	struct flight *f = &w->flight;

	uv_timer_stop(&w->no_segment);
	put_end(f);
	f->seg->offset = f->at + f->octets.n;
	if (is_quick(w, f)) {
		fly(&f->work);
		land(w);
		return;
	}
	if (f->whole_file)
		f->seg->dirty = false;
	for (size_t i = 0; i < f->n_also; i++)
		f->also[i]->dirty = false;
	w->flying = true;
	if (uv_queue_work(w->loop, &f->work, fly, on_landed) != 0)
		panic("uv_queue_work");
}

static void on_turning(uv_idle_t *idle)
{
	(void)idle; /* that it is there is all: the loop polls and does not sleep */
}

/* Is it worth to read on before the flush? */
static bool goes_on_gathering(const struct spool_writer *w)
{
	uint64_t limit = w->flush_ns < GATHER_MIN_NS ? GATHER_MIN_NS : w->flush_ns;

	if (w->flying || w->first == NULL || !w->stirred)
		return false;
	return !w->gathering || uv_hrtime() - w->since_ns < (limit < GATHER_MAX_NS ? limit : GATHER_MAX_NS);
}

void spool_end_turn(struct spool_writer *w)
{
	bool go_on = goes_on_gathering(w);

	w->stirred = false;
	if (go_on && !w->gathering) {
		w->since_ns = uv_hrtime();
		uv_idle_start(&w->turning, on_turning);
	} else if (!go_on && w->gathering) {
		uv_idle_stop(&w->turning);
	}
	w->gathering = go_on;
	if (!go_on)
		spool_flush(w);
}

void spool_flush(struct spool_writer *w)
{
	struct spool_msg *refused;

	if (w->flying || w->first == NULL)
		return;
	gather(w, &w->flight);
	refused = w->flight.refused;
	w->flight.refused = NULL;
	if (w->flight.seg)
		take_off(w);
	else
		wait_for_segment(w);
	finish_all(refused, -EIO);
}
