#include "smtpd/test_rig.h"
#include "base/test.h"

/* XCLIENT logs in, so that no authentication service is needed. */
#define HI	 "EHLO c.example\r\n"
#define FROM	 "MAIL FROM:<a@far.example>\r\n"
#define TO	 "RCPT TO:<user@example.com>\r\n"
#define NONE	 "RCPT TO:<nobody@example.com>\r\n"
#define BACK	 "RSET\r\n"
#define AS(user) "XCLIENT LOGIN=" user "\r\n" HI
#define FROM3	 FROM BACK FROM BACK FROM BACK

static const char text[] = "smtpd_authorized_xclient_hosts = 10.0.0.0/8\n"
			   "smtpd_sasl_message_rate_limit = 2\nsmtpd_sasl_recipient_rate_limit = 4\n"
			   "smtpd_sasl_limit_exceptions = free@example.com @free.example\n"
			   "smtpd_sasl_limit_maps = inline:{ { more@example.com = messages=3 recipients=1 }, "
			   "{ one@example.com = sessions=1 }, { all@example.com = unlimited }, "
			   "{ @far.example = MESSAGES=1,recipients=0 }, { bad@example.com = letters=7 messages=x } }\n";

/* What a user says in one session, and the codes of the answers; the first of them is the greeting. */
static const struct {
	const char *said, *codes;
} talks[] = {
	{ AS("u1@example.com") FROM3, "220 220 250 250 250 250 250 451 250" },
	{ AS("u1@example.com") FROM, "220 220 250 451" },
	{ AS("U1@Example.COM") FROM, "220 220 250 451" }, /* another spelling is the same user */
	{ AS("u2@example.com") FROM, "220 220 250 250" },
	{ HI FROM3 FROM3, "220 250 250 250 250 250 250 250 250 250 250 250 250 250" }, /* nobody is logged in */
	{ AS("u1@example.com") "XCLIENT ADDR=192.0.2.1\r\n" HI FROM3, "220 220 250 220 250 250 250 250 250 250 250" },
	/* recipients that do not exist count, those over the limit do not */
	{ AS("u3@example.com") FROM TO NONE TO NONE TO TO, "220 220 250 250 250 550 250 550 451 451" },
	{ AS("u3@example.com") FROM TO, "220 220 250 250 451" },
	/* limits of their own */
	{ AS("more@example.com") FROM TO TO BACK FROM3, "220 220 250 250 250 451 250 250 250 250 250 451 250" },
	{ AS("free@example.com") FROM3, "220 220 250 250 250 250 250 250 250" },
	{ AS("x@free.example") FROM3, "220 220 250 250 250 250 250 250 250" },
	{ AS("carefree@example.com") FROM3, "220 220 250 250 250 250 250 451 250" },
	{ AS("x@unfree.example") FROM3, "220 220 250 250 250 250 250 451 250" },
	{ AS("all@example.com") FROM3 FROM TO TO TO TO TO,
		"220 220 250 250 250 250 250 250 250 250 250 250 250 250 250" },
	{ AS("x@far.example") FROM TO TO TO TO TO BACK FROM, "220 220 250 250 250 250 250 250 250 250 451" },
	{ AS("bad@example.com") FROM3, "220 220 250 250 250 250 250 451 250" },
	/* logins at a time: the one before is over */
	{ AS("one@example.com"), "220 220 250" },
	{ AS("one@example.com") AS("one@example.com") FROM, "220 220 250 220 250 250" },
};

static void codes_of(struct str said, struct buf *codes)
{
	struct str line;

	buf_reset(codes);
	while (str_field(&said, "\n", &line))
		if (line.n >= 4 && line.p[3] == ' ')
			buf_addf(codes, "%s%.3s", codes->n ? " " : "", line.p);
}

static int say(int fd, const char *words, struct buf *said)
{
	buf_reset(said);
	send(fd, words, strlen(words), MSG_NOSIGNAL);
	rig_run(fd, said);
	return fd;
}

static void test_talks(void **state)
{
	struct buf said = BUF_INIT(65536), codes = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof talks / sizeof *talks; i++) {
		int fd = say(rig_connect(smtpd.service, "10.0.0.1"), talks[i].said, &said);

		codes_of(buf_str(&said), &codes);
		if (!str_eq(buf_str(&codes), str_c(talks[i].codes)))
			printf("%s%s", talks[i].said, said.p);
		check_str(buf_str(&codes), talks[i].codes);
		rig_close(fd);
	}
	buf_free(&said);
	buf_free(&codes);
}

static void test_sessions(void **state)
{
	struct buf said = BUF_INIT(65536), codes = BUF_INIT(4096);
	int first = say(rig_connect(smtpd.service, "10.0.0.1"), AS("one@example.com"), &said);
	int second = say(rig_connect(smtpd.service, "10.0.0.2"), AS("one@example.com") FROM, &said);

	(void)state;
	codes_of(buf_str(&said), &codes);
	check_str(buf_str(&codes), "220 451 250 250"); /* and goes on as nobody */
	check(smtpd.sessions->sasl_username == NULL);
	close(first);
	rig_run(second, &said);
	say(second, BACK, &said);
	say(second, "XCLIENT LOGIN=one@example.com\r\n", &said);
	codes_of(buf_str(&said), &codes);
	check_str(buf_str(&codes), "220");
	check_str(str_c(smtpd.sessions->sasl_username), "one@example.com");
	rig_close(second);
	buf_free(&said);
	buf_free(&codes);
}

static unsigned lines_with(int fd, const char *word)
{
	static char log[1 << 20];
	ssize_t n = pread(fd, log, sizeof log - 1, 0);
	struct str rest = str_pn(log, n > 0 ? (size_t)n : 0), line;
	unsigned found = 0;

	while (str_word(&rest, "\n", &line))
		found += memmem(line.p, line.n, word, strlen(word)) != NULL;
	return found;
}

/* However often a user is refused, one line says so, with all addresses. */
static void test_one_alert(void **state)
{
	struct buf said = BUF_INIT(65536);
	int log = memfd_create("log", 0);

	(void)state;
	log_open(LOG_TO_FD, "test", log, 0);
	for (unsigned i = 1; i < 6; i++) {
		char from[16];

		snprintf(from, sizeof from, "10.0.0.%u", i);
		rig_close(say(rig_connect(smtpd.service, from), AS("v1@example.com") FROM, &said));
	}
	rig_close(say(rig_connect(smtpd.service, "10.0.0.9"), AS("v2@example.com") FROM3, &said));
	log_flush();
	check_int(lines_with(log, "has reached the limit"), 2);
	check_int(lines_with(log, "warning: user v1@example.com has reached the limit of 2 messages in 1h "
				  "(smtpd_sasl_message_rate_limit), from 10.0.0.1, 10.0.0.2, 10.0.0.3: "),
		1);
	log_open(LOG_TO_STDERR, "test", 2, 0);
	/* 60 to 64: how much of a part is left */
	check(strstr(said.p, "451 4.7.1 Error: too many messages of this user (2 in 1h are allowed); try again in 6"));
	close(log);
	buf_free(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_talks), cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_one_alert) };
	static const char *const option[] = { "" };

	rig_open(text, option, 1);
	return test_run(tests);
}
