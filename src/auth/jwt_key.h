/* jwt_key.h - one public key of a JWK set (RFC 7517), for jwt.c alone. */
#ifndef AUTH_JWT_KEY_H
#define AUTH_JWT_KEY_H

#include "base/buf.h"
#include <jansson.h>

struct jwt_key;
/* NULL: not a key for one of JWT_ALGS (jwt.h), too short (RSA below 2048 bits), or for another use. */
struct jwt_key *jwt_key_new(const json_t *jwk);
/*
 * A public key in PEM, for that algorithm and no other, by that name, and for tokens of that client ("azp"). NULL: it is none,
 * too short, or of another kind than the algorithm wants.
 */
struct jwt_key *jwt_key_from_pem(struct str pem, struct str azp, struct str alg, struct str kid);
void jwt_key_free(struct jwt_key **k);
/* Was it named for tokens of one client? Then their "azp" ("default" when they have none) is that. */
bool jwt_key_is_of(const struct jwt_key *k, struct str azp);
/* Is it for that algorithm, and has it that kid? kid "": it need not say. */
bool jwt_key_is_for(const struct jwt_key *k, struct str alg, struct str kid);
/* alg: one that it is for. */
bool jwt_key_verify(const struct jwt_key *k, struct str alg, struct str text, struct str signature);

/* Is it one of JWT_ALGS? */
bool jwt_alg_is_known(struct str alg);

/* RFC 7515 sec. 2: the other alphabet, no padding. 0, or -1: it is not that. */
int jwt_base64url(struct str s, struct buf *out);

#endif
