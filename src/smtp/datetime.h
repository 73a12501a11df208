/* datetime.h - date-time of RFC 3339 sec. 5.6, as parameters of SMTP have it: "2026-03-01T12:00:00Z". */
#ifndef SMTP_DATETIME_H
#define SMTP_DATETIME_H

#include "base/buf.h"

/*
 * Seconds since 1970; a fraction is cut off, a leap second counts as the one before it. 0; -1: no date-time (zones from
 * -23:59 to +23:59, years 1970 to 9999).
 */
int datetime_parse(struct str text, int64_t *seconds);
/*
 * The same of date-time in header fields (RFC 5322 sec. 3.3), with the comments, zones and years of sec. 4.3: "Sat, 1 Jun
 * 2013 09:23:01 -0700 (PDT)".
 */
int datetime_parse_mail(struct str text, int64_t *seconds);
/* In UTC: 20 octets. */
void datetime_put(struct buf *out, int64_t seconds);

/* As in a header field, in UTC. */
void datetime_put_mail(struct buf *out, int64_t seconds);

#endif
