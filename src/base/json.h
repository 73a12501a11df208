/* json.h - strings of JSON (RFC 8259), for processes that say little in it and parse none. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/* s in quotes. Octets that are no UTF-8, and NUL, become U+FFFD. */
void json_put(struct buf *out, struct str s);

#endif
