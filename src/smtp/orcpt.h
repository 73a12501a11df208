/*
 * orcpt.h - the ORCPT parameter that goes on with a recipient (RFC 3461 sec. 5.2.1, RFC 6533 sec. 3).
 */
#ifndef SMTP_ORCPT_H
#define SMTP_ORCPT_H

#include "base/arena.h"
#include "log/envelope.h"

enum { ORCPT_MAX_OCTETS = 500 }; /* RFC 3461 sec. 5.4 */

/*
 * The client's ORCPT; where it gave none, one made of the address that it used: "rfc822;" and xtext, or with octets over
 * 127 "utf-8;". All in ASCII: UTF-8 takes the form that RFC 6533 has for servers without SMTPUTF8. "": none is to be sent (a report of ours, or too long).
 * Made texts are in the arena.
 */
struct str orcpt_of(struct arena *mem, const struct envelope_rcpt *r);

#endif
