/*
 * json_check.h - is that JSON (RFC 8259), which goes into a larger text as it is? For what a process tells of itself: one that was
 * taken over must not speak for others.
 */
#ifndef BASE_JSON_CHECK_H
#define BASE_JSON_CHECK_H

#include "base/str.h"

/* Members of an object with commas between them ("a":1,"b":[2]), or none. */
bool json_is_members(struct str s);
/* Objects with commas between them, or none. */
bool json_is_objects(struct str s);

#endif
