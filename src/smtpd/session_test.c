#include "smtpd/test_rig.h"
#include "base/test.h"

/* What a client says, and the codes of all answers to it. */
struct talk {
	const char *from;
	const char *said;
	const char *codes;
};

#define HI   "EHLO c.example\r\n"
#define FROM "MAIL FROM:<a@far.example>\r\n"
#define TO   "RCPT TO:<user@example.com>\r\n"
#define OURS "10.1.1.1"
#define THEM "192.0.2.1"

static const struct talk talks[] = {
	{ THEM, "QUIT\r\n", "220 221" },
	{ THEM, HI "QUIT\r\n", "220 250 221" },
	{ THEM, "HELO c.example\r\n" FROM TO "QUIT\r\n", "220 250 250 250 221" },
	/* the order of commands: RFC 5321 sec. 4.1.4 */
	{ THEM, HI TO "DATA\r\nBDAT 1\r\nx", "220 250 503 503 503" },
	{ THEM, HI FROM FROM "DATA\r\n" TO "RSET\r\n" TO "DATA\r\n", "220 250 250 503 554 250 250 503 503" },
	{ THEM, HI FROM TO HI "DATA\r\n", "220 250 250 250 250 503" },
	{ THEM, HI FROM TO "DATA\r\nSubject: x\r\n\r\n.\r\nDATA\r\n" TO, "220 250 250 250 354 250 503 503" },
	{ THEM, HI FROM TO "DATA now\r\nRSET now\r\nQUIT now\r\n", "220 250 250 250 501 501 221" },
	{ THEM, "AUTH PLAIN\r\nSTARTTLS\r\n" HI "STARTTLS\r\nAUTH PLAIN x\r\n", "220 503 503 250 502 503" },
	/* arguments */
	{ THEM, "EHLO\r\nEHLO a b\r\nEHLO <x>\r\nHELO\r\n", "220 501 501 501 501" },
	{ THEM, HI "MAIL\r\nMAIL FROM\r\nMAIL FROM:<a@>\r\nMAIL FROM:<a@b@c>\r\n", "220 250 501 501 501 501" },
	{ THEM, HI "MAIL FROM:<> SIZE=1 SIZE=1\r\nMAIL FROM:<> X=1\r\nMAIL FROM:<> SIZE=99999999\r\n",
		"220 250 501 555 552" },
	{ THEM, HI "MAIL FROM:<\xC3\xA4@x.example>\r\nMAIL FROM:<\xC3\xA4@x.example> SMTPUTF8\r\n", "220 250 553 250" },
	{ THEM, "HELO c\r\nMAIL FROM:<a@b.c> SIZE=1\r\n", "220 250 555" },
	{ THEM, HI FROM "RCPT TO:<>\r\nRCPT\r\nRCPT TO:<user@example.com> X=1\r\n", "220 250 250 501 501 555" },
	{ THEM, "FOO\r\n\r\nEXPN x\r\nHELP\r\nNOOP x\r\n", "220 500 500 502 214 250" },
	/* who may write to whom */
	{ THEM, HI FROM "RCPT TO:<x@far.example>\r\nRCPT TO:<nobody@example.com>\r\n" TO, "220 250 250 454 550 250" },
	{ OURS, HI FROM "RCPT TO:<x@far.example>\r\nRCPT TO:<nobody@example.com>\r\n" TO, "220 250 250 250 550 250" },
	{ THEM, HI FROM "RCPT TO:<postmaster>\r\nRCPT TO:<user>\r\nRCPT TO:<user@EXAMPLE.com>\r\n",
		"220 250 250 250 250 250" },
	{ THEM, HI FROM "RCPT TO:<user%far.example@example.com>\r\n", "220 250 250 550" },
	{ THEM, HI "VRFY user@example.com\r\nVRFY nobody@example.com\r\nVRFY\r\n", "220 250 252 252 501" },
	{ OURS, HI "VRFY user@example.com\r\nVRFY nobody@example.com\r\nVRFY x@far.example\r\n",
		"220 250 250 550 252" },
	{ THEM, HI "ETRN far.example\r\nETRN\r\nETRN a b\r\n", "220 250 459 500 500" },
	/* content */
	{ THEM, HI FROM TO "DATA\r\n..\r\n.\r\nNOOP\r\n", "220 250 250 250 354 250 250" },
	{ THEM, HI FROM TO "DATA\r\n.\r\nNOOP\r\n", "220 250 250 250 354 250 250" },
	{ THEM, HI FROM TO "DATA\r\na\n.\nb\r\n.\r\nNOOP\r\n", "220 250 250 250 354 550" },
	{ THEM, HI FROM TO "DATA\r\na\r.\rb\r\n.\r\nNOOP\r\n", "220 250 250 250 354 550" },
	{ THEM, HI FROM TO "BDAT 3\r\nabcBDAT 0\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n", "220 250 250 250 250 250 250 250" },
	{ THEM, HI FROM TO "BDAT 3\r\nabcDATA\r\n" TO "VRFY x\r\nRSET\r\nDATA\r\n",
		"220 250 250 250 250 503 503 503 250 503" },
	{ THEM, HI FROM TO "BDAT 99999999\r\n", "220 250 250 250 552" },
	{ THEM, HI FROM TO "BDAT 3 LASTX\r\nNOOP\r\n", "220 250 250 250 521" },
	{ THEM, HI FROM TO "BDAT -1\r\nNOOP\r\n", "220 250 250 250 521" },
	{ THEM, HI FROM "BDAT 4 LAST\r\nNOOPNOOP\r\n" TO "BDAT 4 LAST\r\n\r\n\r\n" FROM,
		"220 250 250 554 250 503 503 250" },
	{ THEM, HI FROM "RCPT TO:<nobody@example.com>\r\nBDAT 3\r\nabc" TO "BDAT 2 LAST\r\n\r\n",
		"220 250 250 550 554 503 503" },
	{ THEM,
		HI FROM TO "DATA\r\n"
			   "Received: x\r\nReceived: x\r\nReceived: x\r\nReceived: x\r\n\r\n.\r\n",
		"220 250 250 250 354 554" },
	/* what fails in the middle ends the transaction: its chunks are skipped, and nothing of it is left */
	{ THEM, HI FROM TO "BDAT 3\r\nabcBDAT 99999999\r\n", "220 250 250 250 250 552" },
	/* framing: RFC 5321 sec. 2.3.8 */
	{ THEM, "NOOP\rRSET\r\nNOOP\nRSET\r\nQUIT\r\n", "220 500 500" },
	{ THEM, "GET / HTTP/1.0\r\nNOOP\r\n", "220 221" },
	{ THEM, "\x16\x03\x01 a\r\nNOOP\r\n", "220 221" },
	{ THEM, "GET / HTTP/1.0\n\nNOOP\r\n", "220 221" },
	{ THEM, "PUT /x HTTP/1.1\r\nNOOP\r\n", "220 221" },
	{ THEM, "OPTIONS * RTSP/1.0\r\nNOOP\r\n", "220 221" },
	{ THEM, "INVITE sip:a@b SIP/2.0\r\nNOOP\r\n", "220 221" },
	{ THEM, "SSH-2.0-x\r\nNOOP\r\n", "220 221" },
	{ THEM, "NOOP x HTTP/1.1\r\nPUT HTTP\r\nNOOP\r\n", "220 250 500 250" },
	{ THEM, "\r\n\r\nNOOP\r\n\n\r\nNOOP\r\n", "220 500 500 250 500" },
};

