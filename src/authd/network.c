#include "authd/network.h"

#include <arpa/inet.h>
#include <stdio.h>

static unsigned width(const struct network *n)
{
	return n->is_v6 ? 128 : 32;
}

static void cut(struct network *n, unsigned bits)
{
	n->bits = (uint8_t)(bits < width(n) ? bits : width(n));
	for (unsigned i = n->bits; i < sizeof n->octets * 8; i++)
		n->octets[i / 8] &= (unsigned char)~(0x80 >> i % 8);
}

static bool read_address(struct str text, struct network *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char s[INET6_ADDRSTRLEN];

	*out = (struct network){ 0 };
	if (text.n == 0 || text.n >= sizeof s || str_chr(text, '\0') >= 0)
		return false;
	memcpy(s, text.p, text.n);
	s[text.n] = '\0';
	if (inet_pton(AF_INET, s, out->octets) == 1)
		return true;
	if (inet_pton(AF_INET6, s, out->octets) != 1)
		return false;
	out->is_v6 = 1;
	if (memcmp(out->octets, mapped, sizeof mapped) == 0) {
		memcpy(out->octets, out->octets + sizeof mapped, 4);
		memset(out->octets + 4, 0, 12);
		out->is_v6 = 0;
	}
	return true;
}

bool network_of(struct str address, const struct prefixes *p, struct network *out)
{
	if (!read_address(address, out))
		return false;
	cut(out, out->is_v6 ? p->v6 : p->v4);
	return true;
}

bool network_parse(struct str text, struct network *out)
{
	ptrdiff_t slash = str_chr(text, '/');
	uint64_t bits;

	if (!read_address(slash < 0 ? text : str_sub(text, 0, (size_t)slash), out))
		return false;
	bits = width(out);
	if (slash >= 0 && (!str_u64(str_from(text, (size_t)slash + 1), &bits) || bits > width(out)))
		return false;
	cut(out, (unsigned)bits);
	return true;
}

const char *network_format(const struct network *n, char out[NETWORK_TEXT])
{
	char address[INET6_ADDRSTRLEN] = "";

	inet_ntop(n->is_v6 ? AF_INET6 : AF_INET, n->octets, address, sizeof address);
	if (n->bits == width(n))
		snprintf(out, NETWORK_TEXT, "%s", address);
	else
		snprintf(out, NETWORK_TEXT, "%s/%u", address, (unsigned)n->bits);
	return out;
}

void network_widen(struct network *n, const struct prefixes *p)
{
	unsigned bits = n->is_v6 ? p->v6 : p->v4;

	if (bits < n->bits)
		cut(n, bits);
}

bool network_is_in(const struct network *n, const struct network *of)
{
	struct network wide = *n;

	if (n->is_v6 != of->is_v6 || n->bits < of->bits)
		return false;
	cut(&wide, of->bits);
	return memcmp(wide.octets, of->octets, sizeof wide.octets) == 0;
}

bool network_is_in_list(const struct network *n, struct str list)
{
	struct network of;
	struct str word;

	while (str_word(&list, ", \t", &word))
		if (network_parse(word, &of) && network_is_in(n, &of))
			return true;
	return false;
}
