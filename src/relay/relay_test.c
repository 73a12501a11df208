#include "relay/relay.h"

#include "base/log.h"
#include "base/test.h"
#include "tls/test_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/*
 * relay as it is, with a queued that is this test, and servers that follow a script: one thread each, blocking sockets.
 * A script is lines "C text" (a line with that beginning is awaited), "S text" (sent with CRLF), "B" (a body up to
 * CRLF.CRLF is awaited), "X" (close and accept the next connection), "R text" (sent in one piece; "|" is CRLF), "P" (a pause), "W" (wait for the
 * client to close), "T" (TLS begins).
 */

struct server {
	pthread_t thread;
	int listener;
	uint16_t port;
	const char *script;
	struct buf seen; /* everything that came */
	struct buf body;
	SSL *ssl;	 /* after "T" */
	char wrong[200]; /* "": all went by the script */
};

static ssize_t take(struct server *s, int fd, char *p, size_t n)
{
	return s->ssl ? SSL_read(s->ssl, p, (int)n) : read(fd, p, n);
}

static void say(struct server *s, int fd, struct str text)
{
	char line[1024];
	int n = snprintf(line, sizeof line, "%.*s\r\n", STR_ARG(text));

	if ((s->ssl ? SSL_write(s->ssl, line, n) : (int)write(fd, line, (size_t)n)) != n && s->wrong[0] == '\0')
		snprintf(s->wrong, sizeof s->wrong, "could not say \"%.*s\"", STR_ARG(text));
}

static void begin_tls(struct server *s, int fd)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	SSL_CTX_use_certificate_chain_file(ctx, in_dir("mx.all"));
	SSL_CTX_use_PrivateKey_file(ctx, in_dir("mx.all"), SSL_FILETYPE_PEM);
	s->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_fd(s->ssl, fd);
	if (SSL_accept(s->ssl) != 1)
		snprintf(s->wrong, sizeof s->wrong, "no handshake");
}

static int next_octet(struct server *s, int fd, char *c)
{
	ssize_t n = take(s, fd, c, 1);

	if (n == 1)
		buf_add_char(&s->seen, *c);
	return n == 1 ? 0 : -1;
}

static void await_line(struct server *s, int fd, struct str want)
{
	struct buf line = BUF_INIT(65536);
	char c;

	while (next_octet(s, fd, &c) == 0 && c != '\n')
		buf_add_char(&line, c);
	if (!str_has_prefix(buf_str(&line), want) && s->wrong[0] == '\0')
		snprintf(s->wrong, sizeof s->wrong, "awaited \"%.*s\", got \"%.*s\"", STR_ARG(want),
			STR_ARG(str_trim(buf_str(&line))));
	buf_free(&line);
}

static bool is_whole_body(struct str body)
{
	return str_eq(body, STR(".\r\n")) || str_has_suffix(body, STR("\r\n.\r\n"));
}

/* In pieces: nothing follows the final dot before it is answered. */
static void await_body(struct server *s, int fd)
{
	char part[16384];
	ssize_t n;

	buf_reset(&s->body);
	while ((n = take(s, fd, part, sizeof part)) > 0) {
		buf_add(&s->body, part, (size_t)n);
		if (is_whole_body(buf_str(&s->body)))
			return;
	}
	snprintf(s->wrong, sizeof s->wrong, "the body did not end");
}

static void await_end(int fd)
{
	char c;

	while (read(fd, &c, 1) == 1)
		continue;
}

static int take_connection(struct server *s)
{
	int one = 1, fd = accept(s->listener, NULL, NULL);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (fd < 0)
		snprintf(s->wrong, sizeof s->wrong, "nobody connected: %s", strerror(errno));
	return fd;
}

static void send_raw(int fd, struct str text)
{
	struct buf out = BUF_INIT(4096);

	for (size_t i = 0; i < text.n; i++)
		buf_add(&out, text.p[i] == '|' ? "\r\n" : &text.p[i], text.p[i] == '|' ? 2 : 1);
	require(write(fd, out.p, out.n) == (ssize_t)out.n);
	buf_free(&out);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct str script = str_c(s->script), line;
	int fd = take_connection(s);

	while (fd >= 0 && str_field(&script, "\n", &line)) {
		struct str text = str_from(line, 2);
		char op = line.n ? line.p[0] : ' ';

		if (op == 'S')
			say(s, fd, text);
		else if (op == 'R')
			send_raw(fd, text);
		else if (op == 'C')
			await_line(s, fd, text);
		else if (op == 'B')
			await_body(s, fd);
		else if (op == 'P')
			usleep(50000);
		else if (op == 'W')
			await_end(fd);
		else if (op == 'T')
			begin_tls(s, fd);
		if (op == 'X') {
			SSL_free(s->ssl);
			s->ssl = NULL;
			close(fd);
			fd = script.n ? take_connection(s) : -1;
		}
	}
	SSL_free(s->ssl);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void server_start(struct server *s, const char *script)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval limit = { 5, 0 };
	socklen_t len = sizeof a;
	int one = 1;

	memset(s, 0, sizeof *s);
	s->seen = s->body = BUF_INIT(64 * 1024 * 1024);
	s->script = script;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(s->listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	require(bind(s->listener, (struct sockaddr *)(void *)&a, sizeof a) == 0);
	require(listen(s->listener, 16) == 0);
	require(getsockname(s->listener, (struct sockaddr *)(void *)&a, &len) == 0);
	s->port = ntohs(a.sin_port);
	require(pthread_create(&s->thread, NULL, serve, s) == 0);
}

static void server_end(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listener);
	buf_free(&s->seen);
	buf_free(&s->body);
}

/* The queued of this test. */
static struct {
	struct ipc ipc;
	struct arena *mem;
	struct rcpt_result *result;
	size_t n;
	unsigned results;
} queued;

static int on_result(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	uint32_t job;

	(void)c;
	(void)fds;
	(void)n_fds;
	arena_free(&queued.mem);
	queued.mem = arena_new(0);
	if (result_decode(in, queued.mem, &job, &queued.result, &queued.n) != 0)
		return -1;
	queued.results++;
	return 0;
}

