/* spool_msg.c - a message on its way into the log. */
#include "log/spool_impl.h"
#include "base/log.h"
#include "log/envelope_internal.h"

#include <stdlib.h>

/* The chunk is at that place of the segment: it is part of the message from now on. */
void spool_msg_add_extent(struct spool_msg *m, struct wseg *s, uint64_t offset, size_t octets)
{
	if (m->n_extent == 0 || m->extent[m->n_extent - 1].generation != s->head.generation)
		s->refs++;
	if (m->n_extent == m->cap_extent) {
		m->cap_extent = m->cap_extent ? m->cap_extent * 2 : 4;
		m->extent = xrealloc(m->extent, m->cap_extent * sizeof *m->extent);
	}
	m->extent[m->n_extent++] = (struct extent){ s->head.generation, offset, (uint32_t)octets };
}

void spool_msg_release(struct spool_msg *m)
{
	struct spool_writer *w = m->writer;
	uint64_t last = 0;

	for (size_t i = 0; i < m->n_extent; i++) {
		struct wseg *s;

		if (m->extent[i].generation == last)
			continue;
		last = m->extent[i].generation;
		s = wseg_find(w, last);
		require(s != NULL && s->refs > 0);
		s->refs--;
		wseg_end_if_idle(w, s);
	}
	free(m->extent);
	m->extent = NULL;
	m->n_extent = m->cap_extent = 0;
	buf_free(&m->pending);
	buf_free(&m->envelope);
	m->writer = NULL;
	m->committing = false;
}

bool spool_msg_has_failed(const struct spool_msg *m)
{
	for (size_t i = 0; i < m->n_extent; i++) {
		const struct wseg *s = wseg_find(m->writer, m->extent[i].generation);

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
		if (!wseg_is_usable(s))
			continue;
		if (s->sequence >= (1U << 20) - 1) { /* the ids of this generation are used up */
			wseg_close(w, s, false);
			wseg_end_if_idle(w, s);
			return spool_msg_begin(m, w);
		}
		return spool_msg_begin_as(m, w, s->head.generation << 20 | ++s->sequence);
	}
	return -1;
}

/* Write the first n octets of what is pending as one DATA record. 0; 1: no segment now; -1. */
int spool_msg_write_chunk(struct spool_msg *m, size_t n)
{
	struct spool_writer *w = m->writer;
	struct wseg *s = wseg_for(w, record_octets(n));
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
		wseg_close(w, s, true);
		wseg_end_if_idle(w, s);
		return -1;
	}
	s->dirty = true;
	spool_msg_add_extent(m, s, at + RECORD_HEADER_OCTETS, n);
	buf_consume(&m->pending, n);
	return 0;
}

static size_t chunk_octets(const struct spool_msg *m)
{
	return m->n_extent < MANY_EXTENTS ? CHUNK_OCTETS : LARGE_CHUNK_OCTETS;
}

bool spool_msg_waits(const struct spool_msg *m)
{
	return m->writer && !m->failed && m->pending.n >= chunk_octets(m) && !spool_writer_is_ready(m->writer);
}

int spool_msg_add(struct spool_msg *m, struct str octets)
{
	require(m->writer != NULL && !m->committing);
	m->octets += octets.n;
	while (octets.n > 0 && !m->failed) {
		size_t chunk = chunk_octets(m);
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
			r = spool_msg_write_chunk(m, chunk);
		m->failed = r < 0;
	}
	return m->failed ? -1 : 0;
}

void spool_msg_abort(struct spool_msg *m)
{
	if (m->writer == NULL)
		return;
	require(!m->committing);
	spool_msg_release(m);
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
	if (envelope_octets(env) <= ENVELOPE_MAX_OCTETS - EXTENTS_MAX_OCTETS)
		envelope_encode(&m->envelope, env);
	else
		m->failed = true; /* who has it is told, as if it could not be written */
	env->extent = extent;
	env->n_extent = n_extent;
	m->next = NULL;
	*w->last = m;
	w->last = &m->next;
}
