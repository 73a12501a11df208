#include "tls/impl.h"

/*
 * ALPN (RFC 7301): a client that names protocols, none of them SMTP's, speaks something else to us (ALPACA, 2021).
 * There is no registered name for SMTP; clients in use that send one send "smtp".
 */
static int on_alpn(
	SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n, void *unused)
{
	(void)ssl;
	(void)unused;
	for (unsigned i = 0; i + 1 < in_n; i += 1u + in[i]) {
		if (in[i] == 4 && i + 5 <= in_n && memcmp(in + i + 1, "smtp", 4) == 0) {
			*out = in + i + 1;
			*out_n = 4;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool tls_server_is_wanted(const struct conf_view *v)
{
	const char *level = conf_str(v, "smtpd_tls_security_level");

	if (conf_bool(v, "smtpd_tls_wrappermode") || conf_bool(v, "smtpd_enforce_tls"))
		return true;
	return *level ? strcmp(level, "none") != 0 : conf_bool(v, "smtpd_use_tls");
}

/*
 * Every client that has TLS 1.2 has AEAD ciphers with forward secrecy, older ones of Windows with a certificate of RSA only
 * by DHE; of what else the grades of Postfix hold CBC (which Lucky 13 was about) is for "low" alone, and RSA without forward
 * secrecy (RFC 9325 sec. 4.1) for none.
 */
static void exclude_old(struct buf *exclude, const char *grade)
{
	if (strcmp(grade, "high") == 0 || strcmp(grade, "medium") == 0)
		buf_add_c(exclude, " SHA1 SHA256 SHA384 AESCCM ARIAGCM");
	buf_add_c(exclude, " kRSA"); /* needs a key that decrypts: keyd signs, and does nothing else */
}

static int fill(SSL_CTX *ssl, const struct conf_view *v, struct buf *error)
{
	bool must = conf_bool(v, "smtpd_tls_wrappermode") ||
		    strcmp(conf_str(v, "smtpd_tls_security_level"), "encrypt") == 0 ||
		    conf_bool(v, "smtpd_enforce_tls");
	const struct tls_cert_files files = { conf_str(v, "smtpd_tls_chain_files"), conf_str(v, "smtpd_tls_cert_file"),
		conf_str(v, "smtpd_tls_key_file"), conf_str(v, "smtpd_tls_eccert_file"),
		conf_str(v, "smtpd_tls_eckey_file") };
	const char *grade = conf_str(v, must ? "smtpd_tls_mandatory_ciphers" : "smtpd_tls_ciphers");
	struct buf exclude = BUF_INIT(4096);
	int r;

	buf_addf(&exclude, "%s %s", conf_str(v, "smtpd_tls_exclude_ciphers"),
		must ? conf_str(v, "smtpd_tls_mandatory_exclude_ciphers") : "");
	exclude_old(&exclude, grade);
	r = tls_apply_policy(ssl, conf_str(v, must ? "smtpd_tls_mandatory_protocols" : "smtpd_tls_protocols"), grade,
		exclude.p, error);
	buf_free(&exclude);
	if (r != 0)
		return -1;
	r = tls_load_server_certs(ssl, &files, error);
	if (r == 0)
		buf_addf(error,
			"no TLS certificate: set smtpd_tls_chain_files, or smtpd_tls_cert_file and smtpd_tls_key_file");
	return r > 0 ? tls_ask_client_cert(ssl, v, must, error) : -1;
}

struct tls_ctx *tls_server_ctx(const struct conf_view *v, const char *service, struct buf *error)
{
	struct tls_ctx *ctx = tls_ctx_new(false, error);

	if (ctx == NULL)
		return NULL;
	if (fill(ctx->ssl, v, error) != 0) {
		tls_ctx_free(&ctx);
		return NULL;
	}
	SSL_CTX_set_dh_auto(ctx->ssl, 1); /* as strong as the certificate's key: RFC 3526, from 2048 bits on */
	if (conf_bool(v, "tls_preempt_cipherlist"))
		SSL_CTX_set_options(ctx->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* What was decrypted is overwritten when it has been read: it may be a password. */
	SSL_CTX_set_options(ctx->ssl, SSL_OP_PRIORITIZE_CHACHA | SSL_OP_SINGLE_ECDH_USE | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_alpn_select_cb(ctx->ssl, on_alpn, NULL);
	tls_tickets_use(ctx, service, conf_seconds(v, "smtpd_tls_session_cache_timeout"));
	tls_sni_load(ctx, conf_str(v, "tls_server_sni_maps"), error);
	return ctx;
}
