/*
 * data.h - the octets of a message on their way in: end of data, bare CR and LF, dot-stuffing, in one pass (RFC 5321
 * sec. 4.5.2, 2.3.8). The wire form that the log keeps is: CRLF lines, dot-stuffed, without the final ".CRLF".
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/buf.h"

enum data_flaw { DATA_BARE_LF = 1, DATA_BARE_CR = 2, DATA_NUL = 4, DATA_8BIT = 8, DATA_LONG_LINE = 16 };

struct data_scan {
	unsigned char state;
	unsigned flaws;		/* enum data_flaw, gathered */
	uint64_t content;	/* octets of content, dots unstuffed, without the final dot line */
	bool normalize;		/* bare LF is turned into CRLF in the output (smtpd_forbid_bare_newline = normalize) */
	unsigned line;		/* octets in this line so far */
	bool ended;
};
void data_scan_init(struct data_scan *d, bool normalize);
/*
 * Take octets after DATA. *keep: how many of `in`, from its start, belong to the wire form and are to be stored as they
 * are (only with !normalize; with it they are written to `out` instead). *used: octets consumed; octets that may still
 * be the beginning of the end are consumed and given later through `out`. Returns 1: CRLF.CRLF was reached (*used stands
 * behind it); 0: need more. Only CRLF.CRLF ends data, and nothing else, in either mode.
 */
int data_scan(struct data_scan *d, struct str in, struct buf *out, size_t *used);

/* The same content from BDAT chunks (RFC 3030): stuff it for the log. `last` ends it: a missing final CRLF is added. */
void bdat_scan_init(struct data_scan *d);
void bdat_scan(struct data_scan *d, struct str in, bool last, struct buf *out);

#endif
