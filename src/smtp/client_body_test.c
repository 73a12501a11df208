/* Content as it goes out: by DATA and BDAT, cut in any way, converted, or not at all. */
#include "smtp/client_peer_test.h"

/* A long line of its header is folded, and that is all: what is signed stays as it was signed. */
static void test_binary_with_a_long_line(void **state)
{
	static const char header[] = "Content-Type: multipart/signed; boundary=b\r\n",
			  body[] = "\r\n--b\r\n\r\n.a\n.b\r.c\r\n--b--",
			  stuffed[] = "\r\n--b\r\n\r\n..a\n..b\r.c\r\n--b--";

	(void)state;
	for (size_t piece = 1; piece < 20000; piece *= 3) {
		struct client_options o = { .helo = "me" };
		struct peer p = { .ehlo = "CHUNKING|8BITMIME|BINARYMIME" };
		struct buf in = BUF_INIT(10000), want = BUF_INIT(10000);
		struct outcome out;
		struct mail m;

		buf_addf(&in, "%sSubject:", header);
		buf_addf(&want, "%sSubject:", header);
		for (unsigned i = 0; i < 1200; i++)
			buf_add_c(&in, i == 600 ? " " : "x");
		for (unsigned i = 0; i < 1200; i++)
			buf_add_c(&want, i == 600 ? "\r\n " : "x");
		buf_addf(&in, "\r\n%s", stuffed);
		buf_addf(&want, "\r\n%s", body);
		mail_init(&m, in.p);
		m.message.flags = ENV_8BIT | ENV_BINARY | ENV_LONG_LINE;
		m.piece = piece;
		converse(&o, &p, &m, piece, &out);
		check_str(str_c(out.rcpts), "DD");
		check(memmem(p.seen.p, p.seen.n, " BODY=BINARYMIME\r\n", 18) != NULL);
		check(str_has_suffix(buf_str(&p.seen), buf_str(&want)));
		peer_free(&p);
		arena_free(&m.message.mem);
		buf_free(&in);
		buf_free(&want);
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
		{ "PIPELINING|CHUNKING|BINARYMIME", "452 later|", CLIENT_STEP_DOT, "RS", "dd",
			"EHLO me\r\nMAIL FROM:<s@y.org> BODY=BINARYMIME\r\nRCPT TO:<a@x.org>\r\nRCPT TO:<b@x.org>\r\n"
			"BDAT 11 LAST\r\n.a\n.b\r\n\r.c\nRSET\r\n" },
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
	{ "a part's header of UTF-8, for who has no SMTPUTF8", "8BITMIME", ENV_SMTPUTF8 | ENV_8BIT, false,
		"MIME-Version: 1.0\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; "
		"name=\"\xc3\xbc\"\r\n\r\n\xc3\xbc\r\n--b--\r\n",
		" BODY=8BITMIME\r\n",
		"MIME-Version: 1.0\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\nContent-Type: "
		"text/plain;\r\n "
		"name*=utf-8''%C3%BC\r\n\r\n\xc3\xbc\r\n--b--\r\n" },
	{ "for who has it", "8BITMIME|SMTPUTF8", ENV_SMTPUTF8 | ENV_8BIT, false,
		"MIME-Version: 1.0\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\nX: "
		"\xc3\xbc\r\n\r\nx\r\n--b--\r\n",
		" BODY=8BITMIME SMTPUTF8\r\n",
		"MIME-Version: 1.0\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\nX: "
		"\xc3\xbc\r\n\r\nx\r\n--b--\r\n" },
	{ "an address in a message in it", "8BITMIME", ENV_SMTPUTF8 | ENV_8BIT, false,
		"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\nTo: \xc3\xbc@x\r\n\r\nx\r\n", "5.6.7", NULL },
	{ "binary, with such a header", "8BITMIME|BINARYMIME|CHUNKING", ENV_SMTPUTF8 | ENV_8BIT | ENV_BINARY, false,
		"MIME-Version: 1.0\r\nContent-Type: x/y\r\nX: y\r\n\r\n..\n..\xff", " BODY=8BITMIME\r\n",
		"MIME-Version: 1.0\r\nContent-Type: x/y\r\nX: y\r\nContent-Transfer-Encoding: "
		"base64\r\n\r\nLgou/w==\r\n" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_binary_with_a_long_line),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_never_sent),
		cmocka_unit_test(test_conversion),
	};

	return test_run(tests);
}
