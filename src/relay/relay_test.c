/* A message and its connection: sent, refused, failing at each step, kept open, and the end of the instance. */
#include "relay/relay_rig_test.h"

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
	/* TLS failed, and without it nothing is taken: not returned at once */
	{ "may",
		"S 220 hi\nC EHLO\nS 250-peer\nS 250-PIPELINING\nS 250 STARTTLS\nC STARTTLS\nS 454 no\n" TRANSACTION
		"S 530 5.7.0 Must issue a STARTTLS command first\nS 503 x\nS 503 x\nC RSET\nS 250 ok\nC QUIT\n",
		RCPT_DEFERRED, 0, "4.7.0",
		"host %h said: 530 5.7.0 Must issue a STARTTLS command first (in reply to MAIL FROM command)" },
	{ "may",
		"S 220 hi\nC EHLO\nS 250-peer\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nP\nR garbage that is no TLS\nX\n"
		"S 220 hi\nC EHLO\nS 250-peer\nS 250-PIPELINING\nS 250 STARTTLS\n" TRANSACTION
		"S 530 5.7.0 Must issue a STARTTLS command first\nS 503 x\nS 503 x\nC RSET\nS 250 ok\nC QUIT\n",
		RCPT_DEFERRED, 0, "4.7.0",
		"host %h said: 530 5.7.0 Must issue a STARTTLS command first (in reply to MAIL FROM command)" },
	/* it was never tried: 530 is about a login */
	{ "smtp", HELLO TRANSACTION "S 530 5.7.0 Authentication required\nS 503 x\nS 503 x\nC RSET\nS 250 ok\nC QUIT\n",
		RCPT_BOUNCED, 0, "5.7.0",
		"host %h said: 530 5.7.0 Authentication required (in reply to MAIL FROM command)" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sent),
		cmocka_unit_test(test_failing),
		cmocka_unit_test(test_mending),
		cmocka_unit_test(test_closed_in_cache),
		cmocka_unit_test(test_login_by_sender),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_mixed_recipients),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_end_early),
		cmocka_unit_test(test_speed),
	};

	return relay_test_run(tests);
}
