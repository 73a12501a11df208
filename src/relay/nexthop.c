#include "relay/nexthop.h"

uint16_t port_parse(struct str text)
{
	/* /etc/services cannot be read in the jail, and these are all that mail has (RFC 5321, 6409, 8314, 2033). */
	static const struct {
		const char *name;
		uint16_t port;
	} known[] = { { "smtp", 25 }, { "mail", 25 }, { "submission", 587 }, { "submissions", 465 }, { "smtps", 465 },
		{ "ssmtp", 465 }, { "lmtp", 24 } };
	uint64_t number;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_ieq(text, str_c(known[i].name)))
			return known[i].port;
	return str_u64(text, &number) && number <= UINT16_MAX ? (uint16_t)number : 0;
}

static int take_port(struct str rest, struct nexthop *out)
{
	if (rest.n == 0)
		return 0;
	if (rest.p[0] != ':')
		return -1;
	out->port = port_parse(str_from(rest, 1));
	out->has_port = true;
	return out->port ? 0 : -1;
}

int nexthop_parse(struct str text, uint16_t port, struct nexthop *out)
{
	ptrdiff_t end;

	*out = (struct nexthop){ .port = port };
	text = str_trim(text);
	if (str_has_iprefix(text, STR("inet:")))
		text = str_from(text, 5);
	if (text.n > 0 && text.p[0] == '[') {
		end = str_chr(text, ']');
		if (end < 2)
			return -1;
		out->host = str_sub(text, 1, (size_t)end - 1);
		out->no_mx = true;
		return take_port(str_from(text, (size_t)end + 1), out);
	}
	end = str_rchr(text, ':');
	out->host = end < 0 ? text : str_sub(text, 0, (size_t)end);
	if (out->host.n == 0)
		return -1;
	return end < 0 ? 0 : take_port(str_from(text, (size_t)end), out);
}
