/* XFORWARD before MAIL: what is sent to whom, and that its answer moves nothing. */
#include "smtp/client.h"
#include "base/test.h"

struct told {
	struct client_message message;
	struct client_rcpt rcpt;
	struct smtp_attributes forward;
	bool sent;
};

static ssize_t read_body(struct client_message *m, void *p, size_t n)
{
	struct told *t = container_of(m, struct told, message);

	check(n >= 3);
	if (t->sent)
		return 0;
	t->sent = true;
	memcpy(p, "x\r\n", 3);
	return 3;
}

/* All that the client has to say now. */
static void hear(struct smtp_client *c, struct buf *said)
{
	struct str octets;

	buf_reset(said);
	while (smtp_client_output(c, &octets) == 1) {
		buf_add_str(said, octets);
		smtp_client_wrote(c, octets.n);
	}
}

static void answer(struct smtp_client *c, const char *text, struct buf *said)
{
	smtp_client_input(c, str_c(text));
	hear(c, said);
}

static void message_init(struct told *t, struct arena *mem)
{
	memset(t, 0, sizeof *t);
	t->rcpt.address = STR("b@y.example");
	t->message.sender = STR("a@x.example");
	t->message.rcpt = &t->rcpt;
	t->message.n_rcpt = 1;
	t->message.mem = mem;
	t->message.read = read_body;
	t->message.forward = &t->forward;
	t->forward.given = ATTR_BIT(ATTR_NAME) | ATTR_BIT(ATTR_ADDR) | ATTR_BIT(ATTR_HELO) | ATTR_BIT(ATTR_IDENT);
	t->forward.value[ATTR_ADDR] = STR("192.0.2.1");
	t->forward.value[ATTR_HELO] = STR("a b+c");
	t->forward.value[ATTR_IDENT] = STR("ABC");
}

/* What EHLO offers, and what the client says behind it; "" between two answers. */
static const struct {
	const char *offer;
	const char *first, *second; /* before and behind the answer to the first command */
} cases[] = {
	{ "250-s\r\n250-XFORWARD NAME ADDR HELO FOO\r\n250 PIPELINING\r\n",
		"XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.1 HELO=a+20b+2Bc\r\nMAIL FROM:<a@x.example>\r\n"
		"RCPT TO:<b@y.example>\r\nDATA\r\n",
		"" },
	{ "250-s\r\n250 XFORWARD IDENT\r\n", "XFORWARD IDENT=ABC\r\n", "MAIL FROM:<a@x.example>\r\n" },
	{ "250-s\r\n250 XFORWARD SOURCE\r\n", "MAIL FROM:<a@x.example>\r\n", "RCPT TO:<b@y.example>\r\n" },
	{ "250 s\r\n", "MAIL FROM:<a@x.example>\r\n", "RCPT TO:<b@y.example>\r\n" },
};

static void hold(size_t i, const char *to_forward)
{
	struct client_options options = { .helo = "c.example" };
	struct arena *mem = arena_new(0);
	struct buf said = BUF_INIT(1 << 16);
	struct smtp_client c;
	struct told t;
	bool forwards = str_has_prefix(str_c(cases[i].first), STR("XFORWARD"));

	message_init(&t, mem);
	smtp_client_init(&c, &options);
	answer(&c, "220 s\r\n", &said);
	answer(&c, cases[i].offer, &said);
	smtp_client_send(&c, &t.message);
	hear(&c, &said);
	check_str(buf_str(&said), cases[i].first);
	check_int(c.step, forwards ? CLIENT_STEP_XFORWARD : CLIENT_STEP_MAIL); /* it has a time limit of its own */
	answer(&c, forwards ? to_forward : "250 ok\r\n", &said);
	check_str(buf_str(&said), cases[i].second);
	check_int(c.step, forwards ? CLIENT_STEP_MAIL : CLIENT_STEP_RCPT);
	if (forwards)
		answer(&c, "250 ok\r\n", &said);
	answer(&c, "250 ok\r\n", &said);
	answer(&c, "354 go\r\n", &said);
	check_str(buf_str(&said), "x\r\n.\r\n");
	answer(&c, "250 taken\r\n", &said);
	check_int(t.rcpt.outcome, CLIENT_DELIVERED);
	smtp_client_free(&c);
	buf_free(&said);
	arena_free(&mem);
}

static void test_forward(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		hold(i, "250 2.0.0 Ok\r\n");
		hold(i, "501 5.5.4 no\r\n");
		hold(i, "450 4.7.0 no\r\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_forward) };

	return test_run(tests);
}
