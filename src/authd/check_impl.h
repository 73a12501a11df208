/* check_impl.h - the check of a password in its parts: check.c asks the passdb blocks, check_hash.c, check_admit.c. */
#ifndef AUTHD_CHECK_IMPL_H
#define AUTHD_CHECK_IMPL_H

#include "authd/login.h"

/* ---- check.c ---- */

/* A line of the log about this login and the passdb that is asked. what: without a secret. */
void check_say(struct login *l, const char *what);
/* 1: the password is right; 0: it is not; < 0: enum password_err. */
void check_verdict(struct login *l, int verdict);

/* ---- check_hash.c ---- */

/* l->vars.pass with l->stored: check_verdict() follows, at once or later, or login_temp_fail(). */
void check_compare(struct login *l);

/* ---- check_admit.c ---- */

/* The password is right. May he log in? DB_OK: yes; what the passdb says of him is in l->kept. */
enum db_result check_admit(struct login *l);
/* The extra fields of OK. */
void check_fields(struct login *l);

#endif
