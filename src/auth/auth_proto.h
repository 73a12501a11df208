/*
 * auth_proto.h - what both ends of Dovecot's authentication protocol share: lines, fields, escapes, flags
 * (docs/protocol/auth.md). Pure.
 */
#ifndef AUTH_AUTH_PROTO_H
#define AUTH_AUTH_PROTO_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	AUTH_MAX_LINE = 16384,	  /* octets, LF included */
	AUTH_MAX_INITIAL = 12288, /* octets of base64 (RFC 4954 sec. 4) */
	AUTH_MAJOR = 1,		  /* another major: no common language */
	AUTH_MINOR = 4,		  /* ours */
	/* From this minor on … */
	AUTH_MINOR_EMPTY = 2,	 /* an empty resp= is an empty initial response */
	AUTH_MINOR_BINDING = 3,	 /* there are -PLUS mechanisms, channel_binding= and "#" */
	AUTH_MINOR_CANCELLED = 4 /* CANCEL is answered */
};

/*
 * The first line of `in`, without LF. Returns 1: *used octets were taken; 0: no full line yet; -1: longer than
 * AUTH_MAX_LINE: end this connection.
 */
int auth_line_next(struct str in, size_t *used, struct str *line);

/* Append s with NUL, \001, TAB, CR, LF escaped by \001. Returns 0, or -1: over the maximum. */
int auth_escape(struct buf *out, struct str s);
/* The reverse. No escape in it: s itself; else a copy in the arena. An unfinished escape at the end is dropped. */
struct str auth_unescape(struct arena *mem, struct str s);
/* Append TAB, the text `key` (such as "user=") and s escaped. */
int auth_add_field(struct buf *out, const char *key, struct str s);

/* Cut the next field off: raw, not unescaped. Returns false at the end of the line. */
bool auth_field(struct str *rest, struct str *field);
/* Is `field` "key=…"? Then *value is what follows, still escaped. `key` is with its "=". */
bool auth_is_key(struct str field, const char *key, struct str *value);
/* May a field of that name hold a secret ("pass", "auth_token", "resp" …)? Such a one is not shown to people. */
bool auth_is_secret(struct str name);
/* A request's number: 1 to 2^32-1. Returns false for anything else. */
bool auth_id(struct str s, uint32_t *id);

/* "plaintext" … to enum auth_mech_flag; 0: not known. */
unsigned auth_flag(struct str name);
/* Append TAB and the name of each flag. */
void auth_add_flags(struct buf *out, unsigned flags);

#endif
