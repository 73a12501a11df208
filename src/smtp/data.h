/*
 * data.h - the octets of a message on their way in: end of data, bare CR and LF, dot-stuffing, in one pass (RFC 5321
 * sec. 4.5.2, 2.3.8). The wire form that the log keeps is: CRLF lines, dot-stuffed, without the final ".CRLF".
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/buf.h"

enum data_flaw { DATA_BARE_LF = 1, DATA_BARE_CR = 2, DATA_NUL = 4, DATA_8BIT = 8, DATA_LONG_LINE = 16 };
/* Octets of a line without CRLF and the dot of dot-stuffing: RFC 5322 sec. 2.1.1, RFC 5321 sec. 4.5.3.1.6. */
enum { DATA_LINE_MAX = 998 };

struct data_scan {
	unsigned char state;
	unsigned flaws;	  /* enum data_flaw, gathered */
	uint64_t content; /* octets of content, dots unstuffed, without the final dot line */
	bool normalize;	  /* in the output a bare LF is CRLF (smtpd_forbid_bare_newline = normalize), a bare CR
				 * a space (cleanup_replace_stray_cr_lf); else both stay, and such content must be
				 * refused at its end, as it is no wire form */
	unsigned line;	  /* octets in this line so far, up to 999 */
	bool ended;
};
void data_scan_init(struct data_scan *d, bool normalize);
/*
 * Take octets after DATA. What belongs to the wire form is added to `out`, whose maximum must leave room for twice the
 * octets of `in` and 8 more. *used: octets taken; those that may still be the beginning of the end are kept back and
 * come with a later call. The way the input is split never changes the result. Returns 1: CRLF.CRLF was reached (*used
 * stands behind it); 0: need more, all was taken. Only CRLF.CRLF ends data, and nothing else, in either mode; the CRLF
 * of the DATA command is the first one of an empty message. A dot alone between line ends of which one is a bare LF is
 * content.
 */
int data_scan(struct data_scan *d, struct str in, struct buf *out, size_t *used);

/*
 * The same content from BDAT chunks (RFC 3030): stuff it for the log; a CR at the end of a chunk waits for the next one.
 * `last` ends it: a missing final CRLF is added (and counted). bdat_scan_init() leaves normalize false; the caller may
 * set it. Room in `out` as above.
 */
void bdat_scan_init(struct data_scan *d);
void bdat_scan(struct data_scan *d, struct str in, bool last, struct buf *out);

/*
 * Content of BODY=BINARYMIME from BDAT chunks: any octets, all kept, none a flaw. A dot behind every LF, whether a CR is
 * before it or not, and at the very start is doubled, so that dot_unstuff() gives the same octets back; nothing is added
 * at the end. After bdat_scan_init(). Room in `out` as above.
 */
void binary_scan(struct data_scan *d, struct str in, struct buf *out);

#endif
