/*
 * reply.h - the replies of the server that never vary, in one table; and the reading of a server's replies.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buf.h"

/*
 * Every fixed reply has a row in reply.c: enum, code, enhanced code ("" where RFC 2034 has none), text, RFC. Owner of
 * the enum: reply.c's table; rows are added as the server needs them.
 */
struct smtp_reply_row {
	int code;
	const char *enhanced;
	const char *text;
};

/* One-line reply with CRLF: "250 2.1.0 Ok"; the enhanced code is left out when `enhanced` is "" or use_enhanced false.
 * Octets of text that are not printable ASCII (or, with utf8, well-formed UTF-8) become "?"; at most 512 octets. */
int reply_put(struct buf *out, int code, const char *enhanced, bool use_enhanced, struct str text);

/* A server's reply, of one or more lines (RFC 5321 sec. 4.2), read incrementally; zeroed to begin. */
struct reply_reader {
	struct buf text;	/* lines joined by '\n', without codes; at most 16 KiB, the rest is dropped */
	int code;		/* 0 while none is complete */
	unsigned lines;
};
/* 1: a whole reply is there (code, text); 0: need more; -1: no SMTP reply at all (close). *used always set. */
int reply_next(struct reply_reader *r, struct str in, size_t *used);
/* Ready for the next one; frees the text. */
void reply_reset(struct reply_reader *r);
/* "5.1.1" at the start of a reply's text, for that class of code; else the code's own "5.0.0". Into out[12]. */
const char *reply_enhanced(const struct reply_reader *r, char *out);

#endif
