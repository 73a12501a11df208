#include "log/spool_writer.h"
#include "base/log.h"
#include "log/envelope_internal.h"
#include "log/record.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	CHUNK_OCTETS = 64 * 1024,	 /* a body streams into the log in pieces of this size */
	LARGE_CHUNK_OCTETS = 256 * 1024, /* … and of this one, when it has many: the list of extents stays short */
	MANY_EXTENTS = 128,
	MAX_EXTENTS = 5000,	     /* a job must fit into one message of ipc.h */
	WAITING_OCTETS = 448 * 1024, /* of one message, kept in memory while no segment is at hand */
	BATCH_OCTETS = 1024 * 1024,  /* of one flush, roughly */
	BATCH_MAX_OCTETS = BATCH_OCTETS + 2 * RECORD_MAX_OCTETS,
	ENVELOPE_MAX_OCTETS = 8 * 1024 * 1024,
	SPARES = 1,
	WAIT_FOR_SEGMENT_MS = 5000
};

struct wseg {
	struct wseg *next;
	struct segment_head head;
	int fd;
	uint64_t offset;   /* where the next record goes */
	uint32_t sequence; /* of message ids */
	unsigned refs;	   /* messages that are open or pending and have extents in it, and the flush under way */
	bool closed;	   /* nothing more is begun in it: full, or failed */
	bool failed;
	bool orphan; /* its queued is gone */
	bool dirty;  /* has chunks that were never flushed */
};

struct flight { /* one flush */
	uv_work_t work;
	struct wseg *seg;
	uint64_t at;
	struct buf octets;
	bool whole_file;    /* flush more than these octets */
	struct wseg **also; /* other segments with chunks of these messages */
	size_t n_also, cap_also;
	struct spool_msg *first, **last;
	size_t n;
	struct spool_msg *refused; /* can not be stored; told after the batch has its place in the segment */
	int err;
};

struct spool_writer {
	uv_loop_t *loop;
	const struct spool_writer_ops *ops;
	uv_check_t check;
	uv_prepare_t prepare;
	uv_timer_t no_segment;
	unsigned handles;
	struct wseg *segs;		 /* in the order they came */
	struct spool_msg *first, **last; /* to be committed */
	struct flight flight;
	bool flying, peer_lost;
	unsigned wanted;
};

static bool is_usable(const struct wseg *s)
{
	return !s->closed;
}

static struct wseg *find_seg(const struct spool_writer *w, uint64_t generation)
{
	for (struct wseg *s = w->segs; s; s = s->next)
		if (s->head.generation == generation)
			return s;
	return NULL;
}

static void ask_ahead(struct spool_writer *w)
{
	unsigned usable = 0;

	if (w->peer_lost)
		return;
	for (const struct wseg *s = w->segs; s; s = s->next)
		usable += is_usable(s);
	while (usable + w->wanted < 1 + SPARES) {
		w->wanted++;
		w->ops->want(w);
	}
}

static void drop_seg(struct spool_writer *w, struct wseg *s)
{
	for (struct wseg **at = &w->segs; *at; at = &(*at)->next) {
		if (*at != s)
			continue;
		*at = s->next;
		close(s->fd);
		free(s);
		return;
	}
}

/* Nobody needs it any more? Then tell queued. Its last COMMIT was announced before. */
static void end_seg_if_idle(struct spool_writer *w, struct wseg *s)
{
	struct wseg copy = *s;

	if (s->refs > 0 || !s->closed)
		return;
	drop_seg(w, s);
	if (!copy.orphan)
		w->ops->end(w, copy.head.generation, copy.offset, copy.failed);
}

static void close_seg(struct spool_writer *w, struct wseg *s, bool failed)
{
	s->closed = true;
	s->failed |= failed;
	ask_ahead(w);
}

/* The segment that takes `need` more octets, or NULL. Segments that are too full for it are ended on the way. */
static struct wseg *seg_for(struct spool_writer *w, size_t need)
{
	struct wseg *next;

