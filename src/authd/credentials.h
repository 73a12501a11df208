/*
 * credentials.h - what else a user may log in with besides the one stored password of password_query: the rows of
 * credentials_query, a credential each. Its columns:
 *
 *	password    stored passwords with blanks between them: SCRAM keys, CRAM-MD5, the digest of an app password
 *	name        of an app password; "": these belong to the user's own password
 *	expires     seconds since 1970; NULL, "" or 0: never
 *	allow_nets  as in password_query; "": all
 *	service     "smtp, submission"; "": all
 *
 * They are asked anew at each login, never of a cache: what is revoked is revoked.
 */
#ifndef AUTHD_CREDENTIALS_H
#define AUTHD_CREDENTIALS_H

#include "authd/login.h"

enum { CREDENTIALS_MAX = 64 /* rows of one user that are looked at */ };

/* Has the passdb of l a credentials_query, and has the mechanism, with what the client showed, a use for it? */
bool credentials_are_due(const struct login *l);
/* Look them up, into l->more; check_credentials() comes then, perhaps from within. */
void credentials_ask(struct login *l);
/*
 * Is vars.pass an app password of theirs that is good now and from here? Then l->app has its name. One that would be right
 * but is not good is noted (fault.h).
 */
bool credentials_match(struct login *l);
/*
 * Append to *raw, which has the record that the own stored password is (or nothing), those of `scheme` ("SCRAM-SHA-256",
 * "CRAM-MD5"), decoded, with blanks between them: of the own password first, then, where the mechanism takes several, of the
 * app passwords that are good now and from here, then of those that are not. l->key_names are their names, l->key_faults what is
 * wrong with them. Returns how many there are then.
 */
size_t credentials_add_keys(struct login *l, const char *scheme, struct buf *raw);
/* The mechanism took the key number l->xchg->which: l->app is whose it was. False: that one is not good, which was noted. */
bool credentials_proven(struct login *l);
/* Why a row is not good: English, static, as it follows the name in the log; NULL: it is. now: seconds since 1970. Pure. */
const char *credential_fault(const struct sql_row *row, const struct vars *v, int64_t now);

#endif
