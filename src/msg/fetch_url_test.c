#include "msg/fetch_url.h"
#include "base/test.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text, *host, *path, *shown;
		unsigned port;
		bool is_address;
	} good[] = {
		{ "https://login.example1.com/introspect", "login.example1.com", "/introspect",
			"https://login.example1.com/introspect", 443, false },
		{ "http://127.0.0.1:8080/", "127.0.0.1", "/", "http://127.0.0.1:8080/", 8080, true },
		{ "HTTPS://Example.com", "Example.com", "", "https://Example.com", 443, false },
		{ "https://id:sec%40ret@example.com:8443/a/b?token=", "example.com",
			"/a/b?token=", "https://example.com:8443/a/b", 8443, false },
		{ "https://[::1]:9/x", "::1", "/x", "https://[::1]:9/x", 9, true },
		{ "https://[2001:db8::1]?q", "2001:db8::1", "?q", "https://[2001:db8::1]", 443, true },
		{ "https://a_b-c.example/@x:1", "a_b-c.example", "/@x:1", "https://a_b-c.example/@x:1", 443, false },
		{ "https://example.com?u=a@b", "example.com", "?u=a@b", "https://example.com", 443, false },
	};
	struct fetch_url u;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct buf shown = BUF_INIT(4096);

		check_int(fetch_url_parse(str_c(good[i].text), &u, &why), 0);
		check_str(u.host, good[i].host);
		check_str(u.path, good[i].path);
		check_int(u.port, good[i].port);
		check(u.is_address == good[i].is_address);
		fetch_url_show(&shown, &u);
		check_str(buf_str(&shown), good[i].shown);
		buf_free(&shown);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "", "https://", "https:///x", "ftp://example.com/", "example.com/x",
		"https://exa mple.com/", "https://example.com/#x", "https://example.com/\n", "https://example.com\\@b/",
		"https://a@b@example.com/", "https://example.com:0/", "https://example.com:65536/",
		"https://example.com:/", "https://example.com:8x/", "https://[::1/", "https://[1.2.3.4]/",
		"https://[::1]x/", "https://.example.com/", "https://exam\xc3\xa4ple.com/", "https://u:p@/x",
		"https://-x/", "file:///etc/passwd" };
	struct buf long_one = BUF_INIT(4096);
	struct fetch_url u;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		why = NULL;
		check_int(fetch_url_parse(str_c(bad[i]), &u, &why), -1);
		check(why != NULL);
	}
	buf_add_c(&long_one, "https://example.com/");
	while (long_one.n <= FETCH_URL_MAX)
		buf_add_char(&long_one, 'x');
	check_int(fetch_url_parse(buf_str(&long_one), &u, &why), -1);
	buf_free(&long_one);
}

static void test_local(void **state)
{
	static const struct {
		const char *text;
		bool local;
	} cases[] = { { "http://localhost:4001/", true }, { "http://127.8.9.1/", true }, { "http://[::1]/", true },
		{ "http://127.example.com/", false }, { "http://10.0.0.1/", false },
		{ "http://localhost.example.com/", false } };
	struct fetch_url u;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(fetch_url_parse(str_c(cases[i].text), &u, &why), 0);
		check(fetch_url_is_local(&u) == cases[i].local);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_local) };

	return test_run(tests);
}