	for (struct wseg *s = w->segs; s; s = next) {
		next = s->next;
		if (s->closed)
			continue;
		if (s->head.size - s->offset >= need)
			return s;
		if (need > s->head.size - SEG_HEADER_OCTETS)
			continue;
		close_seg(w, s, false);
		end_seg_if_idle(w, s);
	}
	return NULL;
}

/* The chunk is at that place of the segment: it is part of the message from now on. */
static void add_extent(struct spool_msg *m, struct wseg *s, uint64_t offset, size_t octets)
{
	if (m->n_extent == 0 || m->extent[m->n_extent - 1].generation != s->head.generation)
		s->refs++;
	if (m->n_extent == m->cap_extent) {
		m->cap_extent = m->cap_extent ? m->cap_extent * 2 : 4;
		m->extent = xrealloc(m->extent, m->cap_extent * sizeof *m->extent);
	}
	m->extent[m->n_extent++] = (struct extent){ s->head.generation, offset, (uint32_t)octets };
}

static void release(struct spool_msg *m)
{
	struct spool_writer *w = m->writer;
	uint64_t last = 0;

	for (size_t i = 0; i < m->n_extent; i++) {
		struct wseg *s;

		if (m->extent[i].generation == last)
			continue;
		last = m->extent[i].generation;
		s = find_seg(w, last);
		require(s != NULL && s->refs > 0);
		s->refs--;
		end_seg_if_idle(w, s);
	}
	free(m->extent);
	m->extent = NULL;
	m->n_extent = m->cap_extent = 0;
	buf_free(&m->pending);
	buf_free(&m->envelope);
	m->writer = NULL;
	m->committing = false;
}

static bool has_failed_extent(const struct spool_msg *m)
{
	for (size_t i = 0; i < m->n_extent; i++) {
		const struct wseg *s = find_seg(m->writer, m->extent[i].generation);

		if (s == NULL || s->failed)
			return true;
	}
	return false;
}

int spool_msg_begin_as(struct spool_msg *m, struct spool_writer *w, uint64_t id)
{
	if (!spool_writer_is_ready(w))
		return -1;
	m->writer = w;
	m->id = id;
	m->pending = BUF_INIT(WAITING_OCTETS + CHUNK_OCTETS);
	m->envelope = BUF_INIT(ENVELOPE_MAX_OCTETS);
	return 0;
}

int spool_msg_begin(struct spool_msg *m, struct spool_writer *w)
{
	for (struct wseg *s = w->segs; s; s = s->next) {
		if (!is_usable(s))
			continue;
		if (s->sequence >= (1U << 20) - 1) { /* the ids of this generation are used up */
			close_seg(w, s, false);
			end_seg_if_idle(w, s);
			return spool_msg_begin(m, w);
		}
		return spool_msg_begin_as(m, w, s->head.generation << 20 | ++s->sequence);
	}
	return -1;
}

/* Write the first n octets of what is pending as one DATA record. 0; 1: no segment now; -1. */
static int write_chunk(struct spool_msg *m, size_t n)
{
	struct spool_writer *w = m->writer;
	struct wseg *s = seg_for(w, record_octets(n));
	struct buf record;
	uint64_t at;
	int err;

	if (s == NULL)
		return 1;
	if (m->n_extent >= MAX_EXTENTS)
		return -1;
	record = BUF_INIT(record_octets(n));
	at = s->offset;
	record_put(&record, &s->head, RECORD_DATA, str_pn(m->pending.p, n));
	err = pwrite_all(s->fd, record.p, record.n, at, false);
	s->offset += record.n;
	buf_free(&record);
	if (err != 0) {
		log_warn("segment %llX: write: %s", (unsigned long long)s->head.generation, strerror(-err));
		close_seg(w, s, true);
		end_seg_if_idle(w, s);
		return -1;
	}
	s->dirty = true;
	add_extent(m, s, at + RECORD_HEADER_OCTETS, n);
	buf_consume(&m->pending, n);
	return 0;
}

