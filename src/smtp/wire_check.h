/*
 * wire_check.h - the last look at content in its wire form, before it leaves: what another server could read otherwise
 * than we do never goes out (RFC 5321 sec. 2.3.8, 4.5.3.1.6; CVE-2023-51764 and its kin).
 */
#ifndef SMTP_WIRE_CHECK_H
#define SMTP_WIRE_CHECK_H

#include "base/str.h"

struct wire_check {
	size_t line;   /* octets in this line so far, without the dot of dot-stuffing */
	bool held_cr;  /* the last octet was CR */
	bool mid_line; /* not at the start of a line */
};

/* Zeroed is its beginning. The next octets; false: they have a bare CR or LF, or a line over 998 octets. */
bool wire_check(struct wire_check *w, struct str octets);
/* At the end of the content; false: its last octet is a CR. */
bool wire_check_end(const struct wire_check *w);

/*
 * What the envelope has to say of a whole content (not dot-stuffed): ENV_8BIT and ENV_LONG_LINE, as data_scan() finds it
 * while content comes in.
 */
uint32_t content_flags(struct str content);

#endif
