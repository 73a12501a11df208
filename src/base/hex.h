/* hex.h - octets as pairs of hexadecimal digits (RFC 4648 sec. 8). */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

/* The value of a digit in either case, or -1. */
int hex_value(char c);
/* Append n octets as 2n small digits. Returns 0, or -1: the buffer's maximum would be passed; then nothing was added. */
int hex_add(struct buf *out, const void *octets, size_t n);
/* Append the octets that `digits` stand for. Returns 0, or -1: an odd number, no digit, or no room; *out has the part before. */
int hex_decode(struct buf *out, struct str digits);

#endif
