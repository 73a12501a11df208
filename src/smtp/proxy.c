#include "smtp/proxy.h"

#include <arpa/inet.h>

enum {
	LINE_MAX_OCTETS = 107, /* of version 1, with CRLF (sec. 2.1) */
	FIXED = 16,	       /* octets of version 2 before the addresses (sec. 2.2) */
	SIGNATURE = 12,
	V4_OCTETS = 12, /* two addresses and two ports */
	V6_OCTETS = 36
};
static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* Are the octets that are there those of `want`, as far as both go? */
static bool may_begin(struct str in, struct str want)
{
	size_t n = in.n < want.n ? in.n : want.n;

	return str_eq(str_sub(in, 0, n), str_sub(want, 0, n));
}

/* Decimal, without leading zeros: "so that nobody takes it for an octal number". */
static bool parse_port(struct str text, in_port_t *port)
{
	uint64_t n;

	if (text.n > 5 || !str_u64(text, &n) || n > 65535 || (text.n > 1 && text.p[0] == '0'))
		return false;
	*port = htons((uint16_t)n);
	return true;
}

static bool parse_address(struct str address, struct str port, bool v6, union proxy_address *a)
{
	char text[INET6_ADDRSTRLEN];

	if (address.n == 0 || address.n >= sizeof text || str_chr(address, '\0') >= 0)
		return false;
	memcpy(text, address.p, address.n);
	text[address.n] = '\0';
	a->any.sa_family = v6 ? AF_INET6 : AF_INET;
	if (v6)
		return inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1 && parse_port(port, &a->v6.sin6_port);
	return inet_pton(AF_INET, text, &a->v4.sin_addr) == 1 && parse_port(port, &a->v4.sin_port);
}

/* "TCP4 1.2.3.4 5.6.7.8 1000 25" (sec. 2.1): single spaces, as it is written. */
static bool parse_line(struct str line, struct proxy_header *h)
{
	struct str kind, field[4], rest = line;
	bool v6;

	if (!str_field(&rest, " ", &kind))
		return false;
	if (str_eq(kind, STR("UNKNOWN"))) { /* all behind it is to be ignored */
		h->is_direct = true;
		return true;
	}
	v6 = str_eq(kind, STR("TCP6"));
	if (!v6 && !str_eq(kind, STR("TCP4")))
		return false;
	for (size_t i = 0; i < 4; i++)
		if (!str_field(&rest, " ", &field[i]))
			return false;
	return rest.p == NULL && parse_address(field[0], field[2], v6, &h->from) &&
	       parse_address(field[1], field[3], v6, &h->to);
}

static int parse_v1(struct str in, struct proxy_header *h, size_t *used)
{
	struct str line = str_sub(in, 0, LINE_MAX_OCTETS);
	ptrdiff_t lf = str_chr(line, '\n');

	if (lf < 0)
		return line.n < LINE_MAX_OCTETS ? 0 : -1;
	line = str_sub(line, 0, (size_t)lf);
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		return -1;
	*used = (size_t)lf + 1;
	line = str_sub(line, 0, line.n - 1);
	return parse_line(str_from(line, STR("PROXY ").n), h) ? 1 : -1;
}

static void take_v4(const char *p, struct proxy_header *h)
{
	h->from.v4.sin_family = h->to.v4.sin_family = AF_INET;
	memcpy(&h->from.v4.sin_addr, p, 4);
	memcpy(&h->to.v4.sin_addr, p + 4, 4);
	memcpy(&h->from.v4.sin_port, p + 8, 2);
	memcpy(&h->to.v4.sin_port, p + 10, 2);
}

static void take_v6(const char *p, struct proxy_header *h)
{
	h->from.v6.sin6_family = h->to.v6.sin6_family = AF_INET6;
	memcpy(&h->from.v6.sin6_addr, p, 16);
	memcpy(&h->to.v6.sin6_addr, p + 16, 16);
	memcpy(&h->from.v6.sin6_port, p + 32, 2);
	memcpy(&h->to.v6.sin6_port, p + 34, 2);
}

/* What the fixed part says (sec. 2.2): 1 as it is good, -1. `body` may be there in part only. */
static int parse_kind(const unsigned char *fixed, size_t octets, struct proxy_header *h)
{
	unsigned char command = fixed[12], family = fixed[13];

	if (command != 0x20 && command != 0x21)
		return -1;
	h->is_direct = command == 0x20 || family == 0x00;
	if (h->is_direct)
		return 1;
	if (family == 0x11)
		return octets >= V4_OCTETS ? 1 : -1;
	return family == 0x21 && octets >= V6_OCTETS ? 1 : -1;
}

static int parse_v2(struct str in, struct proxy_header *h, size_t *used)
{
	const unsigned char *fixed = (const unsigned char *)in.p;
	size_t octets;

	if (in.n < FIXED)
		return 0;
	octets = (size_t)fixed[14] << 8 | fixed[15];
	if (octets > PROXY_HEADER_MAX - FIXED || parse_kind(fixed, octets, h) < 0)
		return -1;
	if (in.n < FIXED + octets)
		return 0;
	*used = FIXED + octets;
	if (h->is_direct)
		return 1;
	if (fixed[13] == 0x11)
		take_v4(in.p + FIXED, h);
	else
		take_v6(in.p + FIXED, h);
	return 1;
}

int proxy_header_parse(struct str in, struct proxy_header *h, size_t *used)
{
	struct str v2 = str_pn(signature, SIGNATURE);

	memset(h, 0, sizeof *h);
	*used = 0;
	if (in.n == 0)
		return 0;
	if (may_begin(in, v2))
		return in.n < v2.n ? 0 : parse_v2(in, h, used);
	if (may_begin(in, STR("PROXY ")))
		return in.n < STR("PROXY ").n ? 0 : parse_v1(in, h, used);
	return -1;
}
