/* libcurl's multi interface on libuv: it says which sockets to watch, and when it wants to be called next. */
#include "fetchd/fetchd.h"

#include "base/log.h"

#include <stdlib.h>

enum { CONNECTIONS_MAX = 64, CONNECTIONS_PER_HOST = 32, CONNECTIONS_KEPT = 32 };

struct watch {
	uv_poll_t poll;
	curl_socket_t fd;
};

static void take_finished(void)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(fetchd.multi, &left)) != NULL) {
		CURLcode result = m->data.result;
		char *call;

		if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call) == CURLE_OK)
			call_done((struct call *)(void *)call, result);
	}
}

static void act(curl_socket_t fd, int flags)
{
	int running;

	curl_multi_socket_action(fetchd.multi, fd, flags, &running);
	take_finished();
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct watch *w = container_of(poll, struct watch, poll);
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;

	flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
	flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	act(w->fd, flags);
}

static void on_unwatched(uv_handle_t *h)
{
	free(container_of((uv_poll_t *)(void *)h, struct watch, poll));
}

static struct watch *watch_new(curl_socket_t fd)
{
	struct watch *w = xcalloc(1, sizeof *w);

	w->fd = fd;
	if (uv_poll_init(fetchd.child.loop, &w->poll, fd) != 0)
		panic("uv_poll_init: no watcher for a socket of libcurl");
	curl_multi_assign(fetchd.multi, fd, w);
	return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *of_socket)
{
	struct watch *w = of_socket;

	(void)easy;
	(void)context;
	if (what == CURL_POLL_REMOVE) {
		if (w) {
			curl_multi_assign(fetchd.multi, fd, NULL);
			uv_poll_stop(&w->poll);
			uv_close((uv_handle_t *)&w->poll, on_unwatched);
		}
		return 0;
	}
	w = w ? w : watch_new(fd);
	uv_poll_start(&w->poll, (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0),
		on_event);
	return 0;
}

static void on_timer(uv_timer_t *t)
{
	(void)t;
	act(CURL_SOCKET_TIMEOUT, 0);
}

/* 0 is "at once", but not from in here. */
static int on_timer_wish(CURLM *multi, long ms, void *context)
{
	(void)multi;
	(void)context;
	if (ms < 0)
		uv_timer_stop(&fetchd.timer);
	else
		uv_timer_start(&fetchd.timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

void loop_open(void)
{
	if (!memory_take_curl() || (fetchd.multi = curl_multi_init()) == NULL)
		fatal("libcurl cannot be used");
	uv_timer_init(fetchd.child.loop, &fetchd.timer);
	curl_multi_setopt(fetchd.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(fetchd.multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	curl_multi_setopt(fetchd.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
	curl_multi_setopt(fetchd.multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST);
	curl_multi_setopt(fetchd.multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
}
