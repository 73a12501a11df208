/* What server contexts are made from, recorded for processes that may not read it: certificates for one, keys for another. */
#include "map/mem_map.h"
#include "tls/record_again.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
	bool on, failed, full;
	struct buf certs;
	int keys_fd;
	struct mem_map *ids; /* of the keys that are in it, and the specs that are in `certs` */
	size_t n_keys;
	struct mem_map *entries;
} record;

bool tls_record_is_on(void)
{
	return record.on;
}

void tls_record_begin(size_t most, const struct tls_record *before)
{
	record.on = true;
	record.failed = record.full = false;
	record.certs = BUF_INIT(most);
	record.keys_fd = memfd_create("keys", MFD_CLOEXEC);
	record.ids = mem_map_new();
	record.entries = mem_map_new();
	record.n_keys = 0;
	record_again_begin(before);
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

static void put_key(const struct key_id *id, struct str der)
{
	struct buf head = BUF_INIT(sizeof *id + 4);

	buf_add(&head, id->octets, sizeof id->octets);
	ipc_put_u32(&head, (uint32_t)der.n);
	record.failed |= !write_all(record.keys_fd, head.p, head.n) || !write_all(record.keys_fd, der.p, der.n);
	record.n_keys++;
	buf_free(&head);
}

/* Straight into the memory that keyd gets, so that no copy of it is left here. */
static void add_key(EVP_PKEY *key, const struct key_id *id)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;

	if (n > 0 && n <= KEY_DER_MAX)
		put_key(id, str_pn(der, (size_t)n));
	else
		record.failed = true;
	OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
	PKCS8_PRIV_KEY_INFO_free(info);
}

static void add_cert(struct buf *out, X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);

	if (n > 0)
		ipc_put_str(out, str_pn(der, (size_t)n));
	OPENSSL_free(der);
}

static void add_chain(struct buf *out, EVP_PKEY *key, X509 *leaf, STACK_OF(X509) * rest)
{
	int n = rest ? sk_X509_num(rest) : 0;
	struct key_id id;

	if (!id_of(key, &id)) {
		record.failed = true;
		return;
	}
	if (mem_map_add(record.ids, str_pn(id.octets, sizeof id.octets), STR("")))
		add_key(key, &id);
	buf_add(out, id.octets, sizeof id.octets);
	ipc_put_u32(out, 1 + (uint32_t)n);
	add_cert(out, leaf);
	for (int i = 0; i < n; i++)
		add_cert(out, sk_X509_value(rest, i));
}

/* The certificates of a context, one after the other; a key of another type has no cipher that we speak. */
static uint32_t walk(SSL_CTX *ssl, struct buf *out)
{
	uint32_t n = 0;

	for (long op = SSL_CERT_SET_FIRST; ssl && SSL_CTX_set_current_cert(ssl, op) == 1; op = SSL_CERT_SET_NEXT) {
		EVP_PKEY *key = SSL_CTX_get0_privatekey(ssl);
		STACK_OF(X509) *rest = NULL;

		if (tls_held_type(key) == NULL)
			continue;
		n++;
		SSL_CTX_get0_chain_certs(ssl, &rest);
		if (out)
			add_chain(out, key, SSL_CTX_get0_certificate(ssl), rest);
	}
	return n;
}

/* One entry, whole or not at all. */
static void add_entry(struct buf *entry)
{
	if (buf_add_str(&record.certs, buf_str(entry)) != 0)
		record.full = true;
	buf_free(entry);
}

static void begin_entry(struct buf *entry, uint8_t type, const char *spec, struct str text)
{
	ipc_put_u8(entry, type);
	ipc_put_str(entry, str_c(spec));
	ipc_put_str(entry, text);
}

void tls_record_certs(const char *spec, SSL_CTX *ssl, struct str error)
{
	struct buf entry = BUF_INIT(TLS_RECORD_MAX);

	if (!record.on || !mem_map_add(record.ids, str_c(spec), STR("")))
		return;
	begin_entry(&entry, STORE_CERTS, spec, error);
	ipc_put_u32(&entry, walk(ssl, NULL));
	walk(ssl, &entry);
	add_entry(&entry);
}

