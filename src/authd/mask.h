/*
 * mask.h - "*" (any run of octets) and "?" (one octet) in a mask for user names, without regard to ASCII case; nothing else has a
 * meaning.
 */
#ifndef AUTHD_MASK_H
#define AUTHD_MASK_H

#include "base/str.h"

/* Does the mask fit all of `s`? In a time that the product of their lengths bounds. Pure. */
bool mask_matches(struct str mask, struct str s);

#endif
