#include "smtp/proxy.h"
#include "base/test.h"

#include <arpa/inet.h>

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V6A "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6B "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define ROW(text, result, tail, ends)                     \
	{                                                 \
		text, sizeof text - 1, result, tail, ends \
	}

/* Octets, the result when all of them are there, how many of them are behind the header, and what it says. */
static const struct {
	const char *in;
	size_t n;
	int result;
	size_t behind;
	const char *ends;
} cases[] = {
	ROW("PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n", 1, 0, "192.0.2.1:56324 198.51.100.2:25"),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.2 0 65535\r\nEHLO x\r\n", 1, 8, "192.0.2.1:0 198.51.100.2:65535"),
	ROW("PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\n", 1, 0, "2001:db8::1:1 2001:db8::2:25"),
	ROW("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 25\r\n", 1, 0, "::ffff:192.0.2.1:1 ::1:25"),
	ROW("PROXY UNKNOWN\r\n", 1, 0, "direct"),
	ROW("PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", 1, 0, "direct"),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.2 1 25\n", -1, 0, ""),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.2 01 25\r\n", -1, 0, ""),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n", -1, 0, ""),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n", -1, 0, ""),
	ROW("PROXY TCP4 192.0.2.01 198.51.100.2 1 25\r\n", -1, 0, ""),
	ROW("PROXY TCP4 192.0.2.1  198.51.100.2 1 25\r\n", -1, 0, ""),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.2 1 25 \r\n", -1, 0, ""),
	ROW("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n", -1, 0, ""),
	ROW("PROXY TCP4 2001:db8::1 2001:db8::2 1 25\r\n", -1, 0, ""),
	ROW("PROXY TCP6 192.0.2.1 198.51.100.2 1 25\r\n", -1, 0, ""),
	ROW("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 25\r\n", -1, 0, ""),
	ROW("PROXY UDP4 192.0.2.1 198.51.100.2 1 25\r\n", -1, 0, ""),
	ROW("PROXY tcp4 192.0.2.1 198.51.100.2 1 25\r\n", -1, 0, ""),
	ROW("PROXY \r\n", -1, 0, ""),
	ROW("EHLO client.example\r\n", -1, 0, ""),
	ROW("\x16\x03\x01\x02", -1, 0, ""),
	ROW("PROXY UNKNOWN 0123456789012345678901234567890123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789\r\n",
		-1, 0, ""),
	ROW("PROXY TCP4 192.0.2.1", 0, 0, ""),
	ROW("", 0, 0, ""),
	/* version 2 */
	ROW(SIG "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19", 1, 0, "192.0.2.1:56324 198.51.100.2:25"),
	ROW(SIG "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19"
		"EHLO",
		1, 4, "192.0.2.1:56324 198.51.100.2:25"),
	ROW(SIG "\x21\x21\0\x24" V6A V6B "\0\x01\0\x19", 1, 0, "2001:db8::1:1 2001:db8::2:25"),
	ROW(SIG "\x21\x11\0\x12\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19\x04\0\x03"
		"abcX",
		1, 1, "192.0.2.1:56324 198.51.100.2:25"), /* a TLV, skipped */
	ROW(SIG "\x20\0\0\0", 1, 0, "direct"),
	ROW(SIG "\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19", 1, 0, "direct"),
	ROW(SIG "\x21\0\0\x03"
		"abc",
		1, 0, "direct"),
	ROW(SIG "\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0", -1, 0, ""), /* too short for its family */
	ROW(SIG "\x21\x21\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19", -1, 0, ""),
	ROW(SIG "\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19", -1, 0, ""), /* UDP */
	ROW(SIG "\x21\x31\0\xd8", -1, 0, ""),						  /* a UNIX socket */
	ROW(SIG "\x11\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19", -1, 0, ""),
	ROW(SIG "\x22\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19", -1, 0, ""),
	ROW(SIG "\x21\x11\xff\xff", -1, 0, ""), /* over PROXY_HEADER_MAX */
	ROW(SIG "\x21\x11\0\x0c\xc0\0", 0, 0, ""),
	ROW("\r\n\r\n\0\r\nQUIT\r", -1, 0, ""),
};

static void show(const union proxy_address *a, char *out, size_t size)
{
	bool v6 = a->any.sa_family == AF_INET6;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(a->any.sa_family, v6 ? (const void *)&a->v6.sin6_addr : &a->v4.sin_addr, text, sizeof text);
	snprintf(out, size, "%s:%u", text, ntohs(v6 ? a->v6.sin6_port : a->v4.sin_port));
}

static void test_headers(void **state)
{
	struct proxy_header h;
	char from[64], to[64], text[140];
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str in = str_pn(cases[i].in, cases[i].n);
		int r = proxy_header_parse(in, &h, &used);

		if (r != cases[i].result)
			printf("case %zu: %.*s\n", i, STR_ARG(in));
		check_int(r, cases[i].result);
		if (r != 1)
			continue;
		check_int(used, in.n - cases[i].behind);
		show(&h.from, from, sizeof from);
		show(&h.to, to, sizeof to);
		snprintf(text, sizeof text, "%s %s", from, to);
		check_str(h.is_direct ? STR("direct") : str_c(text), cases[i].ends);
	}
}

/* Octet by octet: "need more" until the result of the whole, and never a result that more octets would change. */
static void test_grains(void **state)
{
	struct proxy_header h;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int r = 0;
		size_t n;

		for (n = 0; n <= cases[i].n && r == 0; n++)
			r = proxy_header_parse(str_pn(cases[i].in, n), &h, &used);
		check_int(r, cases[i].result);
		if (r == 1)
			check_int(n - 1, cases[i].n - cases[i].behind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_headers), cmocka_unit_test(test_grains) };

	return test_run(tests);
}
