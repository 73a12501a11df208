#include "tls/held_impl.h"
#include "base/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	EMPTY_RECORDS_MAX = 32 /* in a row; tickets and changes of keys are few, and some data lies between */
};

struct tls_conn {
	SSL *ssl;
	struct tls_ctx *ctx;
	bool established, dead, failed;
	unsigned empty_records; /* read since the last octet of data */
	struct tls_peer *peer;	/* NULL: we are the server */
	char *why;		/* NULL: nothing is wrong yet */
};

static void set_why(struct tls_conn *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void set_why(struct tls_conn *t, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	free(t->why);
	t->why = xstrdup(text);
}

static void on_record(int is_sent, int version, int type, const void *p, size_t n, SSL *ssl, void *conn)
{
	struct tls_conn *t = conn;

	(void)version;
	(void)p;
	(void)n;
	(void)ssl;
	if (!is_sent && type == SSL3_RT_HEADER && t->established)
		t->empty_records++;
}

static bool is_flooded(const struct tls_conn *t)
{
	return t->empty_records > EMPTY_RECORDS_MAX;
}

/*
 * SSL_read() handles what is no data (changes of keys, refused renegotiation) and reads on, for as long as there is more of it:
 * a peer that sends nothing else, prepared beforehand, would have the whole process for itself.
 */
static long on_socket_op(BIO *bio, int op, const char *p, size_t n, int argi, long argl, int result, size_t *processed)
{
	const struct tls_conn *t = (const struct tls_conn *)(const void *)BIO_get_callback_arg(bio);

	(void)p;
	(void)n;
	(void)argi;
	(void)argl;
	(void)processed;
	if (op != BIO_CB_READ || !is_flooded(t))
		return result;
	BIO_clear_retry_flags(bio);
	errno = EPROTO;
	return -1;
}

static struct tls_conn *conn_new(struct tls_ctx *ctx, int fd)
{
	struct tls_conn *t = xcalloc(1, sizeof *t);

	t->ssl = SSL_new(ctx->ssl);
	if (t->ssl == NULL || SSL_set_fd(t->ssl, fd) != 1)
		panic("tls: no connection object: %s", tls_openssl_why());
	SSL_set_msg_callback(t->ssl, on_record);
	SSL_set_msg_callback_arg(t->ssl, t);
	BIO_set_callback_arg(SSL_get_rbio(t->ssl), (char *)t);
	BIO_set_callback_ex(SSL_get_rbio(t->ssl), on_socket_op);
	t->ctx = ctx;
	ctx->refs++;
	return t;
}

struct tls_conn *tls_accept(struct tls_ctx *ctx, int fd)
{
	struct tls_conn *t = conn_new(ctx, fd);

	SSL_set_accept_state(t->ssl);
	return t;
}

static int demand(SSL *ssl, const struct tls_peer *p, struct buf *error)
{
	SSL_set_verify(ssl, p->demand == TLS_DEMAND_NAME ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (p->sni)
		SSL_set_tlsext_host_name(ssl, p->sni); /* RFC 6066 sec. 3 */
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; p->demand == TLS_DEMAND_NAME && i < p->n_match; i++) {
		char *name = xstrndup(p->match[i]);
		int done = SSL_add1_host(ssl, name);

		free(name);
		if (done != 1)
			return -1;
	}
	if (p->demand == TLS_DEMAND_FINGERPRINT && EVP_get_digestbyname(p->digest) == NULL) {
		buf_addf(error, "unknown digest \"%s\" of fingerprints; sha256 is known", p->digest);
		return -1;
	}
	if (p->demand != TLS_DEMAND_NOTHING && p->n_match == 0) {
		buf_addf(error, "no %s that the server's certificate should have",
			p->demand == TLS_DEMAND_NAME ? "name" : "fingerprint");
		return -1;
	}
	if (p->protocols && tls_apply_protocols(ssl, p->protocols, error) != 0)
		return -1;
	return p->ciphers ? tls_apply_ciphers(ssl, p->ciphers, p->exclude_ciphers, error) : 0;
}

int tls_peer_check(struct tls_ctx *ctx, const struct tls_peer *peer, struct buf *error)
{
	SSL *ssl = SSL_new(ctx->ssl);
	int r;

	if (ssl == NULL)
		panic("tls: no connection object: %s", tls_openssl_why());
	r = demand(ssl, peer, error);
	SSL_free(ssl);
	tls_openssl_why();
	return r;
}

struct tls_conn *tls_connect(struct tls_ctx *ctx, int fd, const struct tls_peer *peer)
{
	struct tls_conn *t = conn_new(ctx, fd);
	struct buf error = BUF_INIT(4096);

	SSL_set_connect_state(t->ssl);
	t->peer = xcalloc(1, sizeof *t->peer);
	*t->peer = *peer;
	if (demand(t->ssl, peer, &error) != 0) {
		t->dead = true;
		set_why(t, "%s", error.p ? error.p : "TLS cannot be set up");
	}
	buf_free(&error);
	return t;
}

void tls_free(struct tls_conn **t)
{
	if (*t == NULL)
		return;
	ERR_clear_error();
	if ((*t)->established && !(*t)->dead)
		SSL_shutdown((*t)->ssl);
	ERR_clear_error();
	SSL_free((*t)->ssl);
	tls_ctx_free(&(*t)->ctx);
	free((*t)->why);
	free((*t)->peer);
	free(*t);
	*t = NULL;
}

/* After a fatal alert, an end or an error nothing may be read or written any more. */
static enum tls_result result_of(struct tls_conn *t, int r)
{
	int saved = errno, code = SSL_get_error(t->ssl, r);

	switch (code) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		t->dead = true;
		set_why(t, "%s", "lost connection");
		return TLS_END;
	case SSL_ERROR_SYSCALL:
		t->dead = true;
		if (saved == 0 || saved == ECONNRESET || saved == EPIPE) {
			set_why(t, "%s", saved ? strerror(saved) : "lost connection");
			return TLS_END;
		}
		set_why(t, "%s", is_flooded(t) ? "too many records without data" : strerror(saved));
		t->failed = true;
		return TLS_ERROR;
	default:
		t->dead = true;
		set_why(t, "%s", tls_openssl_why());
		if (t->peer && t->peer->demand == TLS_DEMAND_NAME && SSL_get_verify_result(t->ssl) != X509_V_OK)
			set_why(t, "Server certificate not verified: %s",
				X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)));
		t->failed = true;
		return TLS_ERROR;
	}
}

