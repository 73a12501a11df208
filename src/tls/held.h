/*
 * held.h - server certificates whose private keys another process holds.
 *
 * One process (master) reads all files and records what it read, in two parts: certificates with the ids of their keys
 * (smtpd gets them), and the keys (keyd gets them). Server contexts that are made from such a store have keys that can do
 * nothing but ask for a signature.
 */
#ifndef TLS_HELD_H
#define TLS_HELD_H

#include "msg/key_msg.h"

/* ---- record.c ---- */

/* What was recorded. */
struct tls_record {
	int certs_fd, keys_fd;	 /* memfds: certificates, sealed; keys */
	size_t n_keys;		 /* different ones */
	struct mem_map *entries; /* which names came from which files, for the next record */
};
enum { TLS_RECORD_MAX = 1 << 30 /* octets of certificates */ };

/*
 * From now on all that server contexts are made from is recorded, until tls_record_end(): the certificates in at most `most`
 * octets. Names of tls_server_sni_maps whose files are what they were when `before` was recorded are taken from it and not read
 * again; NULL: there is none. It is borrowed until the end. The contexts themselves know no names.
 */
void tls_record_begin(size_t most, const struct tls_record *before);
/* What becomes the caller's. 0, or -1 and a sentence in *error: it is too much, or there is no memory for it. */
int tls_record_end(struct tls_record *record, struct buf *error);
void tls_record_free(struct tls_record *record);

/* ---- store.c ---- */

/* Server contexts are made from the certificates in this memfd, not from files. Takes: fd. */
void tls_store_use(int fd);
bool tls_store_is_used(void);
/* No more contexts are made. */
void tls_store_end(void);

/* ---- held_key.c ---- */

/*
 * Who signs: `sign` is called from within tls_handshake() and may wait for a bounded time. It writes the signature to `out`,
 * room for KEY_SIGNATURE_MAX octets, its length to *n, and returns NULL, or a static text: why there is none.
 */
void tls_held_keys_sign_by(
	const char *(*sign)(const struct key_id *id, uint16_t scheme, struct str text, unsigned char *out, size_t *n));

#endif
