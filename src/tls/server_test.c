#include "tls/test_rig.h"

#include <time.h>

/* The clock of this test, OpenSSL's part of it too: 0 is the real one. */
static time_t clock_now;

time_t time(time_t *out)
{
	struct timespec real;
	time_t now = clock_now;

	if (now == 0) {
		clock_gettime(CLOCK_REALTIME, &real);
		now = real.tv_sec;
	}
	if (out)
		*out = now;
	return now;
}

static void make_certs(void)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
	FILE *f = fopen(in_dir("text"), "we");

	fputs("no certificate\n", f);
	fclose(f);
	make_cert("ec", "mx.example", ec);
	make_cert("rsa", "mx.example", rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
}

#define EC "smtpd_tls_cert_file = @/ec.pem\nsmtpd_tls_key_file = @/ec.key\n"

static void test_faults(void **state)
{
	static const struct {
		const char *text, *said; /* NULL: no fault */
	} cases[] = {
		{ EC, NULL },
		{ "smtpd_tls_chain_files = @/ec.all, @/rsa.all\n", NULL },
		{ "smtpd_tls_cert_file = @/rsa.all\n", NULL },
		{ EC "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1\n", NULL },
		{ EC "smtpd_tls_protocols = TLSv1.3\n", NULL },
		{ EC "smtpd_tls_protocols = >=TLSv1\n", NULL },
		{ EC "smtpd_tls_protocols = <=TLSv1.1\n", "leaves none" },
		{ EC "smtpd_tls_protocols = !TLSv1.2, !TLSv1.3\n", "leave none" },
		{ EC "smtpd_tls_protocols = TLSv9\n", "unknown TLS protocol \"TLSv9\"" },
		{ EC "smtpd_tls_exclude_ciphers = HIGH, MEDIUM, LOW, ALL\n", "leave none" },
		{ "", "no TLS certificate: set" },
		{ "smtpd_tls_cert_file = @/none.pem\n", "cannot read the TLS certificate" },
		{ "smtpd_tls_cert_file = @/ec.pem\nsmtpd_tls_key_file = @/none.key\n", "cannot read the TLS key" },
		{ "smtpd_tls_cert_file = @/ec.pem\nsmtpd_tls_key_file = @/rsa.key\n", "belong" },
		{ "smtpd_tls_cert_file = @/text\n", "no certificate in PEM form" },
		{ "smtpd_tls_chain_files = @/text\n", "no private key" },
		{ "smtpd_tls_chain_files = @/ec.pem\n", "in front of its own certificate chain" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf error = BUF_INIT(8192);
		struct tls_ctx *ctx = server(cases[i].text, "smtp", &error);

		if ((ctx != NULL) != (cases[i].said == NULL) || (cases[i].said && !strstr(error.p, cases[i].said)))
			printf("%s: %s\n", cases[i].text, error.p ? error.p : "no fault");
		check((ctx != NULL) == (cases[i].said == NULL));
		check(cases[i].said == NULL || strstr(error.p, cases[i].said));
		tls_ctx_free(&ctx);
		buf_free(&error);
	}
}

static void test_octets_and_end(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = server(EC, "smtp", &error);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	struct tls_info info;
	struct pair p;
	char text[100];
	size_t n;

	(void)state;
	pair_open(&p, ctx, client, NULL);
	check(p.up);
	tls_info(p.conn, &info);
	check_str(str_c(info.protocol), "TLSv1.3");
	check_str(str_c(info.key_exchange), "X25519");
	check_str(str_c(info.server_signature), "ECDSA (P-256)");
	check_str(str_c(info.server_digest), "SHA256");
	check(!info.resumed);
	check_int(tls_read(p.conn, text, sizeof text, &n), TLS_WANT_READ);
	check_int(SSL_write(p.client, "hello", 5), 5);
	check_int(tls_read(p.conn, text, 2, &n), TLS_DONE);
	check_int(n, 2);
	check(tls_has_pending(p.conn));
	check_int(tls_read(p.conn, text, sizeof text, &n), TLS_DONE);
	check_str(str_pn(text, n), "llo");
	check_int(tls_write(p.conn, "answer", 6, &n), TLS_DONE);
	check_int(SSL_read(p.client, text, sizeof text), 6);
	/* After the end nothing is read any more, whatever comes in the clear. */
	SSL_shutdown(p.client);
	check_int(write(p.fd[1], "QUIT\r\n", 6), 6);
	check_int(tls_read(p.conn, text, sizeof text, &n), TLS_END);
	check_int(tls_read(p.conn, text, sizeof text, &n), TLS_END);
	check_int(tls_write(p.conn, "x", 1, &n), TLS_END);
	pair_close(&p);
	SSL_CTX_free(client);
	tls_ctx_free(&ctx);
	buf_free(&error);
}

static SSL_SESSION *kept;
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

static bool resumes(struct tls_ctx *ctx, SSL_CTX *client, SSL_SESSION *session)
{
	struct tls_info info = { .resumed = false };
	SSL_SESSION *copy = SSL_SESSION_dup(session); /* a client uses one once */
	struct pair p;

	pair_open(&p, ctx, client, copy);
	check(p.up);
	tls_info(p.conn, &info);
	pair_close(&p);
	SSL_SESSION_free(copy);
	return info.resumed;
}

static void test_tickets(void **state)
{
	static const char secret[TICKET_SECRET_OCTETS] = "a", other_secret[TICKET_SECRET_OCTETS] = "b";
	struct buf error = BUF_INIT(8192);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	struct tls_ctx *smtp, *same, *other;
	struct pair p;
	char text[8];

	(void)state;
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(client, keep_session);
	tls_tickets_secrets(str_pn(secret, sizeof secret));
	smtp = server(EC, "smtp", &error);
	same = server(EC, "smtp", &error); /* another process of this start */
	other = server(EC, "submission", &error);
	pair_open(&p, smtp, client, NULL);
	check(p.up);
	SSL_read(p.client, text, sizeof text); /* takes the ticket */
	pair_close(&p);
	check(kept != NULL);
	check(resumes(smtp, client, kept));
	check(resumes(same, client, kept));
	check(!resumes(other, client, kept));
	/* Not only refused: that service has no key that opens it. */
	check(memcmp(smtp->tickets.key, same->tickets.key, sizeof smtp->tickets.key) == 0);
	check(memcmp(smtp->tickets.key[0].name, other->tickets.key[0].name, TICKET_NAME_OCTETS) != 0);
	check(memcmp(smtp->tickets.key[0].aes, other->tickets.key[0].aes, TICKET_KEY_OCTETS) != 0);
	check(memcmp(smtp->tickets.key[0].mac, other->tickets.key[0].mac, TICKET_KEY_OCTETS) != 0);
	check_int(SSL_SESSION_get_max_early_data(kept), 0);
	tls_tickets_secrets(str_pn(other_secret, sizeof other_secret));
	check(!resumes(smtp, client, kept));
	SSL_SESSION_free(kept);
	kept = NULL;
	SSL_CTX_free(client);
	tls_ctx_free(&smtp);
	tls_ctx_free(&same);
	tls_ctx_free(&other);
	buf_free(&error);
}

/* A ticket is good as long as its secret is among those that master gave, and no longer than its time. */
static void test_tickets_rotate(void **state)
{
	static const char a[2 * TICKET_SECRET_OCTETS] = "a", b[2 * TICKET_SECRET_OCTETS] = "b";
	struct buf error = BUF_INIT(8192);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	char both[2 * TICKET_SECRET_OCTETS];
	time_t now = time(NULL);
	struct tls_ctx *smtp;
	struct pair p;
	char text[8];

	(void)state;
	memcpy(both, b, TICKET_SECRET_OCTETS);
	memcpy(both + TICKET_SECRET_OCTETS, a, TICKET_SECRET_OCTETS);
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(client, keep_session);
	clock_now = now;
	tls_tickets_secrets(str_pn(a, TICKET_SECRET_OCTETS));
	smtp = server(EC "smtpd_tls_session_cache_timeout = 100s\n", "smtp", &error);
	pair_open(&p, smtp, client, NULL);
	SSL_read(p.client, text, sizeof text);
	pair_close(&p);
	check(resumes(smtp, client, kept));
	check_int(SSL_SESSION_get_ticket_lifetime_hint(kept), 100);
	tls_tickets_secrets(str_pn(both, sizeof both));
	check(resumes(smtp, client, kept));
	check_int(smtp->tickets.n, 2);
	tls_tickets_secrets(str_pn(b, TICKET_SECRET_OCTETS));
	check(!resumes(smtp, client, kept));
	check_int(smtp->tickets.n, 1);
	check(memmem(&smtp->tickets.key[1], sizeof smtp->tickets.key[1], "\0\0\0\0\0\0\0\0", 8) != NULL);
	tls_tickets_secrets(str_pn(both, sizeof both));
	tls_tickets_refresh(smtp);
	check_int(smtp->tickets.n, 2);
	clock_now = now + 90;
	check(resumes(smtp, client, kept));
	clock_now = now + 110;
	check(!resumes(smtp, client, kept));
	clock_now = 0;
	SSL_SESSION_free(kept);
	kept = NULL;
	tls_ctx_free(&smtp);
	smtp = server(EC "smtpd_tls_session_cache_timeout = 0\n", "smtp", &error);
	pair_open(&p, smtp, client, NULL);
	SSL_read(p.client, text, sizeof text);
	pair_close(&p);
	check(kept == NULL);
	SSL_CTX_free(client);
	tls_ctx_free(&smtp);
	buf_free(&error);
}

static void test_a_client_that_goes_away_is_called_that(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = server(EC, "smtp", &error);
	struct tls_conn *conn;
	int fd[2];

	(void)state;
	check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	conn = tls_accept(ctx, fd[0]);
	check_int(tls_handshake(conn), TLS_WANT_READ);
	close(fd[1]);
	check_int(tls_handshake(conn), TLS_END);
	check_str(str_c(tls_error_text(conn)), "lost connection");
	check(tls_is_over(conn));
	tls_free(&conn);
	close(fd[0]);
	tls_ctx_free(&ctx);
	buf_free(&error);
}

static void test_old_protocols_and_alpn(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = server(EC, "smtp", &error);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	struct pair p;

	(void)state;
	SSL_CTX_set_security_level(client, 0);
	SSL_CTX_set_min_proto_version(client, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(client, TLS1_1_VERSION);
	pair_open(&p, ctx, client, NULL);
	check(!p.up);
	check(strstr(tls_error_text(p.conn), "unsupported protocol"));
	pair_close(&p);
	SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
	pair_open(&p, ctx, client, NULL);
	check(p.up);
	pair_close(&p);
	SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\x02h2\x08http/1.1", 12);
	pair_open(&p, ctx, client, NULL);
	check(!p.up); /* a browser that was led here (ALPACA) */
	pair_close(&p);
	SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\x02h2\x04smtp", 8);
	pair_open(&p, ctx, client, NULL);
	check(p.up);
	pair_close(&p);
	SSL_CTX_free(client);
	tls_ctx_free(&ctx);
	buf_free(&error);
}

/* What TLS 1.2 could do and nobody needs (CVE-2009-3555, CVE-2011-1473, CRIME). */
static void test_no_renegotiation_or_compression(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = server(EC, "smtp", &error);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	struct pair p;
	char text[8];
	size_t n;

	(void)state;
	SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
	SSL_CTX_clear_options(client, SSL_OP_NO_COMPRESSION);
	pair_open(&p, ctx, client, NULL);
	check(p.up);
	check(SSL_get_current_compression(p.client) == NULL);
	for (int i = 0; i < 100; i++) {
		SSL_renegotiate(p.client);
		SSL_do_handshake(p.client);
		if (tls_read(p.conn, text, sizeof text, &n) != TLS_WANT_READ)
			break;
		SSL_do_handshake(p.client);
		check(SSL_num_renegotiations(p.client) == 0 || !SSL_is_init_finished(p.client));
	}
	check_int(SSL_session_reused(p.client), 0);
	check(SSL_get_state(p.client) != TLS_ST_OK); /* its wish was never granted */
	pair_close(&p);
	SSL_CTX_free(client);
	tls_ctx_free(&ctx);
	buf_free(&error);
}

/* Of the server's part of the key exchange. */
static int key_bits(SSL *client)
{
	EVP_PKEY *key = NULL;
	int bits;

	check_int(SSL_get_peer_tmp_key(client, &key), 1);
	bits = EVP_PKEY_get_bits(key);
	EVP_PKEY_free(key);
	return bits;
}

/* Ciphers with CBC, or without forward secrecy, are for those who ask for them. */
static void test_grades(void **state)
{
	static const struct {
		const char *text, *cipher;
		bool up;
	} cases[] = {
		{ EC, "ECDHE-ECDSA-AES128-GCM-SHA256", true },
		{ EC, "ECDHE-ECDSA-CHACHA20-POLY1305", true },
		{ EC, "ECDHE-ECDSA-AES128-SHA", false },
		{ EC, "ECDHE-ECDSA-AES256-SHA384", false },
		{ EC, "ECDHE-ECDSA-AES256-CCM8", false },
		{ EC "smtpd_tls_ciphers = high\n", "ECDHE-ECDSA-AES256-SHA384", false },
		{ EC "smtpd_tls_ciphers = low\n", "ECDHE-ECDSA-AES256-SHA384", true },
		{ EC "smtpd_tls_security_level = encrypt\n", "ECDHE-ECDSA-AES128-SHA", false },
		{ "smtpd_tls_cert_file = @/rsa.all\n", "AES256-GCM-SHA384", false },
		{ "smtpd_tls_cert_file = @/rsa.all\n", "ECDHE-RSA-AES256-GCM-SHA384", true },
		{ "smtpd_tls_cert_file = @/rsa.all\n", "DHE-RSA-AES256-GCM-SHA384", true },
		{ "smtpd_tls_cert_file = @/rsa.all\n", "DHE-RSA-AES128-GCM-SHA256", true },
		{ "smtpd_tls_cert_file = @/rsa.all\n", "DHE-RSA-AES256-SHA256", false },
		{ "smtpd_tls_cert_file = @/rsa.all\nsmtpd_tls_ciphers = low\n", "AES256-GCM-SHA384", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf error = BUF_INIT(8192);
		struct tls_ctx *ctx = server(cases[i].text, "smtp", &error);
		SSL_CTX *client = SSL_CTX_new(TLS_client_method());
		struct pair p;

		SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
		check_int(SSL_CTX_set_cipher_list(client, cases[i].cipher), 1);
		pair_open(&p, ctx, client, NULL);
		check_int(p.up, cases[i].up);
		if (p.up)
			check(key_bits(p.client) >= (cases[i].cipher[0] == 'D' ? 2048 : 253));
		pair_close(&p);
		SSL_CTX_free(client);
		tls_ctx_free(&ctx);
		buf_free(&error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_faults), cmocka_unit_test(test_octets_and_end),
		cmocka_unit_test(test_tickets), cmocka_unit_test(test_tickets_rotate),
		cmocka_unit_test(test_a_client_that_goes_away_is_called_that),
		cmocka_unit_test(test_old_protocols_and_alpn), cmocka_unit_test(test_no_renegotiation_or_compression),
		cmocka_unit_test(test_grades) };
	int r;

	if (mkdtemp(dir) == NULL)
		return 1;
	make_certs();
	r = test_run(tests);
	rig_end();
	return r;
}
