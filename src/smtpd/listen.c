/*
 * Accepting, from when mail can be kept and users can log in: bursts from the listeners that master passed, a pause when
 * descriptors run out.
 */
#include "smtpd/smtpd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PAUSE_MS = 500,
	QUEUE_MAX = 1024,
	/* So long clients wait in the backlog for the authentication service, and for queued; then they are let in. */
	FIRST_AUTH_MS = 5 * 1000,
	FIRST_SEGMENT_MS = 10 * 1000,
	WARN_MS = 10 * 1000,	 /* one line in so long a time says that there are too many */
	SEND_OCTETS = 64 * 1024, /* of replies that wait in the kernel for a client that does not read them */
	RESERVED = 64 /* descriptors that no client gets: segments of the log, channels, DNS, authentication */
};

struct listener {
	uv_poll_t poll;
	const struct service *service;
	const char *address;
	int fd;
};

static struct listener *listeners;
static uv_timer_t pause_timer;
static bool accepting, paused, has_segment, has_auth, has_keys;
static size_t sessions_max;
static uint64_t warned_ms;

static void on_connection(uv_poll_t *poll, int status, int events);

static void watch_all(bool on)
{
	for (size_t i = 0; i < smtpd.child.n_listener; i++) {
		if (on)
			uv_poll_start(&listeners[i].poll, UV_READABLE, on_connection);
		else
			uv_poll_stop(&listeners[i].poll);
	}
}

static void on_pause_end(uv_timer_t *timer)
{
	(void)timer;
	listen_resume();
}

/* A session is a descriptor, and one more for each milter that it speaks with. */
static bool is_full(void)
{
	return smtpd.n_sessions + milter_connections() >= sessions_max;
}

/* Also called when a session ended: there may be a descriptor again. */
void listen_resume(void)
{
	if (!paused || smtpd.stopping || is_full())
		return;
	paused = false;
	uv_timer_stop(&pause_timer);
	watch_all(true);
}

static void pause_accept(int err)
{
	if (warned_ms == 0 || now_ms() - warned_ms >= WARN_MS) {
		warned_ms = now_ms();
		log_name(NULL);
		log_warn("cannot accept connections now: %s; %zu sessions are open", strerror(err), smtpd.n_sessions);
	}
	paused = true;
	watch_all(false);
	uv_timer_start(&pause_timer, on_pause_end, PAUSE_MS, PAUSE_MS);
}

/* False: nobody waits there, or nobody more can be taken. */
static bool accept_one(const struct listener *l)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	int fd;

	if (is_full()) {
		pause_accept(EMFILE);
		return false;
	}
	fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		session_new(l->service, fd, (struct sockaddr *)&peer);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		pause_accept(errno);
	return errno == ECONNABORTED || errno == EINTR;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	const struct listener *l = container_of(poll, struct listener, poll);

	(void)events;
	for (int i = 0; status >= 0 && i < ACCEPT_BURST && !smtpd.stopping && accept_one(l); i++)
		continue;
}

/*
 * A socket that no successor has takes those who wait in its queue with it, so they are let in; also by who was replaced before
 * he was ready, as by two reloads in a row.
 */
void listen_drain(void)
{
	for (size_t i = 0; listeners && i < smtpd.child.n_listener; i++)
		for (int k = 0; k < QUEUE_MAX && !paused && accept_one(&listeners[i]); k++)
			continue;
}

size_t listen_sessions(size_t descriptors)
{
	size_t n = descriptors > 2 * RESERVED ? descriptors - RESERVED : descriptors / 2;

	n /= 1 + milter_conns_max();
	return n ? n : 1;
}

/* A session is a descriptor; a limit made for shells is too low for a server. */
void listen_limit(void)
{
	struct rlimit limit = { 1024, 1024 };

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	sessions_max = listen_sessions(limit.rlim_cur);
}

static void begin_when_ready(void)
{
	if (accepting || smtpd.stopping || !has_segment || !has_auth || !has_keys)
		return;
	accepting = true;
	uv_timer_stop(&pause_timer);
	watch_all(true);
}

void listen_segment_is_here(void)
{
	has_segment = true;
	begin_when_ready();
}

void listen_auth_is_known(void)
{
	has_auth = true;
	begin_when_ready();
}

void listen_keys_are_here(void)
{
	has_keys = true;
	begin_when_ready();
}

static void on_no_segment(uv_timer_t *timer)
{
	(void)timer;
	log_name(NULL);
	if (!has_segment)
		log_warn("queued has lent no segment of the log yet: clients are let in, and their mail is put off");
	listen_segment_is_here();
}

/* What is wrong with the service, or with keyd, is in the log already. Mail from outside needs no login. */
static void on_no_auth(uv_timer_t *timer)
{
	uv_timer_start(timer, on_no_segment, FIRST_SEGMENT_MS - FIRST_AUTH_MS, 0);
	listen_keys_are_here();
	listen_auth_is_known();
}

void listen_open(void)
{
	int on = 1, most = SEND_OCTETS;

	listeners = xcalloc(smtpd.child.n_listener ? smtpd.child.n_listener : 1, sizeof *listeners);
	uv_timer_init(smtpd.child.loop, &pause_timer);
	for (size_t i = 0; i < smtpd.child.n_listener; i++) {
		struct listener *l = &listeners[i];

		l->fd = smtpd.child.listener[i].fd;
		l->address = smtpd.child.listener[i].address;
		/* What is accepted inherits both. */
		setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
		l->service = service_find(smtpd.child.listener[i].service);
		if (uv_poll_init(smtpd.child.loop, &l->poll, l->fd) != 0)
			fatal("cannot watch the listener %s", l->address);
	}
	has_auth = services_know_auth();
	has_keys = keys_are_here();
	uv_timer_start(&pause_timer, on_no_auth, FIRST_AUTH_MS, 0);
}

void listen_stop(void)
{
	watch_all(false);
	uv_timer_stop(&pause_timer);
	for (size_t i = 0; i < smtpd.child.n_listener; i++) {
		if (listeners[i].fd >= 0)
			close(listeners[i].fd);
		listeners[i].fd = -1;
	}
}
