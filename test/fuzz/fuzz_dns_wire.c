/* The records that we take apart ourselves (libunbound has parsed the message): names and MX. Oracle: a host name is one. */
#include "dns/dns_wire.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_host(struct str name)
{
	struct str label;

	require(name.n <= 253);
	for (size_t i = 0; i < name.n; i++)
		require(ascii_is_alpha(name.p[i]) || ascii_is_digit(name.p[i]) || memchr("-_.", name.p[i], 3));
	while (name.n && str_field(&name, ".", &label))
		require(label.n >= 1 && label.n <= 63);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *mem = arena_new(512);
	struct str data = str_pn(p, n), name = { "", 0 };
	uint16_t preference;

	if (dns_wire_name(data, mem, &name) == 0) {
		check_host(name);
		require(name.n == 0 || dns_name_is_askable(name));
	}
	if (dns_wire_mx(data, mem, &preference, &name) == 0)
		check_host(name);
	dns_name_is_askable(data);
	arena_free(&mem);
	return 0;
}
