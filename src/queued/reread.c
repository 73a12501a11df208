/*
 * reread.c - the disk does not give what a segment holds. It is asked again, later and later; when that was no use for a
 * minute, the segment is read without what cannot be read, as if that were damaged, and is kept.
 */
#include "queued/queued.h"
#include "base/log.h"

#include <inttypes.h>

enum { TRIES = 6, FIRST_WAIT_MS = 1000 }; /* doubled each time: 63 seconds in all */

bool reread_later(struct queued *q, struct segment *s, int err)
{
	if (s->failures == 0)
		log_error("segment file %08x: cannot be read at %" PRIu64 ": %s; tried again", s->number,
			s->scan.offset, strerror(-err));
	if (s->failures == TRIES) {
		log_error("segment file %08x: still cannot be read at %" PRIu64
			  ": %s; what cannot be read is passed over, see `gatepost queue fsck`",
			s->number, s->scan.offset, strerror(-err));
		s->scan.passes_errors = true;
		s->failures = 0;
		return false;
	}
	s->again_ms = uv_now(q->child.loop) + ((uint64_t)FIRST_WAIT_MS << s->failures++);
	return true;
}

void reread_worked(struct segment *s)
{
	if (s->failures == 0)
		return;
	s->failures = 0;
	log_info("segment file %08x: can be read again", s->number);
}

void reread_tick(struct queued *q)
{
	for (struct segment *s = q->segments; s; s = s->next) {
		if (s->again_ms == 0 || s->again_ms > uv_now(q->child.loop))
			continue;
		s->again_ms = 0;
		take_wake(q);
	}
}

uint64_t reread_lost(const struct queued *q)
{
	uint64_t n = 0;

	for (const struct segment *s = q->segments; s; s = s->next)
		n += s->state != SEG_FREE && s->head.class == SEG_MAIL ? s->scan.unreadable : 0;
	return n;
}
