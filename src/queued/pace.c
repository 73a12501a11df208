/* pace.c - a pause between two deliveries to one destination: SERVICE_destination_rate_delay. */
#include "queued/queued.h"

static void on_pace(uv_timer_t *timer);

static void set_timer(struct queued *q)
{
	uint64_t now = uv_now(q->child.loop), soonest = UINT64_MAX;

	for (const struct dest *d = q->pausing; d; d = d->pausing_next)
		if (d->pause_until_ms < soonest)
			soonest = d->pause_until_ms;
	if (soonest != UINT64_MAX)
		uv_timer_start(&q->pace, on_pace, soonest > now ? soonest - now : 0, 0);
}

static void on_pace(uv_timer_t *timer)
{
	struct queued *q = container_of(timer, struct queued, pace);
	struct dest **at = &q->pausing;

	while (*at) {
		struct dest *d = *at;

		if (dest_pauses(q, d)) {
			at = &d->pausing_next;
			continue;
		}
		*at = d->pausing_next;
		d->is_pausing = false;
		dest_enter_ring(q, d);
	}
	set_timer(q);
	take_wake(q);
}

bool dest_pauses(const struct queued *q, const struct dest *d)
{
	return d->pause_until_ms > uv_now(q->child.loop);
}

void dest_pause(struct queued *q, struct dest *d)
{
	if (d->service->pause_ms == 0)
		return;
	d->pause_until_ms = uv_now(q->child.loop) + d->service->pause_ms;
	if (!q->has_pace)
		uv_timer_init(q->child.loop, &q->pace);
	q->has_pace = true;
	if (!d->is_pausing) {
		d->pausing_next = q->pausing;
		q->pausing = d;
	}
	d->is_pausing = true;
	if (!uv_is_active((uv_handle_t *)&q->pace) || uv_timer_get_due_in(&q->pace) > d->service->pause_ms)
		uv_timer_start(&q->pace, on_pace, d->service->pause_ms, 0);
}
