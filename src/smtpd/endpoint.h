/*
 * endpoint.h - connections that smtpd makes to services beside it (policy services, milters), as main.cf names them:
 * "unix:path" (or the path alone), relative to the queue directory, and "inet:address:port" with a numeric address.
 */
#ifndef SMTPD_ENDPOINT_H
#define SMTPD_ENDPOINT_H

#include "base/str.h"
#include <netinet/in.h>

/*
 * A descriptor, nonblocking, that is connected or on its way; -1: *why, static text, errno is that of the call (EAGAIN: a
 * UNIX socket whose queue is full).
 */
int endpoint_connect(struct str where, const char **why);
int endpoint_connect_unix(struct str path, const char **why);
int endpoint_connect_addr(const struct sockaddr *addr, socklen_t n, const char **why);

/* Why nothing comes of that connection: libuv has one name for all that can be wrong with a socket (UV_EBADF). Static. */
const char *endpoint_fault(int fd);

/* "host:port" of what stands behind "inet:"; the brackets of [::1] are taken off. False: it has no port. */
bool endpoint_split(struct str host_port, struct str *host, struct str *port);

union endpoint_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};
/* A numeric address, or "localhost". Returns its octets; 0: it is a name. */
socklen_t endpoint_addr(struct str host, uint16_t port, union endpoint_addr *addr);

#endif
