/* network.h - the network that a client's address stands for: what failed logins are counted for. */
#ifndef AUTHD_NETWORK_H
#define AUTHD_NETWORK_H

#include "base/str.h"

enum { NETWORK_TEXT = 56 }; /* octets of its text, with the NUL */

struct network {
	unsigned char octets[16]; /* IPv4: the first four; all behind `bits` are 0 */
	uint8_t is_v6;
	uint8_t bits;
};
struct prefixes { /* bits that count */
	unsigned v4, v6;
};

/* The network of an address in text. An IPv4 address in IPv6 (::ffff:192.0.2.1) is that address. false: it is none. */
bool network_of(struct str address, const struct prefixes *p, struct network *out);
/* "192.0.2.1", "192.0.2.0/24", "2001:db8::/64". false: it is none. What stands behind its bits is dropped. */
bool network_parse(struct str text, struct network *out);
/* As network_parse() takes it; a host without its bits. */
const char *network_format(const struct network *n, char out[NETWORK_TEXT]);
/* The network of fewer bits around it; nothing when it has no more. */
void network_widen(struct network *n, const struct prefixes *p);
/* Is all of `n` part of `of`? */
bool network_is_in(const struct network *n, const struct network *of);
/* Is it part of one of "192.0.2.0/24, ::1"? */
bool network_is_in_list(const struct network *n, struct str list);

#endif
