/*
 * A proxy in front (smtpd_upstream_proxy_protocol = haproxy): its header says who the client is, and is read before
 * anything else. Not an octet behind it is taken: that may be the beginning of a handshake.
 */
#include "smtpd/smtpd.h"

#include <errno.h>
#include <sys/socket.h>

static void hang_up(struct session *s, const char *why)
{
	log_warn("haproxy: %s from [%s]:%u", why, s->addr, (unsigned)s->port);
	session_end(s, END_QUIET);
}

void upstream_begin(struct session *s)
{
	s->mode = MODE_PROXY;
	session_deadline(s, s->service->proxy_timeout_ms);
	session_watch(s, UV_READABLE);
}

static void admit(struct session *s, const struct proxy_header *h)
{
	buf_free(&s->in);
	s->mode = MODE_COMMAND;
	if (!h->is_direct) {
		session_set_peer(s, &h->from.any);
		s->dest = h->to;
	}
	session_admit(s);
}

void upstream_on_readable(struct session *s)
{
	struct proxy_header h;
	size_t before = s->in.n, used;
	ssize_t n = recv(s->fd, smtpd.input, PROXY_HEADER_MAX, MSG_PEEK);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(s, "connection closed before the end of the header");
		return;
	}
	buf_add(&s->in, smtpd.input, (size_t)n);
	mem_wipe(smtpd.input, (size_t)n);
	r = proxy_header_parse(buf_str(&s->in), &h, &used);
	if (r < 0) {
		hang_up(s, "bad header");
		return;
	}
	/* What is there belongs to the header, all of it or up to its end. */
	if (recv(s->fd, smtpd.input, r > 0 ? used - before : (size_t)n, 0) <= 0)
		hang_up(s, "connection lost");
	else if (r > 0)
		admit(s, &h);
}

void upstream_on_timer(struct session *s)
{
	hang_up(s, "timeout");
}
