/*
 * lmtp_dest.h - where a nexthop of service lmtp leads (lmtp(8)): "unix:private/dovecot-lmtp", "inet:host:port",
 * "host:port", "[192.0.2.1]:24", "[::1]:24", "host". Pure.
 */
#ifndef DELIVER_LMTP_DEST_H
#define DELIVER_LMTP_DEST_H

#include "base/str.h"

struct lmtp_dest {
	bool is_unix;
	char path[108]; /* is_unix: of the socket, relative to queue_directory or absolute */
	char host[256]; /* else: name or address, without brackets */
	char port[32];	/* number or service name */
};
/* `port`: where the nexthop names none (lmtp_tcp_port). NULL, or what is wrong: the end of a sentence. */
const char *lmtp_dest_parse(struct lmtp_dest *d, struct str nexthop, const char *port);

#endif
