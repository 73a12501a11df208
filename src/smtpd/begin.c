/* The beginning and the end of a session. */
#include "smtpd/smtpd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void connect_line(struct session *s)
{
	if (s->announced)
		return;
	s->announced = true;
	if (s->service->is_local)
		return;
	log_info("connect from %s", client_text(s));
}

void session_name_end(struct session *s)
{
	dns_cancel(s->name_query);
	dns_done(s->name_query);
	free(s->name_query);
	s->name_query = NULL;
	s->waits_for_name = false;
	connect_line(s);
}

static void on_name(struct dns_query *q)
{
	for (struct session *s = smtpd.sessions; s; s = s->next) {
		if (s->name_query != q)
			continue;
		if (q->status == DNS_OK && q->name.n && q->name.n < 256) {
			free(s->name);
			s->name = xstrndup(q->name);
		}
		log_session(s);
		session_name_known(s);
		return;
	}
}

void session_set_peer(struct session *s, const struct sockaddr *peer)
{
	const struct sockaddr_in6 *v6 = (const void *)peer;

	memset(&s->peer, 0, sizeof s->peer);
	if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		s->peer.v4.sin_family = AF_INET;
		s->peer.v4.sin_port = v6->sin6_port;
		memcpy(&s->peer.v4.sin_addr, &v6->sin6_addr.s6_addr[12], 4);
	} else if (peer->sa_family == AF_INET6) {
		s->peer.v6 = *v6;
	} else {
		memcpy(&s->peer.v4, peer, sizeof s->peer.v4);
	}
	if (s->peer.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &s->peer.v6.sin6_addr, s->addr, sizeof s->addr);
	else if (s->peer.any.sa_family != AF_INET)
		snprintf(s->addr, sizeof s->addr, "unknown"); /* XCLIENT ADDR=[UNAVAILABLE] */
	else
		inet_ntop(AF_INET, &s->peer.v4.sin_addr, s->addr, sizeof s->addr);
	s->port = ntohs(s->peer.any.sa_family == AF_INET6 ? s->peer.v6.sin6_port : s->peer.v4.sin_port);
	s->trusted = match_list_addr(s->service->mynetworks, &s->peer.any);
	s->normalize = s->service->bare_newline == BARE_NORMALIZE ||
		       match_list_addr(s->service->newline_exclusions, &s->peer.any);
	s->line_reader.take_lf = s->normalize;
}

/* More connections than one client may have or make: told so, and out. */
static bool is_one_too_many(struct session *s)
{
	unsigned n = client_enter(s), limit = s->service->connection_limit;
	bool crowded = limit && n > limit && !client_is_exempt(s);

	if (!crowded && client_may(s, EVENT_CONNECTION) && (!s->service->tls_wrapper || client_may(s, EVENT_TLS))) {
		client_count(s, EVENT_CONNECTION);
		return false;
	}
	connect_line(s);
	if (crowded)
		log_warn("Connection concurrency limit exceeded: %u from %s for service %s", n, client_text(s),
			s->service->row->name);
	s->after_flush = FLUSH_CLOSE;
	if (!s->service->tls_wrapper)
		reply_host(s, 421, "4.7.0", "Error: too many connections");
	session_pump(s);
	return true;
}

/* A local user: trusted, and known by the uid that the kernel tells. */
static void set_local(struct session *s)
{
	struct ucred who;
	socklen_t n = sizeof who;

	s->uid = getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 ? who.uid : (uid_t)-1;
	s->peer.v4.sin_family = AF_INET;
	s->peer.v4.sin_addr.s_addr = htonl(s->uid); /* connections are counted by user */
	memcpy(s->addr, "127.0.0.1", sizeof "127.0.0.1");
	free(s->name);
	s->name = xstrdup("localhost");
	s->trusted = s->normalize = s->line_reader.take_lf = true;
}

static bool may_submit(struct session *s)
{
	if (!s->service->is_local || s->uid == 0 || user_list_has(&s->service->submitters, s->uid))
		return true;
	log_warn("uid %u is not allowed to submit mail (authorized_submit_users)", (unsigned)s->uid);
	s->after_flush = FLUSH_CLOSE;
	replyf(s, 554, "5.7.1", "User with uid %u is not allowed to submit mail", (unsigned)s->uid);
	session_pump(s);
	return false;
}

static void ask_name(struct session *s)
{
	if (!s->service->peername_lookup) {
		connect_line(s);
		return;
	}
	s->name_query = xcalloc(1, sizeof *s->name_query);
	s->name_query->on_answer = on_name;
	dns_ask_name(smtpd.dns, s->name_query, &s->peer.any);
}

