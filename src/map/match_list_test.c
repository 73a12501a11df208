#include "map/match.h"
#include "base/test.h"
#include "map/map_client.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

static bool has_addr(const char *list, const char *address)
{
	struct match_list *m = match_list_new(str_c(list));
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool in;

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		in = match_list_addr(m, (struct sockaddr *)&v4);
	else
		in = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1 && match_list_addr(m, (struct sockaddr *)&v6);
	match_list_free(&m);
	return in;
}

static bool has_host(const char *list, const char *host)
{
	struct match_list *m = match_list_new(str_c(list));
	bool in = match_list_host(m, str_c(host));

	match_list_free(&m);
	return in;
}

static char dir[] = "/tmp/match_test.XXXXXX", list_file[64], cidr_file[64];

static void test_addresses(void **state)
{
	static const struct {
		const char *list, *address;
		bool in;
	} cases[] = {
		{ "", "127.0.0.1", false },
		{ "127.0.0.0/8", "127.0.0.1", true },
		{ "127.0.0.0/8", "128.0.0.1", false },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.2", false },
		{ "10.0.0.0/8,192.168.0.0/16 127.0.0.0/8", "192.168.255.255", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.129", true },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "::1", false },
		{ "[::1]/128", "::1", true },
		{ "[::1]", "::1", true },
		{ "[2001:db8::]/32", "2001:db8:1::1", true },
		{ "[2001:db8::]/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
		{ "!192.0.2.1, 192.0.2.0/24", "192.0.2.1", false },
		{ "!192.0.2.1, 192.0.2.0/24", "192.0.2.2", true },
		{ "192.0.2.0/24, !192.0.2.1", "192.0.2.1", true },
		/* what is wrong gives no rights */
		{ "192.0.2.1/24", "192.0.2.1", false },
		{ "192.0.2.0/33", "192.0.2.1", false },
		{ "192.0.2.0/", "192.0.2.0", false },
		{ "192.0.2", "192.0.2.1", false },
		{ "[::1", "::1", false },
		{ "/nonexistent/file", "127.0.0.1", false },
		{ "!/nonexistent/file, 127.0.0.0/8", "127.0.0.1", false },
		{ "cidr:/nonexistent", "127.0.0.1", false },
		{ "inline:{127.0.0.1=x}", "127.0.0.1", true },
		{ "inline:{127.0.0.1=x}", "127.0.0.2", false },
		{ "static:all", "192.0.2.7", true },
		{ "sqlite:/x", "192.0.2.7", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (has_addr(cases[i].list, cases[i].address) != cases[i].in)
			print_message("%s in %s\n", cases[i].address, cases[i].list);
		check_int(has_addr(cases[i].list, cases[i].address), cases[i].in);
	}
	check_int(has_addr(list_file, "192.0.2.5"), 1);
	check_int(has_addr(list_file, "192.0.2.6"), 0);
	check_int(has_addr(cidr_file, "198.51.100.9"), 1);
	check_int(has_addr(cidr_file, "198.51.101.9"), 0);
}

static void test_hosts(void **state)
{
	static const struct {
		const char *list, *host;
		bool in;
	} cases[] = {
		{ "example.org", "example.org", true },
		{ "Example.ORG", "eXample.org", true },
		{ "example.org", "a.example.org", true },
		{ "example.org", "anexample.org", false },
		{ ".example.org", "a.example.org", true },
		{ ".example.org", "example.org", false },
		{ "!a.example.org example.org", "a.example.org", false },
		{ "inline:{example.org=x}", "a.b.example.org", true },
		{ "127.0.0.0/8", "127.0.0.1", true },
		{ "example.org", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(has_host(cases[i].list, cases[i].host), cases[i].in);
	check_int(has_host(list_file, "file.example"), 1);
}

/* An entry decides in whichever form it is written, and the domain asked for. */
static void test_domains(void **state)
{
	static const struct {
		const char *list, *u_labels, *a_labels;
		bool in;
	} cases[] = {
		{ "b\xc3\xbc"
		  "cher.example",
			"b\xc3\xbc"
			"cher.example",
			"xn--bcher-kva.example", true },
		{ "xn--bcher-kva.example",
			"b\xc3\xbc"
			"cher.example",
			"xn--bcher-kva.example", true },
		{ "xn--bcher-kva.example",
			"sub.b\xc3\xbc"
			"cher.example",
			"SUB.xn--bcher-kva.example", true },
		{ "!b\xc3\xbc"
		  "cher.example, example",
			"b\xc3\xbc"
			"cher.example",
			"xn--bcher-kva.example", false },
		{ "!xn--bcher-kva.example, example",
			"b\xc3\xbc"
			"cher.example",
			"xn--bcher-kva.example", false },
		{ "!inline:{ b\xc3\xbc"
		  "cher.example=x }, example",
			"b\xc3\xbc"
			"cher.example",
			"xn--bcher-kva.example", false },
		{ "!b\xc3\xbc"
		  "cher.example, example",
			"b\xc3\xbc"
			"ro.example",
			"xn--bro-hoa.example", true },
		{ "other.example",
			"b\xc3\xbc"
			"cher.example",
			"xn--bcher-kva.example", false },
		{ "[192.0.2.9]", "[192.0.2.9]", "[192.0.2.9]", true },
		{ "example", "", "xn--\xff", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct match_list *m = match_list_new(str_c(cases[i].list));

		check_int(match_list_domain(m, str_c(cases[i].u_labels)), cases[i].in);
		check_int(match_list_domain(m, str_c(cases[i].a_labels)), cases[i].in);
		match_list_free(&m);
	}
}

static void test_how(void **state)
{
	struct table_set *set = table_set_new(TABLES_LOCAL, "");
	struct buf why = BUF_INIT(TABLE_WHY_MAX);
	struct match_list *exact = match_list_make(STR("a.example, .d.example"), set, MATCH_EXACT);
	struct match_list *dot = match_list_make(STR(".a.example b.example hash:/x"), set, MATCH_DOT);

	(void)state;
	check_int(match_list_find(exact, STR("a.example"), NULL, &why), MAP_FOUND);
	check_int(match_list_find(exact, STR("x.a.example"), NULL, &why), MAP_NOT_FOUND);
	check_int(match_list_find(exact, STR("x.d.example"), NULL, &why), MAP_NOT_FOUND);
	check_int(match_list_find(dot, STR("x.a.example"), NULL, &why), MAP_FOUND);
	check_int(match_list_find(dot, STR("b.example"), NULL, &why), MAP_FOUND);
	check_int(match_list_find(dot, STR("x.b.example"), NULL, &why), MAP_ELSEWHERE);
	match_list_free(&exact);
	match_list_free(&dot);
	table_set_free(&set);
	buf_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_addresses), cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_domains), cmocka_unit_test(test_how) };
	char path[64];
	FILE *f;
	int failed;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(list_file, sizeof list_file, "%s/list", dir);
	snprintf(path, sizeof path, "%s/cidr", dir);
	snprintf(cidr_file, sizeof cidr_file, "cidr:%s/cidr", dir);
	f = fopen(list_file, "w");
	fputs("# nets\n192.0.2.5 !192.0.2.6\n192.0.2.0/24\n  file.example\n", f);
	fclose(f);
	f = fopen(path, "w");
	fputs("198.51.100.0/24 ok\n", f);
	fclose(f);
	failed = test_run(tests);
	unlink(list_file);
	unlink(path);
	rmdir(dir);
	return failed;
}
