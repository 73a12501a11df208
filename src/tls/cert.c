#include "tls/impl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int readable(const char *path, const char *what, struct buf *error)
{
	if (access(path, R_OK) == 0)
		return 0;
	buf_addf(error, "cannot read the TLS %s %s: %s", what, path, strerror(errno));
	return -1;
}

static int load_pair(SSL_CTX *ssl, const char *cert, const char *key, struct buf *error)
{
	if (*cert == '\0' || strcmp(cert, "none") == 0)
		return 0;
	if (*key == '\0')
		key = cert;
	if (readable(cert, "certificate", error) != 0 || readable(key, "key", error) != 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(ssl, cert) != 1) {
		buf_addf(error, "no certificate in PEM form in %s: %s", cert, tls_openssl_why());
		return -1;
	}
	if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1) {
		buf_addf(error, "no private key in PEM form that belongs to the certificate %s in %s: %s", cert, key,
			tls_openssl_why());
		return -1;
	}
	if (SSL_CTX_check_private_key(ssl) != 1) {
		buf_addf(error, "the key %s does not belong to the certificate %s: %s", key, cert, tls_openssl_why());
		return -1;
	}
	return 1;
}

/* One key with its chain: what stands between two private keys of a chain file (postconf(5) smtpd_tls_chain_files). */
struct chain {
	EVP_PKEY *key;
	X509 *leaf;
	STACK_OF(X509) * rest;
};

static void chain_clear(struct chain *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->leaf);
	sk_X509_pop_free(c->rest, X509_free);
	memset(c, 0, sizeof *c);
}

static int chain_use(SSL_CTX *ssl, struct chain *c, const char *path, struct buf *error)
{
	int loaded = 0;

	if (c->key == NULL && c->leaf == NULL)
		return 0;
	if (c->key && c->leaf)
		loaded = SSL_CTX_use_cert_and_key(ssl, c->leaf, c->key, c->rest, 1) == 1;
	chain_clear(c);
	if (loaded)
		return 1;
	buf_addf(error, "the TLS chain file %s needs each private key in front of its own certificate chain: %s", path,
		tls_openssl_why());
	return -1;
}

static EVP_PKEY *decode_key(const char *name, const unsigned char *der, long n)
{
	if (strcmp(name, PEM_STRING_PKCS8INF) != 0 && strcmp(name, PEM_STRING_RSA) != 0 &&
		strcmp(name, PEM_STRING_ECPRIVATEKEY) != 0)
		return NULL;
	return d2i_AutoPrivateKey(NULL, &der, n);
}

static int take_object(SSL_CTX *ssl, struct chain *c, const char *name, const unsigned char *der, long n,
	const char *path, struct buf *error)
{
	EVP_PKEY *key = decode_key(name, der, n);
	int loaded = 0;

	if (key) {
		loaded = chain_use(ssl, c, path, error);
		c->key = key;
	} else if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0) {
		X509 *cert = d2i_X509(NULL, &der, n);

		if (cert && c->leaf == NULL)
			c->leaf = cert;
		else if (cert) {
			if (c->rest == NULL)
				c->rest = sk_X509_new_null();
			sk_X509_push(c->rest, cert);
		}
	}
	return loaded;
}

static int load_chain_file(SSL_CTX *ssl, const char *path, struct buf *error)
{
	struct chain c = { NULL, NULL, NULL };
	int count = 0, loaded = 0;
	char *name, *header;
	unsigned char *der;
	long n;
	FILE *f;

	if (readable(path, "chain file", error) != 0 || (f = fopen(path, "re")) == NULL)
		return -1;
	while (loaded >= 0 && PEM_read(f, &name, &header, &der, &n) == 1) {
		loaded = take_object(ssl, &c, name, der, n, path, error);
		count += loaded > 0;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)n);
	}
	fclose(f);
	if (loaded >= 0)
		loaded = chain_use(ssl, &c, path, error);
	chain_clear(&c);
	ERR_clear_error(); /* the end of the file is an error to PEM_read() */
	if (loaded < 0)
		return -1;
	if (count + loaded == 0)
		buf_addf(error, "no private key in PEM form in the TLS chain file %s", path);
	return count + loaded ? count + loaded : -1;
}

static int load_chain_files(SSL_CTX *ssl, const char *list, struct buf *error)
{
	struct str rest = str_c(list), word;
	int count = 0;

	while (str_word(&rest, " \t\r\n,", &word)) {
		char *path = xstrndup(word);
		int n = load_chain_file(ssl, path, error);

		free(path);
		if (n < 0)
			return -1;
		count += n;
	}
	return count;
}

int tls_load_certs(SSL_CTX *ssl, const struct tls_cert_files *files, struct buf *error)
{
	int rsa, ec;

	ERR_clear_error();
	if (*files->chain_files)
		return load_chain_files(ssl, files->chain_files, error);
	rsa = load_pair(ssl, files->cert_file, files->key_file, error);
	if (rsa < 0)
		return -1;
	ec = load_pair(ssl, files->eccert_file, files->eckey_file, error);
	return ec < 0 ? -1 : rsa + ec;
}
