#include "tls/impl.h"
#include "base/test.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

/* A certificate in memory, signed with that hash (NULL: as Ed25519 is). */
static void use_cert(SSL_CTX *ssl, EVP_PKEY *key, const EVP_MD *md)
{
	X509 *cert = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(
		X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"mx", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	check(X509_sign(cert, key, md) > 0);
	check_int(SSL_CTX_use_certificate(ssl, cert), 1);
	check_int(SSL_CTX_use_PrivateKey(ssl, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
}

struct pair {
	int fd[2];
	struct tls_conn *server, *client;
};

static void pair_open(struct pair *p, struct tls_ctx *server, struct tls_ctx *client, SSL_SESSION *session)
{
	enum tls_result s = TLS_WANT_READ, c = TLS_WANT_READ;
	char octet;
	size_t n;

	check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
	p->server = tls_accept(server, p->fd[0]);
	p->client = tls_accept(client, p->fd[1]);
	SSL_set_connect_state(tls_conn_ssl(p->client));
	if (session)
		SSL_set_session(tls_conn_ssl(p->client), session);
	for (int i = 0; i < 20 && (c != TLS_DONE || s != TLS_DONE); i++) {
		if (c != TLS_DONE)
			c = tls_handshake(p->client);
		if (s != TLS_DONE)
			s = tls_handshake(p->server);
	}
	check(c == TLS_DONE && s == TLS_DONE);
	tls_read(p->client, &octet, 1, &n); /* tickets of 1.3 */
}

static void pair_close(struct pair *p)
{
	tls_free(&p->client);
	tls_free(&p->server);
	close(p->fd[0]);
	close(p->fd[1]);
}

/* Both sides must have the same octets, this many (0: none at all), and others than `before`. */
static void compare(struct pair *p, const char *type, size_t octets, struct buf *before)
{
	struct buf s = BUF_INIT(256), c = BUF_INIT(256);

	check_int(tls_channel_binding(p->server, str_c(type), &s), octets ? 0 : -1);
	if (octets) {
		check_int(tls_channel_binding(p->client, str_c(type), &c), 0);
		check_int(s.n, octets);
		check(str_eq(buf_str(&s), buf_str(&c)));
		check(before == NULL || !str_eq(buf_str(&s), buf_str(before)));
	}
	if (before) {
		buf_reset(before);
		buf_add_str(before, buf_str(&s));
	}
	buf_free(&s);
	buf_free(&c);
}

static void test_both_sides(void **state)
{
	static const struct {
		int version;
		bool two_certs, sha512;
		size_t unique, end_point, end_point_resumed;
	} cases[] = {
		{ TLS1_2_VERSION, false, false, 12, 32, 32 }, { TLS1_3_VERSION, false, false, 0, 32, 32 },
		{ TLS1_3_VERSION, false, true, 0, 64, 64 },
		{ TLS1_3_VERSION, true, false, 0, 32, 0 }, /* which of both it was is not known */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf error = BUF_INIT(4096), exported = BUF_INIT(256), finished = BUF_INIT(256);
		struct tls_ctx *server = tls_ctx_new(false, &error), *client = tls_ctx_new(true, &error);
		SSL_SESSION *session;
		struct pair p;

		check(server && client);
		use_cert(server->ssl, EVP_EC_gen("P-256"), cases[i].sha512 ? EVP_sha512() : EVP_sha256());
		if (cases[i].two_certs)
			use_cert(server->ssl, EVP_RSA_gen(2048), EVP_sha256());
		SSL_CTX_set_verify(client->ssl, SSL_VERIFY_NONE, NULL);
		SSL_CTX_set_max_proto_version(client->ssl, cases[i].version);
		pair_open(&p, server, client, NULL);
		compare(&p, "tls-exporter", 32, &exported);
		compare(&p, "tls-unique", cases[i].unique, &finished);
		compare(&p, "tls-server-end-point", cases[i].end_point, NULL);
		compare(&p, "tls-nothing", 0, NULL);
		compare(&p, "", 0, NULL);
		session = SSL_get1_session(tls_conn_ssl(p.client));
		SSL_set_shutdown(tls_conn_ssl(p.client), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		pair_close(&p);
		pair_open(&p, server, client, session);
		check_int(SSL_session_reused(tls_conn_ssl(p.server)), 1);
		compare(&p, "tls-exporter", 32, &exported);
		compare(&p, "tls-unique", cases[i].unique, cases[i].unique ? &finished : NULL);
		compare(&p, "tls-server-end-point", cases[i].end_point_resumed, NULL);
		pair_close(&p);
		SSL_SESSION_free(session);
		tls_ctx_free(&server);
		tls_ctx_free(&client);
		buf_free(&error);
		buf_free(&exported);
		buf_free(&finished);
	}
}

/* Without RFC 7627 two channels of 1.2 may have the same data: none is given out then. */
static void test_without_extended_master_secret(void **state)
{
	struct buf error = BUF_INIT(4096);
	struct tls_ctx *server = tls_ctx_new(false, &error), *client = tls_ctx_new(true, &error);
	struct pair p;

	(void)state;
	use_cert(server->ssl, EVP_EC_gen("P-256"), EVP_sha256());
	SSL_CTX_set_verify(client->ssl, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_max_proto_version(client->ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(client->ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	pair_open(&p, server, client, NULL);
	compare(&p, "tls-exporter", 0, NULL);
	compare(&p, "tls-unique", 0, NULL);
	compare(&p, "tls-server-end-point", 32, NULL);
	pair_close(&p);
	tls_ctx_free(&server);
	tls_ctx_free(&client);
	buf_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_both_sides),
		cmocka_unit_test(test_without_extended_master_secret) };

	return test_run(tests);
}
