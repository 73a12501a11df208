/* A session of the client's engine: every command well, and every reply at every step. */
#include "smtp/client_peer_test.h"

struct good {
	const char *name, *ehlo;
	bool lmtp, login;
	enum client_tls tls;
	uint32_t flags;
	const char *seen, *events;
};
#define ALL "PIPELINING|SIZE 1000|STARTTLS|AUTH PLAIN LOGIN|8BITMIME|DSN|SMTPUTF8"
static const struct good good[] = {
	{ "pipelined", "PIPELINING", false, false, CLIENT_TLS_MAY, ENV_8BIT | ENV_RET_FULL,
		"EHLO me\r\nMAIL FROM:<s@y.org>\r\nRCPT TO:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n",
		"RS" },
	{ "one by one", "", false, false, CLIENT_TLS_NONE, 0,
		"EHLO me\r\nMAIL FROM:<s@y.org>\r\nRCPT TO:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n",
		"RS" },
	{ "all extensions", ALL, false, true, CLIENT_TLS_MUST, ENV_8BIT | ENV_SMTPUTF8 | ENV_RET_HDRS,
		"EHLO me\r\nSTARTTLS\r\nEHLO me\r\nAUTH PLAIN AHUAcA==\r\n"
		"MAIL FROM:<s@y.org> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=q+3Dx AUTH=u+3D@y.org\r\n"
		"RCPT TO:<a@x.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@z\r\nRCPT TO:<b@x.org> "
		"NOTIFY=NEVER\r\nDATA\r\nhi\r\n.\r\n",
		"TLRS" },
	{ "LMTP", "PIPELINING", true, false, CLIENT_TLS_NONE, 0,
		"LHLO me\r\nMAIL FROM:<s@y.org>\r\nRCPT TO:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\nhi\r\n.\r\n",
		"RS" },
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		for (size_t piece = 1; piece < 100000; piece = piece == 1 ? 5 : piece * 100) {
			const struct good *g = &good[i];
			struct client_options o = { .lmtp = g->lmtp, .helo = "me", .tls = g->tls, .login = g->login };
			struct peer p = { .ehlo = g->ehlo, .lmtp = g->lmtp };
			struct outcome out;
			struct mail m;

			mail_init(&m, "hi\r\n");
			m.message.flags = g->flags;
			m.message.envid = STR("q+3Dx");
			m.message.auth = STR("u=@y.org");
			m.rcpt[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
			m.rcpt[0].orcpt = STR("rfc822;a@z");
			m.rcpt[1].notify = NOTIFY_NEVER;
			converse(&o, &p, &m, piece, &out);
			check_str(buf_str(&p.seen), g->seen);
			check_str(str_c(out.events), g->events);
			check_str(str_c(out.rcpts), "DD");
			check_int(m.message.passed_dsn, strstr(g->ehlo, "DSN") != NULL);
			peer_free(&p);
			arena_free(&m.message.mem);
		}
}

/* The codes of the corpus "NO STARTTLS" and those of RFC 5321 that fit nowhere; whole replies and broken ones. */
static const char *const sayings[] = { "220 x|", "221 x|", "235 x|", "250 x|", "250-x|250 y|", "251 x|", "334 x|",
	"354 x|", "421 x|", "450 x|", "451 x|", "452 x|", "454 x|", "500 x|", "501 x|", "502 x|", "503 x|", "504 x|",
	"530 x|", "535 x|", "550 x|", "554 x|", "550-x|551 y|", "199 x|", "666 x|", "hello|", "|", "2|", "25 ok|", "",
	"250|", "250 |" };

/* What a step takes for well done, by RFC 5321 sec. 4.3.2, RFC 3207, RFC 4954. */
static bool is_well(enum client_step step, const char *says)
{
	int code = atoi(says);

	if (strstr(says, "551 y") || !ascii_is_digit(says[0]) || strlen(says) < 4 || strchr("-| ", says[3]) == NULL)
		return false;
	switch (step) {
	case CLIENT_STEP_GREETING:
	case CLIENT_STEP_STARTTLS:
		return code == 220;
	case CLIENT_STEP_AUTH:
		return code == 235 || code == 334; /* 334 again and again is another test's */
	case CLIENT_STEP_DATA:
		return code == 354;
	case CLIENT_STEP_EHLO:
		return code == 250 || code / 100 == 5; /* then HELO */
	case CLIENT_STEP_LHLO:
	case CLIENT_STEP_HELO:
		return code == 250;
	default:
		return code / 100 == 2;
	}
}

static void check_saying(enum client_step step, const char *says, bool pipelining, enum client_tls tls)
{
	for (size_t piece = 1; piece < 100000; piece *= 500) {
		bool lmtp = step == CLIENT_STEP_LHLO;
		struct client_options o = { .helo = "me", .tls = tls, .lmtp = lmtp, .login = true };
		struct peer p = {
			.ehlo = pipelining ? ALL : "STARTTLS|AUTH PLAIN", .at = step, .says = says, .lmtp = lmtp
		};
		bool may_go_on = is_well(step, says), delivered;
		struct outcome out;
		struct mail m;

		mail_init(&m, "hi\r\n");
		converse(&o, &p, &m, piece, &out);
		delivered = strchr(out.rcpts, 'D') != NULL;
		/* STARTTLS refused is no failure where TLS is only tried. */
		if (step == CLIENT_STEP_STARTTLS && tls != CLIENT_TLS_MUST)
			may_go_on = true;
		if (delivered && !may_go_on)
			fail_msg("step %s, reply \"%s\": counted as success", client_step_doing(step), says);
		check(!delivered || may_go_on);
		/* Under MUST nothing of the mail is said before the handshake. */
		if (tls == CLIENT_TLS_MUST && strchr(out.events, 'T') == NULL)
			check(memmem(p.seen.p ? p.seen.p : "", p.seen.n, "MAIL", 4) == NULL &&
				memmem(p.seen.p ? p.seen.p : "", p.seen.n, "AUTH", 4) == NULL);
		peer_free(&p);
		arena_free(&m.message.mem);
	}
}

static void test_every_reply_at_every_step(void **state)
{
	static const enum client_step at[] = { CLIENT_STEP_GREETING, CLIENT_STEP_EHLO, CLIENT_STEP_LHLO,
		CLIENT_STEP_STARTTLS, CLIENT_STEP_AUTH, CLIENT_STEP_MAIL, CLIENT_STEP_RCPT, CLIENT_STEP_DATA,
		CLIENT_STEP_DOT };

	(void)state;
	for (size_t i = 0; i < sizeof at / sizeof *at; i++)
		for (size_t k = 0; k < sizeof sayings / sizeof *sayings; k++)
			for (int pipelining = 0; pipelining < 2; pipelining++)
				for (int tls = CLIENT_TLS_NONE; tls <= CLIENT_TLS_MUST; tls++)
					if (at[i] != CLIENT_STEP_AUTH || strncmp(sayings[k], "334", 3) != 0)
						check_saying(at[i], sayings[k], pipelining, (enum client_tls)tls);
}

static const struct {
	const char *name;
	enum client_step at;
	const char *says, *ehlo;
	enum client_tls tls;
	const char *events, *rcpts, *dsn;
} bad[] = {
	{ "response injection", CLIENT_STEP_STARTTLS, "220 go|250-peer|250 AUTH LOGIN|", "STARTTLS", CLIENT_TLS_MAY,
		"F", "oo", "" },
	{ "half a line behind 220", CLIENT_STEP_STARTTLS, "220 go|2", "STARTTLS", CLIENT_TLS_MUST, "F", "oo", "" },
	{ "two greetings", CLIENT_STEP_GREETING, "220 a|220 b|", "PIPELINING", CLIENT_TLS_NONE, "F", "oo", "" },
	{ "all refused", CLIENT_STEP_RCPT, "550 5.1.1 no|", "PIPELINING", CLIENT_TLS_NONE, "RS", "bb", "5.1.1" },
	{ "all refused, one by one", CLIENT_STEP_RCPT, "450 4.2.0 no|", "", CLIENT_TLS_NONE, "RS", "dd", "4.2.0" },
	{ "MAIL refused", CLIENT_STEP_MAIL, "552 5.3.4 big|", "PIPELINING", CLIENT_TLS_NONE, "RS", "bb", "5.3.4" },
	{ "MAIL refused, one by one", CLIENT_STEP_MAIL, "552 big|", "", CLIENT_TLS_NONE, "RS", "bb", "5.0.0" },
	{ "too large", CLIENT_STEP_MAIL, NULL, "SIZE 4", CLIENT_TLS_NONE, "RS", "bb", "5.3.4" },
	{ "421 at RCPT", CLIENT_STEP_RCPT, "421 4.3.2 bye|", "PIPELINING", CLIENT_TLS_NONE, "RS", "dd", "4.3.2" },
	{ "an enhanced code of another class", CLIENT_STEP_DOT, "550 2.0.0 no|", "", CLIENT_TLS_NONE, "RS", "bb",
		"5.0.0" },
	{ "success said twice", CLIENT_STEP_DOT, "250 2.0.0 x|250 2.0.0 y|", "", CLIENT_TLS_NONE, "RS", "DD", "2.0.0" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct client_options o = { .helo = "me", .tls = bad[i].tls };
		struct peer p = { .ehlo = bad[i].ehlo, .at = bad[i].at, .says = bad[i].says };
		struct outcome out;
		struct mail m;

		mail_init(&m, "hi\r\n");
		converse(&o, &p, &m, 100000, &out);
		check_str(str_c(out.events), bad[i].events);
		check_str(str_c(out.rcpts), bad[i].rcpts);
		check_str(str_c(m.rcpt[1].dsn), bad[i].dsn);
		/* A message that nobody is to get is not sent at all. */
		check(out.rcpts[0] == 'D' || memmem(p.seen.p ? p.seen.p : "", p.seen.n, "hi\r\n", 4) == NULL ||
			bad[i].at == CLIENT_STEP_DOT);
		peer_free(&p);
		arena_free(&m.message.mem);
	}
}

/* LMTP: each recipient has its own answer after the dot (RFC 2033 sec. 4.2). */
static void test_lmtp_answers(void **state)
{
	struct client_options o = { .helo = "me", .lmtp = true };
	struct peer p = { .ehlo = "PIPELINING", .at = CLIENT_STEP_DOT, .says = "550 5.2.2 full|", .lmtp = true };
	struct outcome out;
	struct mail m;

	(void)state;
	mail_init(&m, "hi\r\n");
	converse(&o, &p, &m, 3, &out);
	check_str(str_c(out.rcpts), "bb");
	check_str(m.rcpt[0].text, "550 5.2.2 full");
	peer_free(&p);
	arena_free(&m.message.mem);
}

/* Nothing of an address or an identifier may become a command of its own. */
static void test_injection(void **state)
{
	struct client_options o = { .helo = "me" };
	struct peer p = { .ehlo = ALL };
	struct outcome out;
	struct mail m;

	(void)state;
	mail_init(&m, "hi\r\n");
	m.rcpt[0].address = STR("a@x.org>\r\nRCPT TO:<evil@x.org");
	m.rcpt[1].address = STR("b@x.org");
	converse(&o, &p, &m, 100000, &out);
	check_str(str_c(out.rcpts), "bD");
	check_str(str_c(m.rcpt[0].dsn), "5.1.3");
	check(memmem(p.seen.p, p.seen.n, "evil", 4) == NULL);
	peer_free(&p);
	arena_free(&m.message.mem);
}

static void test_utf8(void **state)
{
	struct client_options o = { .helo = "me" };
	struct peer p = { .ehlo = "PIPELINING" };
	struct outcome out;
	struct mail m;

	(void)state;
	mail_init(&m, "hi\r\n");
	m.message.flags = ENV_SMTPUTF8;
	m.rcpt[0].address = STR("\xc3\xa4@x.org");
	converse(&o, &p, &m, 100000, &out);
	check_str(str_c(out.rcpts), "bD");
	check_str(str_c(m.rcpt[0].dsn), "5.6.7");
	peer_free(&p);
	m.message.utf8_header = true;
	converse(&o, &p, &m, 100000, &out);
	check_str(str_c(out.rcpts), "bb");
	check_str(str_c(out.events), "RS");
	peer_free(&p);
	arena_free(&m.message.mem);
}

static void test_sanitise(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = { { "a b", "a b" }, { "a\rb\x01\x7f", "a?b??" }, { "a\nb", "a b" }, { "\xc3\xa4\xff", "\xc3\xa4?" },
		{ "12345678901234567890", "1234567890" }, { "123456789\xc3\xa4", "123456789" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(100);

		text_sanitise(&out, str_c(cases[i].in), 10);
		check_str(buf_str(&out), cases[i].out);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_every_reply_at_every_step),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_lmtp_answers),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_sanitise),
	};

	return test_run(tests);
}
