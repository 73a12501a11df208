/*
 * given.h - the password of a failed login in the log, as far as auth_verbose_passwords wants it there.
 */
#ifndef AUTHD_GIVEN_H
#define AUTHD_GIVEN_H

#include "authd/login.h"

/*
 * " (given password: x)", " (SHA1 of given password: 0123…)" or "": the setting is "no", or the mechanism shows no password. In
 * the arena of the login, which is wiped.
 */
const char *given_password(const struct login *l);
/* The same of a setting and a password; n: of how many characters (0: all). Pure. */
const char *given_text(enum log_passwords how, unsigned n, struct str pass, struct arena *mem);

#endif
