/*
 * key_words.h - what is stored of one password for mechanisms that never show it, beside its hash: words
 * "{SCRAM-SHA-256}data {CRAM-MD5}data" with a blank between them. Pure but for random salts; making keys is slow by intent.
 */
#ifndef AUTH_KEY_WORDS_H
#define AUTH_KEY_WORDS_H

#include "base/buf.h"

/* Is it a scheme of such keys: SCRAM-SHA-1, -256, -512, CRAM-MD5, in any case? */
bool key_scheme_is_known(struct str scheme);
bool key_scheme_is_scram(struct str scheme);
/* The data of the first word of that scheme, into *data; false: there is none. */
bool key_word_find(struct str words, struct str scheme, struct str *data);
/*
 * Append "{SCHEME}data" for a password to *out (a secret), behind a blank where it has something already. `scheme` may be any
 * that password_make() takes. SCRAM gets salt and count of `like`, which is data of the same scheme: one user has one salt,
 * however many passwords he has; n == 0, or no such data: fresh ones. Returns 0, or -enum password_err.
 */
int key_word_add(struct str scheme, struct str plain, struct str like, struct buf *out);

#endif
