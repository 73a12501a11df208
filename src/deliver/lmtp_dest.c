#include "deliver/lmtp_dest.h"

#include <stdio.h>

static const char *parse_unix(struct lmtp_dest *d, struct str path)
{
	if (path.n == 0 || path.n >= sizeof d->path)
		return "names no socket of 1 to 107 octets";
	if (memchr(path.p, '\0', path.n))
		return "has a NUL octet";
	d->is_unix = true;
	snprintf(d->path, sizeof d->path, "%.*s", STR_ARG(path));
	return NULL;
}

static const char *take(struct lmtp_dest *d, struct str host, struct str port)
{
	if (str_has_iprefix(host, STR("ipv6:")))
		host = str_from(host, 5);
	if (host.n == 0 || host.n >= sizeof d->host || memchr(host.p, '\0', host.n))
		return "names no host";
	if (port.n == 0 || port.n >= sizeof d->port)
		return "names no port";
	for (size_t i = 0; i < port.n; i++)
		if (!ascii_is_alnum(port.p[i]) && port.p[i] != '-')
			return "has a port that is neither a number nor a name";
	snprintf(d->host, sizeof d->host, "%.*s", STR_ARG(host));
	snprintf(d->port, sizeof d->port, "%.*s", STR_ARG(port));
	return NULL;
}

const char *lmtp_dest_parse(struct lmtp_dest *d, struct str nexthop, const char *port)
{
	struct str rest;
	ptrdiff_t at;

	memset(d, 0, sizeof *d);
	if (str_has_iprefix(nexthop, STR("unix:")))
		return parse_unix(d, str_from(nexthop, 5));
	if (str_has_iprefix(nexthop, STR("inet:")))
		nexthop = str_from(nexthop, 5);
	if (str_has_prefix(nexthop, STR("["))) {
		at = str_chr(nexthop, ']');
		if (at < 0)
			return "has no closing bracket";
		rest = str_from(nexthop, (size_t)at + 1);
		if (rest.n > 0 && rest.p[0] != ':')
			return "has something else than \":port\" behind the bracket";
		return take(d, str_sub(nexthop, 1, (size_t)at - 1), rest.n > 0 ? str_from(rest, 1) : str_c(port));
	}
	at = str_rchr(nexthop, ':');
	if (at < 0)
		return take(d, nexthop, str_c(port));
	return take(d, str_sub(nexthop, 0, (size_t)at), str_from(nexthop, (size_t)at + 1));
}
