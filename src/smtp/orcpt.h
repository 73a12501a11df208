/*
 * orcpt.h - the ORCPT parameter that goes on with a recipient (RFC 3461 sec. 5.2.1, RFC 6533 sec. 3).
 */
#ifndef SMTP_ORCPT_H
#define SMTP_ORCPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "log/envelope.h"

enum { ORCPT_MAX_OCTETS = 500 }; /* RFC 3461 sec. 5.4 */

/*
 * The client's ORCPT; where it gave none, one made of the address that it used: "rfc822;" and xtext, or with octets over
 * 127 "utf-8;". All in ASCII: UTF-8 takes the form that RFC 6533 has for servers without SMTPUTF8. "": none is to be sent (a report of ours, or too long).
 * Made texts are in the arena.
 */
struct str orcpt_of(struct arena *mem, const struct envelope_rcpt *r);

/*
 * Append an address with octets over 127 in the ASCII form of the type utf-8 (utf-8-addr-xtext: "gr\x{FC}n@x"). 0; -1: it
 * is no UTF-8, and *out is as before.
 */
int utf8_address_put(struct buf *out, struct str address);

#endif