static int on_capacity(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	(void)c;
	(void)fds;
	(void)n_fds;
	ipc_get_u32(in);
	return ipc_get_end(in) ? 0 : -1;
}

static const struct ipc_rule rules[] = { { MSG_RESULT, 0, on_result }, { MSG_CAPACITY, 0, on_capacity } };

static void on_end(struct ipc *c, enum ipc_end end)
{
	(void)c;
	(void)end;
	fail_msg("relay closed the channel");
}

static void put_segment(uint64_t generation, struct str content)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);
	struct buf out = IPC_BUF;

	require(write(fd, content.p, content.n) == (ssize_t)content.n);
	ipc_put_u64(&out, generation);
	ipc_send(&queued.ipc, MSG_SEG_OPEN, buf_str(&out), &fd, 1);
	buf_free(&out);
	close(fd);
}

struct mail {
	const char *service;
	uint16_t port;
	const char *rcpt[4]; /* NULL-ended */
	uint64_t generation;
	uint32_t octets;
	uint32_t flags;
	const char *host; /* NULL: 127.0.0.1 */
};
static const char *sender = "s@x.org";

static void put_job(const struct mail *m)
{
	struct envelope_rcpt rcpt[4] = { 0 };
	struct extent extent = { m->generation, 0, m->octets };
	struct job j = { .job = 1, .service = str_c(m->service), .active_us = (uint64_t)now_us() };
	struct buf out = IPC_BUF;
	char nexthop[64];

	if (m->port)
		snprintf(nexthop, sizeof nexthop, "[%s]:%u", m->host ? m->host : "127.0.0.1", m->port);
	else
		snprintf(nexthop, sizeof nexthop, "%s", m->host);
	j.nexthop = str_c(nexthop);
	j.env = (struct envelope){ .id = 0x12345678,
		.arrival_us = j.active_us,
		.size = m->octets,
		.sender = str_c(sender),
		.rcpt = rcpt,
		.extent = &extent,
		.n_extent = 1,
		.flags = m->flags };
	for (size_t i = 0; i < 4 && m->rcpt[i]; i++, j.env.n_rcpt++)
		rcpt[i] = (struct envelope_rcpt){ .index = (uint32_t)i, .address = str_c(m->rcpt[i]) };
	job_encode(&out, &j);
	ipc_send(&queued.ipc, MSG_JOB, buf_str(&out), NULL, 0);
	buf_free(&out);
}

static void on_give_up(uv_timer_t *t)
{
	uv_stop(t->loop);
}

/* Run until that many results came, a minute at most. */
static bool await_results(unsigned n)
{
	uv_loop_t *loop = relay.child.loop;
	uv_timer_t limit;

	uv_timer_init(loop, &limit);
	uv_timer_start(&limit, on_give_up, 60000, 0);
	for (int turns = 0; queued.results < n && uv_is_active((uv_handle_t *)&limit); turns++)
		uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&limit, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
	return queued.results >= n;
}

static const struct rcpt_result *deliver(const struct mail *m)
{
	queued.results = 0;
	queued.n = 0;
	put_job(m);
	check(await_results(1));
	return queued.result;
}

static const char content[] = "Subject: x\r\n\r\n..dot\r\nbody\r\n";
#define MAIL(service_name, s, ...) \
	(&(struct mail){ (service_name), (s)->port, { __VA_ARGS__ }, 1, sizeof content - 1, 0, NULL })
#define HELLO	    "S 220 peer ESMTP\nC EHLO me.test\nS 250-peer\nS 250-PIPELINING\nS 250 8BITMIME\n"
#define TRANSACTION "C MAIL FROM:<s@x.org>\nC RCPT TO:<a@y.org>\nC DATA\n"

static void test_sent(void **state)
{
	struct server s;
	const struct rcpt_result *r;

	(void)state;
	server_start(&s, HELLO TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 2.0.0 Ok: queued as X\n" TRANSACTION
					   "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 2.0.0 Ok: queued as Y\nC QUIT\n");
	r = deliver(MAIL("smtp", &s, "a@y.org"));
	check_int(r->status, RCPT_SENT);
	check_str(r->dsn, "2.0.0");
	check_str(r->text, "250 2.0.0 Ok: queued as X");
	check_int(r->relayed, 1);
	/* the second goes over the same connection: the server accepts only one */
	r = deliver(MAIL("smtp", &s, "a@y.org"));
	check_str(r->text, "250 2.0.0 Ok: queued as Y");
	cache_close_all();
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	pthread_join(s.thread, NULL);
	check_str(str_c(s.wrong), "");
	check_str(buf_str(&s.body), "Subject: x\r\n\r\n..dot\r\nbody\r\n.\r\n");
	s.thread = 0;
	close(s.listener);
	buf_free(&s.seen);
	buf_free(&s.body);
}

struct failing {
	const char *service, *script;
	int status;
	int dead;
	const char *dsn, *text; /* "%h" stands for 127.0.0.1[127.0.0.1] */
};

