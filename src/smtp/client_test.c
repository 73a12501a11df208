#include "smtp/client.h"

#include "base/log.h"
#include "base/test.h"
#include "log/envelope.h"
#include "smtp/esmtp.h"

#include <stdlib.h>

/*
 * The engine against a server that lives in this file: it answers each command well, but for one step, at which it says
 * what the case wants. Each case runs with the replies whole and octet by octet.
 */

struct peer {
	const char *ehlo;    /* keywords, separated by "|" */
	enum client_step at; /* where it says `says` */
	const char *says;    /* "|" is CRLF; NULL: always well */
	bool lmtp;
	bool in_data;
	unsigned rcpts;
	size_t chunk; /* octets of BDAT that are still to come */
	bool last;
	struct buf in, out, seen;
};

struct outcome {
	char events[64]; /* one letter per event that is not CLIENT_MORE */
	char rcpts[8];	 /* D delivered, d deferred, b bounced, o open */
	struct buf body;
};

static void say(struct peer *p, enum client_step step, const char *text)
{
	if (p->says && step == p->at)
		text = p->says;
	for (; *text; text++)
		buf_add(&p->out, *text == '|' ? "\r\n" : text, *text == '|' ? 2 : 1);
}

static void hello(struct peer *p, enum client_step step)
{
	struct buf text = BUF_INIT(4096);
	struct str rest = str_c(p->ehlo), word, next;

	if (!str_field(&rest, "|", &word))
		word = STR("");
	buf_addf(&text, "250%cpeer|", *p->ehlo ? '-' : ' ');
	for (bool more = *p->ehlo; more; word = next) {
		more = str_field(&rest, "|", &next);
		buf_addf(&text, "250%c%.*s|", more ? '-' : ' ', STR_ARG(word));
	}
	say(p, step, text.p);
	buf_free(&text);
}