static void add_codes(struct buf *codes, struct str said)
{
	struct str line;

	while (str_field(&said, "\n", &line)) {
		if (line.n < 4 || line.p[3] != ' ')
			continue; /* "250-…", or the end */
		buf_addf(codes, "%s%.3s", codes->n ? " " : "", line.p);
	}
}

static void hold(const struct service *service, const struct talk *t, size_t step)
{
	struct buf said = BUF_INIT(1 << 20), codes = BUF_INIT(4096);
	int fd = rig_connect(service, t->from);
	size_t n = strlen(t->said);

	rig_run(fd, &said);
	for (size_t at = 0; at < n; at += step) {
		send(fd, t->said + at, n - at < step ? n - at : step, MSG_NOSIGNAL);
		rig_run(fd, &said);
	}
	add_codes(&codes, buf_str(&said));
	if (!str_eq(buf_str(&codes), str_c(t->codes)))
		printf("said: %s\nstep %zu, answers: %s\n", t->said, step, said.p);
	check_str(buf_str(&codes), t->codes);
	rig_close(fd);
	check_int(smtpd.n_sessions, 0);
	buf_free(&said);
	buf_free(&codes);
}

static const struct service *service;

/* RFC 3030 sec. 2: a chunk is read to its end before it is refused. */
static void test_refused_chunk(void **state)
{
	enum { OCTETS = 200000 };
	static const struct talk begun[] = { { THEM, HI "BDAT 200000\r\n", "220 250" },
		{ THEM, HI FROM "BDAT 200000\r\n", "220 250 250" },
		{ THEM, HI FROM TO "BDAT 200000\r\n", "220 250 250 250" } };
	static const char *const answer[] = { "503 250", "554 250", "552 250" };
	static char chunk[OCTETS];

	(void)state;
	memset(chunk, 'x', sizeof chunk);
	for (size_t i = 0; i < sizeof begun / sizeof *begun; i++) {
		struct buf said = BUF_INIT(1 << 20), codes = BUF_INIT(4096);
		int fd = rig_connect(service, begun[i].from);

		rig_run(fd, &said);
		send(fd, begun[i].said, strlen(begun[i].said), MSG_NOSIGNAL);
		rig_run(fd, &said);
		for (size_t at = 0; at < OCTETS - 1; at += OCTETS / 4) {
			send(fd, chunk + at, at + OCTETS / 4 < OCTETS ? OCTETS / 4 : OCTETS - 1 - at, MSG_NOSIGNAL);
			rig_run(fd, &said);
		}
		add_codes(&codes, buf_str(&said));
		check_str(buf_str(&codes), begun[i].codes);
		buf_reset(&said);
		buf_reset(&codes);
		send(fd, "xNOOP\r\n", 7, MSG_NOSIGNAL);
		rig_run(fd, &said);
		add_codes(&codes, buf_str(&said));
		check_str(buf_str(&codes), answer[i]);
		rig_close(fd);
		buf_free(&said);
		buf_free(&codes);
	}
}

