/*
 * claims.h - what is said of an access token, by itself (a JWT: RFC 7519, RFC 9068) or by the server that issued it (RFC
 * 7662, or what came before that): is it good, for whom, until when. Pure.
 */
#ifndef AUTH_CLAIMS_H
#define AUTH_CLAIMS_H

#include "base/arena.h"
#include <jansson.h>
#include <time.h>

enum { JWT_LEEWAY_S = 60 /* that clocks may differ */ };

struct jwt_demands {
	const char *issuers;  /* words: one of them is "iss"; "": any */
	const char *audience; /* is in "aud"; "": any */
	const char *scope;    /* words: all of them are in "scope" (or "scp"); "": none */
	const char *active_attribute,
		*active_value;		/* a claim with that value; value "": the claim is there; "": none */
	const char *username_attribute; /* claim that names the user */
	bool takes_unverified;		/* "email" is such a name also where "email_verified" is there and not true */
	bool names_by_email;		/* who logs in gets his name from "email" in another way */
};

/* An object out of JSON text. NULL: it is none, or has a name twice. Freed with json_decref(). */
json_t *claims_parse(struct str json);
/*
 * Are the claims of a JWT, whose signature is right, as they have to be? It must have an "exp" ahead. Returns NULL, or what is
 * wrong (static English, without a word of the token).
 */
const char *claims_check(const json_t *claims, const struct jwt_demands *d, time_t now);
/*
 * The same of a server's answer: "active" must not be anything but true; what it does not say of issuer, audience and expiry
 * is the server's own affair; numbers may be written as strings.
 */
const char *claims_check_answer(const json_t *answer, const struct jwt_demands *d, time_t now);
/* When what the server said ends to be true: "exp", "expires_in"; no later than `latest`. */
time_t claims_end(const json_t *answer, time_t now, time_t latest);
/* The value of a claim as text: a string, a number, true or false; n == 0: there is none of these. In the arena. */
struct str claims_text(const json_t *claims, const char *name, struct arena *mem);

#endif
