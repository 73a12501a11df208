#include "tls/impl.h"

#include <openssl/x509.h>

/* Certificates of clients: asked for where the configuration says so, and told to whoever decides by them. */

/* What a client presents is looked at, trusted or not: a fingerprint in a table is trust of its own. */
static int take_any(int verified, X509_STORE_CTX *store)
{
	(void)verified;
	(void)store;
	return 1;
}

int tls_ask_client_cert(SSL_CTX *ssl, const struct conf_view *v, bool must, struct buf *error)
{
	const struct tls_trust trust = { "smtpd_tls", conf_str(v, "smtpd_tls_CAfile"), conf_str(v, "smtpd_tls_CApath"),
		conf_bool(v, "tls_append_default_CA") };
	bool require = must && conf_bool(v, "smtpd_tls_req_ccert");

	if (!require && !conf_bool(v, "smtpd_tls_ask_ccert")) {
		SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	if (tls_load_trust(ssl, &trust, error) != 0)
		return -1;
	/* Who a client is must come from a handshake of now, never from one that is resumed. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
	/* Their names tell the client which of its certificates is meant (RFC 8446 sec. 4.2.4). */
	if (*trust.file)
		SSL_CTX_set_client_CA_list(ssl, SSL_load_client_CA_file(trust.file));
	SSL_CTX_set_verify_depth(ssl, (int)conf_int(v, "smtpd_tls_ccert_verifydepth"));
	SSL_CTX_set_verify(ssl,
		SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE | (require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
		require ? NULL : take_any);
	return 0;
}

/* The common name, or another name, without anything that a line of a log or a header could not hold. */
static void add_name(const X509_NAME *name, char *out, size_t size)
{
	static const int kinds[] = { NID_commonName, NID_organizationalUnitName, NID_organizationName };
	unsigned char *text = NULL;
	int at = -1, n = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && at < 0; i++)
		at = X509_NAME_get_index_by_NID(name, kinds[i], -1);
	if (at >= 0)
		n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	for (int i = 0; i < n && (size_t)i + 1 < size; i++)
		out[i] = text[i] < ' ' || text[i] == 0x7F ? '?' : (char)text[i];
	out[n < 0 ? 0 : (size_t)n + 1 < size ? (size_t)n : size - 1] = '\0';
	OPENSSL_free(text);
}

/* Who it says it is, to the letter: what cannot be a name is none. */
static void take_login(const X509_NAME *subject, char *out, size_t size)
{
	unsigned char *text = NULL;
	int at = -1, next, n, fit = 0;

	while ((next = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
		at = next;
	if (at < 0)
		return;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	while (fit < n && text[fit] >= ' ' && text[fit] != 0x7F)
		fit++;
	if (n > 0 && fit == n && (size_t)n < size)
		memcpy(out, text, (size_t)n);
	OPENSSL_free(text);
}

void tls_describe_cert(const X509 *cert, const char *digest, struct tls_client_cert *out)
{
	memset(out, 0, sizeof *out);
	add_name(X509_get_subject_name(cert), out->subject, sizeof out->subject);
	take_login(X509_get_subject_name(cert), out->login, sizeof out->login);
	add_name(X509_get_issuer_name(cert), out->issuer, sizeof out->issuer);
	tls_cert_fingerprint(cert, digest, out->fingerprint);
	tls_key_fingerprint(cert, digest, out->key_fingerprint);
}

bool tls_client_cert(const struct tls_conn *t, const char *digest, struct tls_client_cert *out)
{
	const X509 *cert = SSL_get0_peer_certificate(tls_conn_ssl(t));

	if (cert == NULL) {
		memset(out, 0, sizeof *out);
		return false;
	}
	tls_describe_cert(cert, digest, out);
	out->trusted = SSL_get_verify_result(tls_conn_ssl(t)) == X509_V_OK;
	return true;
}
