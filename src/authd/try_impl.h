/* try_impl.h - between try.c and try_places.c: does what auth.conf names exist? */
#ifndef AUTHD_TRY_IMPL_H
#define AUTHD_TRY_IMPL_H

#include "authd/settings.h"

/* One line to *errors for each listener whose socket cannot be made; `queue` is queue_directory. */
void try_listeners(const struct settings *set, const char *queue, struct buf *errors);
/*
 * Take the account and group that authd runs with, where we are root and there is such an account. Returns 0, or -1: that is not
 * permitted; one line to *errors says why.
 */
int try_become(const char *auth_owner, const char *mail_owner, struct buf *errors);
/* One line to *warnings for each file of users that is not there, or that this process may not read. */
void try_databases(const struct settings *set, struct buf *warnings);

#endif
