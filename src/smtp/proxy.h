/*
 * proxy.h - the header that a proxy sends before the octets of its client (PROXY protocol of HAProxy, versions 1 and 2).
 *
 * Octets in, struct out. Version 1 is a line, version 2 binary; the extensions of version 2 (TLVs) are skipped.
 */
#ifndef SMTP_PROXY_H
#define SMTP_PROXY_H

#include "base/str.h"

#include <netinet/in.h>

enum { PROXY_HEADER_MAX = 4096 }; /* octets of a header that is taken; without TLVs it has 107, or 52 */

union proxy_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct proxy_header {
	bool is_direct; /* LOCAL, UNKNOWN, UNSPEC: the proxy itself speaks, a health check; there are no addresses */
	union proxy_address from, to; /* the client; what it connected to. Both of the same family. */
};

/*
 * Read a header from the beginning of `in`. *used: its octets, when it is whole. The way the input is split never changes
 * the result: 1: a header; 0: need more, and all of `in` belongs to it; -1: no such header, or not of TCP over IP.
 */
int proxy_header_parse(struct str in, struct proxy_header *h, size_t *used);

#endif
