/*
 * saslprep.h - SASLprep (RFC 4013, a profile of stringprep): two ways to type one name or password become the same octets.
 */
#ifndef SASL_SASLPREP_H
#define SASL_SASLPREP_H

#include "base/buf.h"

/*
 * Append the prepared form of s to *out: a query (RFC 3454 sec. 7), so that code points of newer Unicode pass. `out` may
 * hold a secret: buf_wipe. Returns 0, or -1: s is not UTF-8, has what is prohibited (control characters, NUL, mixed
 * directions), nothing is left of it, or the buffer's maximum is reached; nothing was added then.
 */
int saslprep(struct str s, struct buf *out);

#endif