/* What servers do wrong, or refuse (reliability: each step fails as itself, never as a success, and nothing hangs). */
static const struct failing failing[] = {
	{ "smtp", "S 554 no service\nC QUIT\n", RCPT_DEFERRED, 1, "4.0.0",
		"host %h refused to talk to me: 554 no service" },
	{ "smtp", "S 421 4.3.2 busy\nX", RCPT_DEFERRED, 1, "4.3.2", "host %h refused to talk to me: 421 4.3.2 busy" },
	{ "smtp", "S 250 no greeting\nX", RCPT_DEFERRED, 1, "4.5.0", "host %h refused to talk to me: 250 no greeting" },
	{ "smtp", "X", RCPT_DEFERRED, 1, "4.4.2",
		"lost connection with %h while receiving the initial server greeting" },
	{ "smtp", "S HTTP/1.1 400 Bad\nX", RCPT_DEFERRED, 1, "4.5.0",
		"host %h: the server sent what is no SMTP reply" },
	{ "smtp", "S 220 hi\nC EHLO\nS 450 later\nX", RCPT_DEFERRED, 1, "4.0.0",
		"host %h refused to talk to me: 450 later" },
	{ "smtp",
		"S 220 hi\nC EHLO\nS 502 what\nC HELO\nS 250 ok\nC MAIL\nS 250 ok\nC RCPT\nS 550 5.1.1 no such user\nC "
		"RSET\n"
		"S 250 ok\nC QUIT\n",
		RCPT_BOUNCED, 0, "5.1.1", "host %h said: 550 5.1.1 no such user (in reply to RCPT TO command)" },
	{ "smtp", HELLO TRANSACTION "S 250 ok\nS 450 4.2.1 later\nS 554 none\nC RSET\nS 250 ok\nC QUIT\n",
		RCPT_DEFERRED, 0, "4.2.1", "host %h said: 450 4.2.1 later (in reply to RCPT TO command)" },
	{ "smtp", HELLO TRANSACTION "S 550-5.7.1 go\nS 550 5.7.1 away\nS 503 x\nS 503 x\nC RSET\nS 250 ok\nC QUIT\n",
		RCPT_BOUNCED, 0, "5.7.1", "host %h said: 550 5.7.1 go 5.7.1 away (in reply to MAIL FROM command)" },
	{ "smtp", HELLO TRANSACTION "S 250 ok\nS 250 ok\nS 451 no\nC RSET\nS 250 ok\nC QUIT\n", RCPT_DEFERRED, 0,
		"4.0.0", "host %h said: 451 no (in reply to DATA command)" },
	{ "smtp", HELLO TRANSACTION "S 250 ok\nS 250 ok\nS 250 fine\nX", RCPT_DEFERRED, 0, "4.5.0",
		"host %h said: 250 fine (in reply to DATA command)" },
	{ "smtp", HELLO TRANSACTION "S 354 go\nX", RCPT_DEFERRED, 0, "4.5.0",
		"host %h said: 354 go (in reply to MAIL FROM command)" },
	{ "smtp", HELLO TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\nB\nS 554 5.6.0 spam\nC QUIT\n", RCPT_BOUNCED, 0,
		"5.6.0", "host %h said: 554 5.6.0 spam (in reply to end of DATA command)" },
	{ "smtp", HELLO TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\nB\nX", RCPT_DEFERRED, 0, "4.4.2",
		"lost connection with %h while sending end of data -- message may be sent more than once" },
	{ "smtp", HELLO TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\nB\nS 354 more\nX", RCPT_DEFERRED, 0, "4.5.0",
		"host %h said: 354 more (in reply to end of DATA command)" },
	{ "smtp", HELLO TRANSACTION "S 421 4.3.2 bye\nX", RCPT_DEFERRED, 0, "4.3.2",
		"host %h said: 421 4.3.2 bye (in reply to MAIL FROM command)" },
	/* silence: each step has its own limit */
	{ "hasty", "W", RCPT_DEFERRED, 1, "4.4.2",
		"conversation with %h timed out while receiving the initial server greeting" },
	{ "hasty", "S 220 hi\nC EHLO\nW", RCPT_DEFERRED, 1, "4.4.2",
		"conversation with %h timed out while performing the EHLO handshake" },
	{ "hasty", HELLO TRANSACTION "W", RCPT_DEFERRED, 1, "4.4.2",
		"conversation with %h timed out while sending MAIL FROM" },
	{ "hasty", HELLO TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\nB\nW", RCPT_DEFERRED, 0, "4.4.2",
		"conversation with %h timed out while sending end of data -- message may be sent more than once" },
	{ "hasty-forward", "S 220 hi\nC EHLO\nS 250-peer\nS 250 XFORWARD NAME ADDR\nC XFORWARD\nW", RCPT_DEFERRED, 1,
		"4.4.2", "conversation with %h timed out while sending XFORWARD" },
	{ "hasty-tls", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nW", RCPT_DEFERRED, 1,
		"4.4.2", "conversation with %h timed out while performing the TLS handshake" },
	{ "login-may", "S 220 hi\nC EHLO\nS 250-peer\nS 250-AUTH PLAIN\nS 250 STARTTLS\nC STARTTLS\nX", RCPT_DEFERRED,
		1, "4.4.2", "lost connection with %h while performing the STARTTLS handshake" },
	{ "login-may", "S 220 hi\nC EHLO\nS 250-peer\nS 250-AUTH PLAIN\nS 250 STARTTLS\nC STARTTLS\nS 421 4.3.2 bye\nX",
		RCPT_DEFERRED, 1, "4.3.2", "TLS is required, but host %h refused to start TLS: 421 4.3.2 bye" },
	/* a login is not said in clear after TLS has failed: the server may be another one */
	{ "login-may", "S 220 hi\nC EHLO\nS 250-peer\nS 250-AUTH PLAIN\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nP\nX",
		RCPT_DEFERRED, 1, "4.7.5", "Cannot start TLS: the server closed the connection: host %h" },
	{ "login-may", "S 220 hi\nC EHLO\nS 250-peer\nS 250-AUTH PLAIN\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nW",
		RCPT_DEFERRED, 1, "4.4.2", "conversation with %h timed out while performing the TLS handshake" },
	/* response injection: octets behind the 220 of STARTTLS */
	{ "may", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nR 220 go|250-evil|250 AUTH LOGIN|\nX",
		RCPT_DEFERRED, 1, "4.7.0", "host %h: the server sent octets behind its reply to STARTTLS" },
	{ "must", "S 220 hi\nC EHLO\nS 250 peer\nC QUIT\n", RCPT_DEFERRED, 1, "4.7.4",
		"TLS is required, but was not offered by host %h" },
	{ "must", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 454 4.7.0 no\nC QUIT\n", RCPT_DEFERRED,
		1, "4.7.0", "TLS is required, but host %h refused to start TLS: 454 4.7.0 no" },
	{ "must", "S 220 hi\nC EHLO\nS 501 peer\nC HELO\nS 250 STARTTLS\nC QUIT\n", RCPT_DEFERRED, 1, "4.7.4",
		"TLS is required, but was not offered by host %h" },
	{ "login",
		"S 220 hi\nC EHLO\nS 250-peer\nS 250 AUTH PLAIN LOGIN\nC AUTH PLAIN AHUAcA==\nS 535 5.7.8 wrong\nC "
		"QUIT\n",
		RCPT_DEFERRED, 1, "4.7.8", "SASL authentication failed; server %h said: 535 5.7.8 wrong" },
	{ "login", "S 220 hi\nC EHLO\nS 250-peer\nS 250 AUTH GSSAPI\nC QUIT\n", RCPT_DEFERRED, 1, "4.7.0",
		"SASL authentication failed; server %h offered no compatible authentication mechanisms for this type "
		"of "
		"connection security" },
	/* one further try, by another mechanism that is allowed */
	{ "login",
		"S 220 hi\nC EHLO\nS 250-peer\nS 250 AUTH SCRAM-SHA-1 SCRAM-SHA-256 PLAIN LOGIN\nC AUTH SCRAM-SHA-256 "
		"\n"
		"S 535 5.7.8 no such hash\nC AUTH PLAIN AHUAcA==\nS 535 5.7.8 wrong\nC QUIT\n",
		RCPT_DEFERRED, 1, "4.7.8", "SASL authentication failed; server %h said: 535 5.7.8 wrong" },
	{ "login-tls",
		"S 220 hi\nC EHLO\nS 250-peer\nS 250 AUTH SCRAM-SHA-256 PLAIN\nC AUTH SCRAM-SHA-256 \nS 535 5.7.8 "
		"no\nC QUIT\n",
		RCPT_DEFERRED, 1, "4.7.8", "SASL authentication failed; server %h said: 535 5.7.8 no" },
	{ "login",
		"S 220 hi\nC EHLO\nS 250-peer\nS 250 AUTH SCRAM-SHA-256 PLAIN\nC AUTH SCRAM-SHA-256 \nS 454 4.7.0 "
		"later\n"
		"C QUIT\n",
		RCPT_DEFERRED, 1, "4.7.0", "SASL authentication failed; server %h said: 454 4.7.0 later" },
	{ "login-tls", "S 220 hi\nC EHLO\nS 250-peer\nS 250 AUTH PLAIN LOGIN\nC QUIT\n", RCPT_DEFERRED, 1, "4.7.0",
		"SASL authentication failed; server %h offered no compatible authentication mechanisms for this type "
		"of "
		"connection security" },
};

