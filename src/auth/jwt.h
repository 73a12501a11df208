/*
 * jwt.h - access tokens that are signed JWTs (RFC 7519, RFC 9068), checked against the keys of a JWK set (RFC 7517). The
 * signature is RS256, ES256 (RFC 7518) or EdDSA with Ed25519 (RFC 8037); "none" and HMAC are not known here at all. Pure.
 */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include "base/arena.h"
#include "base/buf.h"
#include <time.h>

enum { JWT_MAX = 16384, JWT_LEEWAY_S = 60 /* that clocks may differ */ };

struct jwt_keys;
/* Read a JWK set. Keys of other kinds or uses are passed over. NULL, and a sentence in *why (static): nothing is usable. */
struct jwt_keys *jwt_keys_parse(struct str json, const char **why);
void jwt_keys_free(struct jwt_keys **k);
size_t jwt_keys_count(const struct jwt_keys *k);

struct jwt_demands {
	const char *issuers;  /* words: one of them is "iss"; "": any */
	const char *audience; /* is in "aud"; "": any */
	const char *scope;    /* words: all of them are in "scope" (or "scp"); "": none */
	const char *active_attribute,
		*active_value;		/* a claim with that value; value "": the claim is there; "": none */
	const char *username_attribute; /* claim that names the user */
};

/*
 * Is that token good at the time `now`? It must have an "exp" ahead. Returns 0, *user is the name (in the arena); -1: it is
 * not, and *why says what is wrong with it, without a word of the token (static English).
 */
int jwt_check(const struct jwt_keys *k, struct str token, const struct jwt_demands *d, time_t now, struct arena *mem,
	struct str *user, const char **why);

#endif
