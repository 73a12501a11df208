/*
 * utf8.h - RFC 3629, as far as a mail server needs it.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* Octets of the well-formed UTF-8 sequence at the start of s (1 to 4), or 0: none, or malformed (RFC 3629 sec. 4). */
size_t utf8_sequence(struct str s);
/* Is all of it well-formed? The empty slice is. */
bool utf8_is_valid(struct str s);
/*
 * Take the first character off *s, which is not empty. Returns how it may be shown on a terminal, in the log or in a reply:
 * itself, or "?" for a control (U+0080 to U+009F steer terminals as well) and for an octet that begins no well-formed
 * sequence.
 */
struct str utf8_take_visible(struct str *s);
/* Append all of s, shown so. */
void utf8_add_visible(struct buf *out, struct str s);
/* Has it an octet over 127? */
bool str_is_8bit(struct str s);

#endif
