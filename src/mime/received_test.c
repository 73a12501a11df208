#include "base/test.h"
#include "mime/received.h"

#include <stdlib.h>

static struct received plain(void)
{
	return (struct received){ .helo = STR("client.example"),
		.client_name = STR("unknown"),
		.client_addr = STR("127.0.0.1"),
		.myhostname = STR("mail.example1.com"),
		.mail_name = STR("Postfix"),
		.id = STR("4D2C0A7293"),
		.with = "ESMTP",
		.when = 1795341600 };
}

static void check_field(const struct received *r, const char *want)
{
	struct buf out = BUF_INIT(8192), small = BUF_INIT(20);

	buf_add_c(&small, "before");
	check_int(received_put(&out, r), 0);
	check_str(buf_str(&out), want);
	check_int(received_put(&small, r), -1);
	check_str(buf_str(&small), "before");
	buf_free(&out);
	buf_free(&small);
}

static void test_local(void **state)
{
	struct received r = plain();
	struct buf out = BUF_INIT(8192);

	(void)state;
	check_int(received_local_put(&out, &r, 1000), 0);
	check_str(buf_str(&out), "Received: by mail.example1.com (Postfix, from userid 1000)\r\n"
				 "\tid 4D2C0A7293; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	buf_free(&out);
}

/* As Postfix 3.7 wrote them. */
static void test_layout(void **state)
{
	struct received r = plain();

	(void)state;
	check_field(&r, "Received: from client.example (unknown [127.0.0.1])\r\n"
			"\tby mail.example1.com (Postfix) with ESMTP id 4D2C0A7293;\r\n"
			"\tSun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	r.with = "ESMTPSA";
	r.only_rcpt = STR("x@example.net");
	check_field(&r, "Received: from client.example (unknown [127.0.0.1])\r\n"
			"\tby mail.example1.com (Postfix) with ESMTPSA id 4D2C0A7293\r\n"
			"\tfor <x@example.net>; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	r.tls_protocol = "TLSv1.3";
	r.tls_cipher = "TLS_AES_256_GCM_SHA384";
	r.tls_bits = r.tls_cipher_bits = 256;
	r.key_exchange = "X25519";
	r.server_signature = "ECDSA (P-256)";
	r.server_digest = "SHA256";
	r.sasl_username = STR("user1@example1.com");
	check_field(&r, "Received: from client.example (unknown [127.0.0.1])\r\n"
			"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
			"\t key-exchange X25519 server-signature ECDSA (P-256) server-digest SHA256)\r\n"
			"\t(No client certificate requested)\r\n"
			"\t(Authenticated sender: user1@example1.com)\r\n"
			"\tby mail.example1.com (Postfix) with ESMTPSA id 4D2C0A7293\r\n"
			"\tfor <x@example.net>; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	r.cert_asked = true;
	r.sasl_username = STR("");
	check_field(&r, "Received: from client.example (unknown [127.0.0.1])\r\n"
			"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
			"\t key-exchange X25519 server-signature ECDSA (P-256) server-digest SHA256)\r\n"
			"\t(Client did not present a certificate)\r\n"
			"\tby mail.example1.com (Postfix) with ESMTPSA id 4D2C0A7293\r\n"
			"\tfor <x@example.net>; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	r.cert_shown = r.cert_trusted = true;
	r.cert_subject = STR("a\") (b\r\nc");
	r.cert_issuer = STR("Authority");
	check_field(&r, "Received: from client.example (unknown [127.0.0.1])\r\n"
			"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
			"\t key-exchange X25519 server-signature ECDSA (P-256) server-digest SHA256)\r\n"
			"\t(Client CN \"a?? ?b??c\", Issuer \"Authority\" (verified OK))\r\n"
			"\tby mail.example1.com (Postfix) with ESMTPSA id 4D2C0A7293\r\n"
			"\tfor <x@example.net>; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	r = plain();
	r.tls_protocol = "TLSv1.2";
	r.tls_cipher = "ECDHE-ECDSA-AES256-GCM-SHA384";
	r.tls_bits = r.tls_cipher_bits = 256;
	check_field(&r, "Received: from client.example (unknown [127.0.0.1])\r\n"
			"\t(using TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits))\r\n"
			"\t(No client certificate requested)\r\n"
			"\tby mail.example1.com (Postfix) with ESMTP id 4D2C0A7293;\r\n"
			"\tSun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
}

/* Whatever a client calls itself, the field keeps its lines, and no line is over RFC 5322's 998 octets. */
static void test_foreign(void **state)
{
	struct received r = plain();
	struct buf out = BUF_INIT(1 << 16);
	char every[4096];
	struct str line, rest;
	size_t lines = 0;

	(void)state;
	r.helo = STR("a\r\nX-Evil: 1\r\n\r\nb");
	check_field(&r, "Received: from a??X-Evil: 1????b (unknown [127.0.0.1])\r\n"
			"\tby mail.example1.com (Postfix) with ESMTP id 4D2C0A7293;\r\n"
			"\tSun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	r.helo = STR("a) by (b<c>\"d\";\\");
	check_field(&r, "Received: from a? by ?b?c??d??? (unknown [127.0.0.1])\r\n"
			"\tby mail.example1.com (Postfix) with ESMTP id 4D2C0A7293;\r\n"
			"\tSun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	r.helo = r.client_name = STR("b\xc3\xbc.example");
	r.only_rcpt = STR("\xc3\xbc@example.net");
	check_field(&r, "Received: from b?.example (b?.example [127.0.0.1])\r\n"
			"\tby mail.example1.com (Postfix) with ESMTP id 4D2C0A7293\r\n"
			"\tfor <\xc3\xbc@example.net>; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)\r\n");
	for (size_t i = 0; i < sizeof every; i++)
		every[i] = (char)(i % 256);
	r.helo = r.client_name = r.client_addr = r.myhostname = r.mail_name = r.sasl_username = r.only_rcpt =
		str_pn(every, sizeof every);
	check_int(received_put(&out, &r), 0);
	for (rest = buf_str(&out); str_field(&rest, "\n", &line); lines++) {
		check(line.n <= 998);
		check(line.n == 0 || line.p[line.n - 1] == '\r');
		check(str_chr(line, '\r') == (ptrdiff_t)line.n - 1);
		check(str_chr(line, '\0') < 0);
	}
	check_int(lines, 5);
	buf_free(&out);
}

static void test_date(void **state)
{
	static const struct {
		const char *zone;
		time_t when;
		const char *want;
	} cases[] = {
		{ "UTC", 0, "Thu, 1 Jan 1970 00:00:00 +0000 (UTC)" },
		{ "UTC", 1795341600, "Sun, 22 Nov 2026 10:00:00 +0000 (UTC)" },
		{ "UTC", 1709210096, "Thu, 29 Feb 2024 12:34:56 +0000 (UTC)" },
		{ "CET-1", 1795341600, "Sun, 22 Nov 2026 11:00:00 +0100 (CET)" },
		{ "NST3:30", 1795341600, "Sun, 22 Nov 2026 06:30:00 -0330 (NST)" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		setenv("TZ", cases[i].zone, 1);
		tzset();
		check_str(str_c(rfc5322_date(cases[i].when, text)), cases[i].want);
	}
	setenv("TZ", "UTC", 1);
	tzset();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_layout), cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_local), cmocka_unit_test(test_date) };

	setenv("TZ", "UTC", 1);
	tzset();
	return test_run(tests);
}
