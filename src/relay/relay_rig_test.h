/*
 * relay_rig_test.h - relay as it is, with a queued that is this test, and servers that follow a script: one thread each,
 * blocking sockets. A script is lines:
 *
 *	C text	a line with that beginning is awaited
 *	S text	sent with CRLF
 *	R text	sent in one piece; "|" is CRLF
 *	B	a body up to CRLF.CRLF is awaited
 *	T	TLS begins
 *	P	a pause
 *	W	wait for the client to close
 *	X	close and accept the next connection
 */
#ifndef RELAY_RELAY_RIG_TEST_H
#define RELAY_RELAY_RIG_TEST_H

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

static inline ssize_t take(struct server *s, int fd, char *p, size_t n)
{
	return s->ssl ? SSL_read(s->ssl, p, (int)n) : read(fd, p, n);
}

static inline void say(struct server *s, int fd, struct str text)
{
	char line[1024];
	int n = snprintf(line, sizeof line, "%.*s\r\n", STR_ARG(text));

	if ((s->ssl ? SSL_write(s->ssl, line, n) : (int)write(fd, line, (size_t)n)) != n && s->wrong[0] == '\0')
		snprintf(s->wrong, sizeof s->wrong, "could not say \"%.*s\"", STR_ARG(text));
}

static inline void begin_tls(struct server *s, int fd)
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

static inline int next_octet(struct server *s, int fd, char *c)
{
	ssize_t n = take(s, fd, c, 1);

	if (n == 1)
		buf_add_char(&s->seen, *c);
	return n == 1 ? 0 : -1;
}

static inline void await_line(struct server *s, int fd, struct str want)
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

static inline bool is_whole_body(struct str body)
{
	return str_eq(body, STR(".\r\n")) || str_has_suffix(body, STR("\r\n.\r\n"));
}

/* In pieces: nothing follows the final dot before it is answered. */
static inline void await_body(struct server *s, int fd)
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

static inline void await_end(int fd)
{
	char c;

	while (read(fd, &c, 1) == 1)
		continue;
}

static inline int take_connection(struct server *s)
{
	int one = 1, fd = accept(s->listener, NULL, NULL);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (fd < 0)
		snprintf(s->wrong, sizeof s->wrong, "nobody connected: %s", strerror(errno));
	return fd;
}

static inline void send_raw(int fd, struct str text)
{
	struct buf out = BUF_INIT(4096);

	for (size_t i = 0; i < text.n; i++)
		buf_add(&out, text.p[i] == '|' ? "\r\n" : &text.p[i], text.p[i] == '|' ? 2 : 1);
	require(write(fd, out.p, out.n) == (ssize_t)out.n);
	buf_free(&out);
}

static inline void *serve(void *arg)
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

static inline void server_start(struct server *s, const char *script)
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

static inline void server_end(struct server *s)
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

static inline int on_result(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
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

static inline int on_capacity(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	(void)c;
	(void)fds;
	(void)n_fds;
	ipc_get_u32(in);
	return ipc_get_end(in) ? 0 : -1;
}

static const struct ipc_rule rules[] = { { MSG_RESULT, 0, on_result }, { MSG_CAPACITY, 0, on_capacity } };

static inline void on_end(struct ipc *c, enum ipc_end end)
{
	(void)c;
	(void)end;
	fail_msg("relay closed the channel");
}

static inline void put_segment(uint64_t generation, struct str content)
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

static inline void put_job(const struct mail *m)
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

static inline void on_give_up(uv_timer_t *t)
{
	uv_stop(t->loop);
}

/* Run until that many results came, a minute at most. */
static inline bool await_results(unsigned n)
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

static inline const struct rcpt_result *deliver(const struct mail *m)
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
#define SENT	    TRANSACTION "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 2.0.0 done\n"

static inline void finish_with(struct server *s)
{
	cache_close_all();
	uv_run(relay.child.loop, UV_RUN_NOWAIT);
	check_int(relay.n_conn, 0);
	server_end(s);
	check_str(str_c(s->wrong), "");
}

static char hosts_file_path[] = "/tmp/gatepost-hosts.XXXXXX";

static inline const char *hosts_file(void)
{
	static const char text[] = "127.0.0.2 first-dead.test\n127.0.0.1 first-dead.test\n127.0.0.1 twice.test\n"
				   "127.0.0.1 twice.test\n127.0.0.3 hole-first.test\n127.0.0.1 hole-first.test\n"
				   "127.0.0.3 hole-only.test\n127.0.0.1 plain.policy.test\n";
	int fd = mkstemp(hosts_file_path);

	require(write(fd, text, sizeof text - 1) == sizeof text - 1);
	close(fd);
	return hosts_file_path;
}

static inline void set_up(void)
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

static inline void relay_test_begin(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_open(LOG_TO_STDERR, "postfix/smtp", -1, 0);
	require(mkdtemp(dir) != NULL);
	set_up();
}

static inline int relay_test_end(int failed)
{
	rig_end();
	return failed;
}

/* What main() returns: one relay, in a folder of its own, for all tests of the program. */
#define relay_test_run(tests) (relay_test_begin(), relay_test_end(test_run(tests)))

#endif
