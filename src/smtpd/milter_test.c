/* A session with a mail filter that is in this process: what it may cost, whatever client and filter say. */
#include "smtpd/test_rig.h"
#include "smtpd/milter.h"
#include "base/test.h"

#include <sys/resource.h>
#include <sys/un.h>

#define HI   "EHLO c.example\r\n"
#define FROM "MAIL FROM:<a@far.example>\r\n"
#define TO   "RCPT TO:<user@example.com>\r\n"

static struct filter {
	int listener, fd;
	uint32_t protocol;  /* what it says in the negotiation */
	struct buf in, eom; /* eom: its packets before the verdict on a message */
	unsigned mails;
	const char *at_data; /* its reply to DATA; NULL: go on */
	size_t body, most;   /* octets of the body; the most of them in one turn of the loop of smtpd */
} filter;

static void put(struct buf *out, char command, struct str data)
{
	size_t start = milter_packet_begin(out, command);

	milter_put_octets(out, data);
	check_int(milter_packet_end(out, start), 0);
}

static void answer(const struct milter_packet *p)
{
	struct milter_terms t = { .version = 6, .actions = 0x1ff, .protocol = filter.protocol };
	struct buf out = BUF_INIT(4 << 20);

	if (p->command == MILTER_NEGOTIATE)
		milter_terms_put(&out, &t);
	else if (p->command == 'E')
		buf_add_str(&out, buf_str(&filter.eom));
	if (p->command == 'T' && filter.at_data)
		put(&out, 'y', str_pn(filter.at_data, strlen(filter.at_data) + 1));
	else if (strchr("CHMRTULNBE", p->command) && !(p->command == 'B' && (filter.protocol & MILTER_NR_BODY)))
		milter_put_command(&out, 'c');
	filter.mails += p->command == 'M';
	filter.body += p->command == 'B' ? p->data.n : 0;
	for (size_t at = 0; at < out.n;) {
		ssize_t n = send(filter.fd, out.p + at, out.n - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
		at += n > 0 ? (size_t)n : 0;
	}
	buf_free(&out);
}

/* It hears and answers what is there. */
static void serve(void)
{
	char text[65536];
	struct milter_packet p;
	size_t used;
	ssize_t n;

	if (filter.fd < 0)
		filter.fd = accept4(filter.listener, NULL, NULL, SOCK_CLOEXEC);
	while (filter.fd >= 0 && (n = recv(filter.fd, text, sizeof text, MSG_DONTWAIT)) >= 0) {
		buf_add(&filter.in, text, (size_t)n);
		while (milter_packet_next(buf_str(&filter.in), &used, &p) == 1) {
			answer(&p);
			buf_consume(&filter.in, used);
		}
		if (n == 0) {
			close(filter.fd);
			filter.fd = -1;
		}
	}
}

/* Until both sides have been still for some turns. */
static void run(int fd, struct buf *said)
{
	char text[4096];
	ssize_t n;

	for (int quiet = 0; quiet < 40; quiet++) {
		size_t before = filter.body;

		serve();
		filter.most = filter.body - before > filter.most ? filter.body - before : filter.most;
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
		while ((n = recv(fd, text, sizeof text, 0)) > 0) {
			buf_add(said, text, (size_t)n);
			quiet = 0;
		}
		if (smtpd.sessions && smtpd.sessions->question &&
			(smtpd.sessions->question->what == ASK_COMMIT || smtpd.sessions->question->what == ASK_MILTER))
			quiet = 0;
	}
	if (!spool_writer_is_ready(smtpd.writer))
		rig_lend();
}

static void say(int fd, const char *text)
{
	check(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static struct str last_code(struct str said)
{
	said = str_trim(said);
	return str_sub(str_from(said, (size_t)(str_rchr(said, '\n') + 1)), 0, 3);
}

static int begin(struct buf *said)
{
	int fd = rig_connect(&smtpd.service[0], "10.1.1.1");

	buf_reset(&filter.eom);
	say(fd, HI FROM TO);
	run(fd, said);
	check_str(last_code(buf_str(said)), "250");
	check(filter.mails > 0);
	return fd;
}

static void end(int fd)
{
	rig_close(fd);
	serve();
	check_int(smtpd.n_sessions, 0);
}

/* A header that is too long for filters costs no more memory than one that is not, however long it becomes. */
static void test_endless_header(void **state)
{
	struct buf said = BUF_INIT(1 << 20);
	int fd = begin(&said);

	(void)state;
	say(fd, "DATA\r\n");
	run(fd, &said);
	for (int i = 0; i < 20000; i++) {
		say(fd, "X-Field: 0123456789012345678901234567890123456789\r\n");
		if (i % 100 == 0)
			run(fd, &said);
	}
	run(fd, &said);
	check(smtpd.sessions->tx->milter->head_is_long);
	check(arena_octets(smtpd.sessions->tx->mem) < 64 * 1024);
	say(fd, "\r\nbody\r\n.\r\n");
	run(fd, &said);
	check_str(last_code(buf_str(&said)), "552");
	end(fd);
	buf_free(&said);
}

static void put_text(char command, const char *text)
{
	put(&filter.eom, command, str_pn(text, strlen(text) + 1));
}

/* Of memory that this process has ever had; 0 where a sanitizer keeps what is freed. */
static long most_kilobytes(void)
{
	struct rusage u = { .ru_maxrss = 0 };

#ifndef ASAN
	getrusage(RUSAGE_SELF, &u);
#endif
	return u.ru_maxrss;
}

/* A filter deletes recipients one by one, from a message that has many. */
static void test_many_deleted_recipients(void **state)
{
	enum { RCPTS = 900 };
	struct buf said = BUF_INIT(1 << 20);
	int fd = begin(&said);
	long before;

	(void)state;
	for (int i = 0; i < RCPTS; i++) {
		char text[80];

		snprintf(text, sizeof text, "RCPT TO:<recipient-%d@far.example>\r\n", i);
		say(fd, text);
		run(fd, &said);
		snprintf(text, sizeof text, "recipient-%d@FAR.example", i);
		put_text('-', i % 2 ? text : "nobody@far.example");
	}
	check_int(smtpd.sessions->tx->n_rcpt, RCPTS + 1);
	say(fd, "DATA\r\n");
	run(fd, &said);
	before = most_kilobytes();
	smtpd.n_recipients = 0;
	say(fd, "X: y\r\n\r\nbody\r\n.\r\n");
	run(fd, &said);
	check_str(last_code(buf_str(&said)), "250");
	check_int(smtpd.n_recipients, RCPTS / 2 + 1);
	check(most_kilobytes() - before < 8 * 1024);
	end(fd);
	buf_free(&said);
}

/* A filter that answers no piece of a body, and takes whatever comes, keeps nobody else waiting. */
static void test_body_in_turns(void **state)
{
	enum { LINES = 20000 };
	struct buf said = BUF_INIT(1 << 20);
	int fd, octets = 4 << 20;

	(void)state;
	filter.protocol = MILTER_NR_BODY;
	fd = begin(&said);
	setsockopt(smtpd.sessions->milters->link[0].conn->fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
	say(fd, "DATA\r\nX: y\r\n\r\n");
	for (int i = 0; i < LINES; i++) {
		say(fd, "0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
		if (i % 100 == 0)
			run(fd, &said);
	}
	filter.body = filter.most = 0;
	say(fd, ".\r\n");
	run(fd, &said);
	check_str(last_code(buf_str(&said)), "250");
	check_int(filter.body, LINES * 72);
	check(filter.most > 0 && filter.most <= 256 * 1024);
	end(fd);
	filter.protocol = 0;
	buf_free(&said);
}

/* A refusal waits for the end of its chunk; one that ends the session does not. */
static void test_refused_chunk(void **state)
{
	struct buf said = BUF_INIT(1 << 20);
	int fd = begin(&said);

	(void)state;
	filter.at_data = "554 5.7.1 no";
	buf_reset(&said);
	say(fd, "BDAT 10\r\n");
	run(fd, &said);
	check_str(buf_str(&said), "");
	say(fd, "0123456789NOOP\r\n");
	run(fd, &said);
	check_str(buf_str(&said), "554 5.7.1 no\r\n250 2.0.0 Ok\r\n");
	filter.at_data = "421 4.7.0 busy now";
	say(fd, FROM TO);
	run(fd, &said);
	buf_reset(&said);
	say(fd, "BDAT 10\r\n");
	run(fd, &said);
	check_str(buf_str(&said), "421 4.7.0 busy now\r\n");
	check_int(recv(fd, (char[1]){ 0 }, 1, 0), 0);
	end(fd);
	filter.at_data = NULL;
	buf_free(&said);
}

/* Descriptors are left for the log when each session has its filter. */
static void test_descriptors(void **state)
{
	(void)state;
	check_int(milter_conns_max(), 1);
	check(listen_sessions(260) * 2 <= 260 - 60);
	check(listen_sessions(260) >= 90);
	check(listen_sessions(100) >= 20 && listen_sessions(100) * 2 <= 60);
	check(listen_sessions(1) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_endless_header),
		cmocka_unit_test(test_many_deleted_recipients), cmocka_unit_test(test_body_in_turns),
		cmocka_unit_test(test_refused_chunk), cmocka_unit_test(test_descriptors) };
	static const char *const option[] = { "" };
	char folder[] = "/tmp/gatepost-milter.XXXXXX", conf[512];
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int r;

	filter = (struct filter){ .fd = -1, .in = BUF_INIT(1 << 20), .eom = BUF_INIT(1 << 20) };
	filter.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(un.sun_path, sizeof un.sun_path, "%s/filter", folder);
	if (bind(filter.listener, (struct sockaddr *)&un, sizeof un) != 0 || listen(filter.listener, 8) != 0)
		return 1;
	snprintf(conf, sizeof conf, "smtpd_milters = unix:%s\nmilter_default_action = tempfail\n", un.sun_path);
	rig_open(conf, option, 1);
	r = test_run(tests);
	unlink(un.sun_path);
	rmdir(folder);
	return r;
}
