/*
 * verify.h - passdbs that show no hash and say themselves whether a password is right: a directory by a bind, PAM, a server
 * that issues tokens.
 *
 * With auth_cache_size a password that was right is remembered for auth_cache_ttl, under a key of the process, and once more as
 * long while the passdb does not work; until the passdb says no to it.
 */
#ifndef AUTHD_VERIFY_H
#define AUTHD_VERIFY_H

#include "authd/login.h"

/* Is it such a one; and is there nothing to be looked up before? */
bool verify_is_own(const struct db *db);
bool verify_is_alone(const struct db *db);
/* Ask passdb l->passdb; l->row is what it says of the user so far. Ends in check_verified(), or check_next(). */
void verify_start(struct login *l);
/* oauth2_grant.c: what the server says, and of DB_OK what else it said of him. why: for the log; NULL: it was said. */
void verify_grant_answer(struct login *l, enum db_result r, struct sql_row *row, const char *why);
/* pam.c: what PAM says. */
void verify_pam_answer(struct login *l, const struct pam_answer *a);

#endif
