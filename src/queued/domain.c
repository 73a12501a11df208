/* domain.c - what two domains have in common. U-labels and A-labels are two forms of the same one (RFC 5890 sec. 2.3.2.1). */
#include "queued/queued.h"
#include "smtp/address.h"

enum { DOMAIN_OCTETS_MAX = 1024 };

struct str address_domain(struct str address)
{
	ptrdiff_t at = str_rchr(address, '@');

	return str_from(address, at < 0 ? address.n : (size_t)at + 1);
}

uint32_t domain_key(struct str domain)
{
	struct buf ascii = BUF_INIT(DOMAIN_OCTETS_MAX);
	uint32_t key = (uint32_t)str_ihash(domain_in_ascii(domain, &ascii));

	buf_free(&ascii);
	return key;
}

uint32_t domain_hash(struct str address)
{
	return domain_key(address_domain(address));
}

bool domain_is_same(struct str a, struct str b)
{
	struct buf ascii_a = BUF_INIT(DOMAIN_OCTETS_MAX), ascii_b = BUF_INIT(DOMAIN_OCTETS_MAX);
	bool same = str_ieq(domain_in_ascii(a, &ascii_a), domain_in_ascii(b, &ascii_b));

	buf_free(&ascii_a);
	buf_free(&ascii_b);
	return same;
}

bool address_is_below(struct str address, struct str domain)
{
	struct buf ascii = BUF_INIT(DOMAIN_OCTETS_MAX);
	struct str of = domain_in_ascii(address_domain(address), &ascii);
	bool below = of.n > domain.n + 1 && str_has_isuffix(of, domain) && of.p[of.n - domain.n - 1] == '.';

	buf_free(&ascii);
	return below;
}
