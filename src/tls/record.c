/* What server contexts are made from, recorded for processes that may not read it: certificates for one, keys for another. */
#include "map/mem_map.h"
#include "tls/held_impl.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CERTS_MAX = 1 << 30 };

static struct {
	bool on, failed;
	struct buf certs;
	int keys_fd;
	struct mem_map *ids; /* of the keys that are in it, and the specs that are in `certs` */
	size_t n_keys;
} record;

bool tls_record_is_on(void)
{
	return record.on;
}

void tls_record_begin(void)
{
	record.on = true;
	record.failed = false;
	record.certs = BUF_INIT(CERTS_MAX);
	record.keys_fd = memfd_create("keys", MFD_CLOEXEC);
	record.ids = mem_map_new();
	record.n_keys = 0;
}

static bool write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

static bool id_of(EVP_PKEY *key, struct key_id *id)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	bool done = n > 0 && EVP_Digest(der, (size_t)n, id->octets, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return done;
}

/* Straight into the memory that keyd gets, so that no copy of it is left here. */
static void add_key(EVP_PKEY *key, const struct key_id *id)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
	struct buf head = BUF_INIT(sizeof *id + 4);

	if (n > 0 && n <= KEY_DER_MAX) {
		buf_add(&head, id->octets, sizeof id->octets);
		ipc_put_u32(&head, (uint32_t)n);
		record.failed |=
			!write_all(record.keys_fd, head.p, head.n) || !write_all(record.keys_fd, der, (size_t)n);
		record.n_keys++;
	} else {
		record.failed = true;
	}
	buf_free(&head);
	OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
	PKCS8_PRIV_KEY_INFO_free(info);
}

static void add_cert(X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);

	if (n > 0)
		ipc_put_str(&record.certs, str_pn(der, (size_t)n));
	OPENSSL_free(der);
}

static void add_chain(EVP_PKEY *key, X509 *leaf, STACK_OF(X509) * rest)
{
	int n = rest ? sk_X509_num(rest) : 0;
	struct key_id id;

	if (!id_of(key, &id)) {
		record.failed = true;
		return;
	}
	if (mem_map_add(record.ids, str_pn(id.octets, sizeof id.octets), STR("")))
		add_key(key, &id);
	buf_add(&record.certs, id.octets, sizeof id.octets);
	ipc_put_u32(&record.certs, 1 + (uint32_t)n);
	add_cert(leaf);
	for (int i = 0; i < n; i++)
		add_cert(sk_X509_value(rest, i));
}

/* The certificates of a context, one after the other; a key of another type has no cipher that we speak. */
static uint32_t walk(SSL_CTX *ssl, bool add)
{
	uint32_t n = 0;

	for (long op = SSL_CERT_SET_FIRST; ssl && SSL_CTX_set_current_cert(ssl, op) == 1; op = SSL_CERT_SET_NEXT) {
		EVP_PKEY *key = SSL_CTX_get0_privatekey(ssl);
		STACK_OF(X509) *rest = NULL;

		if (tls_held_type(key) == NULL)
			continue;
		n++;
		SSL_CTX_get0_chain_certs(ssl, &rest);
		if (add)
			add_chain(key, SSL_CTX_get0_certificate(ssl), rest);
	}
	return n;
}

void tls_record_certs(const char *spec, SSL_CTX *ssl, struct str error)
{
	if (!record.on || !mem_map_add(record.ids, str_c(spec), STR("")))
		return;
	ipc_put_u8(&record.certs, STORE_CERTS);
	ipc_put_str(&record.certs, str_c(spec));
	ipc_put_str(&record.certs, error);
	ipc_put_u32(&record.certs, walk(ssl, false));
	walk(ssl, true);
}

void tls_record_name(const char *spec, struct str name, const struct tls_chains *c)
{
	uint32_t n = 0;

	if (!record.on)
		return;
	for (size_t i = 0; i < c->n; i++)
		n += tls_held_type(c->item[i].key) != NULL;
	ipc_put_u8(&record.certs, STORE_NAME);
	ipc_put_str(&record.certs, str_c(spec));
	ipc_put_str(&record.certs, name);
	ipc_put_u32(&record.certs, n);
	for (size_t i = 0; i < c->n; i++)
		if (tls_held_type(c->item[i].key))
			add_chain(c->item[i].key, c->item[i].leaf, c->item[i].rest);
}

void tls_record_names_end(const char *spec, struct str errors)
{
	if (!record.on)
		return;
	ipc_put_u8(&record.certs, STORE_NAMES_END);
	ipc_put_str(&record.certs, str_c(spec));
	ipc_put_str(&record.certs, errors);
	ipc_put_u32(&record.certs, 0);
}

int tls_record_end(int *certs_fd, int *keys_fd, size_t *n_keys)
{
	bool done = !record.failed && record.keys_fd >= 0;

	*keys_fd = record.keys_fd;
	*certs_fd = memfd_create("certificates", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	*n_keys = record.n_keys;
	/* Nobody who reads it can change it for others. */
	done = done && *certs_fd >= 0 && write_all(*certs_fd, record.certs.p, record.certs.n) &&
	       fcntl(*certs_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
	buf_free(&record.certs);
	mem_map_free(&record.ids);
	record.on = false;
	if (done)
		return 0;
	if (*keys_fd >= 0)
		close(*keys_fd);
	if (*certs_fd >= 0)
		close(*certs_fd);
	*keys_fd = *certs_fd = -1;
	return -1;
}
