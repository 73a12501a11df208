#include "tls/impl.h"

#include <errno.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

/* Keys with their certificate chains out of PEM files: a private key, then its certificate and those that vouch for it. */

static void chain_clear(struct tls_chain *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->leaf);
	sk_X509_pop_free(c->rest, X509_free);
	memset(c, 0, sizeof *c);
}

void tls_chains_free(struct tls_chains *c)
{
	for (size_t i = 0; i < c->n; i++)
		chain_clear(&c->item[i]);
	free(c->item);
	memset(c, 0, sizeof *c);
}

/* PKCS #8, as most keys are: making a decoder costs six times what decoding does, so there is one for all. */
static EVP_PKEY *decode_pkcs8(const unsigned char *der, size_t n)
{
	static OSSL_DECODER_CTX *decoder;
	static EVP_PKEY *key;

	key = NULL;
	if (decoder == NULL)
		decoder = OSSL_DECODER_CTX_new_for_pkey(
			&key, "DER", "PrivateKeyInfo", NULL, EVP_PKEY_KEYPAIR, NULL, NULL);
	if (decoder == NULL || OSSL_DECODER_from_data(decoder, &der, &n) != 1)
		return NULL;
	return key;
}

static EVP_PKEY *decode_key(const char *name, const unsigned char *der, long n)
{
	EVP_PKEY *key = strcmp(name, PEM_STRING_PKCS8INF) == 0 ? decode_pkcs8(der, (size_t)n) : NULL;

	if (key)
		return key;
	if (strcmp(name, PEM_STRING_PKCS8INF) != 0 && strcmp(name, PEM_STRING_RSA) != 0 &&
		strcmp(name, PEM_STRING_ECPRIVATEKEY) != 0)
		return NULL;
	return d2i_AutoPrivateKey(NULL, &der, n);
}

static void add_key(struct tls_chains *c, EVP_PKEY *key)
{
	c->item = xrealloc(c->item, (c->n + 1) * sizeof *c->item);
	c->item[c->n++] = (struct tls_chain){ .key = key };
}

/* Takes: cert. False: it stands before any key. */
static bool add_cert(struct tls_chains *c, X509 *cert)
{
	struct tls_chain *last = c->n ? &c->item[c->n - 1] : NULL;

	if (last == NULL) {
		X509_free(cert);
		return false;
	}
	if (last->leaf == NULL) {
		last->leaf = cert;
		return true;
	}
	if (last->rest == NULL)
		last->rest = sk_X509_new_null();
	sk_X509_push(last->rest, cert);
	return true;
}

/* The certificates that vouch for others are the same in one file after the other. */
static X509 *decode_cert(struct str der)
{
	static struct {
		unsigned char digest[32];
		X509 *cert;
	} known[16];
	unsigned char digest[32];
	const unsigned char *p = (const unsigned char *)der.p;
	X509 *cert;
	size_t at;

	if (EVP_Digest(der.p, der.n, digest, NULL, EVP_sha256(), NULL) != 1)
		return d2i_X509(NULL, &p, (long)der.n);
	at = digest[0] % (sizeof known / sizeof *known);
	if (known[at].cert && memcmp(known[at].digest, digest, sizeof digest) == 0) {
		X509_up_ref(known[at].cert);
		return known[at].cert;
	}
	cert = d2i_X509(NULL, &p, (long)der.n);
	if (cert == NULL || X509_up_ref(cert) != 1)
		return cert;
	X509_free(known[at].cert);
	memcpy(known[at].digest, digest, sizeof digest);
	known[at].cert = cert;
	return cert;
}

static bool take_object(struct tls_chains *c, const char *name, const unsigned char *der, long n)
{
	EVP_PKEY *key = decode_key(name, der, n);
	X509 *cert;

	if (key) {
		add_key(c, key);
		return true;
	}
	if (strcmp(name, PEM_STRING_X509) != 0 && strcmp(name, PEM_STRING_X509_OLD) != 0)
		return true;
	cert = decode_cert(str_pn(der, (size_t)n));
	return cert == NULL || add_cert(c, cert);
}

static int bad_order(const char *where, struct buf *error)
{
	buf_addf(error, "the TLS chain file %s needs each private key in front of its own certificate chain: %s", where,
		tls_openssl_why());
	return -1;
}

int tls_chains_parse(struct tls_chains *c, FILE *f, const char *where, struct buf *error)
{
	char *name, *header;
	unsigned char *der;
	bool good = true;
	long n;

	while (good && PEM_read(f, &name, &header, &der, &n) == 1) {
		good = take_object(c, name, der, n);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)n);
	}
	ERR_clear_error(); /* the end of the file is an error to PEM_read() */
	return good ? 0 : bad_order(where, error);
}

int tls_chains_read(struct tls_chains *c, const char *path, struct buf *error)
{
	FILE *f;
	int r;

	tls_note_file(path);
	f = fopen(path, "re");
	if (f == NULL) {
		buf_addf(error, "cannot read the TLS chain file %s: %s", path, strerror(errno));
		return -1;
	}
	r = tls_chains_parse(c, f, path, error);
	fclose(f);
	return r;
}

int tls_chains_check(const struct tls_chains *c, const char *where, struct buf *error)
{
	if (c->n == 0) {
		buf_addf(error, "no private key in PEM form in the TLS chain file %s", where);
		return -1;
	}
	for (size_t i = 0; i < c->n; i++)
		if (c->item[i].leaf == NULL || X509_check_private_key(c->item[i].leaf, c->item[i].key) != 1)
			return bad_order(where, error);
	return 0;
}
