/*
 * A whole session of smtpd with a mail filter whose answers are the input: its first two octets say what it wants to be
 * told and how the others are cut (0: by packets, as they are asked for). Checked: every answer to the client is an SMTP
 * reply, and nothing is left in the end.
 */
#include "milter/terms.h"
#include "smtpd/test_rig.h"

#include <fcntl.h>
#include <sys/un.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char *const said_before = "EHLO c.example\r\nMAIL FROM:<a@far.example>\r\nRCPT TO:<user@example.com>\r\n"
				       "RCPT TO:<other@example.com>\r\nDATA\r\n";
static const char *const content = "Subject: x\r\nX: y\r\n\r\nbody\r\n.\r\nFOO\r\nMAIL FROM:<>\r\n";

static void check_replies(struct str said)
{
	struct str line;

	while (str_field(&said, "\n", &line)) {
		if (line.n == 0 && said.p == NULL)
			return;
		require(line.n >= 5 && line.n <= 512 && line.p[line.n - 1] == '\r');
		require(line.p[0] >= '2' && line.p[0] <= '5' && ascii_is_digit(line.p[1]) && ascii_is_digit(line.p[2]));
		require(line.p[3] == ' ' || line.p[3] == '-');
	}
}

static int listen_here(char *path, size_t n)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, n, "/tmp/fuzz_milter.%d", (int)getpid());
	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	unlink(path);
	require(fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof un) == 0 && listen(fd, 8) == 0);
	return fd;
}

static const struct service *open_rig(int *listener)
{
	static const char *const option[] = { "" };
	struct buf text = BUF_INIT(4096);
	char path[64];

	log_open(LOG_TO_FD, "fuzz", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	*listener = listen_here(path, sizeof path);
	buf_addf(
		&text, "message_size_limit = 20000\nsmtpd_milters = unix:%s\nmilter_default_action = tempfail\n", path);
	rig_open(text.p, option, 1);
	buf_free(&text);
	return &smtpd.service[0];
}

static void turn(int fd, struct buf *said)
{
	char text[4096];
	ssize_t n;

	for (int i = 0; i < 8; i++) {
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
		while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0)
			buf_add(said, text, (size_t)n);
	}
	if (!spool_writer_is_ready(smtpd.writer))
		rig_lend();
}

static void say(int fd, const char *text)
{
	send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What is told to it is not read with care: the answers are there already. */
static void drain(int filter)
{
	char text[65536];

	while (recv(filter, text, sizeof text, MSG_DONTWAIT) > 0)
		;
}

static void negotiate(int filter, uint8_t bits)
{
	struct milter_terms t = { .version = 6, .actions = 0x1ff };
	struct buf out = BUF_INIT(64);

	if (bits & 1)
		t.protocol |= MILTER_NO_CONNECT | MILTER_NO_HELO;
	if (bits & 2)
		t.protocol |= MILTER_NO_MAIL | MILTER_NO_RCPT | MILTER_NO_DATA;
	if (bits & 4)
		t.protocol |= MILTER_NO_HEADER | MILTER_NO_EOH | MILTER_NO_BODY;
	if (bits & 8)
		t.protocol |= MILTER_NR_HEADER | MILTER_NR_EOH | MILTER_NR_BODY | MILTER_CAN_SKIP;
	milter_terms_put(&out, &t);
	send(filter, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_free(&out);
}

/* Octets of the packet that begins there, or so many. */
static size_t piece(const uint8_t *p, size_t n, uint8_t step)
{
	size_t octets = step;

	if (step == 0)
		octets = n < 4 ? n : 4 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
	return octets < n ? octets : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct service *service;
	static int listener;
	struct buf said = BUF_INIT(16 << 20);
	size_t step, at = 2;
	int fd, filter;

	if (service == NULL)
		service = open_rig(&listener);
	if (n < 2)
		return 0;
	fd = rig_connect(service, "10.1.1.1");
	say(fd, said_before);
	turn(fd, &said);
	filter = accept(listener, NULL, NULL);
	if (filter >= 0)
		negotiate(filter, p[0]);
	for (bool sent = false; filter >= 0 && at < n; at += step) {
		turn(fd, &said);
		drain(filter);
		step = piece(p + at, n - at, p[1]);
		if (send(filter, p + at, step, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		turn(fd, &said);
		if (!sent && said.n && memmem(said.p, said.n, "354 ", 4)) {
			say(fd, content);
			sent = true;
		}
	}
	if (filter >= 0)
		close(filter);
	turn(fd, &said);
	while ((filter = accept(listener, NULL, NULL)) >= 0) /* of the second MAIL */
		close(filter);
	turn(fd, &said);
	check_replies(buf_str(&said));
	rig_close(fd);
	require(smtpd.n_sessions == 0);
	buf_free(&said);
	return 0;
}