static char *expand(const char *text)
{
	struct buf out = BUF_INIT(4096);
	const char *at = strstr(text, "%h");

	if (at == NULL)
		return xstrdup(text);
	buf_addf(&out, "%.*s127.0.0.1[127.0.0.1]%s", (int)(at - text), text, at + 2);
	return out.p;
}

static void test_failing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
		const struct failing *f = &failing[i];
		const struct rcpt_result *r;
		struct server s;
		char *want = expand(f->text);

		server_start(&s, f->script);
		r = deliver(MAIL(f->service, &s, "a@y.org"));
		cache_close_all();
		uv_run(relay.child.loop, UV_RUN_NOWAIT);
		check_str(r->text, want);
		check_int(r->status, f->status);
		check_int(r->nexthop_dead, f->dead);
		check_str(r->dsn, f->dsn);
		pthread_join(s.thread, NULL);
		check_str(str_c(s.wrong), "");
		close(s.listener);
		buf_free(&s.seen);
		buf_free(&s.body);
		free(want);
	}
}

#define SENT TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 2.0.0 done\n"

/* What goes wrong and comes right all the same. */
static const struct {
	const char *service, *script;
} mending[] = {
	/* a handshake that fails: once more, in plain text */
	{ "may", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nP\nR garbage that is no TLS\nX\n"
		 "S 220 hi\nC EHLO\nS 250-PIPELINING\nS 250-PIPELINING\nS 250 STARTTLS\n" SENT "C QUIT\n" },
	/* a server that goes when it hears of STARTTLS */
	{ "may", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nX\n"
		 "S 220 hi\nC EHLO\nS 250-PIPELINING\nS 250-PIPELINING\nS 250 STARTTLS\n" SENT "C QUIT\n" },
	{ "may", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 421 4.3.2 bye\nX\n"
		 "S 220 hi\nC EHLO\nS 250-PIPELINING\nS 250-PIPELINING\nS 250 STARTTLS\n" SENT "C QUIT\n" },
	/* STARTTLS refused, on the same connection */
	{ "may", "S 220 hi\nC EHLO\nS 250-peer\nS 250-PIPELINING\nS 250 STARTTLS\nC STARTTLS\nS 454 no\n" SENT
		 "C QUIT\n" },
	{ "login", "S 220 hi\nC EHLO\nS 250-peer\nS 250-PIPELINING\nS 250 AUTH LOGIN\nC AUTH LOGIN\nS 334 "
		   "VXNlcm5hbWU6\nC dQ==\n"
		   "S 334 UGFzc3dvcmQ6\nC cA==\nS 235 in\n" SENT "C QUIT\n" },
	{ "login", "S 220 hi\nC EHLO\nS 250-peer\nS 250-PIPELINING\nS 250 AUTH=PLAIN\nC AUTH PLAIN AHUAcA==\nS 235 "
		   "in\n" SENT "C QUIT\n" },
	{ "login", "S 220 hi\nC EHLO\nS 250-peer\nS 250-PIPELINING\nS 250 AUTH SCRAM-SHA-256 PLAIN\n"
		   "C AUTH SCRAM-SHA-256 \nS 535 no such hash\nC AUTH PLAIN AHUAcA==\nS 235 in\n" SENT "C QUIT\n" },
	{ "smtp", "S 220-hi\nS 220 hi\nC EHLO\nS 250-PIPELINING\nS 250 PIPELINING\n" SENT "C QUIT\n" },
};

static void test_mending(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mending / sizeof *mending; i++) {
		const struct rcpt_result *r;
		struct server s;

		server_start(&s, mending[i].script);
		r = deliver(MAIL(mending[i].service, &s, "a@y.org"));
		cache_close_all();
		uv_run(relay.child.loop, UV_RUN_NOWAIT);
		check_str(r->text, "250 2.0.0 done");
		check_int(r->status, RCPT_SENT);
		pthread_join(s.thread, NULL);
		check_str(str_c(s.wrong), "");
		close(s.listener);
		buf_free(&s.seen);
		buf_free(&s.body);
	}
}

