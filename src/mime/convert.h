/*
 * convert.h - the content of a message made fit for a next hop that takes less than it has (RFC 6152 sec. 3, RFC 3030
 * sec. 3, RFC 2045, RFC 2046).
 *
 * Pure and incremental: the content, not dot-stuffed, in pieces of any size; what comes out is stuffed. It is read twice,
 * because whether a part has octets over 127 stands behind the header that must say so:
 *
 *	c = mime_convert_new(MIME_TO_7BIT);
 *	first time:  mime_convert_look(c, piece) …, answer = mime_convert_answer(c, &why)
 *	MIME_UNCHANGED: send it as it is; MIME_REFUSED: return it with why.dsn; MIME_CHANGED:
 *	second time: mime_convert_put(c, piece, &out) …, mime_convert_finish(c, &out)
 *
 * What is done:
 *	- a part with octets over 127, NUL, bare CR or LF, or a line over 998 octets becomes quoted-printable (text) or
 *	  base64 (others); Content-Transfer-Encoding is set, MIME-Version and, where octets over 127 had none, Content-Type
 *	  are added. Its octets, decoded, are the same. Quoted-printable and base64 with such octets or lines are mended.
 *	- header fields: see header_7bit.h. Lines between and around parts that nobody reads (RFC 2046 sec. 5.1.1) are left
 *	  empty where they have what must not be sent.
 *	- with `may_spoil` nothing is refused: what would be has "?" in place of its octets, and what of a field is over
 *	  MIME_FIELD_MAX is left out: for reports of ours, whose arrival matters more than their copy of the original
 *	- everything else stays octet for octet: parts that are fit, the boundaries, the structure.
 * MIME_REFUSED, 5.6.3 (RFC 3463): what would have to be changed is signed, encrypted, a fragment, in an encoding that is
 * not known, in a multipart whose boundary does not occur, deeper than mime_convert_depth() says, or among more than
 * MIME_ENTITIES_MAX parts, or a header field is over MIME_FIELD_MAX. 5.6.7: an address has the octets.
 *
 * Only a line that is "--", the boundary and no more than blanks separates parts (the grammar of RFC 2046 sec. 5.1.1, and
 * what readers do); its text allows to take more for one, which would depend on who reads.
 */
#ifndef MIME_CONVERT_H
#define MIME_CONVERT_H

#include "base/buf.h"

enum {
	MIME_DEPTH_MAX = 100,	 /* multiparts and messages inside each other, where nobody says otherwise */
	MIME_DEPTH_LIMIT = 1000, /* that anybody may say */
	MIME_ENTITIES_MAX = 65536,
	MIME_FIELD_MAX = 128 * 1024
};

enum mime_target {
	MIME_TO_7BIT, /* the hop has no 8BITMIME */
	MIME_TO_8BIT, /* it has, and no BINARYMIME: octets over 127 stay, in bodies and headers */
	MIME_TO_8BIT_BODIES, /* the same, of mail with SMTPUTF8 for a hop without: they stay in bodies alone (RFC 6531 sec. 3.2) */
	MIME_TO_BINARY /* it has BINARYMIME: the first header is made lines of 998 octets, and all behind it stays, whatever it is */
};
enum mime_answer { MIME_UNCHANGED, MIME_CHANGED, MIME_REFUSED };

struct mime_refusal {
	const char *dsn;  /* "5.6.3" */
	const char *text; /* a sentence about the message, without a full stop */
};

struct mime_convert;

struct mime_convert *mime_convert_new(enum mime_target target, bool may_spoil);
/* So many levels of multiparts and messages are looked into (mime_nesting_limit): 1 to MIME_DEPTH_LIMIT. Before the first octet. */
void mime_convert_depth(struct mime_convert *c, unsigned levels);
void mime_convert_look(struct mime_convert *c, struct str content);
/* After the last octet; once. *why is set with MIME_REFUSED. */
enum mime_answer mime_convert_answer(struct mime_convert *c, struct mime_refusal *why);
/* The same octets again, after MIME_CHANGED. What is ready is appended, in the wire form (CRLF lines, dot-stuffed; behind every LF, where LF is content). */
void mime_convert_put(struct mime_convert *c, struct str content, struct buf *out);
/* After the last octet. */
void mime_convert_finish(struct mime_convert *c, struct buf *out);
/* *c is NULL afterwards. NULL is allowed. */
void mime_convert_free(struct mime_convert **c);

#endif
