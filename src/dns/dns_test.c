#include "dns/dns.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/test.h"
#include "dns/dns_wire.h"
#include "dns/hosts.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * libunbound asks a name server that is a thread of this test: it answers from the table, says SERVFAIL to names that
 * begin with "broken", nothing at all to "silent", and NXDOMAIN to all others. It takes its time for "slow.example", and
 * counts what it is asked about that; "brief.example" is good for a second.
 */
static const struct {
	const char *name;
	unsigned type;
	const char *data; /* wire form; its length */
	size_t octets;
} zone[] = {
	{ "many.example", 15, "\0\24\3mx2\4many\7example", 0 },
	{ "many.example", 15, "\0\12\3mx1\4many\7example", 0 },
	{ "null.example", 15, "\0\0", 0 },
	{ "slow.example", 15, "\0\12\3mx1\4many\7example", 0 },
	{ "brief.example", 15, "\0\12\3mx1\4many\7example", 0 },
	{ "rude.example", 15, "\0\12\5a\tb|c\4many\7example", 0 },
	{ "host.example", 1, "\300\0\2\1", 4 },
	{ "host.example", 28, "\x20\x01\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16 },
	{ "only4.example", 1, "\300\0\2\2", 4 },
	{ "1.2.0.192.in-addr.arpa", 12, "\4host\7example", 0 },
	{ "9.2.0.192.in-addr.arpa", 12, "\4host\7example", 0 },
};

static size_t data_octets(size_t i)
{
	size_t n = zone[i].type == 15 ? 2 : 0;

	if (zone[i].octets)
		return zone[i].octets;
	while (zone[i].data[n])
		n += (size_t)(unsigned char)zone[i].data[n] + 1;
	return n + 1;
}

static void read_name(const unsigned char *q, size_t n, char *name, size_t *end)
{
	size_t at = 12, out = 0;

	while (at < n && q[at] && out + q[at] + 2 < 256) {
		if (out)
			name[out++] = '.';
		for (unsigned i = 1; i <= q[at]; i++)
			name[out++] = ascii_lower((char)q[at + i]);
		at += q[at] + 1u;
	}
	name[out] = '\0';
	*end = at + 5;
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < sizeof zone / sizeof *zone; i++)
		if (strcmp(zone[i].name, name) == 0)
			return true;
	return false;
}

static atomic_uint asked_slow, asked_brief;

static void count(const char *name)
{
	asked_brief += strcmp(name, "brief.example") == 0;
	if (strcmp(name, "slow.example") != 0)
		return;
	asked_slow++;
	usleep(20000); /* less than it takes until a question is sent again */
}

static void *name_server(void *arg)
{
	int fd = *(int *)arg;
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	unsigned char q[1500];
	ssize_t n;

	while ((n = recvfrom(fd, q, sizeof q, 0, (struct sockaddr *)(void *)&from, &len)) > 12) {
		struct buf a = BUF_INIT(4096);
		char name[256];
		unsigned type, answers = 0;
		size_t end;

		read_name(q, (size_t)n, name, &end);
		type = q[end - 3];
		if (strcmp(name, "quit") == 0)
			break;
		count(name);
		buf_add(&a, q, end);
		for (size_t i = 0; i < sizeof zone / sizeof *zone; i++) {
			size_t octets = data_octets(i);
			char head[] = { '\300', 12, 0, (char)zone[i].type, 0, 1, 0, 0, 0,
				strcmp(name, "brief.example") == 0 ? 1 : 60, 0, (char)octets };

			if (strcmp(zone[i].name, name) != 0 || zone[i].type != type)
				continue;
			buf_add(&a, head, sizeof head);
			buf_add(&a, zone[i].data, octets);
			answers++;
		}
		a.p[2] = (char)0x81;
		a.p[3] = (char)(0x80 | (strncmp(name, "broken", 6) == 0 ? 2 : is_known(name) ? 0 : 3));
		a.p[7] = (char)answers;
		a.p[8] = a.p[9] = a.p[10] = a.p[11] = 0;
		if (strncmp(name, "silent", 6) != 0)
			sendto(fd, a.p, a.n, 0, (struct sockaddr *)(void *)&from, len);
		buf_free(&a);
	}
	return NULL;
}

static struct dns *dns;
static uv_loop_t *loop;
static unsigned answered;

static void on_answer(struct dns_query *q)
{
	(void)q;
	answered++;
}

static void on_tick(uv_timer_t *t)
{
	(void)t;
}

static void await(unsigned n)
{
	uv_timer_t tick; /* a turn of the loop may answer before it polls: it must not sleep then */

	uv_timer_init(loop, &tick);
	uv_timer_start(&tick, on_tick, 10, 10);
	for (int turns = 0; answered < n && turns < 1000; turns++)
		uv_run(loop, UV_RUN_ONCE);
	check_int(answered, n);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
	answered = 0;
}

