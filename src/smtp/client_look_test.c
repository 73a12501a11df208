/* Content that may have to be converted is looked at in pieces, before anything is sent. */
#include "smtp/client.h"
#include "base/test.h"
#include "log/envelope.h"

enum { LARGE = 4 * 1024 * 1024 };

struct large {
	struct client_message message;
	struct client_rcpt rcpt;
	const char *begin; /* then lines of "x" */
	size_t octets, at;
	bool fails; /* half way */
};

static ssize_t read_body(struct client_message *m, void *p, size_t n)
{
	struct large *l = container_of(m, struct large, message);
	size_t begin = strlen(l->begin);

	if (l->fails && l->at >= l->octets / 2)
		return -1;
	if (n > l->octets - l->at)
		n = l->octets - l->at;
	for (size_t i = 0; i < n; i++, l->at++)
		((char *)p)[i] = l->at < begin ? l->begin[l->at] : "x\r\n"[(l->at - begin) % 3];
	return (ssize_t)n;
}

static void rewind_body(struct client_message *m)
{
	container_of(m, struct large, message)->at = 0;
}

static void hear(struct smtp_client *c, struct buf *said)
{
	struct str octets;

	buf_reset(said);
	while (smtp_client_output(c, &octets) == 1) {
		buf_add_str(said, octets);
		smtp_client_wrote(c, octets.n);
	}
}

/* A session that is up, and the message given to it. */
static enum client_event begin(struct smtp_client *c, struct large *l, const char *body, size_t octets, unsigned depth)
{
	struct client_options options = { .helo = "c.example", .mime_depth = depth };
	struct buf said = BUF_INIT(4096);
	enum client_event event;

	memset(l, 0, sizeof *l);
	l->begin = body;
	l->octets = octets;
	l->rcpt.address = STR("b@y.example");
	l->message = (struct client_message){ .sender = STR("a@x.example"),
		.flags = ENV_8BIT,
		.rcpt = &l->rcpt,
		.n_rcpt = 1,
		.mem = arena_new(0),
		.read = read_body,
		.rewind = rewind_body };
	smtp_client_init(c, &options);
	smtp_client_input(c, STR("220 s\r\n"));
	hear(c, &said);
	check_int(smtp_client_input(c, STR("250 s\r\n")), CLIENT_READY);
	event = smtp_client_send(c, &l->message);
	buf_free(&said);
	return event;
}

static void end(struct smtp_client *c, struct large *l)
{
	smtp_client_free(c);
	arena_free(&l->message.mem);
}

#define UTF8	 "Subject: x\r\n\r\n\xc3\xbc\r\n"
#define LEVEL(n) "Content-Type: multipart/mixed; boundary=" n "\r\n\r\n--" n "\r\n"

static void test_in_pieces(void **state)
{
	struct buf said = BUF_INIT(4096);
	enum client_event event;
	struct smtp_client c;
	struct large l;
	size_t turns = 0, before = 0;

	(void)state;
	event = begin(&c, &l, UTF8, LARGE, 0);
	check_int(event, CLIENT_MORE);
	while (smtp_client_is_looking(&c)) {
		hear(&c, &said);
		check_int(said.n, 0);
		event = smtp_client_look(&c);
		check_int(event, CLIENT_MORE);
		check(l.at == 0 || l.at - before <= LARGE / 8); /* at the end it is at its first octet again */
		before = l.at;
		turns++;
	}
	check(turns >= 8);
	hear(&c, &said);
	check_str(buf_str(&said), "MAIL FROM:<a@x.example>\r\n");
	end(&c, &l);
	buf_free(&said);
}

/* What a small message leads to. */
static const struct {
	const char *body;
	unsigned depth;
	const char *dsn; /* "": it is sent */
} cases[] = {
	{ UTF8, 0, "" }, { "To: \xc3\xbc@x\r\n\r\n", 0, "5.6.7" }, { LEVEL("a") "\r\n\xc3\xbc\r\n", 1, "" },
	{ LEVEL("a") LEVEL("b") "\r\n\xc3\xbc\r\n", 1, "5.6.3" }, { LEVEL("a") LEVEL("b") "\r\n\xc3\xbc\r\n", 2, "" },
	{ LEVEL("a") "Content-Type: message/rfc822\r\n\r\n" LEVEL("c") "\r\n\xc3\xbc\r\n", 2, "5.6.3" },
	{ LEVEL("a") "Content-Type: message/rfc822\r\n\r\n" LEVEL("c") "\r\n\xc3\xbc\r\n", 3, "" },
	{ LEVEL("a") LEVEL("b") "\r\n\xc3\xbc\r\n", 1000000, "" },
	{ LEVEL("a") LEVEL("b") "\r\nx\r\n", 1, "" }, /* nothing has to be converted */
};

static void test_outcomes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum client_event event;
		struct smtp_client c;
		struct large l;

		event = begin(&c, &l, cases[i].body, strlen(cases[i].body), cases[i].depth);
		while (smtp_client_is_looking(&c))
			event = smtp_client_look(&c);
		check_int(event, *cases[i].dsn ? CLIENT_SENT : CLIENT_MORE);
		check_int(l.rcpt.outcome, *cases[i].dsn ? CLIENT_BOUNCED : CLIENT_OPEN);
		check_str(str_c(l.rcpt.dsn), cases[i].dsn);
		check(event == CLIENT_MORE || smtp_client_is_reusable(&c));
		end(&c, &l);
	}
}

static void test_unreadable(void **state)
{
	enum client_event event = CLIENT_MORE;
	struct smtp_client c;
	struct large l;

	(void)state;
	begin(&c, &l, UTF8, LARGE, 0);
	l.fails = true;
	while (smtp_client_is_looking(&c))
		event = smtp_client_look(&c);
	check_int(event, CLIENT_SENT);
	check_int(l.rcpt.outcome, CLIENT_DEFERRED);
	end(&c, &l);
}

/* The server has nothing to say yet, or goes. */
static void test_server_ends_it(void **state)
{
	struct smtp_client c;
	struct large l;

	(void)state;
	begin(&c, &l, UTF8, LARGE, 0);
	smtp_client_look(&c);
	check_int(smtp_client_input(&c, STR("421 4.4.2 bye\r\n")), CLIENT_ENDED);
	smtp_client_lost(&c);
	check_int(c.failure.step, CLIENT_STEP_MAIL);
	check(!smtp_client_is_looking(&c));
	check_int(l.rcpt.outcome, CLIENT_OPEN);
	end(&c, &l);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_in_pieces), cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_server_ends_it) };

	return test_run(tests);
}
