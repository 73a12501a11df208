/*
 * renew.h - keys for SCRAM and the like that are missing beside a stored password are made at a login that shows it, and
 * stored by credentials_set_query: those of users who were there before, and of one whose stored hash was made anew. The login
 * does not wait for it, and does not fail with it.
 */
#ifndef AUTHD_RENEW_H
#define AUTHD_RENEW_H

#include "authd/authd.h"

/*
 * The password v->pass of v->user matched `stored` of passdb i just now, by its hash. Looks at what is beside that, and makes
 * all of gatepost_new_credentials when one of a mechanism that is offered is missing. In credentials_set_query %w is the words
 * (key_words.h), %{passdb:password} is `stored`. All is copied.
 */
void renew_maybe(struct authd *a, size_t i, struct str stored, const struct vars *v);

#endif
