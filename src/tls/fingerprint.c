#include "tls/impl.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>

static void to_text(const unsigned char *octets, unsigned n, char out[TLS_FINGERPRINT_MAX])
{
	size_t at = 0;

	for (unsigned i = 0; i < n && at + 4 < TLS_FINGERPRINT_MAX; i++)
		at += (size_t)snprintf(out + at, TLS_FINGERPRINT_MAX - at, "%s%02X", i ? ":" : "", octets[i]);
	out[at] = '\0';
}

void tls_cert_fingerprint(const X509 *cert, const char *digest, char out[TLS_FINGERPRINT_MAX])
{
	const EVP_MD *md = EVP_get_digestbyname(digest);
	unsigned char octets[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	out[0] = '\0';
	if (md && X509_digest(cert, md, octets, &n) == 1)
		to_text(octets, n, out);
}

/* Of the whole SubjectPublicKeyInfo, as Postfix has it. */
void tls_key_fingerprint(const X509 *cert, const char *digest, char out[TLS_FINGERPRINT_MAX])
{
	const EVP_MD *md = EVP_get_digestbyname(digest);
	unsigned char octets[EVP_MAX_MD_SIZE], *der = NULL;
	int der_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	unsigned n = 0;

	out[0] = '\0';
	if (md && der_n > 0 && EVP_Digest(der, (size_t)der_n, octets, &n, md, NULL) == 1)
		to_text(octets, n, out);
	OPENSSL_free(der);
}

/* Hexadecimal digits alone count, so that "ab:cd" is "ABCD". */
static bool is_same(struct str print, const char *text)
{
	size_t at = 0;

	for (; *text; text++) {
		if (*text == ':')
			continue;
		while (at < print.n && print.p[at] == ':')
			at++;
		if (at == print.n || ascii_lower(print.p[at++]) != ascii_lower(*text))
			return false;
	}
	return at == print.n;
}

bool tls_has_fingerprint(const X509 *cert, const char *digest, const struct str *prints, size_t n)
{
	char of_cert[TLS_FINGERPRINT_MAX], of_key[TLS_FINGERPRINT_MAX];

	tls_cert_fingerprint(cert, digest, of_cert);
	tls_key_fingerprint(cert, digest, of_key);
	for (size_t i = 0; i < n && *of_cert && *of_key; i++)
		if (is_same(prints[i], of_cert) || is_same(prints[i], of_key))
			return true;
	return false;
}
