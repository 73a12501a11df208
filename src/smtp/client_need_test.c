/* What a message needs of a server that has not announced it: another form, a return, or the next message. */
#include "smtp/client_peer_test.h"

/* RFC 7293 sec. 5.2: as a parameter, as a header field, or not at all. */
static void test_since(void **state)
{
	static const struct {
		const char *ehlo;
		bool may_end;
		const char *rcpts, *seen;
	} cases[] = {
		{ "RRVS|NO-SOLICITING", false, "DD",
			"EHLO me\r\nMAIL FROM:<s@y.org> SOLICIT=org.x:ADV\r\n"
			"RCPT TO:<a@x.org> RRVS=2014-04-03T23:01:00Z;R\r\nRCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n" },
		/* RFC 7293 sec. 7: nobody else reads what the field says */
		{ "SIZE", true, "Do",
			"EHLO me\r\nMAIL FROM:<s@y.org> SIZE=5\r\nRCPT TO:<a@x.org>\r\nDATA\r\n"
			"Require-Recipient-Valid-Since: a@x.org; Thu, 03 Apr 2014 23:01:00 +0000\r\nhi\r\n.\r\n" },
		{ "SIZE", false, "bD",
			"EHLO me\r\nMAIL FROM:<s@y.org> SIZE=5\r\nRCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_options o = { .helo = "me" };
		struct peer p = { .ehlo = cases[i].ehlo };
		struct outcome out;
		struct mail m;

		mail_init(&m, "hi\r\n");
		m.message.solicit = STR("org.x:ADV");
		m.rcpt[0].valid_since = 1396566060;
		m.rcpt[0].since_may_end = cases[i].may_end;
		converse(&o, &p, &m, 1000, &out);
		check_str(str_c(out.rcpts), cases[i].rcpts);
		check_str(buf_str(&p.seen), cases[i].seen);
		check_int(m.rcpt[1].held_back, cases[i].rcpts[1] == 'o');
		peer_free(&p);
		arena_free(&m.message.mem);
	}
}

/* The second is the one with the field; and one whose field would be longer than a line may be. */
static void test_since_behind_others(void **state)
{
	struct client_options o = { .helo = "me" };
	struct peer p = { .ehlo = "SIZE" };
	char address[1000];
	struct outcome out;
	struct mail m;

	(void)state;
	memset(address, 'x', sizeof address);
	memcpy(address + sizeof address - 6, "@x.org", 6);
	mail_init(&m, "hi\r\n");
	m.rcpt[1].valid_since = 1396566060;
	m.rcpt[1].since_may_end = true;
	converse(&o, &p, &m, 1000, &out);
	check_str(str_c(out.rcpts), "Do");
	check(m.rcpt[1].held_back && memmem(p.seen.p, p.seen.n, "Require-", 8) == NULL);
	peer_free(&p);
	m.rcpt[1].address = str_pn(address, sizeof address);
	converse(&o, &p, &m, 1000, &out);
	check_str(str_c(out.rcpts), "Db");
	check_str(str_c(m.rcpt[1].dsn), "5.7.19");
	peer_free(&p);
	arena_free(&m.message.mem);
}

/* RFC 6710 sec. 4.2: also where it is 0. */
static void test_priority(void **state)
{
	struct client_options o = { .helo = "me" };

	(void)state;
	for (int priority = -9; priority <= 9; priority += 9) {
		struct peer p = { .ehlo = "MT-PRIORITY" };
		struct outcome out;
		char must[48];
		struct mail m;

		mail_init(&m, "hi\r\n");
		m.message.priority = priority;
		converse(&o, &p, &m, 1000, &out);
		snprintf(must, sizeof must, "MAIL FROM:<s@y.org> MT-PRIORITY=%d\r\n", priority);
		check(memmem(p.seen.p, p.seen.n, must, strlen(must)) != NULL);
		peer_free(&p);
		arena_free(&m.message.mem);
	}
}

/* RFC 2852 sec. 4.2: R never goes to a server that does not keep it, or that wants more time. */
static void test_deliver_by(void **state)
{
	static const struct {
		const char *ehlo;
		uint32_t flags;
		int64_t by_s;
		const char *rcpts, *param, *dsn;
	} cases[] = {
		{ "DELIVERBY", ENV_BY_RETURN, 60, "DD", " BY=60;R\r\n", "2.0.0" },
		{ "DELIVERBY 30", ENV_BY_RETURN | ENV_BY_TRACE, 60, "DD", " BY=60;RT\r\n", "2.0.0" },
		{ "DELIVERBY 90", ENV_BY_RETURN, 60, "bb", NULL, "5.4.7" },
		{ "DELIVERBY", ENV_BY_RETURN, 0, "bb", NULL, "5.4.7" },
		{ "SIZE", ENV_BY_RETURN, 60, "bb", NULL, "5.3.3" },
		{ "DELIVERBY 90", ENV_BY_NOTIFY, -60, "DD", " BY=-60;N\r\n", "2.0.0" },
		{ "SIZE", ENV_BY_NOTIFY, 60, "DD", "MAIL FROM:<s@y.org> SIZE=5\r\n", "2.0.0" },
		/* sec. 4.1.4.2: who only knows DSN is asked to tell of a delay, while there is time */
		{ "DSN", ENV_BY_NOTIFY, 60, "DD", "RCPT TO:<a@x.org> NOTIFY=FAILURE,DELAY\r\n", "2.0.0" },
		{ "DSN", ENV_BY_NOTIFY, 60, "DD", "RCPT TO:<b@x.org> NOTIFY=NEVER\r\n", "2.0.0" },
		{ "DSN", ENV_BY_NOTIFY, 0, "DD", "RCPT TO:<a@x.org>\r\n", "2.0.0" },
		{ "DSN|DELIVERBY", ENV_BY_NOTIFY, 60, "DD", "RCPT TO:<a@x.org>\r\n", "2.0.0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_options o = { .helo = "me" };
		struct peer p = { .ehlo = cases[i].ehlo };
		struct outcome out;
		struct mail m;

		mail_init(&m, "hi\r\n");
		m.message.flags = cases[i].flags;
		m.message.has_by = true;
		m.message.by_s = cases[i].by_s;
		m.rcpt[1].notify = NOTIFY_NEVER;
		converse(&o, &p, &m, 1000, &out);
		check_str(str_c(out.rcpts), cases[i].rcpts);
		check_str(str_c(m.rcpt[0].dsn), cases[i].dsn);
		check(cases[i].param == NULL || memmem(p.seen.p, p.seen.n, cases[i].param, strlen(cases[i].param)));
		check_int(m.message.passed_by, strstr(cases[i].ehlo, "DELIVERBY") != NULL);
		peer_free(&p);
		arena_free(&m.message.mem);
	}
}

/* RFC 8689 sec. 4.2.1: under TLS to a server that announces it there, or not at all. */
static void test_requiretls(void **state)
{
	static const struct {
		const char *ehlo;
		enum client_tls tls;
		const char *sender, *rcpts, *dsn;
		bool said;
	} cases[] = {
		{ "STARTTLS|REQUIRETLS", CLIENT_TLS_MUST, "a@y", "DD", "2.0.0", true },
		{ "STARTTLS|SIZE", CLIENT_TLS_MUST, "a@y", "bb", "5.7.30", false },
		{ "REQUIRETLS", CLIENT_TLS_MAY, "a@y", "bb", "5.7.30", false },
		{ "STARTTLS|REQUIRETLS", CLIENT_TLS_NONE, "a@y", "bb", "5.7.30", false },
		/* sec. 5: a report is not lost for want of the keyword */
		{ "STARTTLS|REQUIRETLS", CLIENT_TLS_MUST, "", "DD", "2.0.0", true },
		{ "STARTTLS|SIZE", CLIENT_TLS_MUST, "", "DD", "2.0.0", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_options o = { .helo = "me", .tls = cases[i].tls };
		struct peer p = { .ehlo = cases[i].ehlo };
		struct outcome out;
		struct mail m;

		mail_init(&m, "hi\r\n");
		m.message.flags = ENV_REQUIRETLS;
		m.message.sender = str_c(cases[i].sender);
		converse(&o, &p, &m, 1000, &out);
		check_str(str_c(out.rcpts), cases[i].rcpts);
		check_str(str_c(m.rcpt[0].dsn), cases[i].dsn);
		check((memmem(p.seen.p, p.seen.n, " REQUIRETLS\r\n", 13) != NULL) == cases[i].said);
		peer_free(&p);
		arena_free(&m.message.mem);
	}
}

/* A server without SMTPUTF8 gets the ASCII form of a domain; what has none is returned (RFC 6531 sec. 3.5). */
static void test_ascii_form(void **state)
{
	static const struct {
		const char *ehlo, *sender, *rcpt;
		bool utf8_header;
		const char *rcpts, *seen;
		bool undeclared; /* an alias or a mail filter brought the address in */
	} cases[] = {
		{ "8BITMIME",
			"s@b\xC3\xBC"
			"cher.example",
			"a@m\xC3\xBCnchen.example", false, "DD",
			"EHLO me\r\nMAIL FROM:<s@xn--bcher-kva.example>\r\nRCPT TO:<a@xn--mnchen-3ya.example>\r\n"
			"RCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n",
			false },
		{ "8BITMIME", "s@y.org", "\xC3\xBC@m\xC3\xBCnchen.example", false, "bD", NULL, false },
		{ "8BITMIME", "\xC3\xBC@y.org", "a@x.org", false, "bb", "EHLO me\r\n", false },
		{ "8BITMIME",
			"s@b\xC3\xBC"
			"cher.example",
			"a@x.org", true, "bb", "EHLO me\r\n", false },
		{ "SMTPUTF8",
			"s@b\xC3\xBC"
			"cher.example",
			"a@x.org", false, "DD",
			"EHLO me\r\nMAIL FROM:<s@b\xC3\xBC"
			"cher.example> SMTPUTF8\r\nRCPT TO:<a@x.org>\r\n"
			"RCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n",
			false },
		{ "SMTPUTF8", "s@y.org", "\xC3\xBC@x.org", false, "DD",
			"EHLO me\r\nMAIL FROM:<s@y.org> SMTPUTF8\r\nRCPT TO:<\xC3\xBC@x.org>\r\n"
			"RCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n",
			true },
		{ "SMTPUTF8", "s@y.org", "a@x.org", false, "DD",
			"EHLO me\r\nMAIL FROM:<s@y.org>\r\nRCPT TO:<a@x.org>\r\n"
			"RCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n",
			true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_options o = { .helo = "me" };
		struct peer p = { .ehlo = cases[i].ehlo };
		struct outcome out;
		struct mail m;

		mail_init(&m, "hi\r\n");
		m.message.flags = cases[i].undeclared ? 0 : ENV_SMTPUTF8;
		m.message.utf8_header = cases[i].utf8_header;
		m.message.sender = str_c(cases[i].sender);
		m.message.size = 0;
		m.rcpt[0].address = str_c(cases[i].rcpt);
		converse(&o, &p, &m, 1000, &out);
		check_str(str_c(out.rcpts), cases[i].rcpts);
		if (cases[i].seen)
			check_str(buf_str(&p.seen), cases[i].seen);
		if (out.rcpts[0] == 'b')
			check_str(str_c(m.rcpt[0].dsn), "5.6.7");
		peer_free(&p);
		arena_free(&m.message.mem);
	}
}

/* RFC 9422: recipients over RCPTMAX, or of a domain over RCPTDOMAINMAX, are held back and stay open. */
static void test_limits(void **state)
{
	static const struct {
		const char *ehlo, *second, *rcpts;
	} cases[] = {
		{ "LIMITS RCPTMAX=1", "b@x.org", "Do" },
		{ "LIMITS rcptmax=2 FOO BAR=1", "b@x.org", "DD" },
		{ "PIPELINING|LIMITS MAILMAX=1 RCPTDOMAINMAX=1", "b@z.org", "Do" },
		{ "LIMITS RCPTDOMAINMAX=1", "b@X.ORG", "DD" },
		{ "LIMITS RCPTDOMAINMAX=2", "b@z.org", "DD" },
		{ "LIMITS RCPTMAX=01 FOO", "b@z.org", "DD" },
		{ "LIMITS RCPTMAX=1234567", "b@z.org", "DD" },
		{ "LIMITS RCPTMAX=1 =2", "b@z.org", "DD" }, /* no limits-param (sec. 3.7): as if none were there */
		{ "LIMITS RCPTMAX=1 A=;", "b@z.org", "DD" },
		{ "LIMITS RCPTMAX=0 RCPTDOMAINMAX=99999999999999999999 MAILMAX=x", "b@z.org", "DD" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_options o = { .helo = "me" };
		struct peer p = { .ehlo = cases[i].ehlo };
		struct outcome out;
		struct mail m;

		mail_init(&m, "hi\r\n");
		m.rcpt[1].address = str_c(cases[i].second);
		converse(&o, &p, &m, 1000, &out);
		check_str(str_c(out.rcpts), cases[i].rcpts);
		check_int(m.rcpt[1].held_back, cases[i].rcpts[1] == 'o');
		peer_free(&p);
		arena_free(&m.message.mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_since_behind_others),
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_deliver_by),
		cmocka_unit_test(test_requiretls),
		cmocka_unit_test(test_ascii_form),
		cmocka_unit_test(test_limits),
	};

	return test_run(tests);
}
