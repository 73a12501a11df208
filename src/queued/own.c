/* own.c - our own writer in the log: for reports, and for old messages that move out of a segment that is nearly empty. */
#include "queued/queued.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOVES_A_TICK = 256, COPY_OCTETS = 64 * 1024, SPARSE_PART = 8 };

static struct queued *the_queue; /* spool_writer has no place for its owner; a process has one */

static void want(struct spool_writer *w)
{
	(void)w;
	the_queue->own_wants++;
}

static void committed(struct spool_writer *w, uint64_t generation, uint64_t offset)
{
	struct segment *s = segment_find(the_queue, generation);

	(void)w;
	require(s != NULL);
	if (offset > s->known)
		s->known = offset;
	take_wake(the_queue);
}

static void end(struct spool_writer *w, uint64_t generation, uint64_t offset, bool failed)
{
	struct segment *s = segment_find(the_queue, generation);

	(void)w;
	(void)offset;
	if (s == NULL)
		return;
	s->failed |= failed;
	segment_close(the_queue, s, s->known);
}

static const struct spool_writer_ops ops = { want, committed, end };

void own_open(struct queued *q)
{
	the_queue = q;
	q->writer = spool_writer_new(q->child.loop, &ops);
	q->own_wants = 1;
}

void own_serve(struct queued *q)
{
	while (q->own_wants > 0) {
		struct segment *s = segment_take(q, SEG_MAIL);
		int fd = s ? segment_writer_fd(q, s) : -1;

		if (s == NULL)
			return;
		if (fd < 0) {
			s->state = SEG_BAD;
			return;
		}
		q->own_wants--;
		spool_writer_lend(q->writer, s->head.generation, s->head.size, fd);
	}
}

struct move {
	struct spool_msg msg;
	uint64_t id;
};

static void on_moved(struct spool_msg *msg, int err)
{
	struct move *v = container_of(msg, struct move, msg);
	struct message *m = err ? message_find(the_queue, v->id) : NULL;

	if (m)
		m->flags &= (uint8_t)~MF_MOVING;
	if (m && (m->flags & MF_DELETED))
		operate_delete(the_queue, m);
	free(v); /* take.c finds the new COMMIT and lets the old one go */
}

static int copy_content(struct queued *q, const struct envelope *e, struct spool_msg *msg)
{
	char *p = xcalloc(1, COPY_OCTETS);
	int err = 0;

	for (size_t i = 0; i < e->n_extent && err == 0; i++) {
		const struct extent *x = &e->extent[i];
		struct segment *s = segment_find(q, x->generation);

		if (s == NULL || record_check_data(s->fd, &s->head, x->offset, x->octets) != 1)
			err = -EBADMSG; /* damaged since it was read: a copy would hide that */
		for (uint32_t at = 0; at < x->octets && err == 0;) {
			uint32_t n = x->octets - at < COPY_OCTETS ? x->octets - at : COPY_OCTETS;

			err = pread_all(s->fd, p, n, x->offset + at);
			if (err == 0)
				err = spool_msg_add(msg, str_pn(p, n)) ? -EAGAIN : 0;
			at += n;
		}
	}
	free(p);
	return err;
}

/* Before any of it is written. 0; negative errno. */
static int check_content(struct queued *q, struct message *m, const struct envelope *e)
{
	int there = message_content_is_whole(q, e);

	if (there != 0)
		return there < 0 ? there : 0;
	m->content_is_damaged = true;
	q->damaged++;
	return -EBADMSG;
}

static bool move(struct queued *q, struct message *m)
{
	struct arena *mem = arena_new(2048);
	struct envelope e;
	struct move *v = xcalloc(1, sizeof *v);
	const struct rcpt_ref *refs = message_rcpts(m);
	size_t n = 0;
	int err = message_envelope(q, m, mem, &e);

	v->id = m->id;
	if (err == 0)
		err = check_content(q, m, &e);
	if (err == 0 && spool_msg_begin_as(&v->msg, q->writer, m->id) != 0)
		err = -EAGAIN;
	if (err == 0)
		err = copy_content(q, &e, &v->msg);
	if (err != 0) {
		spool_msg_abort(&v->msg);
		free(v);
		arena_free(&mem);
		return false;
	}
	for (size_t i = 0; i < e.n_rcpt; i++) /* those that are done stay behind */
		if (n < m->n_rcpt && e.rcpt[i].index == refs[n].index)
			e.rcpt[n++] = e.rcpt[i];
	e.n_rcpt = n;
	e.flags &= ~(uint32_t)ENV_HELD; /* what was said since then counts */
	if (m->state == MSG_HELD)
		e.flags |= ENV_HELD;
	m->flags |= MF_MOVING;
	spool_msg_commit(&v->msg, &e, on_moved);
	arena_free(&mem);
	return true;
}

/* Little of it is alive, all of that waits, and the log has grown: worth the copying. */
static bool is_sparse(const struct queued *q, const struct segment *s, unsigned n)
{
	if (s->state != SEG_CLOSED || s->head.class != SEG_MAIL || !s->was_read || s->live == 0)
		return false;
	return n > SMALL_SEGMENTS + 4 && s->live_octets < s->head.size / SPARSE_PART &&
	       uv_now(q->child.loop) - s->closed_ms > 2 * q->min_backoff_s * 1000;
}

/* Which segments are to be left; returns the greatest of their generations, 0: none. */
static uint64_t mark_sparse(struct queued *q)
{
	uint64_t newest = 0;
	unsigned n = 0;

	for (struct segment *s = q->segments; s; s = s->next)
		n += s->state != SEG_FREE;
	for (struct segment *s = q->segments; s; s = s->next) {
		s->sparse = is_sparse(q, s, n);
		if (s->sparse && s->head.generation > newest)
			newest = s->head.generation;
	}
	return newest;
}

void survivors_move(struct queued *q)
{
	uint64_t newest = q->recovering ? 0 : mark_sparse(q);
	unsigned moves = 0;
	struct message *m;
	size_t at = 0;

	if (newest == 0)
		return;
	spool_writer_renew(q->writer, newest); /* of two copies that of the greater generation counts */
	if (!spool_writer_is_ready(q->writer))
		return;
	while (moves < MOVES_A_TICK && (m = message_walk(q, &at)) != NULL)
		if (m->seg->sparse && (m->state == MSG_WAITING || m->state == MSG_HELD) && !(m->flags & MF_MOVING) &&
			!m->content_is_damaged)
			moves += move(q, m);
}
