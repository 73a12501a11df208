/*
 * nexthop.h - where to: "example.org", "[host]", "[host]:port", "host:port", "[1.2.3.4]:submission" (transport(5)).
 */
#ifndef RELAY_NEXTHOP_H
#define RELAY_NEXTHOP_H

#include "base/str.h"

struct nexthop {
	struct str host; /* without brackets; "IPv6:" of an address literal is kept */
	uint16_t port;
	bool has_port; /* it was written */
	bool no_mx;    /* in brackets: addresses only, no MX */
};

/* `port` is what counts where none is written. Slices point into `text`. Returns 0, or -1: no such form. */
int nexthop_parse(struct str text, uint16_t port, struct nexthop *out);
/* A number or a service name of mail ("smtp", "submission"); 0: neither. */
uint16_t port_parse(struct str text);

#endif