static void test_talks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof talks / sizeof *talks; i++) {
		hold(service, &talks[i], 1 << 20);
		hold(service, &talks[i], 1);
		hold(service, &talks[i], 7);
	}
}

static void test_recipient_limit(void **state)
{
	struct buf said = BUF_INIT(1 << 20), codes = BUF_INIT(4096);
	int fd = rig_connect(service, OURS);
	char line[64];

	(void)state;
	send(fd, HI FROM, strlen(HI FROM), MSG_NOSIGNAL);
	for (int i = 0; i < 7; i++) {
		snprintf(line, sizeof line, "RCPT TO:<u%d@far.example>\r\n", i);
		send(fd, line, strlen(line), MSG_NOSIGNAL);
	}
	rig_run(fd, &said);
	add_codes(&codes, buf_str(&said));
	check_str(buf_str(&codes), "220 250 250 250 250 250 250 250 452 452");
	rig_close(fd);
	buf_free(&said);
	buf_free(&codes);
}

static void test_content_over_the_limit(void **state)
{
	struct buf said = BUF_INIT(1 << 20), codes = BUF_INIT(4096);
	int fd = rig_connect(service, THEM);
	char line[1000];

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	send(fd, HI FROM TO "DATA\r\n", strlen(HI FROM TO "DATA\r\n"), MSG_NOSIGNAL);
	for (int i = 0; i < 120; i++) {
		send(fd, line, sizeof line, MSG_NOSIGNAL);
		rig_run(fd, &said);
	}
	send(fd, ".\r\n" FROM, strlen(".\r\n" FROM), MSG_NOSIGNAL);
	rig_run(fd, &said);
	add_codes(&codes, buf_str(&said));
	check_str(buf_str(&codes), "220 250 250 250 354 552 250");
	rig_close(fd);
	buf_free(&said);
	buf_free(&codes);
}

/* A client that vanishes at any octet leaves nothing behind. */
static void test_hang_up_anywhere(void **state)
{
	static const char text[] =
		HI FROM TO "DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n" FROM TO "BDAT 5\r\nabcdeBDAT 3 LAST\r\nabc";
	struct buf said = BUF_INIT(1 << 20);

	(void)state;
	for (size_t n = 0; n < sizeof text; n++) {
		int fd = rig_connect(service, THEM);

		send(fd, text, n, MSG_NOSIGNAL);
		rig_run(fd, &said);
		rig_close(fd);
		check_int(smtpd.n_sessions, 0);
		buf_reset(&said);
	}
	buf_free(&said);
}

