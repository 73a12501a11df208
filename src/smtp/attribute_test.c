#include "smtp/attribute.h"
#include "base/buf.h"
#include "base/test.h"

#include <arpa/inet.h>

static const struct {
	const char *text;
	bool forward;
	int result;
	const char *said; /* NAME=value of those that were given, in the order of the table; or the bad word */
} cases[] = {
	{ "NAME=mx.example ADDR=192.0.2.1", false, 0, "NAME=mx.example ADDR=192.0.2.1 " },
	{ "addr=192.0.2.1  name=mx.example", false, 0, "NAME=mx.example ADDR=192.0.2.1 " },
	{ "ADDR=IPv6:2001:db8::1 PORT=65535", false, 0, "ADDR=IPv6:2001:db8::1 PORT=65535 " },
	{ "NAME=[UNAVAILABLE] HELO=[tempunavail]", false, 0, "NAME= HELO= " },
	{ "HELO=a+20b LOGIN=u+3Dx DESTADDR=127.0.0.1 DESTPORT=25", false, 0,
		"HELO=a b LOGIN=u=x DESTADDR=127.0.0.1 DESTPORT=25 " },
	{ "PROTO=ESMTP REVERSE_NAME=r.example", false, 0, "PROTO=ESMTP REVERSE_NAME=r.example " },
	{ "IDENT=ABC SOURCE=LOCAL PROTO=smtp", true, 0, "PROTO=smtp IDENT=ABC SOURCE=LOCAL " },
	{ "", false, -1, "" },
	{ "NAME", false, -1, "" },
	{ "=x", false, -1, "" },
	{ "NAME=a.example NAME=b.example", false, -1, "NAME=b.example" },
	{ "IDENT=x", false, -2, "IDENT=x" },
	{ "LOGIN=x", true, -2, "LOGIN=x" },
	{ "FOO=x", false, -2, "FOO=x" },
	{ "NAME=", false, -2, "NAME=" },
	{ "NAME=a..b", false, -2, "NAME=a..b" },
	{ "ADDR=2001:db8::1", false, -2, "ADDR=2001:db8::1" },
	{ "ADDR=IPV6:192.0.2.1", false, -2, "ADDR=IPV6:192.0.2.1" },
	{ "ADDR=192.0.2.256", false, -2, "ADDR=192.0.2.256" },
	{ "PORT=65536", false, -2, "PORT=65536" },
	{ "PORT=x", false, -2, "PORT=x" },
	{ "PROTO=LMTP", false, -2, "PROTO=LMTP" },
	{ "PROTO=QMQP", true, 0, "PROTO=QMQP " },
	{ "SOURCE=HERE", true, -2, "SOURCE=HERE" },
	{ "HELO=a+0Ab", false, -2, "HELO=a+0Ab" },
	{ "HELO=a+2", false, -2, "HELO=a+2" },
};

static void test_attributes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct buf said = BUF_INIT(1024);
		struct smtp_attributes a;
		struct str bad;

		check_int(smtp_attributes_parse(str_c(cases[i].text),
				  cases[i].forward ? XFORWARD_ATTRIBUTES : XCLIENT_ATTRIBUTES, mem, &a, &bad),
			cases[i].result);
		for (enum smtp_attribute k = 0; k < ATTR_COUNT && cases[i].result == 0; k++)
			if (a.given & ATTR_BIT(k))
				buf_addf(&said, "%s=%.*s ", smtp_attribute_name(k), STR_ARG(a.value[k]));
		if (cases[i].result != 0)
			buf_add_str(&said, bad);
		check_str(buf_str(&said), cases[i].said);
		buf_free(&said);
		arena_free(&mem);
	}
}

static void test_addresses(void **state)
{
	struct arena *mem = arena_new(0);
	struct smtp_attributes a;
	struct str bad;
	char text[64];

	(void)state;
	check_int(smtp_attributes_parse(STR("ADDR=192.0.2.1 DESTADDR=IPV6:::1 PORT=7 DESTPORT=25"), XCLIENT_ATTRIBUTES,
			  mem, &a, &bad),
		0);
	check_int(a.addr.any.sa_family, AF_INET);
	check_str(str_c(inet_ntop(AF_INET, &a.addr.v4.sin_addr, text, sizeof text)), "192.0.2.1");
	check_int(a.dest.any.sa_family, AF_INET6);
	check_str(str_c(inet_ntop(AF_INET6, &a.dest.v6.sin6_addr, text, sizeof text)), "::1");
	check_int(a.port, 7);
	check_int(a.dest_port, 25);
	check_int(smtp_attributes_parse(STR("ADDR=[UNAVAILABLE]"), XCLIENT_ATTRIBUTES, mem, &a, &bad), 0);
	check_int(a.addr.any.sa_family, AF_UNSPEC);
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_attributes), cmocka_unit_test(test_addresses) };

	return test_run(tests);
}
