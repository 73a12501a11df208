/* clock.c - time that does not jump. */
#include "queued/queued.h"

uint64_t queue_now_us(const struct queued *q)
{
	return q->start_us + (uv_now(q->child.loop) - q->start_ms) * 1000;
}

uint32_t loop_now_s(const struct queued *q)
{
	return (uint32_t)(uv_now(q->child.loop) / 1000);
}
