/*
 * dsn_text.h - foreign text inside a report: one line without control characters, folded, capped (dsn.c's helper).
 *
 * What a remote server said, and what a client gave as ENVID or ORCPT, is quoted in a message that we send: it may add
 * no line, no field and no part to it (CVE-2020-8794).
 */
#ifndef MIME_DSN_TEXT_H
#define MIME_DSN_TEXT_H

#include "base/buf.h"

enum {
	DSN_TEXT_MAX = 2000, /* octets of one foreign text; the rest is cut */
	DSN_FOLD_AT = 76,    /* preferred length of a line */
	DSN_LINE_MAX = 900   /* a word without blanks is broken here (RFC 5322 sec. 2.1.1: 998) */
};

struct dsn_writer {
	struct buf *out;
	bool utf8; /* octets over 127 that are well-formed UTF-8 stay; else each becomes "?" */
	bool full; /* an add did not fit */
};

/* Our own text, as it is. */
void dsn_puts(struct dsn_writer *w, const char *text);
void dsn_putf(struct dsn_writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Octets as they are (the original message). */
void dsn_put_raw(struct dsn_writer *w, struct str octets);
/*
 * Append `in` to `out` as one line: runs of blanks, CR, LF, TAB become one space, other control characters "?",
 * octets over 127 by `utf8`. At most DSN_TEXT_MAX octets, never half a UTF-8 sequence.
 */
void dsn_clean(struct buf *out, struct str in, bool utf8);
/* A field "Name: [type] value" CRLF, cleaned and folded before a blank (RFC 5322 sec. 2.2.3). type may be "". */
void dsn_field(struct dsn_writer *w, const char *name, const char *type, struct str value);
/* A paragraph of the human part: `head` (cleaned too), then the text, wrapped, later lines indented by four. */
void dsn_paragraph(struct dsn_writer *w, struct str head, struct str text);
/* A sentence of our own below it, wrapped, all lines indented by four. */
void dsn_indented(struct dsn_writer *w, const char *text);
/* Is it a status code by RFC 3463 sec. 2? */
bool dsn_status_is_valid(struct str status);

#endif
