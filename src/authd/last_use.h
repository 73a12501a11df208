/*
 * last_use.h - when an app password was used last, and from where: kept in the database by credentials_used_query of its
 * passdb. Lazily: at most once a minute for each, one write at a time, and no login waits for it or fails with it. Where it
 * cannot be written that is said, and tried again after ten minutes.
 */
#ifndef AUTHD_LAST_USE_H
#define AUTHD_LAST_USE_H

#include "authd/login.h"

struct last_uses *last_uses_new(struct authd *a);
/* When nothing is under way. NULL is allowed. */
void last_uses_free(struct last_uses **u);
/* l is let in with the app password l->app of passdb l->app_passdb, as user l->app_user. All is copied. */
void last_use_note(const struct login *l);

#endif
