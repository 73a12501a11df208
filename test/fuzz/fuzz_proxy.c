/* The header of a proxy (smtp/proxy.h): whole or in part, never beyond its octets, and the same however it comes. */
#include "base/log.h"
#include "smtp/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = str_pn(p, n);
	struct proxy_header h, part;
	size_t used, used_of_part;
	int r = proxy_header_parse(in, &h, &used), early = 0;

	require(used <= n && (r == 1 || r == 0 || r == -1));
	require(r != 0 || n < PROXY_HEADER_MAX);
	for (size_t i = 0; i <= n && early == 0; i++)
		early = proxy_header_parse(str_sub(in, 0, i), &part, &used_of_part);
	require(early == r);
	if (r == 1) {
		require(used == used_of_part && memcmp(&h, &part, sizeof h) == 0);
		require(h.is_direct ||
			(h.from.any.sa_family == h.to.any.sa_family && h.from.any.sa_family != AF_UNSPEC));
	}
	return 0;
}
