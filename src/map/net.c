#include "map/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };

static bool address_parse(struct str text, struct net *net)
{
	char z[INET6_ADDRSTRLEN + 1];

	if (text.n == 0 || text.n >= sizeof z || memchr(text.p, '\0', text.n))
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	net->n = str_chr(text, ':') >= 0 ? 16 : 4;
	return inet_pton(net->n == 16 ? AF_INET6 : AF_INET, z, net->octets) == 1;
}

static int mask(struct net *net)
{
	int host = 0;

	for (unsigned i = 0; i < net->n; i++) {
		unsigned keep = net->bits > i * 8 ? net->bits - i * 8 : 0;
		unsigned m = keep >= 8 ? 0xFF : (0xFF00u >> keep) & 0xFF;

		if (net->octets[i] & ~m)
			host = -NET_EHOST;
		net->octets[i] = (unsigned char)(net->octets[i] & m);
	}
	return host;
}

int net_parse(struct str text, struct net *net)
{
	struct str len = { NULL, 0 };
	ptrdiff_t slash = str_rchr(text, '/');
	uint64_t bits;

	memset(net, 0, sizeof *net);
	if (slash >= 0) {
		len = str_from(text, (size_t)slash + 1);
		text = str_sub(text, 0, (size_t)slash);
	}
	if (text.n >= 2 && text.p[0] == '[') {
		if (text.p[text.n - 1] != ']')
			return -NET_ESYNTAX;
		text = str_sub(text, 1, text.n - 2);
		if (str_has_iprefix(text, STR("ipv6:")))
			text = str_from(text, 5);
	}
	if (!address_parse(text, net))
		return -NET_ESYNTAX;
	bits = net->n * 8;
	if (slash >= 0 && (!str_u64(len, &bits) || bits > net->n * 8))
		return -NET_ESYNTAX;
	net->bits = (unsigned)bits;
	return mask(net);
}

bool net_of_sockaddr(const struct sockaddr *addr, struct net *net)
{
	memset(net, 0, sizeof *net);
	if (addr->sa_family == AF_INET) {
		net->n = 4;
		memcpy(net->octets, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
	} else if (addr->sa_family == AF_INET6) {
		const unsigned char *p = ((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr.s6_addr;

		net->n = memcmp(p, mapped, 12) == 0 ? 4 : 16;
		memcpy(net->octets, net->n == 4 ? p + 12 : p, net->n);
	} else {
		return false;
	}
	net->bits = net->n * 8;
	return true;
}

bool net_has(const struct net *net, const struct net *address)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	if (net->n != address->n || address->bits < net->bits)
		return false;
	if (memcmp(net->octets, address->octets, whole) != 0)
		return false;
	return rest == 0 || ((net->octets[whole] ^ address->octets[whole]) & (0xFF00u >> rest) & 0xFF) == 0;
}

void net_text(const struct net *net, char text[64])
{
	char a[INET6_ADDRSTRLEN] = "";

	inet_ntop(net->n == 16 ? AF_INET6 : AF_INET, net->octets, a, sizeof a);
	if (net->bits == net->n * 8)
		snprintf(text, 64, "%s", a);
	else
		snprintf(text, 64, "%s/%u", a, net->bits);
}
