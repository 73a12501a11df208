/* The life of a session: read, run commands, reply, time out. Its beginning and end are in begin.c. */
#include "smtpd/smtpd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LINGER_MS = 2000, /* after the last reply of a refused client: so that it can read it before the reset */
	LINGER_MAX = 1024 * 1024,
	READS_PER_TURN = 4
};

struct smtpd smtpd;

static void on_socket(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);
static void on_readable(struct session *s);

uint64_t now_ms(void)
{
	return uv_now(smtpd.child.loop);
}

bool session_is_ours(const struct session *s)
{
	return s->trusted || s->sasl_username;
}

/* No input is looked at until something is answered. */
static bool is_waiting(const struct session *s)
{
	return s->question || s->waits_for_name;
}

/* The timer is moved only when it fires too early: most deadlines are replaced long before. */
static void arm_timer(struct session *s)
{
	uint64_t now = now_ms(), due = s->deadline_ms;

	if (s->ending)
		return;
	if (!uv_is_active((uv_handle_t *)&s->timer) || uv_timer_get_due_in(&s->timer) + now > due)
		uv_timer_start(&s->timer, on_timer, due > now ? due - now : 0, 0);
}

void session_deadline(struct session *s, uint64_t ms)
{
	s->deadline_ms = now_ms() + ms;
	arm_timer(s);
}

void session_watch(struct session *s, int events)
{
	if (s->ending || events == s->poll_events)
		return;
	s->poll_events = events;
	if (events)
		uv_poll_start(&s->poll, events, on_socket);
	else
		uv_poll_stop(&s->poll);
}

/* ---- the one open question ---- */

struct question *question_new(struct session *s, enum asked what, enum outcome (*then)(struct session *s))
{
	struct question *q = xcalloc(1, sizeof *q);

	require(s->question == NULL);
	q->session = s;
	q->what = what;
	q->then = then;
	s->question = q;
	return q;
}

/* Also when it is still open: then it is cancelled, but a commit, which goes on without the session; a milter that is
 * waited for is hung up on by milter_mail_abort() or milter_session_end(), which follow. */
void question_end(struct session *s)
{
	struct question *q = s->question;

	if (q == NULL)
		return;
	if (q->what == ASK_MAP) {
		map_cancel(&q->map);
		map_done(&q->map);
	} else if (q->what == ASK_DNS) {
		dns_cancel(&q->dns);
		dns_done(&q->dns);
	} else if (q->what == ASK_POLICY) {
		policy_end(&q->policy);
	}
	free(q);
	s->question = NULL;
}

/* ---- sending and reading ---- */

static void linger(struct session *s)
{
	s->mode = MODE_LINGER;
	buf_free(&s->in);
	tls_free(&s->tls);
	shutdown(s->fd, SHUT_WR);
	session_deadline(s, LINGER_MS);
	session_watch(s, UV_READABLE);
}

/* All replies are out. */
static void after_flush(struct session *s)
{
	enum after_flush what = s->after_flush;

	s->after_flush = FLUSH_NOTHING;
	if (what == FLUSH_STARTTLS) {
		buf_free(&s->in); /* RFC 3207 sec. 6: nothing that came in the clear survives */
		session_starttls(s);
		session_watch(s, UV_READABLE);
	} else if (what == FLUSH_CLOSE) {
		log_disconnect(s);
		linger(s);
	}
}

/* Send; false when the session ended, or the socket takes no more for now. */
static bool flush(struct session *s)
{
	switch (session_write(s)) {
	case IO_AGAIN:
		/* One deadline for all of it: an octet now and then earns no more time. */
		if (!s->unread || !s->service->request_deadline)
			session_deadline(s, s->service->timeout_ms);
		s->unread = true;
		session_watch(s, s->tls && !s->tls_wants_write ? UV_READABLE : UV_WRITABLE);
		return false;
	case IO_END:
		session_end(s, END_LOST);
		return false;
	default:
		s->unread = false;
		return true;
	}
}

static void handle_octets(struct session *s, struct str fresh)
{
	size_t used;

	if (s->in.n || fresh.n == 0) {
		if (fresh.n && buf_add_str(&s->in, fresh) != 0)
			panic("smtpd: input of %zu octets over its bound", s->in.n + fresh.n);
		used = session_consume(s, buf_str(&s->in));
		buf_consume(&s->in, used);
	} else {
		used = session_consume(s, fresh);
		buf_add_str(&s->in, str_from(fresh, used));
	}
	if (s->in.n == 0)
		buf_free(&s->in);
}

