/* leave.c - the end of a queued whose successor, or whose master, waits for it. */
#include "queued/queued.h"

enum {
	REPLACED_MS = 1500, /* the successor waits: what is accepted meanwhile waits with it */
	INSTANCE_MS = 5000
};

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
	if (q->leaving && agents_busy(q) == 0 && q->reports_under_way == 0)
		leave(q);
}

/*
 * Nothing is lost at once either, but what an agent has delivered and could not tell us would be delivered again: a
 * stop waits a little for results, and for the reports that have to be kept before results are.
 */
void queued_leave(struct queued *q, enum stop_how how)
{
	if (how == STOP_NOW) {
		leave(q);
		return;
	}
	if (q->leaving)
		return;
	q->leaving = true;
	uv_timer_init(q->child.loop, &q->leave_timer);
	uv_timer_start(&q->leave_timer, on_leave_timer, how == STOP_INSTANCE ? INSTANCE_MS : REPLACED_MS, 0);
	queued_leave_if_idle(q);
}
