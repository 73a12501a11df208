#include "base/test.h"
#include "deliver/path.h"
#include "deliver/lmtp_dest.h"

static void test_fault(void **state)
{
	const struct {
		struct str path;
		const char *fault; /* NULL: fit */
	} cases[] = {
		{ STR("example.org/john/"), NULL },
		{ STR("example.org/john"), NULL },
		{ STR("a"), NULL },
		{ STR("a..b/..c/d.."), NULL },
		{ STR(".Sub/"), NULL },
		{ STR(""), "is empty" },
		{ STR("/"), "has an empty part" },
		{ STR("/etc/passwd"), "has an empty part" },
		{ STR("a//b"), "has an empty part" },
		{ STR("a/b//"), "has an empty part" },
		{ STR("../x"), "has a part \".\" or \"..\"" },
		{ STR("a/../../etc/"), "has a part \".\" or \"..\"" },
		{ STR("a/./b"), "has a part \".\" or \"..\"" },
		{ STR("a/.."), "has a part \".\" or \"..\"" },
		{ STR("a/../"), "has a part \".\" or \"..\"" },
		{ STR("a\nb"), "has a control character" },
		{ STR("a\0b"), "has a control character" },
		{ STR("a/\x7f/"), "has a control character" },
		{ STR("1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/"), "has over 32 parts" },
	};
	char longest[1400];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_str(str_c(path_fault(cases[i].path)), cases[i].fault ? cases[i].fault : "");
	memset(longest, 'a', sizeof longest);
	check(path_fault(str_pn(longest, 255)) == NULL);
	check_str(str_c(path_fault(str_pn(longest, 256))), "has a part of over 255 octets");
	check_str(str_c(path_fault(str_pn(longest, 1025))), "has over 1024 octets");
	check(path_is_maildir(STR("a/")) && !path_is_maildir(STR("a")) && !path_is_maildir(STR("")));
}

static void test_address(void **state)
{
	const struct {
		struct str address;
		const char *delimiters, *path; /* NULL: refused */
	} cases[] = {
		{ STR("John@Example.ORG"), "", "example.org/john/" },
		{ STR("john+x@example.org"), "+", "example.org/john/" },
		{ STR("john+x@example.org"), "", "example.org/john+x/" },
		{ STR("john-x+y@example.org"), "+-", "example.org/john/" },
		{ STR("+x@example.org"), "+", "example.org/+x/" },
		{ STR("j\xc3\xb6rg@example.org"), "", "example.org/j\xc3\xb6rg/" },
		{ STR("\"a@b\"@c.d"), "", "c.d/\"a@b\"/" },
		{ STR("john"), "", NULL },
		{ STR("@example.org"), "", NULL },
		{ STR("john@"), "", NULL },
		{ STR("..@example.org"), "", NULL },
		{ STR(".ssh@example.org"), "", NULL },
		{ STR("john@.."), "", NULL },
		{ STR("a/b@example.org"), "", NULL },
		{ STR("../../x@example.org"), "", NULL },
		{ STR("john@a/b"), "", NULL },
		{ STR("a\nb@example.org"), "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(PATH_OCTETS_MAX);
		int rc = path_of_address(&out, cases[i].address, str_c(cases[i].delimiters));
		check_int(rc, cases[i].path ? 0 : -1);
		if (rc == 0) {
			check_str(buf_str(&out), cases[i].path);
			check(path_fault(buf_str(&out)) == NULL);
		}
		buf_free(&out);
	}
}

static void test_lmtp_dest(void **state)
{
	static const struct {
		const char *nexthop, *path, *host, *port, *fault;
	} cases[] = {
		{ "unix:private/dovecot-lmtp", "private/dovecot-lmtp", "", "", NULL },
		{ "unix:/run/lmtp", "/run/lmtp", "", "", NULL },
		{ "inet:127.0.0.1:2424", "", "127.0.0.1", "2424", NULL },
		{ "mail.example.org:lmtp", "", "mail.example.org", "lmtp", NULL },
		{ "mail.example.org", "", "mail.example.org", "24", NULL },
		{ "[127.0.0.1]", "", "127.0.0.1", "24", NULL },
		{ "[::1]:2424", "", "::1", "2424", NULL },
		{ "inet:[IPv6:::1]:2424", "", "::1", "2424", NULL },
		{ "unix:", NULL, NULL, NULL, "names no socket of 1 to 107 octets" },
		{ "", NULL, NULL, NULL, "names no host" },
		{ "inet:", NULL, NULL, NULL, "names no host" },
		{ "host:", NULL, NULL, NULL, "names no port" },
		{ "[::1", NULL, NULL, NULL, "has no closing bracket" },
		{ "[::1]x", NULL, NULL, NULL, "has something else than \":port\" behind the bracket" },
		{ "host:2 4", NULL, NULL, NULL, "has a port that is neither a number nor a name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lmtp_dest d;
		const char *fault = lmtp_dest_parse(&d, str_c(cases[i].nexthop), "24");
		check_str(str_c(fault), cases[i].fault ? cases[i].fault : "");
		if (fault)
			continue;
		check_int(d.is_unix, *cases[i].path != '\0');
		check_str(str_c(d.path), cases[i].path);
		check_str(str_c(d.host), cases[i].host);
		check_str(str_c(d.port), cases[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fault), cmocka_unit_test(test_address),
		cmocka_unit_test(test_lmtp_dest) };

	return test_run(tests);
}
