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
/*
 * What an entry of tls_server_sni_maps is made from: digest of its value and of what the files that it names are (device, inode,
 * size, times). To be taken before they are read.
 */
struct record_state {
	unsigned char octets[32];
	bool is_settled; /* not just written: a change within the same tick of the clock would show nowhere */
};
void record_state(struct record_state *s, struct str value);
/* An entry; with this state it can be taken from the record of before. True: it was. */
bool tls_record_again(const char *spec, struct str name, const struct record_state *s);
void tls_record_name(const char *spec, struct str name, const struct record_state *s, const struct tls_chains *c);
/* The end of a table, with lines of faults. */
void tls_record_names_end(const char *spec, struct str errors);
/* Is this table recorded already? */
bool tls_record_has_names(const char *spec);

/* ---- store.c ---- */

enum store_type { STORE_CERTS = 1, STORE_NAME, STORE_NAMES_END };

/* As tls_load_certs(). */
int tls_store_certs(SSL_CTX *ssl, const char *spec, struct buf *error);
/*
 * Calls `take` for each name of the table; `chains` are to be read by tls_store_chains() when they are needed, and live as long as
 * the text that tls_store_hold() gives. Lines of faults go to *error.
 */
void tls_store_names(const char *spec, struct sni_table *t,
	void (*take)(struct sni_table *t, struct str name, struct str chains), struct buf *error);
void tls_store_chains(struct str chains, struct tls_chains *c);
struct store_text *tls_store_hold(void);
void tls_store_release(struct store_text **text);

#endif
