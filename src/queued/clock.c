/* clock.c - time that does not jump. */
#include "queued/queued.h"

#include <time.h>

uint64_t queue_now_us(const struct queued *q)
{
	return q->start_us + (uv_now(q->child.loop) - q->start_ms) * 1000;
}

void wall_clock_look(struct queued *q)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	q->wall_ahead_us = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 - (int64_t)queue_now_us(q);
}

uint64_t wall_to_queue_us(const struct queued *q, uint64_t wall_us)
{
	int64_t us = (int64_t)wall_us - q->wall_ahead_us;

	return us > 0 ? (uint64_t)us : 0;
}

uint32_t loop_now_s(const struct queued *q)
{
	return (uint32_t)(uv_now(q->child.loop) / 1000);
}
