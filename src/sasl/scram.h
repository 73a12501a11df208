/*
 * scram.h - the computations of SCRAM (RFC 5802 sec. 3, RFC 7677), of both sides, and the form in which its keys are
 * stored: Dovecot's "iterations,base64 of salt,base64 of StoredKey,base64 of ServerKey". Pure but for the random salt;
 * every function may be called from any thread. Deriving keys is slow by intent: from a pool, not from a loop.
 */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "base/buf.h"
#include <openssl/evp.h>

enum {
	SCRAM_HASH_MAX = 64,	     /* octets of the largest hash */
	SCRAM_SALT = 16,	     /* octets of a salt of ours */
	SCRAM_SALT_MAX = 128,	     /* of others' */
	SCRAM_ITERATIONS = 10000,    /* of ours; RFC 7677 sec. 4 wants 4096 at least */
	SCRAM_ITERATIONS_MIN = 4096, /* as client: less gives the password away to whoever plays the server */
	SCRAM_ITERATIONS_MAX = 10 * 1000 * 1000, /* of what is stored */
	SCRAM_ITERATIONS_MAX_CLIENT = 200000,	 /* that a server may ask of us: a tenth of a second */
	SCRAM_RECORD_MAX = 1024
};

struct scram_hash {
	const char *name; /* "SHA-256", as in SCRAM-SHA-256 */
	const EVP_MD *(*md)(void);
	size_t n; /* octets */
};
extern const struct scram_hash scram_sha1, scram_sha256, scram_sha512;
/* Of "SHA-1", "SHA-256", "SHA-512", in any case; else NULL. */
const struct scram_hash *scram_hash_find(struct str name);

struct scram_keys { /* a secret: mem_wipe */
	uint32_t iterations;
	size_t salt_n;
	unsigned char salt[SCRAM_SALT_MAX], stored[SCRAM_HASH_MAX], server[SCRAM_HASH_MAX];
};

/*
 * StoredKey and ServerKey of a password, with the salt and the iterations that are in *k. The password is prepared here
 * (SASLprep); one that cannot be is taken as it is, as Dovecot and PostgreSQL do. Returns 0, or -1: no salt, iterations
 * out of range, or no such hash in libcrypto.
 */
int scram_derive(const struct scram_hash *h, struct str pass, struct scram_keys *k);
/* Fresh keys of a password: a random salt of ours, our iterations. */
int scram_keys_new(const struct scram_hash *h, struct str pass, struct scram_keys *k);
/* Append the stored form, without {SCHEME}. Returns 0, or -1: over the maximum. */
int scram_keys_format(const struct scram_hash *h, const struct scram_keys *k, struct buf *out);
/* Read the stored form. Returns 0, or -1: it is none. */
int scram_keys_parse(const struct scram_hash *h, struct str record, struct scram_keys *k);
/* Does the password belong to the stored form? 1: yes; 0: no; -1: it is no stored form. */
int scram_keys_verify(const struct scram_hash *h, struct str record, struct str pass);

/* Is `proof` (h->n octets) that of whoever knows the password, over this AuthMessage? */
bool scram_proof_is_good(const struct scram_hash *h, const struct scram_keys *k, struct str message, struct str proof);
/* The server's signature over the AuthMessage; h->n octets. */
void scram_server_signature(
	const struct scram_hash *h, const struct scram_keys *k, struct str message, unsigned char *out);
/*
 * The client's proof, and the signature that it wants to see of the server; h->n octets each. The password is prepared
 * here. Returns 0, or -1 as scram_derive().
 */
int scram_client_proof(const struct scram_hash *h, struct str pass, const struct scram_keys *k, struct str message,
	unsigned char *proof, unsigned char *signature);

/* Cut the next "x=value" of a message off (sec. 5.1); false: the next attribute is another one, or has no value. */
bool scram_attribute(struct str *rest, char name, struct str *value);
/* Append a name as saslname (sec. 5.1): "," and "=" escaped. */
int scram_add_name(struct buf *out, struct str name);
/* The reverse; -1: "=" that escapes nothing. */
int scram_take_name(struct str s, struct buf *out);
/* Append a fresh random nonce of 24 printable characters. */
void scram_add_nonce(struct buf *out);

#endif