static void on_line(struct peer *p, struct str line)
{
	static const struct {
		const char *verb;
		enum client_step step;
		const char *says;
	} verbs[] = { { "HELO", CLIENT_STEP_HELO, "250 peer|" }, { "STARTTLS", CLIENT_STEP_STARTTLS, "220 go|" },
		{ "AUTH", CLIENT_STEP_AUTH, "235 in|" }, { "MAIL FROM:<", CLIENT_STEP_MAIL, "250 2.1.0 ok|" },
		{ "RCPT TO:<", CLIENT_STEP_RCPT, "250 2.1.5 ok|" }, { "DATA", CLIENT_STEP_DATA, "354 go|" },
		{ "RSET", CLIENT_STEP_RSET, "250 ok|" }, { "QUIT", CLIENT_STEP_QUIT, "221 bye|" } };

	if (p->in_data) {
		if (!str_eq(line, STR(".")))
			return;
		p->in_data = false;
		say(p, CLIENT_STEP_DOT, "250 2.0.0 taken|");
		for (unsigned i = 1; p->lmtp && i < p->rcpts; i++)
			say(p, CLIENT_STEP_DOT, "250 2.0.0 taken|");
		return;
	}
	if (str_has_prefix(line, STR("EHLO ")) || str_has_prefix(line, STR("LHLO "))) {
		hello(p, line.p[0] == 'E' ? CLIENT_STEP_EHLO : CLIENT_STEP_LHLO);
		return;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (str_has_prefix(line, str_c(verbs[i].verb))) {
			p->rcpts += verbs[i].step == CLIENT_STEP_RCPT;
			say(p, verbs[i].step, verbs[i].says);
			p->in_data = verbs[i].step == CLIENT_STEP_DATA &&
				     !(p->says && p->at == CLIENT_STEP_DATA && p->says[0] != '3');
			return;
		}
	fail_msg("the client said \"%.*s\"", STR_ARG(line));
}

static void end_chunk(struct peer *p)
{
	say(p, p->last ? CLIENT_STEP_DOT : CLIENT_STEP_BODY, "250 2.0.0 chunk|");
	for (unsigned i = 1; p->last && p->lmtp && i < p->rcpts; i++)
		say(p, CLIENT_STEP_DOT, "250 2.0.0 taken|");
}

static void on_bdat(struct peer *p, struct str arg)
{
	struct str count;
	uint64_t n = 0;

	check(str_word(&arg, " ", &count) && str_u64(count, &n));
	p->chunk = (size_t)n;
	p->last = str_eq(arg, STR(" LAST"));
	if (n == 0)
		end_chunk(p);
}

static void take_commands(struct peer *p, struct str octets)
{
	ptrdiff_t end = 0;

	buf_add_str(&p->in, octets);
	buf_add_str(&p->seen, octets);
	while (p->chunk > 0 || (end = str_chr(buf_str(&p->in), '\n')) > 0) {
		struct str line;

		if (p->chunk > 0) {
			size_t n = p->in.n < p->chunk ? p->in.n : p->chunk;

			if (n == 0)
				return;
			buf_consume(&p->in, n);
			p->chunk -= n;
			if (p->chunk == 0)
				end_chunk(p);
			continue;
		}
		line = str_sub(buf_str(&p->in), 0, (size_t)end);
		if (str_has_prefix(line, STR("BDAT "))) {
			on_bdat(p, str_sub(line, 5, line.n - 6));
			buf_consume(&p->in, (size_t)end + 1);
			continue;
		}

		check(p->in_data || str_has_suffix(line, STR("\r")));
		on_line(p, str_has_suffix(line, STR("\r")) ? str_sub(line, 0, line.n - 1) : line);
		buf_consume(&p->in, (size_t)end + 1);
	}
}

struct mail {
	struct client_message message;
	struct client_rcpt rcpt[2];
	const char *body;
	size_t at, piece;
};

static ssize_t read_body(struct client_message *m, void *to, size_t n)
{
	struct mail *mail = container_of(m, struct mail, message);
	size_t left = strlen(mail->body) - mail->at;

	n = n < left ? n : left;
	n = n < mail->piece ? n : mail->piece;
	memcpy(to, mail->body + mail->at, n);
	mail->at += n;
	return (ssize_t)n;
}

static void rewind_body(struct client_message *m)
{
	container_of(m, struct mail, message)->at = 0;
}

static void note_outcomes(struct outcome *o, const struct mail *m)
{
	for (size_t i = 0; i < m->message.n_rcpt; i++) {
		check(m->rcpt[i].outcome == CLIENT_OPEN || m->rcpt[i].dsn[0] != '\0');
		o->rcpts[i] = "oDdb"[m->rcpt[i].outcome];
	}
}

static enum client_event send_whole(struct smtp_client *c, struct client_message *m)
{
	enum client_event event = smtp_client_send(c, m);

	while (smtp_client_is_looking(c))
		event = smtp_client_look(c);
	return event;
}

/* Returns whether it is over. */
static bool on_event(struct smtp_client *c, struct mail *m, struct outcome *o, enum client_event event)
{
	static const char letters[] = { [CLIENT_STARTTLS] = 'T',
		[CLIENT_LOGIN] = 'L',
		[CLIENT_CHALLENGE] = 'C',
		[CLIENT_READY] = 'R',
		[CLIENT_SENT] = 'S',
		[CLIENT_FAILED] = 'F',
		[CLIENT_ENDED] = 'E' };

	if (event == CLIENT_MORE)
		return false;
	require(strlen(o->events) + 1 < sizeof o->events);
	o->events[strlen(o->events)] = letters[event];
	if (event == CLIENT_STARTTLS)
		smtp_client_secured(c);
	else if (event == CLIENT_LOGIN)
		smtp_client_auth(c, "PLAIN", STR("AHUAcA=="));
	else if (event == CLIENT_CHALLENGE)
		smtp_client_auth_answer(c, STR("QUJD"));
	else if (event == CLIENT_READY)
		return on_event(c, m, o, send_whole(c, &m->message));
	else
		return true;
	return false;
}

static bool move_output(struct smtp_client *c, struct peer *p)
{
	struct str octets;
	int got;

	while ((got = smtp_client_output(c, &octets)) == 1) {
		size_t n = octets.n > 3 ? octets.n - 3 : octets.n; /* a socket takes what it likes */

		take_commands(p, str_sub(octets, 0, n));
		smtp_client_wrote(c, n);
	}
	return got == 0;
}

static void converse(
	const struct client_options *options, struct peer *p, struct mail *m, size_t piece, struct outcome *o)
{
	struct smtp_client c;
	bool over = false;

	p->in = p->out = p->seen = BUF_INIT(1 << 20);
	p->in_data = false;
	p->rcpts = 0;
	p->chunk = 0;
	m->at = 0;
	memset(o, 0, sizeof *o);
	smtp_client_init(&c, options);
	say(p, CLIENT_STEP_GREETING, "220 peer ESMTP|");
	for (int turns = 0; !over && turns < 10000; turns++) {
		size_t n = p->out.n < piece ? p->out.n : piece;
		struct buf chunk = BUF_INIT(1 << 20);

		if (n == 0)
			break;
		buf_add(&chunk, p->out.p, n);
		buf_consume(&p->out, n);
		over = on_event(&c, m, o, smtp_client_input(&c, buf_str(&chunk)));
		buf_free(&chunk);
		if (!over)
			move_output(&c, p);
	}
	if (!over) { /* nothing more comes: the server closes */
		smtp_client_lost(&c);
		o->events[strlen(o->events)] = '!';
	}
	note_outcomes(o, m);
	smtp_client_free(&c);
}

static void peer_free(struct peer *p)
{
	buf_free(&p->in);
	buf_free(&p->out);
	buf_free(&p->seen);
}

static void mail_init(struct mail *m, const char *body)
{
	memset(m, 0, sizeof *m);
	m->rcpt[0].address = STR("a@x.org");
	m->rcpt[1].address = STR("b@x.org");
	m->message = (struct client_message){ .sender = STR("s@y.org"),
		.rcpt = m->rcpt,
		.n_rcpt = 2,
		.mem = arena_new(0),
		.read = read_body,
		.rewind = rewind_body,
		.size = 5 };
	m->body = body;
	m->piece = 7;
}

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
		{ "SIZE", true, "DD",
			"EHLO me\r\nMAIL FROM:<s@y.org> SIZE=5\r\nRCPT TO:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n"
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
		converse(&o, &p, &m, 1000, &out);
		check_str(str_c(out.rcpts), cases[i].rcpts);
		check_str(str_c(m.rcpt[0].dsn), cases[i].dsn);
		check(cases[i].param == NULL || memmem(p.seen.p, p.seen.n, cases[i].param, strlen(cases[i].param)));
		check_int(m.message.passed_by, strstr(cases[i].ehlo, "BY") != NULL);
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
		const char *rcpts, *dsn;
	} cases[] = {
		{ "STARTTLS|REQUIRETLS", CLIENT_TLS_MUST, "DD", "2.0.0" },
		{ "STARTTLS|SIZE", CLIENT_TLS_MUST, "bb", "5.7.30" },
		{ "REQUIRETLS", CLIENT_TLS_MAY, "bb", "5.7.30" },
		{ "STARTTLS|REQUIRETLS", CLIENT_TLS_NONE, "bb", "5.7.30" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client_options o = { .helo = "me", .tls = cases[i].tls };
		struct peer p = { .ehlo = cases[i].ehlo };
		struct outcome out;
		struct mail m;

		mail_init(&m, "hi\r\n");
		m.message.flags = ENV_REQUIRETLS;
		converse(&o, &p, &m, 1000, &out);
		check_str(str_c(out.rcpts), cases[i].rcpts);
		check_str(str_c(m.rcpt[0].dsn), cases[i].dsn);
		check((memmem(p.seen.p, p.seen.n, " REQUIRETLS\r\n", 13) != NULL) == (cases[i].rcpts[0] == 'D'));
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

/* Binary content: BDAT, dots unstuffed behind every LF; converted for a server that cannot take it. */
static void test_binary(void **state)
{
	static const struct {
		const char *ehlo, *says;
		enum client_step at;
		const char *events, *rcpts, *seen;
	} cases[] = {
		{ "CHUNKING|8BITMIME|BINARYMIME", NULL, CLIENT_STEP_OVER, "RS", "DD",
			"EHLO me\r\nMAIL FROM:<s@y.org> BODY=BINARYMIME\r\nRCPT TO:<a@x.org>\r\nRCPT TO:<b@x.org>\r\n"
			"BDAT 11 LAST\r\n.a\n.b\r\n\r.c\n" },
		{ "PIPELINING|CHUNKING|BINARYMIME", "452 later|", CLIENT_STEP_DOT, "RS", "dd", NULL },
		{ "PIPELINING|CHUNKING|BINARYMIME", "550 5.1.1 no|", CLIENT_STEP_RCPT, "RS", "bb",
			"EHLO me\r\nMAIL FROM:<s@y.org> BODY=BINARYMIME\r\nRCPT TO:<a@x.org>\r\nRCPT TO:<b@x.org>\r\n"
			"RSET\r\n" },
		{ "BINARYMIME|8BITMIME", NULL, CLIENT_STEP_OVER, "RS", "DD",
			"EHLO me\r\nMAIL FROM:<s@y.org> BODY=8BITMIME\r\nRCPT TO:<a@x.org>\r\nRCPT "
			"TO:<b@x.org>\r\nDATA\r\n"
			"MIME-Version: 1.0\r\nContent-Transfer-Encoding: "
			"quoted-printable\r\n\r\n..a=0A.b\r\n=0D.c=0A=\r\n.\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t piece = 1; piece < 100; piece += 40) {
			struct client_options o = { .helo = "me" };
			struct peer p = { .ehlo = cases[i].ehlo, .at = cases[i].at, .says = cases[i].says };
			struct outcome out;
			struct mail m;

			mail_init(&m, "..a\n..b\r\n\r.c\n");
			m.message.flags = ENV_8BIT | ENV_BINARY;
			m.message.size = 0;
			converse(&o, &p, &m, piece, &out);
			check_str(str_c(out.events), cases[i].events);
			check_str(str_c(out.rcpts), cases[i].rcpts);
			if (cases[i].seen)
				check_str(buf_str(&p.seen), cases[i].seen);
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

static const struct {
	const char *body, *sent;
} bodies[] = { { "", ".\r\n" }, { "a\r\n", "a\r\n.\r\n" }, { "..\r\n", "..\r\n.\r\n" }, { "no end", "no end\r\n.\r\n" },
	{ "\r\n", "\r\n.\r\n" } };

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		for (size_t piece = 1; piece < 10; piece += 3) {
			struct client_options o = { .helo = "me" };
			struct peer p = { .ehlo = "PIPELINING" };
			struct outcome out;
			struct mail m;

			mail_init(&m, bodies[i].body);
			m.piece = piece;
			converse(&o, &p, &m, 100000, &out);
			check(str_has_suffix(buf_str(&p.seen), str_c(bodies[i].sent)));
			check(memmem(p.seen.p, p.seen.n, "DATA\r\n", 6) != NULL);
			check_str(str_from(buf_str(&p.seen),
					  (size_t)((char *)memmem(p.seen.p, p.seen.n, "DATA\r\n", 6) - p.seen.p) + 6),
				bodies[i].sent);
			peer_free(&p);
			arena_free(&m.message.mem);
		}
}

#define LONG_LINE                                                                                            \
	"x234567890123456789012345678901234567890123456789x234567890123456789012345678901234567890123456789" \
	"x234567890123456789012345678901234567890123456789x234567890123456789012345678901234567890123456789" \
	"x234567890123456789012345678901234567890123456789x234567890123456789012345678901234567890123456789" \
	"x234567890123456789012345678901234567890123456789x234567890123456789012345678901234567890123456789" \
	"x234567890123456789012345678901234567890123456789x234567890123456789012345678901234567890123456789"

/* What another server could read otherwise never leaves, whatever put it there: the message is returned, and no end sent. */
static void test_never_sent(void **state)
{
	static const char *const unfit[] = { "a\r", "a\n", "a\nb\r\n", "a\rb\r\n", "a\n.\r\nMAIL FROM:<>\r\n",
		"a\r\n.\rb\r\n", LONG_LINE LONG_LINE LONG_LINE "\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++)
		for (size_t piece = 1; piece < 2000; piece = piece * 3 + 1) {
			struct client_options o = { .helo = "me" };
			struct peer p = { .ehlo = "PIPELINING|8BITMIME" };
			struct outcome out;
			struct mail m;

			mail_init(&m, unfit[i]);
			m.piece = piece;
			converse(&o, &p, &m, 100000, &out);
			check_str(str_c(out.rcpts), "bb");
			check_str(str_c(m.rcpt[0].dsn), "5.6.0");
			check(!str_has_suffix(buf_str(&p.seen), STR("\r\n.\r\n")));
			check(p.in_data);
			peer_free(&p);
			arena_free(&m.message.mem);
		}
}

/* RFC 6152 sec. 3: content that this server does not take is converted, or returned before a command is spent. */
static const struct {
	const char *name, *ehlo;
	uint32_t flags;
	bool no_conversion;
	const char *body, *mail, *sent; /* sent NULL: returned with the status `mail` */
} conversions[] = {
	{ "8BITMIME is there", "SIZE|8BITMIME", ENV_8BIT, false, "A: b\r\n\r\n\xc3\xbc\r\n",
		" SIZE=5 BODY=8BITMIME\r\n", "A: b\r\n\r\n\xc3\xbc\r\n" },
	{ "it is not", "SIZE", ENV_8BIT, false, "A: b\r\n\r\n.\xc3\xbc\r\n", "\r\n",
		"A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
		"quoted-printable\r\n\r\n=C3=BC\r\n" },
	{ "8-bit by name only", "SIZE", ENV_8BIT, false, "A: b\r\n\r\nx\r\n", " SIZE=5\r\n", "A: b\r\n\r\nx\r\n" },
	{ "conversion is switched off", "SIZE", ENV_8BIT, true, "A: b\r\n\r\n\xc3\xbc\r\n", " SIZE=5\r\n",
		"A: b\r\n\r\n\xc3\xbc\r\n" },
	{ "SMTPUTF8 has 8 bits in it", "SMTPUTF8", ENV_8BIT | ENV_SMTPUTF8, false, "A: b\r\n\r\n\xc3\xbc\r\n",
		" SMTPUTF8\r\n", "A: b\r\n\r\n\xc3\xbc\r\n" },
	{ "binary content; its dots are stuffed behind every LF", "CHUNKING|8BITMIME", ENV_8BIT | ENV_BINARY, false,
		"MIME-Version: 1.0\r\nContent-Type: x/y\r\n\r\n..\n..\xff", " BODY=8BITMIME\r\n",
		"MIME-Version: 1.0\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\nLgou/w==\r\n" },
	{ "to 7 bits", "CHUNKING", ENV_8BIT | ENV_BINARY, false,
		"MIME-Version: 1.0\r\nContent-Type: x/y\r\n\r\n..\n..\xff", "\r\n",
		"MIME-Version: 1.0\r\nContent-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\nLgou/w==\r\n" },
	{ "binary by name only", "8BITMIME", ENV_8BIT | ENV_BINARY, false, "A: b\r\n\r\nx\r\n", " BODY=8BITMIME\r\n",
		"A: b\r\n\r\nx\r\n" },
	{ "signed", "SIZE", ENV_8BIT, false, "Content-Type: multipart/signed; boundary=b\r\n\r\n\xc3\xbc\r\n", "5.6.3",
		NULL },
	{ "an address", "SIZE", ENV_8BIT, false, "To: \xc3\xbc@x\r\n\r\n", "5.6.7", NULL },
	{ "a long line", "8BITMIME", ENV_LONG_LINE | ENV_8BIT, true,
		"MIME-Version: 1.0\r\nContent-Type: multipart/x; boundary=b\r\n\r\n" LONG_LINE LONG_LINE LONG_LINE
		"\r\n--b\r\n\r\n\xc3\xbc\r\n--b--\r\n",
		" BODY=8BITMIME\r\n",
		"MIME-Version: 1.0\r\nContent-Type: multipart/x; "
		"boundary=b\r\n\r\n\r\n--b\r\n\r\n\xc3\xbc\r\n--b--\r\n" },
};

static void check_conversion(size_t i, size_t piece)
{
	struct client_options o = { .helo = "me", .no_conversion = conversions[i].no_conversion };
	struct peer p = { .ehlo = conversions[i].ehlo };
	struct buf want = BUF_INIT(10000);
	struct outcome out;
	struct mail m;

	mail_init(&m, conversions[i].body);
	m.message.flags = conversions[i].flags;
	m.piece = piece;
	converse(&o, &p, &m, piece, &out);
	check_str(str_c(out.rcpts), conversions[i].sent ? "DD" : "bb");
	if (conversions[i].sent) {
		const char *data = memmem(p.seen.p, p.seen.n, "DATA\r\n", 6);

		buf_addf(&want, "MAIL FROM:<s@y.org>%s", conversions[i].mail);
		check(memmem(p.seen.p, p.seen.n, want.p, want.n) != NULL);
		buf_reset(&want);
		buf_addf(&want, "%s.\r\n", conversions[i].sent);
		check_str(str_from(buf_str(&p.seen), (size_t)(data - p.seen.p) + 6), want.p);
	} else {
		check_str(str_c(m.rcpt[1].dsn), conversions[i].mail);
		check(memmem(p.seen.p, p.seen.n, "MAIL", 4) == NULL);
	}
	buf_free(&want);
	peer_free(&p);
	arena_free(&m.message.mem);
}

static void test_conversion(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++)
		for (size_t piece = 1; piece < 3000; piece = piece * 4 + 3)
			check_conversion(i, piece);
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
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_binary),
		cmocka_unit_test(test_ascii_form), cmocka_unit_test(test_requiretls), cmocka_unit_test(test_deliver_by),
		cmocka_unit_test(test_since), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_reply_at_every_step), cmocka_unit_test(test_bad),
		cmocka_unit_test(test_lmtp_answers), cmocka_unit_test(test_bodies), cmocka_unit_test(test_never_sent),
		cmocka_unit_test(test_conversion), cmocka_unit_test(test_injection), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_sanitise) };

	return test_run(tests);
}
