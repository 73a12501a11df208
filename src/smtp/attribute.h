/*
 * attribute.h - NAME=value pairs of XCLIENT and XFORWARD, Postfix's extensions by which a trusted client says for whom it
 * speaks. Values are xtext (RFC 3461 sec. 4).
 */
#ifndef SMTP_ATTRIBUTE_H
#define SMTP_ATTRIBUTE_H

#include "base/arena.h"
#include "smtp/proxy.h"

enum smtp_attribute { /* bit numbers */
	ATTR_NAME,
	ATTR_ADDR,
	ATTR_PORT,
	ATTR_PROTO,
	ATTR_HELO,
	ATTR_LOGIN,
	ATTR_DESTADDR,
	ATTR_DESTPORT,
	ATTR_REVERSE_NAME,
	ATTR_IDENT,
	ATTR_SOURCE,
	ATTR_COUNT
};
#define ATTR_BIT(a) (1u << (a))
#define XCLIENT_ATTRIBUTES                                                                                       \
	(ATTR_BIT(ATTR_NAME) | ATTR_BIT(ATTR_ADDR) | ATTR_BIT(ATTR_PORT) | ATTR_BIT(ATTR_PROTO) |                \
		ATTR_BIT(ATTR_HELO) | ATTR_BIT(ATTR_LOGIN) | ATTR_BIT(ATTR_DESTADDR) | ATTR_BIT(ATTR_DESTPORT) | \
		ATTR_BIT(ATTR_REVERSE_NAME))
#define XFORWARD_ATTRIBUTES                                                                       \
	(ATTR_BIT(ATTR_NAME) | ATTR_BIT(ATTR_ADDR) | ATTR_BIT(ATTR_PORT) | ATTR_BIT(ATTR_PROTO) | \
		ATTR_BIT(ATTR_HELO) | ATTR_BIT(ATTR_IDENT) | ATTR_BIT(ATTR_SOURCE))

struct smtp_attributes {
	unsigned given;			/* bits: they were there */
	struct str value[ATTR_COUNT];	/* decoded and valid; n == 0: [UNAVAILABLE] or [TEMPUNAVAIL] */
	union proxy_address addr, dest; /* of ADDR and DESTADDR; AF_UNSPEC: not known; without port */
	uint16_t port, dest_port;
};
const char *smtp_attribute_name(enum smtp_attribute a);
/*
 * "NAME=mx.example ADDR=192.0.2.1", one or more. `allowed`: bits of the command's attributes. Values go into `mem`. 0; -1:
 * not this grammar, or given twice; -2: unknown or bad: *bad is the word as sent.
 */
int smtp_attributes_parse(
	struct str text, unsigned allowed, struct arena *mem, struct smtp_attributes *out, struct str *bad);

#endif
