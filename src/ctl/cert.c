#include "ctl/cert.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DAYS = 3650 };

static int add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	int done;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (extension == NULL)
		return 0;
	done = X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return done;
}

static X509 *make_certificate(EVP_PKEY *key, const char *host)
{
	X509 *cert = X509_new();
	unsigned char serial[8];
	char names[512];
	X509_NAME *name;

	if (cert == NULL || RAND_bytes(serial, sizeof serial) != 1)
		return cert;
	serial[0] &= 0x7F;
	snprintf(names, sizeof names, "DNS:%s,DNS:localhost", host);
	X509_set_version(cert, 2);
	BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * DAYS);
	X509_set_pubkey(cert, key);
	name = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)host, -1, -1, 0);
	X509_set_issuer_name(cert, name);
	if (!add_extension(cert, NID_subject_alt_name, names) ||
		!add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") ||
		!X509_sign(cert, key, EVP_sha256())) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static FILE *create(const char *path, mode_t mode, struct buf *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0) {
		buf_addf(error, "%s: %s", path, strerror(errno));
		return NULL;
	}
	return fdopen(fd, "w");
}

int cert_self_signed(const char *host, const char *cert_path, const char *key_path, struct buf *error)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? make_certificate(key, host) : NULL;
	FILE *cert_file = NULL, *key_file = NULL;
	bool written = false;

	if (cert == NULL)
		buf_addf(error, "cannot make a certificate: %s", ERR_reason_error_string(ERR_get_error()));
	else if ((key_file = create(key_path, 0600, error)) != NULL &&
		 (cert_file = create(cert_path, 0644, error)) != NULL)
		written = PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) &&
			  PEM_write_X509(cert_file, cert);
	if (key_file && fclose(key_file) != 0)
		written = false;
	if (cert_file && fclose(cert_file) != 0)
		written = false;
	if (!written && error->n == 0)
		buf_addf(error, "%s: cannot be written", key_path);
	X509_free(cert);
	EVP_PKEY_free(key);
	return written ? 0 : -1;
}
