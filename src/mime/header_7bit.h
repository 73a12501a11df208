/*
 * header_7bit.h - one header field made fit for a next hop: raw octets over 127 as RFC 2047, RFC 2231 and RFC 6857 say, no
 * line over 998 octets (RFC 5322 sec. 2.1.1), no CR or LF but those of line ends, no NUL.
 *
 *	subjects and all else that is plain text: encoded words (RFC 2047 sec. 5 (1))
 *	addresses: display names and comments as encoded words (sec. 5 (3), (2)); an address itself cannot be
 *	Content-Type, Content-Disposition: parameters as RFC 2231 says
 *	identifiers and traces: the whole field as "Downgraded-…" (RFC 6857 sec. 3.2)
 *
 * The character set is utf-8 where the octets are that, else unknown-8bit (RFC 1428).
 */
#ifndef MIME_HEADER_7BIT_H
#define MIME_HEADER_7BIT_H

#include "base/buf.h"

/* "Subject" of "Subject: …"; empty: no field starts here. *value: all behind the colon. */
struct str mime_field_name(struct str field, struct str *value);
/* Must this field (with its CRLFs) be changed before it may be sent? */
bool mime_field_is_odd(struct str field, bool to_7bit);
/*
 * Append the field as it may be sent; one that is not odd is appended as it is. 0; -1: it cannot be said in 7 bits (an
 * address, a boundary, a parameter with a name over 64 octets) or is over MIME_FIELD_MAX; `out` is as before then.
 */
int mime_field_put(struct buf *out, struct str field, bool to_7bit);
/* Append the field with "?" for each octet over 127. 0. */
int mime_field_put_spoilt(struct buf *out, struct str field);

#endif
