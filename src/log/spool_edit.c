/* spool_edit.c - the content of a message that came in, but is not committed yet: read again, and changed at its ends. */
#include "log/spool_impl.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Segments are held once for each run of extents in them, as spool_msg_release() lets them go. */
static void hold(struct spool_writer *w, const struct extent *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (i == 0 || x[i].generation != x[i - 1].generation)
			wseg_find(w, x[i].generation)->refs++;
}

static ssize_t read_at(const struct spool_msg *m, const struct extent *x, size_t from, char *p, size_t n)
{
	const struct wseg *s = wseg_find(m->writer, x->generation);
	ssize_t r;

	if (s == NULL)
		return -EIO;
	do
		r = pread(s->fd, p, n, (off_t)(x->offset + from));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -EIO : r;
}

ssize_t spool_msg_read(const struct spool_msg *m, struct spool_cursor *c, char *p, size_t n)
{
	const struct extent *x = c->extent < m->n_extent ? &m->extent[c->extent] : NULL;
	size_t there = x ? x->octets : m->pending.n;
	ssize_t r;

	require(m->writer && !m->committing && c->at <= there);
	if (n > there - c->at)
		n = there - c->at;
	if (n == 0)
		return 0;
	if (x == NULL) {
		memcpy(p, m->pending.p + c->at, n);
		c->at += n;
		return (ssize_t)n;
	}
	r = read_at(m, x, c->at, p, n);
	if (r <= 0)
		return r;
	c->at += (size_t)r;
	if (c->at == x->octets)
		*c = (struct spool_cursor){ c->extent + 1, 0 };
	return r;
}

/* In memory, in front of what is there. */
static int put_before_pending(struct spool_msg *m, struct str octets)
{
	struct buf all = BUF_INIT(m->pending.max);

	if (buf_add_str(&all, octets) != 0 || buf_add_str(&all, buf_str(&m->pending)) != 0) {
		buf_free(&all);
		return -1;
	}
	buf_free(&m->pending);
	m->pending = all;
	return 0;
}

/* As records of their own, whose extents come first. */
static int put_before_extents(struct spool_msg *m, struct str octets)
{
	struct spool_msg first = { .writer = NULL };
	size_t n;
	int r = spool_msg_begin_as(&first, m->writer, m->id) ? -1 : spool_msg_add(&first, octets);

	while (r == 0 && first.pending.n > 0)
		r = spool_msg_write_chunk(&first, first.pending.n < CHUNK_OCTETS ? first.pending.n : CHUNK_OCTETS);
	n = first.n_extent + m->n_extent;
	if (r == 0 && n <= MAX_EXTENTS) {
		struct spool_msg before = { .writer = m->writer, .extent = m->extent, .n_extent = m->n_extent };
		struct extent *all = xcalloc(n, sizeof *all);

		memcpy(all, first.extent, first.n_extent * sizeof *all);
		memcpy(all + first.n_extent, m->extent, m->n_extent * sizeof *all);
		hold(m->writer, all, n);
		m->extent = all;
		m->n_extent = m->cap_extent = n;
		spool_msg_release(&before);
	} else {
		r = -1;
	}
	if (first.writer)
		spool_msg_release(&first);
	return r;
}

int spool_msg_put_first(struct spool_msg *m, struct str octets)
{
	int r;

	require(m->writer && !m->committing);
	if (octets.n == 0)
		return 0;
	r = m->n_extent == 0 ? put_before_pending(m, octets) : put_before_extents(m, octets);
	if (r == 0)
		m->octets += octets.n;
	else
		m->failed = true;
	return r;
}

void spool_msg_replace(struct spool_msg *m, struct spool_msg *with)
{
	struct spool_msg before = *m;

	require(m->writer && with->writer == m->writer && !m->committing && !with->committing);
	m->pending = with->pending;
	m->extent = with->extent;
	m->n_extent = with->n_extent;
	m->cap_extent = with->cap_extent;
	m->octets = with->octets;
	m->failed = with->failed;
	memset(with, 0, sizeof *with);
	before.envelope = BUF_INIT(0); /* it stays the message's */
	spool_msg_release(&before);
}
