/* spool_segs.c - the segments that a writer was lent. */
#include "log/spool_impl.h"

#include <stdlib.h>
#include <unistd.h>

bool wseg_is_usable(const struct wseg *s)
{
	return !s->closed;
}

struct wseg *wseg_find(const struct spool_writer *w, uint64_t generation)
{
	for (struct wseg *s = w->segs; s; s = s->next)
		if (s->head.generation == generation)
			return s;
	return NULL;
}

void wseg_ask_ahead(struct spool_writer *w)
{
	unsigned usable = 0;

	if (w->peer_lost)
		return;
	for (const struct wseg *s = w->segs; s; s = s->next)
		usable += wseg_is_usable(s);
	while (usable + w->wanted < 1 + SPARES) {
		w->wanted++;
		w->ops->want(w);
	}
}

void wseg_drop(struct spool_writer *w, struct wseg *s)
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
void wseg_end_if_idle(struct spool_writer *w, struct wseg *s)
{
	struct wseg copy = *s;

	if (s->refs > 0 || !s->closed)
		return;
	wseg_drop(w, s);
	if (!copy.orphan)
		w->ops->end(w, copy.head.generation, copy.offset, copy.failed);
}

void wseg_close(struct spool_writer *w, struct wseg *s, bool failed)
{
	s->closed = true;
	s->failed |= failed;
	wseg_ask_ahead(w);
}

/* The segment that takes `need` more octets, or NULL. Segments that are too full for it are ended on the way. */
struct wseg *wseg_for(struct spool_writer *w, size_t need)
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
		wseg_close(w, s, false);
		wseg_end_if_idle(w, s);
	}
	return NULL;
}
