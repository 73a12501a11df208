/* park.c - what has been routed and waits in the log because more than enough is queued for its only destination. */
#include "queued/queued.h"

enum {
	A_TURN = 64,
	CROWDED_DIVISOR = 4 /* of the messages that may be active: more of them for one destination are a crowd */
};

bool dest_is_crowded(const struct queued *q, const struct dest *d)
{
	return d->queued >= q->active_limit / CROWDED_DIVISOR && q->n_active >= q->active_limit / 2;
}

size_t dest_parked(const struct dest *d)
{
	return d->parked[0].n + d->parked[1].n;
}

struct message *dest_first_parked(const struct dest *d)
{
	return d->parked[0].n > 0 ? d->parked[0].first : d->parked[1].first;
}

/*
 * There is room again: those that came first are taken first. One is taken even when the mail of others fills all room
 * and none is queued any more: nothing else would ask for the rest.
 */
void dest_unpark(struct queued *q, struct dest *d)
{
	size_t room = q->n_active < q->active_limit ? q->active_limit - q->n_active : 0;

	if (d->queued > 0 && d->queued >= q->active_limit / CROWDED_DIVISOR / 2)
		return;
	if (room == 0 && d->queued == 0)
		room = 1;
	for (unsigned i = 0; i < A_TURN && i < room && dest_parked(d) > 0; i++)
		activate(q, dest_first_parked(d));
}

/* Nothing of it is under way, and so nothing calls dest_unpark(): it was routed elsewhere, deferred or deleted. */
void dest_free_stranded(struct queued *q, struct dest *d)
{
	if (d->queued > 0 || d->busy)
		return;
	for (unsigned i = 0; i < A_TURN && dest_parked(d) > 0; i++)
		message_ready(q, dest_first_parked(d));
}
