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

/*
 * From now on all that server contexts are made from is recorded, until tls_record_end(). It gives two memfds, the caller's
 * to close, with the number of different keys: certificates, sealed, and keys. 0, or -1 (errno): there is no memory for it.
 */
void tls_record_begin(void);
int tls_record_end(int *certs_fd, int *keys_fd, size_t *n_keys);

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