int spool_msg_add(struct spool_msg *m, struct str octets)
{
	require(m->writer != NULL && !m->committing);
	m->octets += octets.n;
	while (octets.n > 0 && !m->failed) {
		size_t chunk = m->n_extent < MANY_EXTENTS ? CHUNK_OCTETS : LARGE_CHUNK_OCTETS;
		size_t take = octets.n < CHUNK_OCTETS ? octets.n : CHUNK_OCTETS;
		int r = 0;

		if (m->pending.n < chunk && take > chunk - m->pending.n)
			take = chunk - m->pending.n;
		if (buf_add(&m->pending, octets.p, take) != 0) {
			m->failed = true; /* no segment came for a long time */
			break;
		}
		octets = str_from(octets, take);
		while (r == 0 && m->pending.n >= chunk)
			r = write_chunk(m, chunk);
		m->failed = r < 0;
	}
	return m->failed ? -1 : 0;
}

void spool_msg_abort(struct spool_msg *m)
{
	if (m->writer == NULL)
		return;
	require(!m->committing);
	release(m);
}

void spool_msg_commit(struct spool_msg *m, struct envelope *env, void (*on_committed)(struct spool_msg *m, int err))
{
	struct spool_writer *w = m->writer;
	struct extent *extent = env->extent;
	size_t n_extent = env->n_extent;

	require(w != NULL && !m->committing);
	m->committing = true;
	m->on_committed = on_committed;
	env->id = m->id;
	env->extent = NULL;
	env->n_extent = 0;
	envelope_encode(&m->envelope, env);
	env->extent = extent;
	env->n_extent = n_extent;
	m->next = NULL;
	*w->last = m;
	w->last = &m->next;
}