/* What comes behind the end of a session is dropped, however much it is: no command of it runs. */
static void test_octets_behind_the_end(void **state)
{
	static char text[2 * READ_OCTETS];
	struct buf said = BUF_INIT(1 << 20), codes = BUF_INIT(4096);
	int fd = rig_connect(service, OURS);

	(void)state;
	memset(text, ' ', sizeof text);
	memcpy(text, "QUIT\r\n", 6);
	memcpy(text + READ_OCTETS, HI FROM, strlen(HI FROM));
	send(fd, text, sizeof text, MSG_NOSIGNAL);
	rig_run(fd, &said);
	add_codes(&codes, buf_str(&said));
	check_str(buf_str(&codes), "220 221");
	check(smtpd.sessions && smtpd.sessions->count[VERB_EHLO].total == 0);
	rig_close(fd);
	check_int(smtpd.n_sessions, 0);
	buf_free(&said);
	buf_free(&codes);
}

/* Chunks of next to nothing, without end: over the budget of a session. */
static void test_many_small_chunks(void **state)
{
	struct buf said = BUF_INIT(1 << 20), codes = BUF_INIT(1 << 16);
	int fd = rig_connect(service, THEM), sent = 0;

	(void)state;
	send(fd, HI FROM TO, strlen(HI FROM TO), MSG_NOSIGNAL);
	while (sent < 2000 && !str_has_suffix(buf_str(&said), STR("too many errors\r\n")) &&
		send(fd, "BDAT 1\r\nx", 9, MSG_NOSIGNAL) == 9) {
		rig_run(fd, &said);
		sent++;
	}
	add_codes(&codes, buf_str(&said));
	check(str_has_suffix(buf_str(&codes), STR(" 250 421")));
	check(sent < 2000);
	rig_close(fd);
	buf_free(&said);
	buf_free(&codes);
}

/* The end of an overlong line is no command, though what follows it waits for the client's name. */
static void test_overlong_line_before_the_name(void **state)
{
	struct buf said = BUF_INIT(1 << 20), codes = BUF_INIT(4096);
	int fd = rig_connect(service, OURS);
	struct session *s = smtpd.sessions;
	struct dns_query under_way = { 0 };
	char text[3000];

	(void)state;
	s->name_query = &under_way;
	memset(text, 'x', sizeof text);
	send(fd, HI, strlen(HI), MSG_NOSIGNAL);
	rig_run(fd, &said);
	send(fd, text, sizeof text, MSG_NOSIGNAL);
	rig_run(fd, &said);
	send(fd, "RSET\r\n" FROM, strlen("RSET\r\n" FROM), MSG_NOSIGNAL);
	rig_run(fd, &said);
	check(s->waits_for_name);
	s->name_query = NULL;
	s->waits_for_name = false;
	session_resume(s);
	rig_run(fd, &said);
	add_codes(&codes, buf_str(&said));
	check_str(buf_str(&codes), "220 250 500 250");
	rig_close(fd);
	buf_free(&said);
	buf_free(&codes);
}

/* The rates of one client, over its connections; another client and another service have their own. */
static void test_rates(void **state)
{
	static const struct talk rated[] = {
		{ THEM, HI FROM TO TO "RSET\r\n" FROM TO TO "RSET\r\n", "220 250 250 250 250 250 250 250 450 250" },
		{ THEM, HI FROM, "220 250 450" },
		{ "192.0.2.2", HI FROM "QUIT\r\n", "220 250 250 221" },
		{ OURS, HI FROM "RSET\r\n" FROM "RSET\r\n" FROM "QUIT\r\n", "220 250 250 250 250 250 250 221" },
		{ THEM, "QUIT\r\n", "220 221" },
		{ THEM, "QUIT\r\n", "421" },
		{ "192.0.2.2", "QUIT\r\n", "220 221" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rated / sizeof *rated; i++)
		hold(&smtpd.service[1], &rated[i], 1 << 20);
	hold(service, &rated[2], 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_talks), cmocka_unit_test(test_refused_chunk),
		cmocka_unit_test(test_recipient_limit), cmocka_unit_test(test_overlong_line_before_the_name),
		cmocka_unit_test(test_rates), cmocka_unit_test(test_octets_behind_the_end),
		cmocka_unit_test(test_many_small_chunks), cmocka_unit_test(test_content_over_the_limit),
		cmocka_unit_test(test_hang_up_anywhere) };

	static const char *const option[] = { "", "smtpd_client_message_rate_limit = 2 } -o { "
						  "smtpd_client_recipient_rate_limit = 3 } -o { "
						  "smtpd_client_connection_rate_limit = 3" };

	rig_open("smtpd_recipient_limit = 5\nhopcount_limit = 3\nmessage_size_limit = 100000\n", option, 2);
	service = &smtpd.service[0];
	return test_run(tests);
}