static const struct {
	const char *name;
	enum dns_status status;
	size_t n;
	const char *first, *why;
} mx[] = {
	{ "many.example", DNS_OK, 2, "mx1.many.example", "" },
	{ "MANY.example.", DNS_OK, 2, "mx1.many.example", "" },
	{ "null.example", DNS_OK, 1, "", "" },
	{ "rude.example", DNS_NOT_FOUND, 0, "",
		"name=rude.example type=MX: Host found but no data record of requested type" },
	{ "nobody.example", DNS_NOT_FOUND, 0, "", "name=nobody.example type=MX: Host not found" },
	{ "only4.example", DNS_NOT_FOUND, 0, "", "type=MX: Host found but no data record of requested type" },
	{ "broken.example", DNS_TEMPORARY, 0, "", "name=broken.example type=MX: Host not found, try again" },
	{ "silent.example", DNS_TEMPORARY, 0, "", "Host not found, try again" },
	{ "", DNS_NOT_FOUND, 0, "", "Host not found" },
	{ "a..b", DNS_NOT_FOUND, 0, "", "Host not found" },
	{ "a b.example", DNS_NOT_FOUND, 0, "", "Host not found" },
};

static void test_mx(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mx / sizeof *mx; i++) {
		struct dns_query q = { .on_answer = on_answer };

		dns_ask_mx(dns, &q, str_c(mx[i].name));
		check_int(answered, 0); /* never from within */
		await(1);
		check_int(q.status, mx[i].status);
		check_int(q.n_mx, mx[i].n);
		if (q.n_mx)
			check_str(q.mx[0].host, mx[i].first);
		check(strstr(q.why, mx[i].why) != NULL);
		dns_done(&q);
	}
}

static const struct {
	const char *name;
	bool want4, want6;
	enum dns_status status;
	const char *addresses;
} addresses[] = {
	{ "host.example", true, true, DNS_OK, "2001:db8::1 192.0.2.1 " },
	{ "host.example", true, false, DNS_OK, "192.0.2.1 " },
	{ "host.example", false, true, DNS_OK, "2001:db8::1 " },
	{ "only4.example", true, true, DNS_OK, "192.0.2.2 " },
	{ "only4.example", false, true, DNS_NOT_FOUND, "" },
	{ "nobody.example", true, true, DNS_NOT_FOUND, "" },
	{ "broken.example", true, true, DNS_TEMPORARY, "" },
	{ "localhost", true, true, DNS_OK, "::1 127.0.0.1 " },
	{ "in-file", true, true, DNS_OK, "10.1.2.3 " },
	{ "IN-FILE.", true, true, DNS_OK, "10.1.2.3 " },
	{ "[192.0.2.7]", true, true, DNS_OK, "192.0.2.7 " },
	{ "[IPv6:2001:db8::7]", true, true, DNS_OK, "2001:db8::7 " },
	{ "2001:db8::8", true, true, DNS_OK, "2001:db8::8 " },
	{ "192.0.2.9", true, true, DNS_OK, "192.0.2.9 " },
	{ "192.0.2.9", false, true, DNS_NOT_FOUND, "" },
};

static void test_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		struct dns_query q = { .on_answer = on_answer };
		struct buf got = BUF_INIT(1000);
		char text[64];

		dns_ask_addr(dns, &q, str_c(addresses[i].name), addresses[i].want4, addresses[i].want6);
		await(1);
		for (size_t k = 0; k < q.n_addr; k++) {
			const struct sockaddr_storage *a = &q.addr[k].addr;

			if (a->ss_family == AF_INET)
				inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, text, 64);
			else
				inet_ntop(
					AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, text, 64);
			buf_addf(&got, "%s ", text);
		}
		check_str(buf_str(&got), addresses[i].addresses);
		check_int(q.status, addresses[i].status);
		buf_free(&got);
		dns_done(&q);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *addr;
		enum dns_status status;
		const char *name;
	} cases[] = { { "192.0.2.1", DNS_OK, "host.example" }, { "192.0.2.9", DNS_NOT_FOUND, "" } /* leads elsewhere */,
		{ "192.0.2.77", DNS_NOT_FOUND, "" }, { "10.1.2.3", DNS_OK, "in-file" },
		{ "127.0.0.1", DNS_OK, "localhost" }, { "2001:db8::99", DNS_NOT_FOUND, "" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dns_query q = { .on_answer = on_answer };
		struct sockaddr_storage a;

		check(addr_parse(str_c(cases[i].addr), &a));
		dns_ask_name(dns, &q, (const struct sockaddr *)(const void *)&a);
		await(1);
		check_int(q.status, cases[i].status);
		check_str(q.name, cases[i].name);
		dns_done(&q);
	}
}

/* Many at a time, some of them taken back; no answer comes for those. */
static void test_cancel(void **state)
{
	struct dns_query q[40] = { 0 };

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		q[i].on_answer = on_answer;
		if (i % 4 == 0)
			dns_ask_mx(dns, &q[i], STR("silent.example"));
		else if (i % 4 == 1)
			dns_ask_addr(dns, &q[i], STR("[192.0.2.1]"), true, true);
		else
			dns_ask_addr(dns, &q[i], STR("host.example"), true, true);
	}
	for (size_t i = 0; i < 40; i += 2)
		dns_cancel(&q[i]);
	await(20);
	for (size_t i = 1; i < 40; i += 2) {
		check_int(q[i].n_addr > 0, 1);
		dns_done(&q[i]);
	}
}

