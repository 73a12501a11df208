/*
 * test_rig.h - what the tests of TLS servers share: certificates in a folder of their own, a context from a text of
 * main.cf, and a client of OpenSSL's own over a pair of sockets.
 */
#ifndef TLS_TEST_RIG_H
#define TLS_TEST_RIG_H

#include "base/test.h"
#include "tls/impl.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char dir[] = "/tmp/tls-test-XXXXXX";

static inline const char *in_dir(const char *name)
{
	static char path[4][320];
	static unsigned at;

	at = (at + 1) % 4;
	snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
	return path[at];
}

static inline void write_pem(const char *name, const char *suffix, EVP_PKEY *key, X509 *cert)
{
	char file[80];
	FILE *f;

	snprintf(file, sizeof file, "%s/%s.%s", dir, name, suffix);
	f = fopen(file, "we");
	if (key)
		PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	if (cert)
		PEM_write_X509(f, cert);
	fclose(f);
}

/* NAME.pem, NAME.key, and both in NAME.all, for the host `cn`. */
static inline void make_cert(const char *name, const char *cn, EVP_PKEY *key)
{
	X509 *cert = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const void *)cn, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	check(X509_sign(cert, key, EVP_sha256()) > 0);
	write_pem(name, "pem", NULL, cert);
	write_pem(name, "key", key, NULL);
	write_pem(name, "all", key, cert);
	X509_free(cert);
}

static inline void rig_end(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlink(in_dir(e->d_name));
	closedir(d);
	rmdir(dir);
}

/* A server context of main.cf with this text, in which %s is the folder. */
static inline struct tls_ctx *server(const char *fmt, const char *service, struct buf *error)
{
	struct buf text = BUF_INIT(8192), errors = BUF_INIT(8192);
	struct tls_ctx *ctx;
	struct conf *conf;

	for (const char *p = fmt; *p; p++)
		if (p[0] == '@')
			buf_add_c(&text, dir);
		else
			buf_add_char(&text, *p);
	conf = conf_parse("/nonexistent", buf_str(&text), STR(""), &errors, NULL);
	if (conf == NULL)
		fail_msg("%s", errors.p);
	ctx = tls_server_ctx(conf_main(conf), service, error);
	conf_free(&conf);
	buf_free(&text);
	buf_free(&errors);
	return ctx;
}

/* A client of OpenSSL's own over a socket pair; both sides go on in turn until the handshake is done or fails. */
static inline bool shake(struct tls_conn *server_side, SSL *client)
{
	enum tls_result s = TLS_WANT_READ;
	int c = 0;

	for (int i = 0; i < 20 && (c != 1 || s != TLS_DONE); i++) {
		if (c != 1)
			c = SSL_do_handshake(client);
		if (s != TLS_DONE)
			s = tls_handshake(server_side);
		if (s == TLS_ERROR || s == TLS_END)
			return false;
	}
	return c == 1 && s == TLS_DONE;
}

struct pair {
	int fd[2];
	struct tls_conn *conn;
	SSL *client;
	bool up;
};

static inline void pair_open(struct pair *p, struct tls_ctx *ctx, SSL_CTX *client_ctx, SSL_SESSION *session)
{
	check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
	p->conn = tls_accept(ctx, p->fd[0]);
	p->client = SSL_new(client_ctx);
	SSL_set_fd(p->client, p->fd[1]);
	SSL_set_connect_state(p->client);
	if (session)
		SSL_set_session(p->client, session);
	p->up = shake(p->conn, p->client);
}

static inline void pair_close(struct pair *p)
{
	tls_free(&p->conn);
	SSL_set_shutdown(p->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its session counts as bad */
	SSL_free(p->client);
	close(p->fd[0]);
	close(p->fd[1]);
}

#endif