/* Where its chains will stand in `certs`: behind what is there and `head` octets of its own. */
static void note_place(const struct record_state *state, size_t head, size_t n)
{
	struct record_place place = { record.certs.n + head, n };

	if (state->is_settled)
		mem_map_add(record.entries, str_pn(state->octets, sizeof state->octets), str_pn(&place, sizeof place));
}

void tls_record_name(const char *spec, struct str name, const struct record_state *state, const struct tls_chains *c)
{
	struct buf entry = BUF_INIT(TLS_RECORD_MAX);
	uint32_t n = 0;
	size_t head;

	for (size_t i = 0; i < c->n; i++)
		n += tls_held_type(c->item[i].key) != NULL;
	begin_entry(&entry, STORE_NAME, spec, name);
	head = entry.n;
	ipc_put_u32(&entry, n);
	for (size_t i = 0; i < c->n; i++)
		if (tls_held_type(c->item[i].key))
			add_chain(&entry, c->item[i].key, c->item[i].leaf, c->item[i].rest);
	note_place(state, head, entry.n - head);
	add_entry(&entry);
}

bool tls_record_again(const char *spec, struct str name, const struct record_state *state)
{
	struct buf entry = BUF_INIT(TLS_RECORD_MAX);
	struct str chains = record_again_find(state, record.ids, put_key);

	if (chains.p == NULL)
		return false;
	begin_entry(&entry, STORE_NAME, spec, name);
	note_place(state, entry.n, chains.n);
	buf_add_str(&entry, chains);
	add_entry(&entry);
	return true;
}

static struct buf names_key(const char *spec)
{
	struct buf key = BUF_INIT(1 << 20);

	buf_addf(&key, "names %s", spec);
	return key;
}

bool tls_record_has_names(const char *spec)
{
	struct buf key = names_key(spec);
	bool has = record.on && mem_map_find(record.ids, buf_str(&key)).p != NULL;

	buf_free(&key);
	return has;
}

void tls_record_names_end(const char *spec, struct str errors)
{
	struct buf entry = BUF_INIT(TLS_RECORD_MAX), key = names_key(spec);

	if (record.on) {
		mem_map_add(record.ids, buf_str(&key), STR(""));
		begin_entry(&entry, STORE_NAMES_END, spec, errors);
		ipc_put_u32(&entry, 0);
		add_entry(&entry);
	}
	buf_free(&key);
}

static int say_why(struct buf *error)
{
	if (record.full)
		buf_addf(error,
			"the certificates of all names, with their chains, are more than %zu MiB, which is all that "
			"can be "
			"passed to smtpd: take names out of tls_server_sni_maps, or let certificates have several "
			"names\n",
			record.certs.max >> 20);
	else
		buf_addf(error, "no memory to pass certificates on: %s\n", strerror(errno));
	return -1;
}

int tls_record_end(struct tls_record *r, struct buf *error)
{
	bool done = !record.failed && !record.full && record.keys_fd >= 0;

	r->keys_fd = record.keys_fd;
	r->certs_fd = done ? memfd_create("certificates", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
	r->n_keys = record.n_keys;
	r->entries = record.entries;
	/* Nobody who reads it can change it for others. */
	done = done && r->certs_fd >= 0 && write_all(r->certs_fd, record.certs.p, record.certs.n) &&
	       fcntl(r->certs_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
	if (!done) {
		say_why(error);
		tls_record_free(r);
	}
	buf_free(&record.certs);
	mem_map_free(&record.ids);
	record_again_end();
	record.on = false;
	return done ? 0 : -1;
}

void tls_record_free(struct tls_record *r)
{
	if (r->keys_fd >= 0)
		close(r->keys_fd);
	if (r->certs_fd >= 0)
		close(r->certs_fd);
	mem_map_free(&r->entries);
	r->keys_fd = r->certs_fd = -1;
}