/* The server closes while the connection waits in the cache: the next message goes over a new one. */
static void test_closed_in_cache(void **state)
{
	struct server s;
	const struct rcpt_result *r;

	(void)state;
	server_start(&s, HELLO SENT "X\n" HELLO SENT "C MAIL\nX\n" HELLO SENT "C QUIT\n");
	for (int i = 0; i < 3; i++) {
		r = deliver(MAIL("smtp", &s, "a@y.org"));
		check_str(r->text, "250 2.0.0 done");
	}
	cache_close_all();
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	server_end(&s);
}

/* With logins by sender a connection without one is not for a sender who has one, nor the other way round. */
static void test_login_by_sender(void **state)
{
	struct server s;
	struct mail m = { "by-sender", 0, { "a@y.org" }, 1, sizeof content - 1, 0, NULL };
	const struct rcpt_result *r;

	(void)state;
	server_start(&s, "S 220 hi\nC EHLO\nS 250-PIPELINING\nS 250-PIPELINING\nS 250 AUTH PLAIN\n" SENT "C QUIT\nX\n"
			 "S 220 hi\nC EHLO\nS 250-peer\nS 250 AUTH=PLAIN\nC AUTH PLAIN AHcAcQ==\nS 235 in\n"
			 "C MAIL FROM:<w@x.org>\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\nB\nS 250 2.0.0 w\n"
			 "C QUIT\nX\n" HELLO SENT "C QUIT\n");
	m.port = s.port;
	r = deliver(&m);
	check_str(r->text, "250 2.0.0 done");
	sender = "w@x.org";
	r = deliver(&m);
	check_str(r->text, "250 2.0.0 w");
	sender = "s@x.org";
	r = deliver(&m);
	check_str(r->text, "250 2.0.0 done");
	cache_close_all();
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	check_str(str_c(s.wrong), "");
	server_end(&s);
}

static void test_refused(void **state)
{
	const struct rcpt_result *r;
	struct server none = { .port = 1 };

	(void)state;
	r = deliver(MAIL("smtp", &none, "a@y.org", "b@y.org"));
	check_int(queued.n, 2);
	check_str(r[0].text, "connect to 127.0.0.1[127.0.0.1]:1: Connection refused");
	check_str(r[0].dsn, "4.4.1");
	check_int(r[0].status, RCPT_DEFERRED);
	check_int(r[1].nexthop_dead, 1);
}

