#include "authd/ldap_map.h"
#include "base/test.h"

#define VALUE(n, v)                                                       \
	{                                                                 \
		.name = { n, sizeof n - 1 }, .value = { v, sizeof v - 1 } \
	}

static struct sql_field john_fields[] = { VALUE("dn", "uid=john,ou=people,dc=example,dc=org"), VALUE("uid", "john"),
	VALUE("uid", "johnny"), VALUE("userPassword", "{SSHA}x"), VALUE("homeDirectory", "/home/john"),
	VALUE("quotaBytes", "100"), VALUE("mail", "john@example.org"), VALUE("mail", "j@example.org") };
static struct sql_row john = { .field = john_fields, .n = sizeof john_fields / sizeof *john_fields };

/* "name=value" or "name" (NULL), with blanks between. */
static struct str shown(const struct sql_row *row, struct arena *mem)
{
	struct buf b = BUF_INIT(65536);
	struct str s;

	for (; row; row = row->next)
		for (size_t i = 0; i < row->n; i++)
			buf_addf(&b, "%s%.*s%s%.*s", b.n ? " " : "", STR_ARG(row->field[i].name),
				row->field[i].is_null ? "" : "=", STR_ARG(row->field[i].value));
	s = arena_dup(mem, buf_str(&b));
	buf_free(&b);
	return s;
}

static void test_attrs(void **state)
{
	static const struct {
		const char *text, *skip, *attrs, *row, *several;
	} cases[] = {
		{ "uid=user,userPassword=password", NULL, " uid userPassword", "user=john password={SSHA}x", "uid" },
		{ "uid=user,userPassword=password", "password", " uid", "user=john", "uid" },
		{ "homeDirectory=home, uidNumber=uid, gidNumber=gid", NULL, " homeDirectory uidNumber gidNumber",
			"home=/home/john uid gid", NULL },
		{ "quotaBytes=quota_rule=*:bytes=%$", NULL, " quotaBytes", "quota_rule=*:bytes=100", NULL },
		/* A template without a variable is what stands in front of the value. */
		{ "quotaBytes=quota_rule=*:bytes=", NULL, " quotaBytes", "quota_rule=*:bytes=100", NULL },
		{ "none=x=a%$", NULL, " none", "x", NULL },
		{ "=home=/var/vmail/%d/%n", NULL, "", "home=/var/vmail/example.com/u", NULL },
		{ "=home=/var/vmail/%{ldap:uid}", NULL, " uid", "home=/var/vmail/john", NULL },
		{ "=home=%{ldap:none:/nowhere}/%{ldap:Mail}", NULL, " none Mail", "home=/nowhere/john@example.org",
			NULL },
		{ "=dn=%{ldap_dn}", NULL, "", "dn=uid=john,ou=people,dc=example,dc=org", NULL },
		{ "=dn=%{ldap:dn}", NULL, "", "dn=uid=john,ou=people,dc=example,dc=org", NULL },
		{ "=nopassword", NULL, "", "nopassword=", NULL },
		{ "uid", NULL, " uid", "uid=john", "uid" },
		{ "!uid, !UID,mail=x", NULL, " uid mail", "x=john@example.org", "mail" },
		/* The user's new name counts from there on. */
		{ "mail=user,=home=/m/%d/%n", NULL, " mail", "user=john@example.org home=/m/example.org/john", "mail" },
		{ "homeDirectory=userdb_%{ldap:quotaBytes}", NULL, " homeDirectory quotaBytes", "userdb_100=/home/john",
			NULL },
		{ "", NULL, "", "", NULL },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ldap_map m;
		struct vars v = { 0 };
		const char *why, *several;

		ldap_map_init(&m);
		vars_set_user(&v, STR("u@example.com"));
		check_int(ldap_map_parse(&m, str_c(cases[i].text), cases[i].skip, mem, &why), 0);
		check_str(str_c(m.attrs), cases[i].attrs);
		check_str(shown(ldap_map_row(&m, &john, &v, mem, &several), mem), cases[i].row);
		check_str(str_c(several), cases[i].several ? cases[i].several : "");
	}
	arena_free(&mem);
}

static void test_faults(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "uid=", "names no field" },
		{ "=", "names no field" },
		{ "uid=user=%{nothing}", "not known" },
		{ "@group=memberOf", "points to" },
		{ "cn@group=x", "points to" },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ldap_map m;
		const char *why = "";

		ldap_map_init(&m);
		check_int(ldap_map_parse(&m, str_c(cases[i].text), NULL, mem, &why), -1);
		check(strstr(why, cases[i].why) != NULL);
	}
	arena_free(&mem);
}

static void test_fields(void **state)
{
	struct arena *mem = arena_new(0);
	struct ldap_map m;
	struct vars v = { 0 };
	const char *why, *several;

	(void)state;
	ldap_map_init(&m);
	vars_set_user(&v, STR("u@example.com"));
	check_int(ldap_map_add(&m, "user", STR("%{ldap:uid}"), mem, &why), 0);
	check_int(ldap_map_add(&m, "password", STR("%{ldap:none}"), mem, &why), 0);
	check_int(ldap_map_add(&m, "home", STR("/var/vmail/%{user | lower}"), mem, &why), 0);
	check_int(ldap_map_add(&m, "mails", STR("%{ldap_multi:mail | list('+')}"), mem, &why), 0);
	check_int(ldap_map_add(&m, "x", STR("%{ldap:none | default('a')}"), mem, &why), 0);
	check_str(str_c(m.attrs), " uid none mail");
	check_str(shown(ldap_map_row(&m, &john, &v, mem, &several), mem),
		"user=john password home=/var/vmail/john mails=john@example.org+j@example.org x=a");
	check_int(ldap_map_add(&m, "y", STR("%{"), mem, &why), -1);
	arena_free(&mem);
}

static void test_lists(void **state)
{
	static struct sql_field jane_fields[] = { VALUE("dn", "uid=jane"), VALUE("uid", "jane") };
	static struct sql_row jane = { .field = jane_fields, .n = 2 };
	struct arena *mem = arena_new(0);
	struct ldap_map m;
	const char *why;

	(void)state;
	john.next = &jane;
	ldap_map_init(&m);
	check_int(ldap_map_parse(&m, STR("uid=user"), NULL, mem, &why), 0);
	check_str(shown(ldap_map_users(&m, &john, mem), mem), "user=john user=johnny user=jane");
	ldap_map_init(&m);
	check_int(ldap_map_parse(&m, STR("mail=user"), NULL, mem, &why), 0);
	check_str(shown(ldap_map_users(&m, &john, mem), mem), "user=john@example.org user=j@example.org");
	ldap_map_init(&m);
	check_int(ldap_map_add(&m, "user", STR("%{ldap:uid}@x"), mem, &why), 0);
	check_str(shown(ldap_map_users(&m, &john, mem), mem), "user=john@x user=jane@x");
	john.next = NULL;
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_attrs), cmocka_unit_test(test_faults),
		cmocka_unit_test(test_fields), cmocka_unit_test(test_lists) };

	return test_run(tests);
}