/* A name is looked at by the handshake itself. */
static bool is_as_demanded(struct tls_conn *t)
{
	const struct tls_peer *p = t->peer;
	const X509 *cert = SSL_get0_peer_certificate(t->ssl);

	if (p == NULL || p->demand != TLS_DEMAND_FINGERPRINT ||
		(cert && tls_has_fingerprint(cert, p->digest, p->match, p->n_match)))
		return true;
	t->dead = true;
	set_why(t, "Server certificate fingerprint not matched");
	return false;
}

enum tls_result tls_handshake(struct tls_conn *t)
{
	enum tls_result result;
	const char *why;
	int r;

	if (t->dead)
		return TLS_ERROR;
	ERR_clear_error();
	errno = 0;
	tls_held_failure();
	r = SSL_do_handshake(t->ssl);
	if (r != 1) {
		result = result_of(t, r);
		why = tls_held_failure();
		if (why && result == TLS_ERROR)
			set_why(t, "no signature by the private key: %s", why);
		return result;
	}
	t->established = true;
	return is_as_demanded(t) ? TLS_DONE : TLS_ERROR;
}

enum tls_result tls_read(struct tls_conn *t, void *p, size_t size, size_t *n)
{
	int r;

	*n = 0;
	if (t->dead)
		return TLS_END;
	ERR_clear_error();
	errno = 0;
	r = SSL_read_ex(t->ssl, p, size, n);
	if (r != 1)
		return result_of(t, r);
	t->empty_records = 0;
	return TLS_DONE;
}

enum tls_result tls_write(struct tls_conn *t, const void *p, size_t size, size_t *n)
{
	int r;

	*n = 0;
	if (t->dead)
		return TLS_END;
	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(t->ssl, p, size, n);
	return r == 1 ? TLS_DONE : result_of(t, r);
}

bool tls_has_pending(const struct tls_conn *t)
{
	return !t->dead && SSL_pending(t->ssl) > 0;
}

SSL *tls_conn_ssl(const struct tls_conn *t)
{
	return t->ssl;
}

bool tls_has_failed(const struct tls_conn *t)
{
	return t->failed;
}

bool tls_is_over(const struct tls_conn *t)
{
	return t->dead;
}

static const char *key_exchange_name(SSL *ssl)
{
	int group = (int)SSL_get_negotiated_group(ssl);
	const char *name = group > 0 && !(group & TLSEXT_nid_unknown) ? OBJ_nid2sn(group) : NULL;

	if (group == NID_X9_62_prime256v1)
		return "P-256";
	if (group == NID_secp384r1)
		return "P-384";
	if (group == NID_secp521r1)
		return "P-521";
	return name ? name : "";
}

/* "": resumed, nothing was signed. */
static void put_signature(const struct tls_conn *t, char *name, size_t size)
{
	X509 *cert = t->ctx->client ? SSL_get0_peer_certificate(t->ssl) : SSL_get_certificate(t->ssl);
	EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
	int nid = 0, got = 0;
	char curve[32];
	size_t n;

	if (key == NULL)
		return;
	got = t->ctx->client ? SSL_get_peer_signature_type_nid(t->ssl, &nid) : SSL_get_signature_type_nid(t->ssl, &nid);
	if (!got)
		return;
	if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, curve, sizeof curve, &n) == 1)
		snprintf(name, size, "ECDSA (%s)", strcmp(curve, "prime256v1") == 0 ? "P-256" : curve);
	else if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		snprintf(name, size, "%s", EVP_PKEY_get0_type_name(key));
	else
		snprintf(name, size, "%s (%d bits)", nid == EVP_PKEY_RSA_PSS ? "RSA-PSS" : "RSA",
			EVP_PKEY_get_bits(key));
}

void tls_info(const struct tls_conn *t, struct tls_info *info)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
	int digest = 0;
	long has;

	memset(info, 0, sizeof *info);
	info->protocol = SSL_get_version(t->ssl);
	info->cipher = cipher ? SSL_CIPHER_get_name(cipher) : "";
	if (cipher)
		info->bits = SSL_CIPHER_get_bits(cipher, &info->cipher_bits);
	info->key_exchange = key_exchange_name(t->ssl);
	put_signature(t, info->server_signature, sizeof info->server_signature);
	has = t->ctx->client ? SSL_get_peer_signature_nid(t->ssl, &digest) : SSL_get_signature_nid(t->ssl, &digest);
	info->server_digest = has && digest != NID_undef && *info->server_signature ? OBJ_nid2sn(digest) : "";
	info->sni = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
	if (info->sni == NULL)
		info->sni = "";
	info->resumed = SSL_session_reused(t->ssl) == 1;
	info->verified = SSL_get_verify_result(t->ssl) == X509_V_OK && SSL_get0_peer_certificate(t->ssl) != NULL &&
			 (SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER);
}

const char *tls_error_text(const struct tls_conn *t)
{
	return t->why ? t->why : "no reason given";
}
