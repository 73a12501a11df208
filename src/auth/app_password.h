/*
 * app_password.h - passwords that we draw, for one program or device of a user: 24 letters and digits of 5 bits each, shown
 * as "abcd-efgh-ijkm-npqr-stuv-wxyz" (no l, o, 0, 1, which are mistaken for others). 120 bits of chance need no slow hash: what
 * is stored is "{SHA256.hex}" and the digest of the 24, in lower case and without dashes. Pure, but for the drawing.
 */
#ifndef AUTH_APP_PASSWORD_H
#define AUTH_APP_PASSWORD_H

#include "base/buf.h"

enum {
	APP_PASSWORD_CHARS = 24,
	APP_PASSWORD_TEXT = 29,	  /* octets as it is shown */
	APP_PASSWORD_STORED = 76, /* octets as it is stored */
	APP_PASSWORDS_MAX = 50	  /* of one user; `gatepost user` makes no more */
};

/* Append a fresh one, as it is shown (a secret). */
void app_password_draw(struct buf *out);
/*
 * Append what is stored of it. As people type: with or without dashes and blanks, in any case. Returns 0; -1, and nothing is
 * appended: it has not the form of one, so that it is none.
 */
int app_password_stored(struct str text, struct buf *out);
/*
 * Is it this one's? `words` are stored passwords with blanks between them; `stored` is what app_password_stored() makes of
 * the one that was typed. Each word is compared in the same time.
 */
bool app_password_is_in(struct str words, struct str stored);

#endif
