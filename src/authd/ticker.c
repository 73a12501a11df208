#include "authd/ticker.h"

#include "base/arena.h"
#include "base/log.h"

#include <sys/timerfd.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct ticker *t = container_of(poll, struct ticker, poll);
	uint64_t times;

	(void)status;
	(void)events;
	if (read(t->fd, &times, sizeof times) == (ssize_t)sizeof times)
		t->fire(t);
}

void ticker_init(struct ticker *t, uv_loop_t *loop, void (*fire)(struct ticker *t))
{
	t->fire = fire;
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->fd <= 0 || uv_poll_init(loop, &t->poll, t->fd) != 0)
		panic("no timer");
	uv_poll_start(&t->poll, UV_READABLE, on_poll);
}

void ticker_at(struct ticker *t, uint64_t ms)
{
	struct itimerspec when = { .it_value = {
					   .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 } };

	if (ms == 0)
		when.it_value.tv_nsec = 1; /* zero would disarm it */
	if (timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		panic("the timer cannot be set");
}
