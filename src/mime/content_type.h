/*
 * content_type.h - what kind of entity a MIME part is (RFC 2045 sec. 5 and 6, RFC 2046): as far as one must know that to
 * change its transfer encoding.
 */
#ifndef MIME_CONTENT_TYPE_H
#define MIME_CONTENT_TYPE_H

#include "base/str.h"

enum mime_kind {
	MIME_TEXT,	/* a leaf whose lines are lines: quoted-printable suits it */
	MIME_OTHER,	/* a leaf of octets: base64 */
	MIME_MULTIPART, /* parts between boundaries */
	MIME_DIGEST,  /* the same, whose parts are messages when they do not say what they are (RFC 2046 sec. 5.1.5) */
	MIME_MESSAGE, /* a message within the message (RFC 2046 sec. 5.2.1) */
	MIME_SEALED   /* nothing in it may be changed: signed, encrypted, a fragment, or no way to tell its parts */
};

enum mime_cte { CTE_7BIT, CTE_8BIT, CTE_BINARY, CTE_QP, CTE_BASE64, CTE_UNKNOWN };

/* Octets of a boundary that we follow: RFC 2046 sec. 5.1.1 allows 70. */
enum { MIME_BOUNDARY_MAX = 256 };

/*
 * `value`: all behind the colon of a Content-Type field, folded or not. For a multipart: its boundary into `boundary` (at
 * most MIME_BOUNDARY_MAX octets) and *n. What cannot be read is text (RFC 2045 sec. 5.2), a multipart without a usable
 * boundary is sealed.
 */
enum mime_kind mime_kind_of(struct str value, char *boundary, size_t *n);
/* `value`: all behind the colon of a Content-Transfer-Encoding field (RFC 2045 sec. 6.1). */
enum mime_cte mime_cte_of(struct str value);

/*
 * The next item of a structured field (RFC 5322 sec. 3.2) off *rest: blanks, a comment with all in it, a quoted string, an
 * <angle> with all in it, one special character, or a word: *item is it as it stands. Unclosed ones go to the end. Octets
 * over 127 are of words. Returns the first octet of the item (' ' for blanks, 'a' for words), 0 at the end.
 */
char mime_item(struct str *rest, struct str *item);
/* The text of a quoted string or word: without quotes, backslashes and line ends. Into `out`, at most `max`; its octets. */
size_t mime_unquote(struct str item, char *out, size_t max);

#endif
