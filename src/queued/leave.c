/* leave.c - the end of a queued whose successor waits for it. */
#include "queued/queued.h"

enum { LEAVE_MS = 1500 };

static void leave(struct queued *q)
{
	result_flush(q, true);
	child_exit(&q->child);
}

static void on_leave_timer(uv_timer_t *timer)
{
	leave(container_of(timer, struct queued, leave_timer));
}

void queued_leave_if_idle(struct queued *q)
{
	if (q->leaving && agents_busy(q) == 0)
		leave(q);
}

/*
 * Nothing is lost at once either, but what an agent has delivered and could not tell us would be delivered again: a
 * graceful stop waits a little for results.
 */
void queued_leave(struct queued *q, bool graceful)
{
	if (!graceful) {
		leave(q);
		return;
	}
	q->leaving = true;
	uv_timer_init(q->child.loop, &q->leave_timer);
	uv_timer_start(&q->leave_timer, on_leave_timer, LEAVE_MS, 0);
	queued_leave_if_idle(q);
}
