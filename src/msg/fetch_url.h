/*
 * fetch_url.h - the "http:" and "https:" URLs (RFC 3986, RFC 9110 sec. 4.2) that a configuration may name. Stricter than the
 * RFC, so that no two readers can see another host in one: printable ASCII, no fragment, one "@" at most. Pure.
 */
#ifndef MSG_FETCH_URL_H
#define MSG_FETCH_URL_H

#include "base/buf.h"

enum { FETCH_URL_MAX = 2048 };

struct fetch_url {	      /* slices of the text */
	bool is_tls;	      /* https */
	struct str host;      /* a name, or an address, one of IPv6 without its brackets */
	struct str authority; /* host and port as they stand, without user and password */
	uint16_t port;
	bool is_address;
	struct str path; /* from the first "/" or "?" on; may be empty */
};

/* Returns 0, or -1 with what is wrong in *why (static English, for "NAME = URL: …"). */
int fetch_url_parse(struct str text, struct fetch_url *u, const char **why);
/* For the log: no user, no password, no query, which may hold secrets. */
void fetch_url_show(struct buf *out, const struct fetch_url *u);
/* Is it this machine: 127.0.0.0/8, ::1 or localhost? What goes there crosses no network. */
bool fetch_url_is_local(const struct fetch_url *u);

#endif
