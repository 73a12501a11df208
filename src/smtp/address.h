/*
 * address.h - Mailbox, Domain and address literals (RFC 5321 sec. 4.1.2, 4.1.3; RFC 6531 sec. 3.3).
 */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include "base/arena.h"
#include "base/buf.h"

enum address_error {	     /* returned negated */
	ADDRESS_ESYNTAX = 1, /* 501 5.1.3 (recipient), 5.1.7 (sender) */
	ADDRESS_ELONG,	     /* local part over 64, domain over 255 octets (sec. 4.5.3.1) */
	ADDRESS_EUTF8	     /* octets over 127 and no SMTPUTF8, or not well-formed UTF-8: 553 5.6.7 */
};

struct address {
	struct str local;  /* as written, with its quotes */
	struct str domain; /* n == 0: none ("postmaster") */
	bool is_literal;   /* domain is [1.2.3.4] or [IPv6:…] */
	bool is_8bit;
};
/*
 * Slices point into `path`. A path without domain is allowed (the caller decides). 0 or -enum address_error. With
 * -ADDRESS_ELONG for the local part alone, *out is filled as with 0, for callers that take longer ones.
 */
int address_parse(struct str path, bool utf8, struct address *out);
/* A domain name by sec. 2.3.5 (letters, digits, hyphens; underscore is taken as Postfix does; U-labels with utf8). */
bool domain_is_valid(struct str domain, bool utf8);
/* "[1.2.3.4]", "[IPv6:::1]". */
bool literal_is_valid(struct str literal);
/* Local part without needless quoting ("a b" stays quoted, "\"ab\"" becomes ab), domain in lower case. Replaces
 * the content of out. -1: too long for it. */
int address_normalise(const struct address *a, struct buf *out);
/* A-label form of a domain (RFC 5891) for DNS and comparison; ASCII is only lowered. Replaces the
 * content of out. -1: no valid IDN, or too long for out. */
int domain_to_ascii(struct str domain, struct buf *out);
/* The other way: U-labels for A-labels. -1: none that is valid, or the same again. */
int domain_to_unicode(struct str domain, struct buf *out);
/*
 * The address with its domain in A-labels, for who cannot take UTF-8 (RFC 6531 sec. 3.7.1 leaves that to the sender's side).
 * -1: the local part has octets over 127, or the domain is no valid IDN.
 */
int address_to_ascii(struct str address, struct buf *out);
/* The same, made in *room; an address that is ASCII, or for which there is no such form, as it is. And so for a domain. */
struct str address_in_ascii(struct str address, struct buf *room);
struct str domain_in_ascii(struct str domain, struct buf *room);
/* The same, kept in mem. */
struct str address_made_ascii(struct arena *mem, struct str address);
/* The address with its domain in the other form: U-labels for A-labels, and the reverse. -1: there is no other. */
int address_other_form(struct str address, struct buf *out);

#endif
