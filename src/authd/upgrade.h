/*
 * upgrade.h - auth_upgrade_scheme: after a login with the right password a stored hash of a weaker scheme is replaced, by the
 * update_query of the passdb that had it. The login does not wait for it, and does not fail with it.
 */
#ifndef AUTHD_UPGRADE_H
#define AUTHD_UPGRADE_H

#include "authd/authd.h"

/*
 * Is it to be done? `stored` is what the password matched, in passdb i, and `row` what that said just now (never what a cache
 * remembers: the password may have been changed since); v has the name and the password. Makes the hash on the pool of hashes,
 * then runs update_query, in which %w is the new hash and %{passdb:NAME} a column of the row. All is copied.
 */
void upgrade_maybe(struct authd *a, size_t i, struct str stored, const struct sql_row *row, const struct vars *v);
/* Would upgrade_maybe() do it? */
bool upgrade_is_due(const struct authd *a, size_t i, struct str stored, const struct vars *v);
/* Is a stored password worth less than one of `scheme`? Pure. */
bool upgrade_is_weaker(struct str stored, struct str default_scheme, const char *scheme);

#endif
