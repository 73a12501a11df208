#include "tls/held_impl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509err.h>
#include <stdlib.h>
#include <unistd.h>

static int readable(const char *path, const char *what, struct buf *error)
{
	tls_note_file(path);
	if (access(path, R_OK) == 0)
		return 0;
	buf_addf(error, "cannot read the TLS %s %s: %s", what, path, strerror(errno));
	return -1;
}

static int bad_key(const char *cert, const char *key, struct buf *error)
{
	unsigned long code = ERR_peek_last_error();
	bool is_other = ERR_GET_LIB(code) == ERR_LIB_X509 && (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
								     ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH);

	if (is_other)
		buf_addf(error, "the key %s does not belong to the certificate %s: %s", key, cert, tls_openssl_why());
	else
		buf_addf(error, "no private key in PEM form that belongs to the certificate %s in %s: %s", cert, key,
			tls_openssl_why());
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
	if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1)
		return bad_key(cert, key, error);
	if (SSL_CTX_check_private_key(ssl) != 1) {
		buf_addf(error, "the key %s does not belong to the certificate %s: %s", key, cert, tls_openssl_why());
		return -1;
	}
	return 1;
}

/* Keys and chains may stand in one file or in several: what follows a key belongs to it. */
static int load_chain_files(SSL_CTX *ssl, const char *list, struct buf *error)
{
	struct tls_chains chains = { NULL, 0 };
	struct str rest = str_c(list), word;
	int r = 0;

	while (r == 0 && str_word(&rest, " \t\r\n,", &word)) {
		char *path = xstrndup(word);

		r = tls_chains_read(&chains, path, error);
		free(path);
	}
	if (r == 0)
		r = tls_chains_check(&chains, list, error);
	for (size_t i = 0; r >= 0 && i < chains.n; i++) {
		const struct tls_chain *c = &chains.item[i];

		if (SSL_CTX_use_cert_and_key(ssl, c->leaf, c->key, c->rest, 1) == 1) {
			r++;
			continue;
		}
		buf_addf(error, "cannot use a certificate of the TLS chain file %s: %s", list, tls_openssl_why());
		r = -1;
	}
	tls_chains_free(&chains);
	return r;
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

int tls_load_server_certs(SSL_CTX *ssl, const struct tls_cert_files *f, struct buf *error)
{
	struct buf spec = BUF_INIT(1 << 20), why = BUF_INIT(65536);
	int r;

	buf_addf(&spec, "%s\n%s\n%s\n%s\n%s", f->chain_files, f->cert_file, f->key_file, f->eccert_file, f->eckey_file);
	if (tls_store_is_used()) {
		r = tls_store_certs(ssl, spec.p, &why);
	} else {
		r = tls_load_certs(ssl, f, &why);
		tls_record_certs(spec.p, r > 0 ? ssl : NULL, buf_str(&why));
	}
	if (why.n > 0)
		buf_add_str(error, buf_str(&why));
	buf_free(&why);
	buf_free(&spec);
	return r;
}