/* Two addresses: the first does not answer; then both do, and the first has no time; then both fail. */
static void test_next_address(void **state)
{
	static const struct {
		const char *host, *script;
		int status;
		const char *text;
	} cases[] = {
		{ "first-dead.test", HELLO SENT "C QUIT\n", RCPT_SENT, "250 2.0.0 done" },
		{ "twice.test", "S 421 busy\nX\n" HELLO SENT "C QUIT\n", RCPT_SENT, "250 2.0.0 done" },
		{ "twice.test",
			HELLO TRANSACTION
			"S 250 ok\nS 450 4.2.1 grey\nS 554 no\nC RSET\nS 250 ok\nC QUIT\nX\n" HELLO SENT "C QUIT\n",
			RCPT_SENT, "250 2.0.0 done" },
		{ "twice.test", HELLO TRANSACTION "S 250 ok\nS 550 5.1.1 no\nS 554 no\nC RSET\nS 250 ok\nC QUIT\n",
			RCPT_BOUNCED, "host twice.test[127.0.0.1] said: 550 5.1.1 no (in reply to RCPT TO command)" },
		{ "twice.test", "S 421 a\nX\nS 421 b\nX", RCPT_DEFERRED,
			"host twice.test[127.0.0.1] refused to talk to me: 421 b" },
		{ "nowhere.invalid", NULL, RCPT_BOUNCED,
			"Host or domain name not found. Name service error for name=nowhere.invalid type=A: Host not "
			"found" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail m = { "smtp", 25, { "a@y.org" }, 1, sizeof content - 1, 0, cases[i].host };
		const struct rcpt_result *r;
		struct server s;

		if (cases[i].script) {
			server_start(&s, cases[i].script);
			m.port = s.port;
		}
		r = deliver(&m);
		cache_close_all();
		uv_run(relay.child.loop, UV_RUN_NOWAIT);
		check_str(r->text, cases[i].text);
		check_int(r->status, cases[i].status);
		if (cases[i].script) {
			pthread_join(s.thread, NULL);
			check_str(str_c(s.wrong), "");
			close(s.listener);
			buf_free(&s.seen);
			buf_free(&s.body);
		}
	}
}

static void test_mixed_recipients(void **state)
{
	struct server s;
	const struct rcpt_result *r;

	(void)state;
	server_start(&s, HELLO
		"C MAIL\nC RCPT TO:<a@y.org>\nC RCPT TO:<b@y.org>\nC RCPT TO:<c@y.org>\nC DATA\nS 250 ok\nS 250 ok\n"
		"S 550 5.1.1 no\nS 452 4.5.3 many\nS 354 go\nB\nS 250 2.6.0 in\nC QUIT\n");
	r = deliver(MAIL("smtp", &s, "a@y.org", "b@y.org", "c@y.org"));
	check_int(queued.n, 3);
	check_int(r[0].status, RCPT_SENT);
	check_int(r[1].status, RCPT_BOUNCED);
	check_int(r[2].status, RCPT_DEFERRED);
	check_str(r[0].dsn, "2.6.0");
	check_str(r[1].diagnostic, "550 5.1.1 no");
	check_str(r[2].dsn, "4.5.3");
	cache_close_all();
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	server_end(&s);
}

/* A segment that is not there: nothing half is ever completed. */
static void test_unreadable(void **state)
{
	struct server s;
	const struct rcpt_result *r;
	struct mail m = { "smtp", 0, { "a@y.org" }, 99, 100, 0, NULL };

	(void)state;
	server_start(&s, HELLO TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\n");
	m.port = s.port;
	r = deliver(&m);
	check_int(r->status, RCPT_DEFERRED);
	check_str(r->dsn, "4.3.0");
	server_end(&s);
}

/* 9 MB octet for octet, in pieces. */
static void test_large(void **state)
{
	struct buf big = BUF_INIT(16 * 1024 * 1024);
	struct mail m = { "smtp", 0, { "a@y.org" }, 7, 0, 0, NULL };
	struct server s;
	const struct rcpt_result *r;

	(void)state;
	for (unsigned i = 0; big.n < 9 * 1024 * 1024; i++)
		buf_addf(&big, "%s%u abcdefghijklmnopqrstuvwxyz\xff\xfe\r\n", i % 7 ? "" : "..", i * 2654435761u);
	put_segment(7, buf_str(&big));
	m.octets = (uint32_t)big.n;
	server_start(&s, HELLO SENT "C QUIT\n");
	m.port = s.port;
	r = deliver(&m);
	check_str(r->text, "250 2.0.0 done");
	cache_close_all();
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	pthread_join(s.thread, NULL);
	check_int(s.body.n, big.n + 3);
	check(memcmp(s.body.p, big.p, big.n) == 0);
	close(s.listener);
	buf_free(&s.seen);
	buf_free(&s.body);
	buf_free(&big);
}

/* An address that swallows what is sent to it: its backlog is full, and the kernel answers no more. */
static int black_hole(uint16_t port, int taken[4])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(0x7f000003) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	require(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 0) == 0);
	for (int i = 0; i < 4; i++) {
		taken[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		check(connect(taken[i], (struct sockaddr *)&a, sizeof a) == 0 || errno == EINPROGRESS);
	}
	return fd;
}

static void finish_with(struct server *s)
{
	cache_close_all();
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	check_int(relay.n_conn, 0);
	server_end(s);
	check_str(str_c(s->wrong), "");
}

/* RFC 8305 sec. 5. */
static void test_race(void **state)
{
	struct server s;
	struct mail m = { "smtp", 0, { "a@y.org" }, 1, sizeof content - 1, 0, "hole-first.test" };
	const struct rcpt_result *r;
	int64_t began = now_us(), took;
	int hole, taken[4];

	(void)state;
	server_start(&s, HELLO SENT TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 again\nC QUIT\n");
	hole = black_hole(s.port, taken);
	m.port = s.port;
	r = deliver(&m);
	took = now_us() - began;
	check_int(r->status, RCPT_SENT);
	check(took >= 250000 && took < 20000000); /* the address that does not answer has 30 seconds */
	r = deliver(&m);			  /* over the same connection */
	check_str(r->text, "250 again");
	finish_with(&s);
	m.host = "hole-only.test";
	m.service = "hasty";
	r = deliver(&m);
	check_int(r->status, RCPT_DEFERRED);
	check_int(r->nexthop_dead, 1);
	check(memmem(r->text.p, r->text.n, "Connection timed out", 20) != NULL);
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	check_int(relay.n_conn, 0);
	for (int i = 0; i < 4; i++)
		close(taken[i]);
	close(hole);
}

/* A policy that relay cannot keep is never a weaker one. */
static void test_policy(void **state)
{
	static const struct {
		const char *host, *text; /* NULL: delivered */
	} cases[] = {
		{ "plain.policy.test", NULL },
		{ "attribute.policy.test", "the attribute \"tafile=/x\" is not supported" },
		{ "dane.policy.test", "the level \"dane-only\" is not supported" },
		{ "empty.policy.test", "it is empty" },
		{ "below.above.test", "no fingerprint that the server's certificate should have" },
		/* IDN, in the other form than in the table, and before a wider key */
		{ "below.b\xc3\xbc"
		  "cher.test",
			"no fingerprint" },
		{ "below.xn--bcher-kva.example", "no fingerprint" },
		{ "m\xc3\xbcll.test:25", "the level \"dane-only\" is not supported" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail m = { "policy", i < 4 ? 25 : 0, { "a@y.org" }, 1, sizeof content - 1, 0, cases[i].host };
		const struct rcpt_result *r;
		struct server s;

		if (cases[i].text == NULL) {
			server_start(&s, HELLO SENT "C QUIT\n");
			m.port = s.port;
		}
		r = deliver(&m);
		check_int(r->status, cases[i].text ? RCPT_DEFERRED : RCPT_SENT);
		if (cases[i].text == NULL) {
			finish_with(&s);
			continue;
		}
		check_str(r->dsn, "4.3.5");
		check(memmem(r->text.p, r->text.n, cases[i].text, strlen(cases[i].text)) != NULL);
		m.flags = ENV_REQUIRETLS; /* the mistake is ours: it waits as any other mail */
		check_int(deliver(&m)->status, RCPT_DEFERRED);
	}
}

/* REQUIRETLS at a service without TLS: to a server that has none nothing leaves. */
static void test_requiretls(void **state)
{
	static const struct {
		const char *service, *script;
		int status;
		const char *dsn, *text;
	} cases[] = {
		{ "smtp", "S 220 hi\nC EHLO\nS 250 peer\nC QUIT\n", RCPT_BOUNCED, "5.7.10",
			"REQUIRETLS: TLS is required, but was not offered by host" },
		{ "smtp", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 454 no\nC QUIT\n", RCPT_BOUNCED,
			"5.7.10", "REQUIRETLS: TLS is required, but host" },
		{ "nameless", NULL, RCPT_DEFERRED, "4.3.5", "no name that the server's certificate should have" },
		{ "no-files", NULL, RCPT_DEFERRED, "4.3.5", "it cannot be set up" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail m = { cases[i].service, 1, { "a@y.org" }, 1, sizeof content - 1, ENV_REQUIRETLS, NULL };
		const struct rcpt_result *r;
		struct server s;

		if (cases[i].script) {
			server_start(&s, cases[i].script);
			m.port = s.port;
		}
		r = deliver(&m);
		check_int(r->status, cases[i].status);
		check_str(r->dsn, cases[i].dsn);
		check(memmem(r->text.p, r->text.n, cases[i].text, strlen(cases[i].text)) != NULL);
		if (cases[i].script)
			finish_with(&s);
	}
}

/*
 * The field TLS-Required: No gives up what the recipient's side demands (RFC 8689 sec. 4.2.2), never a level that the
 * administrator has set: a sender, or who writes its header, cannot have mail sent in clear text where that is forbidden.
 */
static void test_tls_optional(void **state)
{
	static const struct {
		const char *service, *script;
		int status;
		const char *dsn, *text;
	} cases[] = {
		{ "smtp", "S 220 hi\nC EHLO\nS 250-peer\nS 250 PIPELINING\n" SENT "C QUIT\n", RCPT_SENT, "2.0.0",
			"250 2.0.0 done" },
		{ "may",
			"S 220 hi\nC EHLO\nS 250-peer\nS 250-PIPELINING\nS 250 STARTTLS\nC STARTTLS\nS 454 no\n" SENT
			"C QUIT\n",
			RCPT_SENT, "2.0.0", "250 2.0.0 done" },
		{ "may",
			"S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nP\nR garbage that is no "
			"TLS\nX\n"
			"S 220 hi\nC EHLO\nS 250-peer\nS 250 PIPELINING\n" SENT "C QUIT\n",
			RCPT_SENT, "2.0.0", "250 2.0.0 done" },
		{ "must", "S 220 hi\nC EHLO\nS 250 peer\nC QUIT\n", RCPT_DEFERRED, "4.7.4", "TLS is required" },
		{ "must", "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 454 4.7.0 no\nC QUIT\n",
			RCPT_DEFERRED, "4.7.0", "TLS is required" },
		{ "secure", "S 220 hi\nC EHLO\nS 250 peer\nC QUIT\n", RCPT_DEFERRED, "4.7.4", "TLS is required" },
		{ "login-may",
			"S 220 hi\nC EHLO\nS 250-peer\nS 250-AUTH PLAIN\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nP\nX",
			RCPT_DEFERRED, "4.7.5", "Cannot start TLS" }, /* the login is ours, not the sender's */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mail m = { cases[i].service, 1, { "a@y.org" }, 1, sizeof content - 1, ENV_TLS_OPTIONAL, NULL };
		const struct rcpt_result *r;
		struct server s;

		server_start(&s, cases[i].script);
		m.port = s.port;
		r = deliver(&m);
		cache_close_all();
		uv_run(relay.child.loop, UV_RUN_NOWAIT);
		check_int(r->status, cases[i].status);
		check_str(r->dsn, cases[i].dsn);
		check(memmem(r->text.p, r->text.n, cases[i].text, strlen(cases[i].text)) != NULL);
		finish_with(&s);
	}
}

#define OVER_TLS "S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nT\nC EHLO\nS 250-peer\n"

/* A server without REQUIRETLS is not the last word while there are others; of several, or in the cache. */
static void test_requiretls_elsewhere(void **state)
{
	static const struct {
		const char *script;
		int status;
		const char *dsn;
	} cases[] = {
		{ OVER_TLS "S 250 PIPELINING\nX\n" OVER_TLS "S 250-PIPELINING\nS 250 REQUIRETLS\n" SENT "C QUIT\n",
			RCPT_SENT, "2.0.0" },
		{ OVER_TLS "S 250 PIPELINING\nX\n" OVER_TLS "S 250 PIPELINING\nC QUIT\n", RCPT_BOUNCED, "5.7.30" },
		{ OVER_TLS "S 250 PIPELINING\nX\nS 421 4.3.2 busy\nX\n", RCPT_DEFERRED, "4.3.2" },
	};
	struct mail m = { "secure", 0, { "a@y.org" }, 1, sizeof content - 1, ENV_REQUIRETLS, "twice.test" };
	const struct rcpt_result *r;
	struct server s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		server_start(&s, cases[i].script);
		m.port = s.port;
		r = deliver(&m);
		check_int(r->status, cases[i].status);
		check_str(r->dsn, cases[i].dsn);
		finish_with(&s);
	}
	server_start(&s, OVER_TLS "S 250 PIPELINING\n" SENT "W\nX\n" OVER_TLS
				  "S 250-PIPELINING\nS 250 REQUIRETLS\n" SENT "C QUIT\n");
	m.port = s.port;
	m.flags = 0;
	check_int(deliver(&m)->status, RCPT_SENT);
	m.flags = ENV_REQUIRETLS; /* not over the connection that is there */
	check_int(deliver(&m)->status, RCPT_SENT);
	finish_with(&s);
}

/* The instance stops between two servers: who has the message is not given it again. */
static void test_end_early(void **state)
{
	struct mail m = { "smtp", 0, { "a@y.org", "b@y.org" }, 1, sizeof content - 1, 0, "twice.test" };
	struct server s;

	(void)state;
	server_start(&s, HELLO "C MAIL\nC RCPT\nC RCPT\nC DATA\nS 250 ok\nS 250 ok\nS 450 4.2.1 grey\nS 354 go\nB\n"
			       "S 250 2.0.0 done\nX\nW\n");
	m.port = s.port;
	queued.results = 0;
	put_job(&m);
	while (relay.first == NULL || relay.first->result[0].status == 0)
		uv_run(relay.child.loop, UV_RUN_ONCE);
	deliveries_end_early();
	check(await_results(1));
	check_int(queued.n, 2);
	check_int(queued.result[0].status, RCPT_SENT);
	check_int(queued.result[1].status, RCPT_DEFERRED);
	check_str(queued.result[1].dsn, "4.3.2");
	check_int(queued.result[1].nexthop_dead, 0);
	check(relay.first == NULL);
	finish_with(&s);

	server_start(&s, "W\n");
	m.port = s.port;
	queued.results = 0;
	put_job(&m);
	while (relay.first == NULL || relay.n_conn == 0)
		uv_run(relay.child.loop, UV_RUN_ONCE);
	deliveries_end_early(); /* it begins anew after the start */
	check(relay.first == NULL);
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	check_int(queued.results, 0);
	finish_with(&s);
}

/* Not a test of the suite: GATEPOST_RELAY_BENCH="PORT MESSAGES CONCURRENCY" against a sink that runs there. */
static void test_speed(void **state)
{
	const char *what = getenv("GATEPOST_RELAY_BENCH");
	unsigned port, messages, concurrency, begun = 0;
	struct timespec a, b;
	struct buf body = BUF_INIT(65536);
	struct mail m = { "smtp", 0, { "a@y.org" }, 8, 0, 0, NULL };

	(void)state;
	if (what == NULL || sscanf(what, "%u %u %u", &port, &messages, &concurrency) != 3)
		return;
	m.port = (uint16_t)port;
	while (body.n < 4096)
		buf_add_c(&body, "0123456789012345678901234567890123456789012345678901234567890123\r\n");
	put_segment(8, buf_str(&body));
	m.octets = (uint32_t)body.n;
	queued.results = 0;
	clock_gettime(CLOCK_MONOTONIC, &a);
	while (queued.results < messages) {
		while (begun < messages && begun - queued.results < concurrency) {
			put_job(&m);
			begun++;
		}
		uv_run(relay.child.loop, UV_RUN_ONCE);
		log_flush();
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%u messages: %.0f/s\n", messages,
		messages / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	check_int(queued.result->status, RCPT_SENT);
}

static char hosts_file_path[] = "/tmp/gatepost-hosts.XXXXXX";

static const char *hosts_file(void)
{
	static const char text[] = "127.0.0.2 first-dead.test\n127.0.0.1 first-dead.test\n127.0.0.1 twice.test\n"
				   "127.0.0.1 twice.test\n127.0.0.3 hole-first.test\n127.0.0.1 hole-first.test\n"
				   "127.0.0.3 hole-only.test\n127.0.0.1 plain.policy.test\n";
	int fd = mkstemp(hosts_file_path);

	require(write(fd, text, sizeof text - 1) == sizeof text - 1);
	close(fd);
	return hosts_file_path;
}

static void set_up(void)
{
	static const char main_cf[] = "myhostname = me.test\nsmtp_helo_timeout = 5s\nsmtp_tls_security_level = none\n"
				      "smtp_sasl_password_maps = inline:{ { 127.0.0.1 = u:p } }\n"
				      "smtp_sasl_security_options = noanonymous\n";
	static const char master_cf[] =
		"smtp unix - - n - - smtp\n"
		"hasty unix - - n - - smtp -o smtp_connect_timeout=1s -o smtp_helo_timeout=1s -o smtp_mail_timeout=1s "
		"-o "
		"smtp_data_done_timeout=1s\n"
		"hasty-forward unix - - n - - smtp -o smtp_send_xforward_command=yes -o smtp_xforward_timeout=1s\n"
		"hasty-tls unix - - n - - smtp -o smtp_starttls_timeout=1s -o smtp_tls_security_level=encrypt\n"
		"may unix - - n - - smtp -o smtp_tls_security_level=may\n"
		"must unix - - n - - smtp -o smtp_tls_security_level=encrypt\n"
		"secure unix - - n - - smtp -o smtp_tls_security_level=secure -o smtp_tls_secure_cert_match=mx.test "
		"-o smtp_connection_cache_time_limit=1s -o smtp_tls_CAfile=";
	static const char master_cf_2[] =
		"\nnameless unix - - n - - smtp -o { smtp_tls_secure_cert_match = }\n"
		"no-files unix - - n - - smtp -o smtp_tls_CAfile=/nonexistent\n"
		"policy unix - - n - - smtp -o smtp_tls_security_level=may -o { smtp_tls_policy_maps = inline:{ "
		"{ [attribute.policy.test]:25 = encrypt tafile=/x } { [dane.policy.test]:25 = dane-only } "
		"{ [empty.policy.test]:25 = , } { .above.test = fingerprint } { .xn--bcher-kva.test = fingerprint } "
		"{ .b\xc3\xbc"
		"cher.example = fingerprint } { xn--mll-hoa.test:25 = dane-only } { .test = none } } }\n"
		"login unix - - n - - smtp -o smtp_sasl_auth_enable=yes\n"
		"by-sender unix - - n - - smtp -o smtp_sasl_auth_enable=yes -o "
		"smtp_sender_dependent_authentication=yes -o smtp_connection_cache_time_limit=1s "
		"-o { smtp_sasl_password_maps = inline:{ { w@x.org = w:q } } }\n"
		"login-may unix - - n - - smtp -o smtp_sasl_auth_enable=yes -o smtp_tls_security_level=may "
		"-o smtp_starttls_timeout=1s\n"
		"login-tls unix - - n - - smtp -o smtp_sasl_auth_enable=yes -o "
		"smtp_sasl_security_options=noplaintext\n";
	struct buf errors = BUF_INIT(65536), master = BUF_INIT(65536);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	int pair[2];

	make_cert("mx", "mx.test", key);
	EVP_PKEY_free(key);
	buf_addf(&master, "%s%s%s", master_cf, in_dir("mx.pem"), master_cf_2);
	relay.child.loop = uv_default_loop();
	relay.child.conf = conf_parse("/etc/postfix", str_c(main_cf), buf_str(&master), &errors, NULL);
	if (relay.child.conf == NULL)
		fatal("%s", errors.p);
	buf_free(&master);
	services_load(relay.child.conf);
	relay.segments = segment_set_new();
	relay.maps = map_client_new(relay.child.loop, relay.child.conf);
	relay.dns = dns_new_at(relay.child.loop, 5, "127.0.0.1@1", hosts_file());
	unlink(hosts_file_path);
	route_init(conf_main(relay.child.conf));
	require(ipc_pair(pair) == 0);
	ipc_open(&queued.ipc, relay.child.loop, pair[0], rules, 2, on_end);
	peer_open(pair[1]);
	put_segment(1, str_c(content));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sent), cmocka_unit_test(test_failing),
		cmocka_unit_test(test_mending), cmocka_unit_test(test_closed_in_cache), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_next_address), cmocka_unit_test(test_race), cmocka_unit_test(test_policy),
		cmocka_unit_test(test_requiretls_elsewhere), cmocka_unit_test(test_end_early),
		cmocka_unit_test(test_login_by_sender), cmocka_unit_test(test_requiretls),
		cmocka_unit_test(test_tls_optional), cmocka_unit_test(test_mixed_recipients),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_large), cmocka_unit_test(test_speed) };

	int r;

	signal(SIGPIPE, SIG_IGN);
	log_open(LOG_TO_STDERR, "postfix/smtp", -1, 0);
	if (mkdtemp(dir) == NULL)
		return 1;
	set_up();
	r = test_run(tests);
	rig_end();
	return r;
}
