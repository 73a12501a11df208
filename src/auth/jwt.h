/*
 * jwt.h - access tokens that are signed JWTs (RFC 7519, RFC 9068), checked against the keys of a JWK set (RFC 7517). The
 * signature is by RSA (RS256, PS256 …) or ECDSA (ES256 …; RFC 7518), or EdDSA with Ed25519 (RFC 8037); "none" and HMAC are
 * not known here at all. Pure.
 */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include "auth/claims.h"
#include "base/buf.h"

enum { JWT_MAX = 16384 };
/* The algorithms of signatures, for people. */
#define JWT_ALGS "RS256, PS256, ES256 (and 384, 512) or EdDSA"

struct jwt_keys;
/* Read a JWK set. Keys of other kinds or uses are passed over. NULL, and a sentence in *why (static): nothing is usable. */
struct jwt_keys *jwt_keys_parse(struct str json, const char **why);
/* An empty set, for keys that stand in files of their own. */
struct jwt_keys *jwt_keys_new(void);
/* See jwt_key_from_pem(). 0, or -1: it is of no use, or there are 64. */
int jwt_keys_add_pem(struct jwt_keys *k, struct str pem, struct str azp, struct str alg, struct str kid);
void jwt_keys_free(struct jwt_keys **k);
size_t jwt_keys_count(const struct jwt_keys *k);

/*
 * Is that token good at the time `now`? It must have an "exp" ahead. Returns 0, *user is the name (in the arena); -1: it is
 * not, and *why says what is wrong with it, without a word of the token (static English).
 */
int jwt_check(const struct jwt_keys *k, struct str token, const struct jwt_demands *d, time_t now, struct arena *mem,
	struct str *user, const char **why);

/* Its claims when its signature is right, whatever they say (claims_check()), to be freed; or NULL, and *why as above. */
json_t *jwt_claims(const struct jwt_keys *k, struct str token, const char **why);
/* Has it the form of a signed JWT? Another kind of token is not to be judged here. */
bool jwt_is_one(struct str token);
/*
 * Is it signed, by an algorithm that is known, with a key that is not among these? Then the issuer may have a new one. A token
 * without a "kid" says so when no key is for its algorithm. k NULL: there are none yet.
 */
bool jwt_needs_other_keys(const struct jwt_keys *k, struct str token);

#endif
