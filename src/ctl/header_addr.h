/*
 * header_addr.h - the addresses in a header field of mail that people and programs write (RFC 5322 sec. 3.4).
 */
#ifndef CTL_HEADER_ADDR_H
#define CTL_HEADER_ADDR_H

#include "base/buf.h"

/*
 * The next address of *rest, the body of a field, which may be folded: the addr-spec as a slice of it, without name,
 * angle brackets, route and the comments around it. Names of groups are passed over. False: there is none any more.
 */
bool header_addr_next(struct str *rest, struct str *addr);
/* The same without the comments and blanks that RFC 5322 sec. 4.4 allows inside, into *out. */
void header_addr_clean(struct str addr, struct buf *out);
/* Has it a domain? */
bool header_addr_has_domain(struct str addr);
bool header_addr_has_8bit(struct str s);
/* The address alone of "<x@y>", "Name <x@y>", "x@y", added to *out. Of "" and "<>" nothing. */
void header_addr_bare(const char *text, struct buf *out);

#endif
