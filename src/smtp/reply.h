/*
 * reply.h - the replies of the server that never vary, in one table; and the reading of a server's replies.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buf.h"

/* The server's replies that never vary but in the verb, nor name the host; rows are added to reply.c's table as they are needed. */
enum smtp_reply {
	REPLY_OK,
	REPLY_MAIL_OK,
	REPLY_RCPT_OK,
	REPLY_DATA,
	REPLY_BYE,
	REPLY_TLS_READY,
	REPLY_AUTH_OK,
	REPLY_QUEUE_ERROR,
	REPLY_NO_SPACE,
	REPLY_TOO_MANY_RCPTS,
	REPLY_TLS_TEMPORARY,
	REPLY_UNKNOWN_COMMAND,
	REPLY_LINE_TOO_LONG,
	REPLY_BARE_CR,
	REPLY_BARE_LF,
	REPLY_NUL,
	REPLY_EHLO_SYNTAX,
	REPLY_HELO_SYNTAX,
	REPLY_MAIL_SYNTAX,
	REPLY_RCPT_SYNTAX,
	REPLY_DATA_SYNTAX,
	REPLY_BDAT_SYNTAX,
	REPLY_RSET_SYNTAX,
	REPLY_VRFY_SYNTAX,
	REPLY_ETRN_SYNTAX,
	REPLY_AUTH_SYNTAX,
	REPLY_STARTTLS_SYNTAX,
	REPLY_BAD_SENDER,
	REPLY_BAD_RCPT,
	REPLY_BAD_BASE64,
	REPLY_AUTH_ABORTED,
	REPLY_NOT_IMPLEMENTED,
	REPLY_VRFY_DISABLED,
	REPLY_NO_STARTTLS,
	REPLY_NESTED_MAIL,
	REPLY_NEED_HELO,
	REPLY_NEED_MAIL,
	REPLY_NEED_RCPT,
	REPLY_NO_VALID_RCPTS,
	REPLY_AUTH_DISABLED,
	REPLY_AUTH_TWICE,
	REPLY_AUTH_IN_MAIL,
	REPLY_TLS_ACTIVE,
	REPLY_BDAT_MIXED,
	REPLY_BINARY_DATA,
	REPLY_NEED_STARTTLS,
	REPLY_AUTH_NEEDS_TLS,
	REPLY_AUTH_MECHANISM,
	REPLY_TOO_BIG,
	REPLY_NUL_DATA,
	REPLY_NEED_SMTPUTF8,
	REPLY_NO_UTF8,
	REPLY_PIPELINING,
	REPLY_NOT_AUTHORIZED,
	REPLY_COUNT
};

struct smtp_reply_row {
	int code;
	const char *enhanced; /* "" where RFC 2034 sec. 4 has none (220 and EHLO's 250, 354, 334) */
	/* Postfix's, where it has this reply, as clients and log readers know them. "VERB" stands for the command's verb. */
	const char *text;
};
const struct smtp_reply_row *smtp_reply_row(enum smtp_reply r);
/* reply_put() of that row; `verb`: of the command that it answers, for the rows that name it. */
int smtp_reply_put(struct buf *out, enum smtp_reply r, const char *verb, bool use_enhanced);

/* One-line reply with CRLF: "250 2.1.0 Ok"; the enhanced code is left out when `enhanced` is "" or use_enhanced false.
 * Octets of text that are neither printable ASCII nor well-formed UTF-8 become "?"; what is over 512 octets (RFC 5321
 * sec. 4.5.3.1.5) is cut off. 0; -1: no room in out. */
int reply_put(struct buf *out, int code, const char *enhanced, bool use_enhanced, struct str text);

/*
 * A server's reply, of one or more lines (RFC 5321 sec. 4.2), read incrementally; zeroed to begin. Taken besides the
 * grammar: lines that end in LF, a code without text. Not taken: two codes in one reply, a line over 64 KiB, a reply
 * over 1 MiB.
 */
struct reply_reader {
	struct buf text; /* lines joined by '\n', without codes; at most 16 KiB, the rest is dropped; octets
				 * under 32 and 127 are shown as '?' */
	int code;	 /* 0 while none is complete */
	unsigned lines;
	unsigned column; /* octets of the line so far */
	size_t octets;	 /* of the reply so far */
	int line_code, first_code;
	bool more; /* "250-" */
	bool cr;   /* the octet before was CR */
};
/* 1: a whole reply is there (code, text) and *used stands behind it; 0: need more, all of `in` was taken (*used); -1: no
 * SMTP reply at all (close). After 1: reply_reset(). */
int reply_next(struct reply_reader *r, struct str in, size_t *used);
/* Ready for the next one; frees the text. */
void reply_reset(struct reply_reader *r);
/* "5.1.1" at the start of a reply's text, for that class of code; else the code's own "5.0.0". Into out[12]. */
const char *reply_enhanced(const struct reply_reader *r, char *out);

#endif
