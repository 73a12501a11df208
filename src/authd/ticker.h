/*
 * ticker.h - a wake-up at a time on the clock, not after a time from now.
 *
 * A timer of the event loop counts whole milliseconds from when it is armed, and so fires at a fraction of a millisecond that is that
 * of the arming: an answer that waits for it tells how long the work before it took. This one fires at the millisecond itself,
 * whenever it was armed.
 */
#ifndef AUTHD_TICKER_H
#define AUTHD_TICKER_H

#include <stdint.h>
#include <uv.h>

struct ticker { /* zeroed: there is none */
	int fd; /* of timerfd_create(); 0: there is none */
	uv_poll_t poll;
	void (*fire)(struct ticker *t);
};

void ticker_init(struct ticker *t, uv_loop_t *loop, void (*fire)(struct ticker *t));
/* Call fire() then; `ms` by the clock of uv_hrtime() and uv_now(). One time only; the last one said counts. */
void ticker_at(struct ticker *t, uint64_t ms);

#endif
