/* Several addresses of one next hop: the next one, and two at a time. */
#include "relay/relay_rig_test.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_address),
		cmocka_unit_test(test_race),
	};

	return relay_test_run(tests);
}
