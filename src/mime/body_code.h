/*
 * body_code.h - quoted-printable and base64 (RFC 2045 sec. 6.7, 6.8) of a body that comes in pieces of lines, and mending
 * of bodies that are in one of them already but hold octets or lines that must not be sent.
 *
 * No line that is changed begins with "--" then: so none can become a boundary that the body had not before, whatever the
 * boundary is.
 */
#ifndef MIME_BODY_CODE_H
#define MIME_BODY_CODE_H

#include "base/buf.h"

enum mime_code {
	CODE_NONE,
	CODE_QP,	  /* lines of at most 76 octets */
	CODE_BASE64,	  /* the same */
	CODE_MEND_QP,	  /* is quoted-printable: encode what is none of it, break lines over 998 octets */
	CODE_MEND_BASE64, /* is base64: drop what readers have to ignore anyway (sec. 6.8), lines of at most 76 octets */
	CODE_SPOIL	  /* no code: octets that must not be sent become "?", lines over 998 octets are broken */
};

struct mime_coder {
	enum mime_code code;
	unsigned column;       /* octets in the line that is being written */
	unsigned since;	       /* octets since the last "=" (MEND_QP) */
	unsigned char n;       /* octets held back in `held` */
	unsigned char held[3]; /* base64: less than three octets; QP: a blank that may be the last of its line */
};

void mime_coder_init(struct mime_coder *c, enum mime_code code);
/* Octets of a line, without its CRLF. CR and LF among them are content. Never CODE_NONE. */
void mime_code_octets(struct mime_coder *c, struct str octets, struct buf *out);
/* A line's CRLF, which is content. */
void mime_code_newline(struct mime_coder *c, struct buf *out);
/* The body ends; a line that is not complete stays so. */
void mime_code_end(struct mime_coder *c, struct buf *out);

#endif
