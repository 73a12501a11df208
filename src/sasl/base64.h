/*
 * base64.h - RFC 4648 sec. 4, strictly: no line breaks, no octet outside the alphabet, full padding, and no set bits
 * behind the last octet (sec. 3.5), so that every content has exactly one form.
 */
#ifndef SASL_BASE64_H
#define SASL_BASE64_H

#include "base/buf.h"

/* Append the base64 form of s. Returns 0, or -1: over the buffer's maximum (nothing was added). */
int base64_encode(struct buf *out, struct str s);
/* Append the octets that s stands for. Returns 0, or -1: s is not base64, or over the maximum (nothing was added). */
int base64_decode(struct buf *out, struct str s);
/*
 * As base64_decode, but the padding may be missing, and set bits behind the last octet are dropped: for password
 * hashes that other programs wrote.
 */
int base64_decode_loose(struct buf *out, struct str s);

#endif
