/*
 * oauth2.h - tokens in the place of passwords (OAUTHBEARER, XOAUTH2): what auth.conf says of them, and their check. The keys
 * are read at the start, before the jail; `gatepost reload` reads them again.
 */
#ifndef AUTHD_OAUTH2_H
#define AUTHD_OAUTH2_H

#include "auth/jwt.h"

struct oauth2 {
	bool is_set;	  /* there is such a passdb, or such settings */
	const char *file; /* where it stands, for messages */
	const char *jwks; /* file */
	struct jwt_demands demands;
	struct jwt_keys *keys;
};

struct loader;
struct login;
/* "passdb { driver = oauth2 args = FILE }" of 2.3, or settings oauth2_… of 2.4; then the keys. */
void load_oauth2(struct loader *l);
/* Is l->vars.pass, a token, good? login_key() follows, with the name that it gives, or with an empty key. */
void oauth2_check(struct login *l);

#endif