static void watch_for_more(struct session *s)
{
	if (s->mode == MODE_HANDSHAKE || s->mode == MODE_LINGER || s->mode == MODE_GREET)
		return;
	/* While a question is open nothing is read; on_socket() stops watching when something comes. Most answers are
	 * faster than the client, and each change costs a system call. */
	if (is_waiting(s) && s->poll_events == UV_READABLE)
		return;
	session_watch(s, is_waiting(s) ? 0 : UV_READABLE);
}

void session_pump(struct session *s)
{
	if (s->in_pump || s->ending || s->mode == MODE_LINGER)
		return;
	s->in_pump = true;
	log_session(s);
	do {
		handle_octets(s, STR(""));
	} while (s->question == NULL && s->after_flush == FLUSH_NOTHING && s->out.n > OUTPUT_MAX / 2 &&
		 session_write(s) == IO_DONE);
	s->in_pump = false;
	if (s->question && (s->question->what == ASK_SLEEP || s->question->what == ASK_MAP)) {
		return; /* a lookup is answered soon: its reply leaves with those before it */
	}
	if (!flush(s))
		return;
	after_flush(s);
	watch_for_more(s);
}

/* What OpenSSL decrypted already is not told by the socket. */
static void read_decrypted(struct session *s)
{
	if (!s->ending && s->tls && s->mode != MODE_HANDSHAKE && !is_waiting(s) && s->poll_events == UV_READABLE &&
		tls_has_pending(s->tls))
		on_readable(s);
}

void session_resume(struct session *s)
{
	session_pump(s);
	read_decrypted(s);
}

void session_answer(struct session *s)
{
	struct question *q = s->question;
	enum outcome r;
	bool is_sleep;

	require(q != NULL);
	log_session(s);
	is_sleep = q->what == ASK_SLEEP;
	q->answered = true; /* a new question may stand in its place, even at its address */
	r = q->then(s);
	if (s->question && s->question->answered)
		question_end(s);
	if (is_sleep && s->question == NULL)
		session_deadline(s, s->service->timeout_ms);
	else if (s->question == NULL)
		session_settle(s, r);
	session_resume(s);
}

/* ---- the socket ---- */

static bool reads_commands(const struct session *s)
{
	return s->mode != MODE_LINGER && s->mode != MODE_HANDSHAKE;
}

static bool reads_content(const struct session *s)
{
	return s->mode == MODE_DATA || s->mode == MODE_BDAT;
}

/*
 * Content earns time as it comes in, so that an octet every few seconds does not hold a session for ever. Commands earn
 * none, unless smtpd_per_request_deadline says so.
 */
static void earn_time(struct session *s, size_t octets)
{
	uint64_t limit = now_ms() + s->service->timeout_ms, due;

	if (!s->service->request_deadline && reads_commands(s)) {
		s->deadline_ms = limit;
		return;
	}
	if (!reads_content(s))
		return;
	due = s->deadline_ms + octets * 1000 / (s->service->data_rate ? s->service->data_rate : 1);
	s->deadline_ms = due < limit ? due : limit;
}

/* What came may be a password, or have one behind it; all that is still needed was copied. */
static void take_octets(struct session *s, size_t n)
{
	bool is_content = reads_content(s);

	s->in_pump = true;
	handle_octets(s, str_pn(smtpd.input, n));
	s->in_pump = false;
	if (!is_content || !reads_content(s))
		mem_wipe(smtpd.input, n);
}

static void on_readable(struct session *s)
{
	for (int i = 0; !s->ending && (i < READS_PER_TURN || (s->tls && tls_has_pending(s->tls))); i++) {
		size_t n = 0;
		enum io r = session_read(s, smtpd.input, sizeof smtpd.input, &n);

		if (r == IO_AGAIN) {
			session_watch(s, s->tls_wants_write ? UV_WRITABLE : UV_READABLE);
			return;
		}
		if (r == IO_END) {
			session_end(s, END_LOST);
			return;
		}
		earn_time(s, n);
		take_octets(s, n);
		session_pump(s);
		if (s->ending || !reads_commands(s))
			return; /* what comes now is no command: it is dropped, or the beginning of a handshake */
		if (s->tls && tls_is_over(s->tls) && !s->question) {
			session_end(s, END_LOST); /* nothing may come any more, and the socket may never say so */
			return;
		}
		if (s->poll_events != UV_READABLE || is_waiting(s) || n < sizeof smtpd.input)
			return;
	}
}