static void finish(struct spool_msg *m, int err)
{
	void (*on_committed)(struct spool_msg *, int) = m->on_committed;

	release(m);
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
			note_other_segment(f, find_seg(w, m->extent[i].generation));
	if (m->pending.n > 0) {
		uint64_t at = f->at + f->octets.n + RECORD_HEADER_OCTETS;

		record_put(&f->octets, &f->seg->head, RECORD_DATA, buf_str(&m->pending));
		add_extent(m, f->seg, at, m->pending.n);
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
		r = write_chunk(m, CHUNK_OCTETS);
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
		r = m->failed || has_failed_extent(m) ? -1 : write_backlog(m);
		if (r < 0) {
			take_first(w);
			m->next = f->refused;
			f->refused = m;
			continue;
		}
		s = r == 0 && f->seg == NULL ? seg_for(w, octets_needed(m)) : f->seg;
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

	for (size_t i = 0; i < f->n_also && f->err == 0; i++)
		if (fdatasync(f->also[i]->fd) != 0)
			f->err = -errno;
	if (f->err == 0)
		f->err = pwrite_all(f->seg->fd, f->octets.p, f->octets.n, f->at, !f->whole_file);
	if (f->err == 0 && f->whole_file && fdatasync(f->seg->fd) != 0)
		f->err = -errno;
}

static void unref_seg(struct spool_writer *w, struct wseg *s, bool failed)
{
	s->refs--;
	if (failed)
		close_seg(w, s, true);
}

static void land(struct spool_writer *w)
{
	struct flight *f = &w->flight;
	struct spool_msg *m = f->first;
	struct wseg *seg = f->seg;
	uint64_t generation = seg->head.generation, end = f->at + f->octets.n;
	int err = f->err;

	if (err != 0)
		log_warn("segment %llX: flush: %s; %zu messages are refused, the segment is given up",
			(unsigned long long)generation, strerror(-err), f->n);
	else if (!seg->orphan)
		w->ops->committed(w, generation, end);
	for (size_t i = 0; i < f->n_also; i++)
		unref_seg(w, f->also[i], err != 0);
	unref_seg(w, seg, err != 0);
	for (size_t i = 0; i < f->n_also; i++)
		end_seg_if_idle(w, f->also[i]);
	if (f->octets.cap > BATCH_OCTETS)
		buf_free(&f->octets);
	f->first = NULL;
	finish_all(m, err);
	/* With COMMITs only in it, no message held it. */
	if (find_seg(w, generation) == seg)
		end_seg_if_idle(w, seg);
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
	ask_ahead(w);
	uv_timer_start(&w->no_segment, on_no_segment, WAIT_FOR_SEGMENT_MS, 0);
}

static void take_off(struct spool_writer *w)
{
	struct flight *f = &w->flight;

	uv_timer_stop(&w->no_segment);
	f->seg->offset = f->at + f->octets.n;
	if (f->n == 1 && w->first == NULL && !f->whole_file && f->n_also == 0) {
		fly(&f->work); /* nobody else waits: a thread would only cost its wake-up */
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

static void start_flush(struct spool_writer *w)
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

static void on_check(uv_check_t *check)
{
	start_flush(container_of(check, struct spool_writer, check));
}

static void on_prepare(uv_prepare_t *prepare)
{
	start_flush(container_of(prepare, struct spool_writer, prepare));
}

struct spool_writer *spool_writer_new(uv_loop_t *loop, const struct spool_writer_ops *ops)
{
	struct spool_writer *w = xcalloc(1, sizeof *w);

	w->loop = loop;
	w->ops = ops;
	w->last = &w->first;
	w->flight.octets = BUF_INIT(BATCH_MAX_OCTETS);
	uv_check_init(loop, &w->check);
	uv_check_start(&w->check, on_check);
	uv_unref((uv_handle_t *)&w->check);
	uv_prepare_init(loop, &w->prepare);
	uv_prepare_start(&w->prepare, on_prepare);
	uv_unref((uv_handle_t *)&w->prepare);
	uv_timer_init(loop, &w->no_segment);
	w->handles = 3;
	return w;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct spool_writer *w = handle->data;

	if (--w->handles > 0)
		return;
	free(w->flight.also);
	buf_free(&w->flight.octets);
	free(w);
}

void spool_writer_free(struct spool_writer **writer)
{
	struct spool_writer *w = *writer;
	uv_handle_t *handles[3];

	if (w == NULL)
		return;
	require(!w->flying && w->first == NULL);
	*writer = NULL;
	while (w->segs)
		drop_seg(w, w->segs);
	handles[0] = (uv_handle_t *)&w->check;
	handles[1] = (uv_handle_t *)&w->prepare;
	handles[2] = (uv_handle_t *)&w->no_segment;
	for (int i = 0; i < 3; i++) {
		handles[i]->data = w;
		uv_close(handles[i], on_handle_closed);
	}
}

static void end_orphans(struct spool_writer *w)
{
	struct wseg *next;

	w->peer_lost = false;
	w->wanted = 0;
	for (struct wseg *s = w->segs; s; s = next) {
		next = s->next;
		s->closed |= s->orphan;
		end_seg_if_idle(w, s);
	}
}

void spool_writer_lend(struct spool_writer *w, uint64_t generation, uint64_t octets, int fd)
{
	struct wseg *s = xcalloc(1, sizeof *s), **at = &w->segs;
	int r = segment_head_read(fd, &s->head);

	if (w->wanted > 0)
		w->wanted--;
	if (r != 1 || s->head.generation != generation || s->head.size != octets) {
		log_error("segment %llX that was lent has another header; not used", (unsigned long long)generation);
		close(fd);
		free(s);
		w->ops->end(w, generation, SEG_HEADER_OCTETS, true);
		return;
	}
	s->fd = fd;
	s->offset = SEG_HEADER_OCTETS;
	if (w->peer_lost)
		end_orphans(w);
	while (*at)
		at = &(*at)->next;
	*at = s;
	ask_ahead(w);
}

void spool_writer_peer_lost(struct spool_writer *w)
{
	w->wanted = 0;
	w->peer_lost = true;
	for (struct wseg *s = w->segs; s; s = s->next)
		s->orphan = true;
}

bool spool_writer_is_ready(const struct spool_writer *w)
{
	for (const struct wseg *s = w->segs; s; s = s->next)
		if (is_usable(s))
			return true;
	return false;
}
