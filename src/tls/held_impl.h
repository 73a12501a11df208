/* held_impl.h - what the files of held keys, their store and its recorder share. */
#ifndef TLS_HELD_IMPL_H
#define TLS_HELD_IMPL_H

#include "tls/held.h"
#include "tls/impl.h"

#include <openssl/core_dispatch.h>

/* A key that we have the public half of: keydata of the provider. */
struct held_key {
	EVP_PKEY *public; /* of the default provider; NULL: not imported yet */
	const char *type; /* "RSA" … */
	struct key_id id;
	bool has_id; /* else it is a certificate's, for comparison */
};

/* ---- held_key.c ---- */

/* A private key with this public half. NULL: of a type that is not signed with. */
EVP_PKEY *tls_held_key_new(EVP_PKEY *public, const struct key_id *id);
/* "RSA", "RSA-PSS", "EC", "ED25519", "ED448": static, or NULL: such keys cannot be held. */
const char *tls_held_type(const EVP_PKEY *key);
/* Sign by who was named. 0, or -1; then tls_held_failure() tells why. */
int tls_held_sign(const struct held_key *key, uint16_t scheme, struct str text, unsigned char *out, size_t *n);
/* Why the last signature could not be had, once; NULL: none failed since. */
const char *tls_held_failure(void);

/* ---- held_keymgmt.c, held_sign.c: what the provider has ---- */

#define HELD_ID_PARAM "gatepost-key-id"
extern const OSSL_ALGORITHM tls_held_keymgmts[], tls_held_signatures[];

/* ---- record.c ---- */

bool tls_record_is_on(void);
/* What the files `spec` gave to a server context, or the sentence why nothing. */
void tls_record_certs(const char *spec, SSL_CTX *ssl, struct str error);
/* An entry of tls_server_sni_maps; the end of a table, with lines of faults. */
void tls_record_name(const char *spec, struct str name, const struct tls_chains *c);
void tls_record_names_end(const char *spec, struct str errors);

/* ---- store.c ---- */

enum store_type { STORE_CERTS = 1, STORE_NAME, STORE_NAMES_END };

/* As tls_load_certs(). */
int tls_store_certs(SSL_CTX *ssl, const char *spec, struct buf *error);
/* Calls `take` for each name of the table, which gets the chains. Lines of faults go to *error. */
void tls_store_names(const char *spec, struct sni_table *t,
	void (*take)(struct sni_table *t, struct str name, struct tls_chains *c), struct buf *error);

#endif
