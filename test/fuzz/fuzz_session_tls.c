/*
 * A session that changes to TLS. The input is three parts with 0xff 0xfe between them: what is said in the clear before
 * STARTTLS, what is said under TLS, and octets that somebody puts on the wire afterwards. Oracle: what stands before the
 * handshake has no effect behind it (no transaction, another EHLO needed), replies are replies, and the octets of the third
 * part are never answered: neither in the clear nor under TLS.
 */
#include "smtpd/test_rig.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct service *service;
static SSL_CTX *client_ctx;

static void make_certificate(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	FILE *f = fopen(path, "we");

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	require(f && X509_sign(cert, key, EVP_sha256()) > 0);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_X509(f, cert);
	fclose(f);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void begin(void)
{
	static const char *const option[] = { "" };
	char path[64], text[256];

	log_open(LOG_TO_FD, "fuzz", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	snprintf(path, sizeof path, "/tmp/fuzz_session_tls.%d", (int)getpid());
	make_certificate(path);
	snprintf(text, sizeof text,
		"message_size_limit = 20000\nsmtpd_tls_security_level = may\nsmtpd_tls_chain_files = %s\n", path);
	rig_open(text, option, 1);
	unlink(path);
	service = &smtpd.service[0];
	client_ctx = SSL_CTX_new(TLS_client_method());
}

static struct str next_part(struct str *rest)
{
	const char *at = rest->n ? memmem(rest->p, rest->n, "\xff\xfe", 2) : NULL;
	struct str part = str_sub(*rest, 0, at ? (size_t)(at - rest->p) : rest->n);

	*rest = str_from(*rest, part.n + (at ? 2 : 0));
	return part;
}

static void check_replies(struct str said)
{
	struct str line;

	while (str_field(&said, "\n", &line) && (line.n > 0 || said.p))
		require(line.n >= 5 && line.n <= 512 && line.p[line.n - 1] == '\r' && line.p[0] >= '2' &&
			line.p[0] <= '5');
}

/* Say STARTTLS and shake hands. NULL: the server did not want to (a session that is over, a message under way). */
static SSL *handshake(int fd, struct buf *clear)
{
	size_t before;
	SSL *ssl;
	int r = -1;

	send(fd, "STARTTLS\r\n", 10, MSG_NOSIGNAL);
	before = clear->n;
	rig_run(fd, clear);
	if (clear->n - before < 4 || memcmp(clear->p + before, "220 ", 4) != 0 ||
		memchr(clear->p + before, '\n', clear->n - before) != clear->p + clear->n - 1)
		return NULL;
	ssl = SSL_new(client_ctx);
	SSL_set_fd(ssl, fd);
	for (int i = 0; i < 50 && (r = SSL_connect(ssl)) != 1; i++)
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
	if (r == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static void run_tls(SSL *ssl, struct buf *said)
{
	char text[4096];
	int n;

	for (int quiet = 0; quiet < 4; quiet++) {
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
		while ((n = SSL_read(ssl, text, sizeof text)) > 0) {
			buf_add(said, text, (size_t)n);
			quiet = 0;
		}
	}
}

static void say(SSL *ssl, struct str text)
{
	int n = 0;

	for (int i = 0; text.n > 0 && i < 200; i++) {
		if ((n = SSL_write(ssl, text.p, (int)text.n)) > 0)
			text = str_from(text, (size_t)n);
		else
			uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
	}
}

static void under_tls(SSL *ssl, int fd, struct str inside, struct str behind)
{
	struct buf said = BUF_INIT(16 << 20);
	size_t before;
	char octet;

	/* Nothing of before counts: no MAIL was said, and no greeting. */
	say(ssl, STR("RCPT TO:<user@example.com>\r\n"));
	run_tls(ssl, &said);
	require(said.n >= 4 && memcmp(said.p, "503 ", 4) == 0);
	say(ssl, inside);
	run_tls(ssl, &said);
	before = said.n;
	if (behind.n > 0) {
		send(fd, behind.p, behind.n, MSG_NOSIGNAL);
		run_tls(ssl, &said);
		require(said.n == before);
		while (recv(fd, &octet, 1, MSG_DONTWAIT) == 1)
			;
	}
	check_replies(buf_str(&said));
	buf_free(&said);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str rest = str_pn(p, n), clear_text = next_part(&rest), inside = next_part(&rest);
	struct buf clear = BUF_INIT(16 << 20);
	SSL *ssl;
	int fd;

	if (service == NULL)
		begin();
	fd = rig_connect(service, "192.0.2.1");
	rig_run(fd, &clear);
	send(fd, clear_text.p, clear_text.n, MSG_NOSIGNAL);
	rig_run(fd, &clear);
	ssl = handshake(fd, &clear);
	check_replies(buf_str(&clear));
	if (ssl)
		under_tls(ssl, fd, inside, rest);
	SSL_free(ssl);
	rig_close(fd);
	require(smtpd.n_sessions == 0);
	buf_free(&clear);
	return 0;
}
