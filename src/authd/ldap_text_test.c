#include "authd/ldap_text.h"
#include "base/test.h"

#define OCTETS(lit)                  \
	{                            \
		lit, sizeof(lit) - 1 \
	}

static void test_escapes(void **state)
{
	static const struct {
		struct str value;
		const char *filter, *name;
	} cases[] = {
		{ OCTETS("john"), "john", "john" },
		{ OCTETS("john@example.org"), "john@example.org", "john@example.org" },
		{ OCTETS(""), "", "" },
		{ OCTETS("*"), "\\2a", "*" },
		{ OCTETS("x)(uid=*"), "x\\29\\28uid=\\2a", "x)(uid\\3d*" },
		{ OCTETS("a\0b"), "a\\00b", "a\\00b" },
		{ OCTETS("a\\b"), "a\\5cb", "a\\5cb" },
		{ OCTETS("\\2a"), "\\5c2a", "\\5c2a" },
		{ OCTETS("j\xc3\xb6rg"), "j\\c3\\b6rg", "j\\c3\\b6rg" },
		{ OCTETS("\xff"), "\\ff", "\\ff" },
		{ OCTETS("a,ou=b"), "a,ou=b", "a\\2cou\\3db" },
		{ OCTETS("a+b\"c;<d>"), "a+b\"c;<d>", "a\\2bb\\22c\\3b\\3cd\\3e" },
		{ OCTETS(" a b "), " a b ", "\\20a b\\20" },
		{ OCTETS("#1"), "#1", "\\231" },
		{ OCTETS("1#"), "1#", "1#" },
		{ OCTETS("a\nb\x7f"), "a\\0ab\\7f", "a\\0ab\\7f" },
		{ OCTETS(" "), " ", "\\20" },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_str(ldap_filter_escape(mem, cases[i].value), cases[i].filter);
		check_str(ldap_dn_escape(mem, cases[i].value), cases[i].name);
	}
	arena_free(&mem);
}

/* What stands in the configuration is syntax; what a variable becomes is not. */
static void test_templates(void **state)
{
	static const struct {
		const char *text, *user, *filter, *name;
	} cases[] = {
		{ "(uid=%u)", "john", "(uid=john)", "(uid=john)" },
		{ "(&(objectClass=a)(uid=%n))", "*)(uid=x@d", "(&(objectClass=a)(uid=\\2a\\29\\28uid=x))", NULL },
		{ "uid=%n,ou=people", "j,ou=admins@x", NULL, "uid=j\\2cou\\3dadmins,ou=people" },
		{ "%Lu", "J*", "j\\2a", "j*" },
		/* What is cut is cut before it is escaped. */
		{ "(uid=%1.2u)", "a**b", "(uid=\\2a\\2a)", NULL },
		/* A domain as components of a name; its own octets are data all the same. */
		{ "dc=%Dd", "u@mail.example.org", "dc=mail,dc=example,dc=org", "dc=mail,dc=example,dc=org" },
		{ "ou=p,dc=%Dd", "u@a,ou=x.org", "ou=p,dc=a\\5c2cou\\5c3dx,dc=org", "ou=p,dc=a\\2cou\\3dx,dc=org" },
		{ "dc=%{user | domain | ldap_dn}", "u@a*.org", "dc=a\\2a,dc=org", "dc=a*,dc=org" },
		{ "dc=%{user | domain | ldap_dn | upper}", "u@a,b.c", NULL, "dc=A\\2CB,DC=C" },
		{ "%{user | md5 | hexlify}", "j", "363b122c528f54df4a0446b6bab05515",
			"363b122c528f54df4a0446b6bab05515" },
		{ "100%%", "*", "100%", "100%" },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct template t;
		struct vars v = { 0 };
		const char *why;

		vars_set_user(&v, str_c(cases[i].user));
		check_int(template_compile(str_c(cases[i].text), mem, &t, &why), 0);
		if (cases[i].filter)
			check_str(ldap_filter_expand(&t, &v, mem), cases[i].filter);
		if (cases[i].name)
			check_str(ldap_dn_expand(&t, &v, mem), cases[i].name);
	}
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_escapes), cmocka_unit_test(test_templates) };

	return test_run(tests);
}
