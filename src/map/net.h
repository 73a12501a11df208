/* net.h - IPv4 and IPv6 networks as text (RFC 4632, RFC 4291 sec. 2.3) and whether an address is in one. */
#ifndef MAP_NET_H
#define MAP_NET_H

#include "base/str.h"
#include <sys/socket.h>

struct net {
	unsigned char octets[16];
	unsigned n;    /* octets of an address of its family: 4 or 16 */
	unsigned bits; /* of the prefix */
};

enum { NET_ESYNTAX = 1, NET_EHOST /* bits behind the prefix are set: the network is in *net, masked */ };

/* "1.2.3.4", "1.2.3.0/24", "2001:db8::/32", "[2001:db8::]/32", "[::1]". 0, or -NET_E…. */
int net_parse(struct str text, struct net *net);
/* The address as a network of one. False: neither IPv4 nor IPv6. A mapped address (::ffff:1.2.3.4) counts as IPv4. */
bool net_of_sockaddr(const struct sockaddr *addr, struct net *net);
bool net_has(const struct net *net, const struct net *address);
/* "1.2.3.4", "2001:db8::1"; the prefix is shown when it is not the whole. */
void net_text(const struct net *net, char text[64]);

#endif