static void on_lingering(struct session *s)
{
	ssize_t n = recv(s->fd, smtpd.input, sizeof smtpd.input, 0);

	s->junk += n > 0 ? (unsigned)n : 0;
	mem_wipe(smtpd.input, n > 0 ? (size_t)n : 0);
	if (n == 0 || (n < 0 && errno != EAGAIN) || s->junk > LINGER_MAX)
		session_end(s, END_QUIET);
}

/* Milters want to know its name. */
enum outcome session_greet_again(struct session *s)
{
	s->greeting_due = milter_greets(s);
	if (s->greeting_due && s->name_query) {
		s->waits_for_name = true;
		session_deadline(s, NAME_WAIT_MS);
		return R_WAIT; /* session_name_known() comes again */
	}
	if (s->greeting_due)
		return milter_greet(s);
	reply_greeting(s);
	return R_DONE;
}

void session_greet(struct session *s)
{
	s->mode = MODE_COMMAND;
	s->counted = true; /* it answers no command */
	session_deadline(s, s->service->timeout_ms);
	session_settle(s, session_greet_again(s));
}

void session_name_known(struct session *s)
{
	if (s->waits_for_name)
		session_deadline(s, s->service->timeout_ms);
	session_name_end(s);
	if (s->greeting_due)
		session_settle(s, session_greet_again(s));
	session_resume(s);
}

static void on_handshake(struct session *s)
{
	switch (session_handshake(s)) {
	case IO_AGAIN:
		session_watch(s, s->tls_wants_write ? UV_WRITABLE : UV_READABLE);
		return;
	case IO_END:
		session_end(s, END_LOST);
		return;
	default:
		break;
	}
	if (s->service->tls_wrapper) {
		session_greet(s);
	} else {
		s->mode = MODE_COMMAND;
		session_deadline(s, s->service->timeout_ms);
	}
	session_watch(s, UV_READABLE);
	session_pump(s);
	if (!s->ending && reads_commands(s) && s->poll_events == UV_READABLE)
		on_readable(s); /* its first command may be here already, decrypted: the socket would not tell */
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct session *s = container_of(poll, struct session, poll);

	spool_writer_stir(smtpd.writer);
	log_session(s);
	if (status < 0) {
		session_end(s, END_LOST);
		return;
	}
	if (s->mode == MODE_LINGER) {
		on_lingering(s);
		return;
	}
	if (s->mode == MODE_HANDSHAKE) {
		on_handshake(s);
		return;
	}
	if (s->mode == MODE_GREET) {
		greet_on_readable(s);
		return;
	}
	if (s->mode == MODE_PROXY) {
		upstream_on_readable(s);
		return;
	}
	if (is_waiting(s) && s->poll_events == UV_READABLE) {
		session_watch(s, 0);
		return;
	}
	if (s->out.n || (events & UV_WRITABLE)) {
		session_resume(s);
		return;
	}
	if (events & UV_READABLE)
		on_readable(s);
}

static void on_timer(uv_timer_t *timer)
{
	struct session *s = container_of(timer, struct session, timer);

	log_session(s);
	if (now_ms() < s->deadline_ms) {
		arm_timer(s);
		return;
	}
	if (s->mode == MODE_LINGER) {
		session_end(s, END_QUIET);
		return;
	}
	if (s->question && s->question->what == ASK_SLEEP) {
		session_answer(s);
		return;
	}
	if (s->mode == MODE_GREET) {
		greet_on_timer(s);
		return;
	}
	if (s->mode == MODE_PROXY) {
		upstream_on_timer(s);
		return;
	}
	if (s->waits_for_name) {
		session_name_known(s);
		return;
	}
	if (s->question) { /* it has its own bounds */
		session_deadline(s, s->service->timeout_ms);
		return;
	}
	if (s->mode != MODE_HANDSHAKE && s->out.n == 0) {
		reply_let_go(s);
		reply_host(s, 421, "4.4.2", "Error: timeout exceeded"); /* RFC 5321 sec. 4.5.3.2.7 */
		session_write(s);
	}
	session_end(s, END_TIMEOUT);
}
