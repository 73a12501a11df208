/*
 * The pause before the greeting (postscreen_greet_wait): RFC 5321 sec. 3.1 and 4.3.1 let a client speak after the 220
 * only. One that does not wait is a program that writes and does not read. A client that waited once is greeted at once
 * for postscreen_greet_ttl; one in mynetworks always is.
 */
#include "smtpd/smtpd.h"

#include <errno.h>
#include <sys/socket.h>

enum { SHOWN_MAX = 100 };

bool greet_waits(struct session *s)
{
	if (s->service->greet_action == GREET_AT_ONCE || s->service->is_local || s->trusted || client_has_waited(s))
		return false;
	s->mode = MODE_GREET;
	session_deadline(s, s->service->greet_wait_ms);
	session_watch(s, UV_READABLE);
	return true;
}

void greet_on_readable(struct session *s)
{
	char text[SHOWN_MAX];
	ssize_t n = recv(s->fd, text, sizeof text, MSG_PEEK);
	uint64_t now = now_ms(), left = s->deadline_ms > now ? s->deadline_ms - now : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_end(s, END_LOST);
		return;
	}
	log_info("PREGREET %zd after %.2f from [%s]:%u: %.*s", n, (double)(s->service->greet_wait_ms - left) / 1000,
		s->addr, (unsigned)s->port, (int)n, text);
	s->spoke_early = true;
	session_watch(s, 0);
	if (s->service->greet_action != GREET_DROP)
		return; /* heard out, and refused at RCPT: what it wanted is in the log then */
	s->mode = MODE_COMMAND;
	s->after_flush = FLUSH_CLOSE;
	replyf(s, 521, "5.5.1", "Protocol error");
	session_pump(s);
}

void greet_on_timer(struct session *s)
{
	if (!s->spoke_early)
		client_waited(s);
	session_greet(s);
	session_pump(s);
}
