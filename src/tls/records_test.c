/* Records that carry no data: a few are a matter of course, a flood of them ends the connection. */
#include "tls/test_rig.h"

#define EC "smtpd_tls_cert_file = @/ec.pem\nsmtpd_tls_key_file = @/ec.key\n"

static void change_keys(SSL *client, int times)
{
	for (int i = 0; i < times; i++) {
		check_int(SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		check_int(SSL_do_handshake(client), 1);
	}
}

static void test_a_few_between_data(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = server(EC, "smtp", &error);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	struct pair p;
	char text[8];
	size_t n;

	(void)state;
	pair_open(&p, ctx, client, NULL);
	check(p.up);
	for (int i = 0; i < 100; i++) {
		change_keys(p.client, 10);
		check_int(tls_read(p.conn, text, sizeof text, &n), TLS_WANT_READ);
		check_int(SSL_write(p.client, "x", 1), 1);
		check_int(tls_read(p.conn, text, sizeof text, &n), TLS_DONE);
		check_int(n, 1);
	}
	pair_close(&p);
	SSL_CTX_free(client);
	tls_ctx_free(&ctx);
	buf_free(&error);
}

static void test_a_flood(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = server(EC, "smtp", &error);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	struct pair p;
	char text[8];
	size_t n;

	(void)state;
	pair_open(&p, ctx, client, NULL);
	check(p.up);
	change_keys(p.client, 100);
	check_int(SSL_write(p.client, "x", 1), 1);
	check_int(tls_read(p.conn, text, sizeof text, &n), TLS_ERROR);
	check_str(str_c(tls_error_text(p.conn)), "too many records without data");
	check(tls_is_over(p.conn));
	check_int(tls_read(p.conn, text, sizeof text, &n), TLS_END);
	pair_close(&p);
	SSL_CTX_free(client);
	tls_ctx_free(&ctx);
	buf_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_few_between_data), cmocka_unit_test(test_a_flood) };
	EVP_PKEY *ec = EVP_EC_gen("P-256");
	int r;

	if (mkdtemp(dir) == NULL)
		return 1;
	make_cert("ec", "mx.example", ec);
	EVP_PKEY_free(ec);
	r = test_run(tests);
	rig_end();
	return r;
}