/* Questions under way are one for the server, and its answer is good for its time to live. */
static void test_sharing(void **state)
{
	enum { N = 50 };
	struct dns_query q[N] = { 0 };

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < N; i++) {
			q[i].on_answer = on_answer;
			dns_ask_mx(dns, &q[i], STR("slow.example"));
		}
		await(N);
		for (size_t i = 0; i < N; i++) {
			check_int(q[i].n_mx, 1);
			dns_done(&q[i]);
		}
		check_int(asked_slow, 1);
	}
	for (unsigned round = 1; round <= 3; round++) {
		dns_ask_mx(dns, &q[0], STR("brief.example"));
		await(1);
		check_int(q[0].n_mx, 1);
		dns_done(&q[0]);
		check_int(asked_brief, round == 3 ? 2 : 1);
		if (round == 2)
			sleep(2);
	}
}

static void test_wire(void **state)
{
	static const struct {
		const char *data;
		size_t n;
		int got;
		const char *name;
	} cases[] = { { "\3abc\0", 5, 0, "abc" }, { "\3abc\2de\0", 8, 0, "abc.de" }, { "\0", 1, 0, "" },
		{ "", 0, -1, "" }, { "\3ab", 3, -1, "" }, { "\3abc", 4, -1, "" }, { "\3abc\0x", 6, -1, "" },
		{ "\300\14", 2, -1, "" }, { "\3a\0b\0", 5, -1, "" }, { "\3a.b\0", 5, -1, "" },
		{ "\3a b\0", 5, -1, "" } };
	struct arena *mem = arena_new(0);
	struct str name;
	uint16_t preference;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(dns_wire_name(str_pn(cases[i].data, cases[i].n), mem, &name), cases[i].got);
		check_str(name, cases[i].name);
	}
	check_int(dns_wire_mx(str_pn("\1\2\1a\0", 5), mem, &preference, &name), 0);
	check_int(preference, 258);
	check_int(dns_wire_mx(str_pn("\1\2", 2), mem, &preference, &name), -1);
	check_int(dns_wire_mx(str_pn("", 0), mem, &preference, &name), -1);
	arena_free(&mem);
}

static void test_hosts(void **state)
{
	struct hosts *h =
		hosts_parse(STR("127.0.0.1 localhost # me\n\n#x\n1.2.3.4\tA.b  c\r\n1.2.3.5 a.B\nnonsense x\n::7 a.b\n"
				"300.1.1.1 bad\n1.2.3.4 again"));
	struct sockaddr_storage a;
	char text[64];

	(void)state;
	check(hosts_addr(h, STR("A.B"), AF_INET, 0, &a));
	check_str(str_c(inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&a)->sin_addr, text, 64)), "1.2.3.4");
	check(hosts_addr(h, STR("a.b"), AF_INET, 1, &a));
	check(!hosts_addr(h, STR("a.b"), AF_INET, 2, &a));
	check(hosts_addr(h, STR("a.b"), AF_INET6, 0, &a));
	check(hosts_addr(h, STR("c"), AF_INET, 0, &a));
	check(!hosts_addr(h, STR("x"), AF_INET, 0, &a));
	check(!hosts_addr(h, STR("bad"), AF_INET, 0, &a));
	check(hosts_addr(h, STR("localhost"), AF_INET6, 0, &a));
	check(addr_parse(STR("1.2.3.4"), &a));
	check_str(hosts_name(h, (struct sockaddr *)(void *)&a), "a.b");
	check(!addr_parse(STR("[1.2.3.4"), &a));
	check(!addr_parse(STR("1.2.3"), &a));
	check(!addr_parse(STR(""), &a));
	hosts_free(&h);
	check(h == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_wire), cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_mx), cmocka_unit_test(test_addresses), cmocka_unit_test(test_names),
		cmocka_unit_test(test_cancel), cmocka_unit_test(test_sharing) };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), file, r;
	char server[40], path[] = "/tmp/gatepost-hosts.XXXXXX";
	socklen_t len = sizeof a;
	pthread_t thread;

	require(bind(fd, (struct sockaddr *)(void *)&a, sizeof a) == 0);
	require(getsockname(fd, (struct sockaddr *)(void *)&a, &len) == 0);
	require(pthread_create(&thread, NULL, name_server, &fd) == 0);
	snprintf(server, sizeof server, "127.0.0.1@%u", ntohs(a.sin_port));
	file = mkstemp(path);
	require(dprintf(file, "127.0.0.1 localhost\n10.1.2.3 in-file\n") > 0);
	loop = uv_default_loop();
	dns = dns_new_at(loop, 2, server, path);
	unlink(path);
	r = test_run(tests);
	dns_free(&dns);
	uv_run(loop, UV_RUN_DEFAULT);
	require(sendto(fd, "\0\0\0\0\0\0\0\0\0\0\0\0\4quit\0\0\1\0\1", 22, 0, (struct sockaddr *)(void *)&a, len) ==
		22);
	pthread_join(thread, NULL);
	close(fd);
	close(file);
	return r;
}
