/* encoded_word.h - text with octets over 127 in a header: encoded words (RFC 2047), parameters (RFC 2231). */
#ifndef MIME_ENCODED_WORD_H
#define MIME_ENCODED_WORD_H

#include "base/buf.h"

/*
 * All of `text`, blanks included, as encoded words of at most 75 octets, one a line; line ends in it are left out. Before
 * the first one the line is folded where there is a blank and the room behind it is small.
 */
void mime_put_words(struct buf *out, struct str text);
/*
 * An encoded word follows, here or behind a "(", and there may be a blank here, though there need not be one: begin a new
 * line where the room in this one is small.
 */
void mime_make_room(struct buf *out);
/* Plain text, folded or not: words with octets over 127 become encoded words, and all else stays as it is. */
void mime_put_text(struct buf *out, struct str text);
/* " name*=charset''…" on lines of their own, continued where it is long (RFC 2231 sec. 3 and 4). */
void mime_put_parameter(struct buf *out, struct str name, struct str value);

#endif
