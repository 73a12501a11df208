/* What a login may bind itself to: the channel's data (RFC 5056), the client's certificate. */
#include "tls/impl.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum { EXPORTER_OCTETS = 32, FINISHED_MAX = 64 };

/*
 * Before 1.3 two connections can be brought to have the same secrets, unless the handshake itself is part of them (RFC 7627;
 * RFC 9266 sec. 3 demands it).
 */
static bool is_channel_unique(SSL *ssl)
{
	return SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
}

/* RFC 9266. No context, as all others do it: in 1.3 that is the same as an empty one. */
static int exporter(SSL *ssl, struct buf *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char octets[EXPORTER_OCTETS];

	if (!is_channel_unique(ssl) ||
		SSL_export_keying_material(ssl, octets, sizeof octets, label, sizeof label - 1, NULL, 0, 0) != 1)
		return -1;
	return buf_add(out, octets, sizeof octets);
}

/* RFC 5929 sec. 3: the first Finished message of the handshake. 1.3 has no such binding (RFC 8446 app. C.5). */
static int unique(SSL *ssl, struct buf *out)
{
	/* A full handshake is finished by the client first, one that resumes by the server. */
	bool first_is_ours = (SSL_is_server(ssl) == 1) == (SSL_session_reused(ssl) == 1);
	unsigned char octets[FINISHED_MAX];
	size_t n;

	if (SSL_version(ssl) >= TLS1_3_VERSION || !is_channel_unique(ssl))
		return -1;
	n = first_is_ours ? SSL_get_finished(ssl, octets, sizeof octets)
			  : SSL_get_peer_finished(ssl, octets, sizeof octets);
	return n && n <= sizeof octets ? buf_add(out, octets, n) : -1;
}

static bool has_several_certs(SSL *ssl)
{
	return SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST) == 1 && SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT) == 1;
}

/* The certificate that the server showed; NULL: that cannot be said. */
static X509 *server_cert(SSL *ssl)
{
	if (SSL_is_server(ssl) != 1)
		return SSL_get0_peer_certificate(ssl);
	/* A session that is resumed was begun with one of them, and nothing says which. */
	if (SSL_session_reused(ssl) == 1 && has_several_certs(ssl))
		return NULL;
	return SSL_get_certificate(ssl);
}

/* RFC 5929 sec. 4.1: by the hash of its signature, SHA-256 in the place of MD5 and SHA-1. */
static int server_end_point(SSL *ssl, struct buf *out)
{
	X509 *cert = server_cert(ssl);
	unsigned char octets[EVP_MAX_MD_SIZE];
	int nid = NID_undef;
	unsigned n = 0;
	const EVP_MD *md;

	if (cert == NULL || X509_get_signature_info(cert, &nid, NULL, NULL, NULL) != 1)
		return -1;
	md = nid == NID_md5 || nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(nid);
	if (md == NULL || X509_digest(cert, md, octets, &n) != 1)
		return -1;
	return buf_add(out, octets, n);
}

int tls_channel_binding(const struct tls_conn *t, struct str type, struct buf *out)
{
	static const struct {
		const char *type;
		int (*make)(SSL *ssl, struct buf *out);
	} types[] = {
		{ "tls-exporter", exporter },
		{ "tls-unique", unique },
		{ "tls-server-end-point", server_end_point },
	};
	int r = -1;

	if (tls_is_over(t))
		return -1;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (str_eq(type, str_c(types[i].type)))
			r = types[i].make(tls_conn_ssl(t), out);
	tls_openssl_why(); /* nothing of it may stay in the queue */
	return r;
}
