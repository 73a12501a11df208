/* dns_wire.h - the data of a resource record in its wire form (RFC 1035 sec. 3.1, 3.3), bounds-checked. */
#ifndef DNS_DNS_WIRE_H
#define DNS_DNS_WIRE_H

#include "base/arena.h"

/*
 * An uncompressed name that fills all of `data`: "mx.example.org", n == 0 for the root. Only what may stand in a host
 * name (letters, digits, "-", "_") is taken. Returns 0, or -1: malformed, or another octet.
 */
int dns_wire_name(struct str data, struct arena *mem, struct str *name);
/* MX (RFC 1035 sec. 3.3.9): preference and exchange. 0 or -1. */
int dns_wire_mx(struct str data, struct arena *mem, uint16_t *preference, struct str *host);
/* May this be asked for: 1 to 253 octets, labels of 1 to 63 octets without a NUL? */
bool dns_name_is_askable(struct str name);

#endif
