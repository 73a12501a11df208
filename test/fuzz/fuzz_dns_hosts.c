/* fuzz_dns_hosts.c - /etc/hosts, address literals, and the data of DNS records. */
#include "base/log.h"
#include "dns/dns_wire.h"
#include "dns/hosts.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_pn(data, size), name;
	struct hosts *h = hosts_parse(in);
	struct arena *mem = arena_new(0);
	struct sockaddr_storage a;
	uint16_t preference;

	require(hosts_addr(h, STR("localhost"), AF_INET, 0, &a));
	if (addr_parse(in, &a))
		hosts_name(h, (const struct sockaddr *)(const void *)&a);
	hosts_addr(h, str_sub(in, 0, 9), AF_INET6, 0, &a);
	if (dns_wire_mx(in, mem, &preference, &name) == 0)
		require(name.n < size && (name.n == 0 || dns_name_is_askable(name)));
	dns_name_is_askable(in);
	hosts_free(&h);
	arena_free(&mem);
	return 0;
}
