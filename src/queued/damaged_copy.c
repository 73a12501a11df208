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

/* It counts no more. False: it cannot be read now. */
static bool drop(struct queued *q, const struct damaged_copy *c, struct arena *mem, struct envelope *e)
{
	struct segment *s = segment_find(q, c->generation);
	struct buf payload = BUF_INIT(RECORD_MAX_OCTETS);
	bool is_read = s && record_read(s->fd, &s->head, c->offset, RECORD_COMMIT, &payload) == 0 &&
		       envelope_decode(arena_dup(mem, buf_str(&payload)), mem, e) == 0;

	if (is_read)
		count(q, s, e, -1);
	buf_free(&payload);
	return is_read;
}

static void end(struct queued *q, const struct damaged_copy *c)
{
	struct segment *s = segment_find(q, c->generation);
	struct arena *mem = arena_new(0);
	struct envelope e;

	if (s) {
		result_done_commit(q, c->id, s);
		drop(q, c, mem, &e);
		q->recycle_due = true;
	}
	arena_free(&mem);
}

/* Of several copies the last one made, as with those that are whole. */
static struct damaged_copy **find_orphan(struct queued *q)
{
	struct damaged_copy **best = NULL;

	for (struct damaged_copy **at = &q->damaged_copies; *at; at = &(*at)->next)
		if ((best == NULL || ((*at)->id == (*best)->id && (*at)->generation > (*best)->generation)) &&
			!message_find(q, (*at)->id))
			best = at;
	return best;
}

bool damaged_copy_take_orphan(
	struct queued *q, struct arena *mem, struct segment **s, struct record *commit, struct envelope *e)
{
	for (struct damaged_copy **at; (at = find_orphan(q)) != NULL;) {
		struct damaged_copy *c = *at, copy = *c;

		*at = c->next;
		free(c);
		*s = segment_find(q, copy.generation);
		*commit = (struct record){ .type = RECORD_COMMIT, .offset = copy.offset };
		if (drop(q, &copy, mem, e))
			return true;
	}
	return false;
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
