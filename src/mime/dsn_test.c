#include "base/test.h"
#include "base/utf8.h"
#include "mime/dsn.h"
#include "mime/dsn_text.h"

#include <stdlib.h>

static void test_clean(void **state)
{
	static const struct {
		const char *in;
		bool utf8;
		const char *out;
	} cases[] = {
		{ "plain text", false, "plain text" },
		{ "a\r\n.\r\nMAIL FROM:<>\r\n", false, "a . MAIL FROM:<>" },
		{ "  a \t\n b  ", false, "a b" },
		{ "a\x01\x1b[31m\x7f", false, "a??[31m?" },
		{ "gr\xc3\xbc\xc3\x9f", true, "gr\xc3\xbc\xc3\x9f" },
		{ "gr\xc3\xbc\xc3\x9f", false, "gr????" },
		{ "\xff\xc3", true, "??" },
		{ "a\xc2\x85"
		  "b\xe2\x80\xa8"
		  "c\xe2\x80\xa9",
			true, "a?b?c?" },
		{ "", true, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);
		dsn_clean(&out, str_c(cases[i].in), cases[i].utf8);
		check_str(buf_str(&out), cases[i].out);
		buf_free(&out);
	}
}

static void test_status(void **state)
{
	static const struct {
		const char *status;
		bool valid;
	} cases[] = { { "5.1.1", true }, { "2.0.0", true }, { "4.999.999", true }, { "", false }, { "5.1", false },
		{ "3.1.1", false }, { "5.1.1.1", false }, { "5.1.1000", false }, { "55.1.1", false }, { "5..1", false },
		{ "5.1.1\r\nX: y", false }, { "5.1.-1", false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(dsn_status_is_valid(str_c(cases[i].status)), cases[i].valid);
}

static void test_field(void **state)
{
	struct buf out = BUF_INIT(100000);
	struct dsn_writer w = { .out = &out };
	char word[3001];

	(void)state;
	dsn_field(&w, "Diagnostic-Code", "smtp;", STR("550 5.1.1 short"));
	check_str(buf_str(&out), "Diagnostic-Code: smtp; 550 5.1.1 short\r\n");
	buf_reset(&out);
	dsn_field(&w, "X", "", STR("0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 end"));
	check_str(buf_str(&out), "X: 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\r\n"
				 " 0123456789 end\r\n");
	buf_reset(&out);
	memset(word, 'w', sizeof word - 1);
	word[3000] = '\0';
	dsn_field(&w, "X", "", str_c(word));
	struct str rest = buf_str(&out), line;
	size_t octets = 0;
	while (str_field(&rest, "\n", &line)) {
		check(line.n <= 998);
		for (size_t i = 0; i < line.n; i++)
			octets += line.p[i] == 'w';
	}
	check_int(octets, DSN_TEXT_MAX);
	check(!w.full);
	buf_free(&out);
}

struct fixture {
	struct envelope env;
	struct envelope_rcpt to[2];
	struct dsn_rcpt rcpt[2];
	struct dsn_report report;
	struct buf out;
};

static void fixture_begin(struct fixture *f)
{
	setenv("TZ", "UTC", 1);
	*f = (struct fixture){ .out = BUF_INIT(1000000) };
	f->to[0] = (struct envelope_rcpt){
		.index = 0, .address = STR("nobody@example.net"), .orcpt = STR("rfc822;nobody+2Balias@example.net")
	};
	f->to[1] = (struct envelope_rcpt){
		.index = 1, .address = STR("b@example.net"), .original = STR("list@example.org")
	};
	f->env = (struct envelope){ .id = 0xABCDEF0123,
		.arrival_us = 1764000000000000,
		.sender = STR("john@example.org"),
		.envid = STR("id+2B1"),
		.rcpt = f->to,
		.n_rcpt = 2 };
	f->rcpt[0] = (struct dsn_rcpt){ .rcpt = &f->to[0],
		.action = ACTION_FAILED,
		.status = STR("5.1.1"),
		.remote_mta = STR("mx.example.net"),
		.diagnostic = STR("550 5.1.1 no such user"),
		.diagnostic_is_smtp = true,
		.text = STR("host mx.example.net[192.0.2.1]:25 said: 550 5.1.1 no such user (in reply to RCPT TO "
			    "command)") };
	f->rcpt[1] = (struct dsn_rcpt){
		.rcpt = &f->to[1], .action = ACTION_FAILED, .status = STR("5.4.6"), .text = STR("mail forwarding loop")
	};
	f->report = (struct dsn_report){ .kind = DSN_FAILURE,
		.report_id = 0xABCDEF9999,
		.myhostname = STR("mail.example.org"),
		.mail_name = STR("Gatepost"),
		.env = &f->env,
		.rcpt = f->rcpt,
		.n_rcpt = 2,
		.original = STR("From: john@example.org\r\nSubject: hello\r\n\r\nBody\r\n"),
		.original_is_full = true,
		.now_us = 1764000060000000 };
}

static bool has(const struct fixture *f, const char *text)
{
	return f->out.n > 0 && memmem(f->out.p, f->out.n, text, strlen(text)) != NULL;
}

static size_t count(const struct fixture *f, const char *text)
{
	size_t n = 0;

	for (const char *p = f->out.p; (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

static void test_golden(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	check_int(dsn_put(&f.out, &f.report), 0);
	check_str(buf_str(&f.out), "Received: by mail.example.org (Gatepost)\r\n"
				   "\tid ABCDEF9999; Mon, 24 Nov 2025 16:01:00 +0000 (UTC)\r\n"
				   "Date: Mon, 24 Nov 2025 16:01:00 +0000 (UTC)\r\n"
				   "From: Mail Delivery System <MAILER-DAEMON@mail.example.org>\r\n"
				   "Subject: Undelivered Mail Returned to Sender\r\n"
				   "To: john@example.org\r\n"
				   "Auto-Submitted: auto-replied\r\n"
				   "MIME-Version: 1.0\r\n"
				   "Content-Type: multipart/report; report-type=delivery-status;\r\n"
				   "\tboundary=\"=_ABCDEF9999.1764000060000.0\"\r\n"
				   "Message-Id: <20251124160100.ABCDEF9999@mail.example.org>\r\n"
				   "\r\n"
				   "This is a MIME-encapsulated message.\r\n"
				   "\r\n"
				   "--=_ABCDEF9999.1764000060000.0\r\n"
				   "Content-Description: Notification\r\n"
				   "Content-Type: text/plain; charset=us-ascii\r\n"
				   "\r\n"
				   "This is the mail system at host mail.example.org.\r\n"
				   "\r\n"
				   "Your message could not be delivered to the recipients below, and no further\r\n"
				   "attempt will be made. Beside each of them stands the reason; your message, or\r\n"
				   "its header, is attached: you can correct the address and send it again.\r\n"
				   "\r\n"
				   "If you cannot tell from the reason what to change, forward this whole report to\r\n"
				   "the postmaster of this host. You may leave your own text out of it.\r\n"
				   "\r\n"
				   "<nobody@example.net>: host mx.example.net[192.0.2.1]:25 said: 550 5.1.1 no\r\n"
				   "    such user (in reply to RCPT TO command)\r\n"
				   "    There is no such mailbox: check its spelling, or ask the recipient for\r\n"
				   "    the right address.\r\n"
				   "\r\n"
				   "<b@example.net> (expanded from <list@example.org>): mail forwarding loop\r\n"
				   "    Mail to this address goes round in a circle: the postmaster there has to\r\n"
				   "    correct it.\r\n"
				   "\r\n"
				   "--=_ABCDEF9999.1764000060000.0\r\n"
				   "Content-Description: Delivery report\r\n"
				   "Content-Type: message/delivery-status\r\n"
				   "\r\n"
				   "Original-Envelope-Id: id+1\r\n"
				   "Reporting-MTA: dns; mail.example.org\r\n"
				   "X-Gatepost-Queue-ID: ABCDEF0123\r\n"
				   "X-Gatepost-Sender: rfc822; john@example.org\r\n"
				   "Arrival-Date: Mon, 24 Nov 2025 16:00:00 +0000 (UTC)\r\n"
				   "\r\n"
				   "Original-Recipient: rfc822;nobody+alias@example.net\r\n"
				   "Final-Recipient: rfc822; nobody@example.net\r\n"
				   "Action: failed\r\n"
				   "Status: 5.1.1\r\n"
				   "Remote-MTA: dns; mx.example.net\r\n"
				   "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
				   "\r\n"
				   "Original-Recipient: rfc822;list@example.org\r\n"
				   "Final-Recipient: rfc822; b@example.net\r\n"
				   "Action: failed\r\n"
				   "Status: 5.4.6\r\n"
				   "\r\n"
				   "--=_ABCDEF9999.1764000060000.0\r\n"
				   "Content-Description: Undelivered Message\r\n"
				   "Content-Type: message/rfc822\r\n"
				   "\r\n"
				   "From: john@example.org\r\nSubject: hello\r\n\r\nBody\r\n"
				   "\r\n"
				   "--=_ABCDEF9999.1764000060000.0--\r\n");
	buf_free(&f.out);
}

static void test_hold(void **state)
{
	static const struct {
		uint64_t hold_for_s, hold_until_us;
		const char *field; /* NULL: none */
	} cases[] = {
		{ 0, 0, NULL },
		{ 300, 1764000300000000, "Future-Release-Request: for;300\r\n" },
		{ 0, 1764000300000000, "Future-Release-Request: until;2025-11-24T16:05:00Z\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct envelope held;
		struct fixture f;

		fixture_begin(&f);
		held = *f.report.env;
		held.hold_for_s = cases[i].hold_for_s;
		held.hold_until_us = cases[i].hold_until_us;
		f.report.env = &held;
		check_int(dsn_put(&f.out, &f.report), 0);
		check(has(&f, cases[i].field ? cases[i].field : "Future-Release-Request") == (cases[i].field != NULL));
		buf_free(&f.out);
	}
}

static void test_kinds(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	f.report.kind = DSN_DELAY;
	f.rcpt[0].action = f.rcpt[1].action = ACTION_DELAYED;
	f.rcpt[0].status = STR("4.4.1");
	f.rcpt[1].status = STR("nonsense");
	f.rcpt[0].will_retry_until = 1764432000;
	f.report.original_is_full = false;
	f.report.original = STR("Subject: hello\r\n");
	check_int(dsn_put(&f.out, &f.report), 0);
	check(has(&f, "Subject: Delayed Mail (still being retried)\r\n"));
	check(has(&f, "\r\nWill-Retry-Until: Sat, 29 Nov 2025 16:00:00 +0000 (UTC)\r\n"));
	check(has(&f, "    Attempts go on until Sat, 29 Nov 2025 16:00:00 +0000 (UTC).\r\n"));
	check(has(&f, "Action: delayed\r\nStatus: 4.4.1\r\n"));
	check(has(&f, "Action: delayed\r\nStatus: 4.0.0\r\n"));
	check(has(&f, "Content-Type: text/rfc822-headers\r\n"));
	buf_reset(&f.out);
	f.report.kind = DSN_SUCCESS;
	f.rcpt[0].action = ACTION_RELAYED;
	f.rcpt[1].action = ACTION_EXPANDED;
	f.rcpt[0].text = f.rcpt[1].text = STR("");
	check_int(dsn_put(&f.out, &f.report), 0);
	check(has(&f, "Subject: Successful Mail Delivery Report\r\n"));
	check(has(&f, "Action: relayed\r\n") && has(&f, "Action: expanded\r\n"));
	check(has(&f, "<nobody@example.net>: relayed\r\n"));
	f.rcpt[0].text = STR("250 2.0.0 ok");
	buf_reset(&f.out);
	check_int(dsn_put(&f.out, &f.report), 0);
	check(has(&f, "<nobody@example.net>: relayed to mx.example.net: 250 2.0.0 ok\r\n"));
	f.rcpt[0].remote_mta = STR("");
	buf_reset(&f.out);
	check_int(dsn_put(&f.out, &f.report), 0);
	check(has(&f, "<nobody@example.net>: relayed: 250 2.0.0 ok\r\n"));
	buf_free(&f.out);
}

static void test_advice(void **state)
{
	static const struct {
		const char *status, *text;
	} cases[] = { { "5.1.10", "takes no mail at all" }, { "5.2.2", "mailbox is full" },
		{ "5.7.1", "quote the reason" }, { "5.7.26", "quote the reason" }, { "4.4.7", "took too long" },
		{ "5.0.0", NULL }, { "5.1.100", NULL }, { "5.1", NULL }, { "", NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fixture f;
		size_t n = 0;

		fixture_begin(&f);
		f.report.n_rcpt = 1;
		f.rcpt[0].status = str_c(cases[i].status);
		f.rcpt[0].text = STR("T");
		check_int(dsn_put(&f.out, &f.report), 0);
		n = count(&f, "<nobody@example.net>: T\r\n    ");
		check_int(n, cases[i].text != NULL);
		check(cases[i].text == NULL || has(&f, cases[i].text));
		f.rcpt[0].action = ACTION_DELAYED; /* nothing is to be done yet */
		buf_reset(&f.out);
		check_int(dsn_put(&f.out, &f.report), 0);
		check(!has(&f, "<nobody@example.net>: T\r\n    "));
		buf_free(&f.out);
	}
}

static void test_hostile(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	f.env.sender = STR("a\r\nBcc: victim@example.com\r\n\r\n@b");
	f.env.envid = STR("x+0D+0AX-Evil:+201");
	f.to[0].orcpt = STR("rfc822;a+0D+0AX-Evil:1");
	f.to[1].original = STR("c\r\nX-Evil: 1@d");
	f.to[1].address = STR("\r\n\r\n--=_ABCDEF9999.1764000060000.0\r\nContent-Type: text/html");
	f.rcpt[0].remote_mta = STR("evil\r\nX-Evil: 1");
	f.rcpt[0].diagnostic = STR("550 a\r\n\r\n--=_ABCDEF9999.1764000060000.0--\r\nX-Evil: 1\r\n");
	f.rcpt[0].text = f.rcpt[0].diagnostic;
	f.rcpt[0].status = STR("5.1.1\r\nX-Evil: 1");
	f.report.myhostname = STR("host\r\nX-Evil: 1");
	f.report.original =
		STR("Subject: =_ABCDEF9999.1764000060000.0\r\n--=_ABCDEF9999.1764000060000.1\r\n\xff no end");
	check_int(dsn_put(&f.out, &f.report), 0);
	check(!has(&f, "\r\nX-Evil") && !has(&f, "\r\nBcc") && !has(&f, "\r\nContent-Type: text/html"));
	/* the boundary that the original does not hold: begin, two between, end; the forged ones are another */
	check_int(count(&f, "\n--=_ABCDEF9999.1764000060000.2"), 4);
	check_int(count(&f, "\n--=_ABCDEF9999.1764000060000.0"), 0);
	check(has(&f, "Content-Transfer-Encoding: 8bit\r\n"));
	check(has(&f, "\xff no end\r\n\r\n--"));
	check(has(&f, "Status: 5.0.0\r\n"));
	/* no line is over the limit, none ends in a bare LF, no control character is in it */
	struct str rest = buf_str(&f.out), line;
	while (str_field(&rest, "\n", &line)) {
		check(line.n <= 999);
		check(rest.p == NULL || str_has_suffix(line, STR("\r")));
	}
	buf_free(&f.out);
}

static void test_utf8(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	f.env.flags = ENV_SMTPUTF8;
	f.env.sender = STR("j\xc3\xb6rg@example.org");
	f.to[0].address = STR("\xe4\xb8\xad@example.net");
	f.to[0].orcpt = STR("utf-8;\\x{4E2D}\\x{2B}\\x{1F600}\\x{D800}\\x{F6}@example.net");
	check_int(dsn_put(&f.out, &f.report), 0);
	check(has(&f, "To: j\xc3\xb6rg@example.org\r\n"));
	check(has(&f, "report-type=global-delivery-status"));
	check(has(&f, "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"));
	check(has(&f, "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n"));
	check(has(&f, "charset=utf-8\r\n"));
	check(has(&f, "Final-Recipient: utf-8; \xe4\xb8\xad@example.net\r\n"));
	check(has(
		&f, "Original-Recipient: utf-8;\xe4\xb8\xad\\x{2B}\xf0\x9f\x98\x80\\x{D800}\xc3\xb6@example.net\r\n"));
	check(has(&f, "Final-Recipient: rfc822; b@example.net\r\n"));
	buf_reset(&f.out);
	f.env.flags = 0; /* an old-style report of the same: nothing over 127 but in the original */
	check_int(dsn_put(&f.out, &f.report), 0);
	check(!str_is_8bit(buf_str(&f.out)));
	check(has(&f, "Final-Recipient: utf-8; \\x{4E2D}@example.net\r\n"));
	check(has(&f, "\r\n<\\x{4E2D}@example.net>: "));
	check(has(&f, "Original-Recipient: utf-8;\\x{4E2D}\\x{2B}\\x{1F600}\\x{D800}\\x{F6}@example.net\r\n"));
	buf_free(&f.out);
}

/* A server without SMTPUTF8 can take it to where a domain alone is not ASCII. */
static void test_to_in_a_labels(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	f.env.flags = ENV_SMTPUTF8;
	f.env.sender = STR("j@b\xc3\xbc"
			   "cher.example");
	check_int(dsn_put(&f.out, &f.report), 0);
	check(has(&f, "To: j@xn--bcher-kva.example\r\n"));
	buf_free(&f.out);
}

/* Nothing is left of it: no part pretends to be it, and the text says so where it would say that it is attached. */
static void test_lost(void **state)
{
	static const enum dsn_kind report_kinds[] = { DSN_FAILURE, DSN_DELAY, DSN_SUCCESS };

	(void)state;
	for (size_t i = 0; i < sizeof report_kinds / sizeof *report_kinds; i++) {
		struct fixture f;

		fixture_begin(&f);
		f.report.kind = report_kinds[i];
		f.report.original = STR("");
		f.report.original_is_full = false;
		f.report.original_is_lost = true;
		check_int(dsn_put(&f.out, &f.report), 0);
		check(!has(&f, "attached") && !has(&f, "rfc822-headers") && !has(&f, "message/rfc822"));
		check_int(has(&f, "lost on this host"), report_kinds[i] == DSN_FAILURE);
		check_int(count(&f, "\n--=_ABCDEF9999.1764000060000.0\r\n"), 2);
		check(has(&f, "Status: 5.4.6\r\n\r\n\r\n--=_ABCDEF9999.1764000060000.0--\r\n"));
		buf_free(&f.out);
	}
}

static void test_full(void **state)
{
	struct fixture f;

	(void)state;
	fixture_begin(&f);
	f.out.max = 500;
	buf_add_c(&f.out, "before");
	check_int(dsn_put(&f.out, &f.report), -1);
	check_str(buf_str(&f.out), "before");
	buf_free(&f.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_clean), cmocka_unit_test(test_status),
		cmocka_unit_test(test_field), cmocka_unit_test(test_golden), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_hold), cmocka_unit_test(test_advice), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_utf8), cmocka_unit_test(test_to_in_a_labels), cmocka_unit_test(test_lost),
		cmocka_unit_test(test_full) };

	return test_run(tests);
}
