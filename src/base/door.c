#include "base/door.h"
#include "base/arena.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BURST = 16, PAUSE_MS = 100, RESERVED = 64 };

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_pause_end(uv_timer_t *timer)
{
	struct door *d = container_of(timer, struct door, pause);

	uv_poll_start(&d->poll, UV_READABLE, on_connection);
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* The lowest number that is free tells how many are left, whoever has taken the others. */
static bool is_reserve_touched(const struct door *d)
{
	int fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd < 0 || fd >= d->most;
}

static void wait_a_little(struct door *d, int error)
{
	if (!d->is_short)
		log_warn("%s: cannot take a connection now: %s; trying again", d->name, strerror(error));
	d->is_short = true;
	d->paused++;
	uv_poll_stop(&d->poll);
	uv_timer_start(&d->pause, on_pause_end, PAUSE_MS, 0);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct door *d = container_of(poll, struct door, poll);

	(void)status;
	(void)events;
	for (int i = 0; i < BURST && d->fd >= 0; i++) {
		int fd;

		if (is_reserve_touched(d)) {
			wait_a_little(d, EMFILE);
			return;
		}
		fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			d->is_short = false;
			d->take(d, fd);
		} else if (is_shortage(errno)) {
			wait_a_little(d, errno);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

void door_open(struct door *d, uv_loop_t *loop, int fd, const char *name, void (*take)(struct door *d, int fd))
{
	struct rlimit limit = { 1024, 1024 };

	memset(d, 0, sizeof *d);
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > INT_MAX)
		limit.rlim_cur = INT_MAX;
	d->most = (int)(limit.rlim_cur > 2 * RESERVED ? limit.rlim_cur - RESERVED : limit.rlim_cur / 2);
	d->fd = fd;
	d->name = name;
	d->take = take;
	if (uv_poll_init(loop, &d->poll, fd) != 0)
		panic("%s: no watcher for a listener", name);
	uv_timer_init(loop, &d->pause);
	uv_poll_start(&d->poll, UV_READABLE, on_connection);
}

void door_close(struct door *d)
{
	if (d->take == NULL || d->fd < 0)
		return;
	uv_poll_stop(&d->poll);
	uv_timer_stop(&d->pause);
	close(d->fd);
	d->fd = -1;
}
