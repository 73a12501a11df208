/*
 * damaged_copy.c - COMMITs of copied messages whose content does not check. While the message that one was made of is
 * there, that is what counts; when it is done its copy is ended with it, or whoever reads the log later would take the copy
 * for the only one.
 */
#include "queued/queued.h"

#include <stdlib.h>

struct damaged_copy {
	struct damaged_copy *next;
	uint64_t id, generation, offset; /* of its COMMIT */
};

/* All that it is made of is kept for `gatepost queue fsck`, or may be used again. */
static void count(struct queued *q, struct segment *s, const struct envelope *e, int by)
{
	uint64_t last = s->head.generation;

	q->damaged += (uint64_t)(int64_t)by;
	s->damaged += (unsigned)by;
	for (size_t i = 0; i < e->n_extent; i++) {
		struct segment *x = segment_find(q, e->extent[i].generation);

		if (x && x != s && x->head.generation != last)
			x->damaged += (unsigned)by;
		last = e->extent[i].generation;
	}
}

void damaged_copy_keep(struct queued *q, struct segment *s, const struct record *commit, const struct envelope *e)
{
	struct damaged_copy *c = xcalloc(1, sizeof *c);

	*c = (struct damaged_copy){ q->damaged_copies, e->id, s->head.generation, commit->offset };
	q->damaged_copies = c;
	count(q, s, e, 1);
}

static void end(struct queued *q, const struct damaged_copy *c)
{
	struct segment *s = segment_find(q, c->generation);
	struct buf payload = BUF_INIT(RECORD_MAX_OCTETS);
	struct arena *mem = arena_new(0);
	struct envelope e;

	if (s) {
		result_done_commit(q, c->id, s);
		if (record_read(s->fd, &s->head, c->offset, RECORD_COMMIT, &payload) == 0 &&
			envelope_decode(arena_dup(mem, buf_str(&payload)), mem, &e) == 0)
			count(q, s, &e, -1);
		q->recycle_due = true;
	}
	arena_free(&mem);
	buf_free(&payload);
}

void damaged_copies_end(struct queued *q, uint64_t id)
{
	for (struct damaged_copy **at = &q->damaged_copies; *at;) {
		struct damaged_copy *c = *at;

		if (c->id != id) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		end(q, c);
		free(c);
	}
}
