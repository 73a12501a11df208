/*
 * hosts.h - /etc/hosts (hosts(5)): names to addresses and back, read once.
 */
#ifndef DNS_HOSTS_H
#define DNS_HOSTS_H

#include "base/arena.h"
#include <netinet/in.h>
#include <sys/socket.h>

struct hosts;

/* From the text of the file; lines that make no sense are skipped. "localhost" is always known (RFC 6761 sec. 6.3). */
struct hosts *hosts_parse(struct str text);
/* From the file; one that cannot be read is an empty one. */
struct hosts *hosts_read(const char *path);
/* With the names that hosts_name() gave. */
void hosts_free(struct hosts **h);

/* The n-th address (0 …) of that family of a name, in any case. Returns false when there is none. */
bool hosts_addr(const struct hosts *h, struct str name, int family, size_t n, struct sockaddr_storage *addr);
/* The first name of an address; n == 0: not there. Lives as long as the hosts. */
struct str hosts_name(const struct hosts *h, const struct sockaddr *addr);

/* "1.2.3.4", "[1.2.3.4]", "[IPv6:::1]", "::1", "[::1]" to an address with port 0. Returns false for anything else. */
bool addr_parse(struct str text, struct sockaddr_storage *addr);
/* Octets of an AF_INET or AF_INET6 address. */
socklen_t addr_length(const struct sockaddr *addr);
/* Same family and same address? Ports do not count. */
bool addr_eq(const struct sockaddr *a, const struct sockaddr *b);

#endif