bool session_enter_again(struct session *s, bool name_is_known)
{
	client_leave(s);
	if (is_one_too_many(s))
		return false;
	if (!name_is_known)
		ask_name(s);
	return true;
}

static void link_session(struct session *s)
{
	s->next = smtpd.sessions;
	if (s->next)
		s->next->self = &s->next;
	s->self = &smtpd.sessions;
	smtpd.sessions = s;
	smtpd.n_sessions++;
	smtpd.n_accepted++;
}

void session_new(const struct service *service, int fd, const struct sockaddr *peer)
{
	struct session *s = xcalloc(1, sizeof *s);

	s->service = service;
	s->hidden = service->hidden;
	s->fd = fd;
	s->in = BUF_SECRET(INPUT_MAX); /* a password may be in it */
	s->out = BUF_INIT(OUTPUT_MAX);
	s->name = xstrdup("unknown");
	uv_timer_init(smtpd.child.loop, &s->timer);
	uv_poll_init(smtpd.child.loop, &s->poll, fd);
	s->open_handles = 2;
	link_session(s);
	if (service->is_local)
		set_local(s);
	else
		session_set_peer(s, peer);
	log_session(s);
	if (service->from_proxy && !service->is_local)
		upstream_begin(s);
	else
		session_admit(s);
}

void session_admit(struct session *s)
{
	const struct service *service = s->service;

	if (is_one_too_many(s) || !may_submit(s))
		return;
	ask_name(s);
	if (service->tls_wrapper && service->tls == NULL) {
		log_warn("%s: no TLS for service %s; hanging up", client_text(s), service->row->name);
		session_end(s, END_QUIET);
		return;
	}
	if (service->tls_wrapper) {
		session_starttls(s);
		session_watch(s, UV_READABLE);
		return;
	}
	if (greet_waits(s))
		return;
	session_greet(s);
	session_pump(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct session *s = handle->data;

	if (--s->open_handles == 0)
		free(s);
}

static void log_end(struct session *s, enum end_reason reason)
{
	if (s->mode == MODE_LINGER || s->mode == MODE_PROXY || reason == END_QUIET || s->service->is_local)
		return;
	if (s->tls && s->mode != MODE_HANDSHAKE && tls_has_failed(s->tls))
		log_info("TLS error after %s from %s: %s", state_name(s), client_text(s), tls_error_text(s->tls));
	if (reason == END_TIMEOUT)
		log_info("timeout after %s from %s", state_name(s), client_text(s));
	else
		log_info("lost connection after %s from %s", state_name(s), client_text(s));
	log_disconnect(s);
}

void session_end(struct session *s, enum end_reason reason)
{
	if (s->ending)
		return;
	log_session(s);
	if (s->name_query)
		session_name_end(s);
	if (s->mode == MODE_HANDSHAKE) /* who breaks off when we have signed has cost as much as one who goes on */
		client_count(s, EVENT_TLS);
	log_end(s, reason);
	auth_drop(s);
	restrict_drop(s);
	question_end(s);
	transaction_end(s);
	milter_session_end(s);
	auth_forget(s);
	s->ending = true;
	uv_poll_stop(&s->poll);
	tls_free(&s->tls);
	free(s->cert);
	close(s->fd);
	buf_free(&s->in);
	buf_free(&s->out);
	buf_free(&s->held_reply);
	free(s->name);
	free(s->reverse_name);
	free(s->helo);
	free(s->asked_name);
	free(s->rcpt_domain);
	client_leave(s);
	*s->self = s->next;
	if (s->next)
		s->next->self = s->self;
	smtpd.n_sessions--;
	s->timer.data = s->poll.data = s;
	uv_close((uv_handle_t *)&s->timer, on_handle_closed);
	uv_close((uv_handle_t *)&s->poll, on_handle_closed);
	listen_resume();
	if (smtpd.stopping && smtpd.n_sessions == 0)
		child_exit(&smtpd.child);
}

/* They are told where they can be, and end. A graceful stop does not come here: sessions go on to their own end. */
void sessions_end_all(void)
{
	struct session *next;

	for (struct session *s = smtpd.sessions; s; s = next) {
		next = s->next;
		if (s->mode == MODE_LINGER)
			continue;
		if (s->mode == MODE_PROXY) {
			session_end(s, END_QUIET);
			continue;
		}
		log_session(s);
		if (s->mode == MODE_COMMAND && s->question == NULL) {
			reply_host(s, 421, "4.3.2", "Service shutting down"); /* RFC 5321 sec. 3.8 */
			session_write(s);
		}
		log_disconnect(s);
		session_end(s, END_QUIET);
	}
}
