#include "base/test.h"
#include "conf/dovecot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void show(const struct dovecot_node *n, struct buf *out)
{
	for (; n; n = n->next) {
		if (n->name) {
			buf_addf(out, "%s[%s]{", n->key, n->name);
			show(n->child, out);
			buf_add_char(out, '}');
		} else {
			buf_addf(out, "%s=%s;", n->key, n->value);
		}
	}
}

static void test_syntax(void **state)
{
	static const struct {
		const char *text, *want, *errors;
	} cases[] = {
		{ "a = b\n", "a=b;", "" },
		{ "a=b", "a=b;", "" },
		{ "a =\n", "a=;", "" },
		{ "# c\n  # d\na = b # e\nc = d#e\n", "a=b;c=d#e;", "" },
		{ "a = \"b # c\"\n", "a=b # c;", "" },
		{ "a = 'b'\n", "a=b;", "" },
		{ "a = \"b \\\" c\"\n", "a=b \" c;", "" },
		{ "a = b \\\n   c \\\n d\n", "a=b  c  d;", "" },
		{ "a = b \\ \n   c \\\t# d\n e\n", "a=b  c  e;", "" },
		{ "a = b\r\nc = d\r\n", "a=b;c=d;", "" },
		{ "passdb {\n driver = sql\n args = /x\n}\n", "passdb[]{driver=sql;args=/x;}", "" },
		{ "service auth {\n unix_listener private/auth {\n mode = 0660\n }\n}\n",
			"service[auth]{unix_listener[private/auth]{mode=0660;}}", "" },
		{ "passdb { driver = sql }\n", "passdb[]{driver=sql;}", "" },
		{ "a { b { c = d } }\n", "a[]{b[]{c=d;}}", "" },
		{ "x = %{user}\n", "x=%{user};", "" },
		{ "p { q = %{user|lower} }\n", "p[]{q=%{user|lower};}", "" },
		{ "p \"a b\" {\n}\n", "p[a b]{}", "" },
		{ "a = plain\na = $a login\n", "a=plain;a=plain login;", "" },
		{ "a = $1$abc$def\n", "a=$1$abc$def;", "" },
		{ "auth_mechanisms = $auth_mechanisms login\n", "auth_mechanisms=plain login;", "" },
		{ "user = $default_internal_user\n", "user=dovecot;", "" },
		/* 2.4 */
		{ "a = plain\na = $SET:a login\nb = $SET:c\n", "a=plain;a=plain login;b=$SET:c;", "" },
		{ "auth_mechanisms {\n plain = yes\n login = yes\n}\n", "auth_mechanisms=plain login;", "" },
		{ "auth_mechanisms = plain, login x\nauth_mechanisms {\n cram-md5 = yes\n login = no\n}\n",
			"auth_mechanisms=plain, login x;auth_mechanisms=plain x cram-md5;", "" },
		{ "passdb sql {\n mechanisms_filter {\n  plain = yes\n }\n}\n", "passdb[sql]{mechanisms_filter=plain;}",
			"" },
		{ "auth_mechanisms {\n plain\n login = perhaps\n}\n", "auth_mechanisms=;",
			"f, line 2: \"plain\" is no setting; it should be \"name = value\" or \"section {\"\n"
			"f, line 4: auth_mechanisms { login } should be \"login = yes\" or \"= no\"\n" },
		{ "passdb sql {\n query = a\n}\npassdb b {\n}\npassdb sql {\n query = b\n}\nx = y\n",
			"passdb[sql]{query=a;query=b;}passdb[b]{}x=y;", "" },
		{ "passdb {\n a = b\n}\npassdb {\n c = d\n}\n", "passdb[]{a=b;}passdb[]{c=d;}", "" },
		{ "auth_policy {\n server_url = u\n auth_policy_hash_nonce = n\n request_attributes {\n  a = %{user}\n "
		  " b/c = d\n }\n}\nx = y\n",
			"auth_policy_server_url=u;auth_policy_hash_nonce=n;auth_policy_request_attributes=a=%{user} "
			"b/c=d;x=y;",
			"" },
		{ "auth_policy_request_attributes {\n a = b c\n}\nauth_policy {\n}\nx = y\n",
			"auth_policy_request_attributes=;auth_policy[]{}x=y;",
			"f, line 3: auth_policy_request_attributes { a } should be a value without blanks\n" },
		{ "protocols {\n imap = yes\n}\n", "protocols[]{imap=yes;}", "" },
		{ "a = <<END\n-----BEGIN\n{ x = \n END\nb = c\nd\n", "a=-----BEGIN\n{ x = \n;b=c;",
			"f, line 6: \"d\" is no setting; it should be \"name = value\" or \"section {\"\n" },
		{ "a = <<END\nx\n", "a=x\n;", "f, line 1: the value of a has no end; a line \"END\" is missing\n" },
		{ "a = b\n}\nc\n\"\nd = e\n", "a=b;d=e;",
			"f, line 2: \"}\" closes nothing; a section begins with \"name {\"\n"
			"f, line 3: \"c\" is no setting; it should be \"name = value\" or \"section {\"\n"
			"f, line 4: \"\"\" is no setting; it should be \"name = value\" or \"section {\"\n" },
		{ "a {\nb = c\n", "a[]{b=c;}",
			"f, line 2: the section \"a\" of line 1 is not closed; \"}\" is missing\n" },
		{ "!exclude x\n", "", "f, line 1: \"!exclude\" is unknown; there are !include and !include_try\n" },
		{ "!include /no/such/file\n!include_try /no/such/file\n!include_try /no/such/*.conf\n", "",
			"f, line 1: cannot read /no/such/file: No such file or directory\n" },
		{ "{\n}\n", "?[]{}", "f, line 1: \"{\" without the name of a section\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf errors = BUF_INIT(65536), out = BUF_INIT(65536);
		struct dovecot_conf *c = dovecot_parse("f", str_c(cases[i].text), &errors);

		show(c->first, &out);
		check_str(buf_str(&out), cases[i].want);
		check_str(buf_str(&errors), cases[i].errors);
		dovecot_free(&c);
		buf_free(&errors);
		buf_free(&out);
	}
}

static void test_flat(void **state)
{
	static const char text[] = "driver = sqlite\n"
				   "connect = host=x password=a$b{c}#d\n"
				   "password_query = SELECT email AS user, password \\\n"
				   "  FROM users WHERE email = '%u'\n"
				   "#x = y\n"
				   "scheme = PLAIN\t# a comment\n"
				   "user_query = SELECT 'a # b' AS \"c # d\" \\ \t# from\n"
				   "  FROM users # all\n"
				   "pass = a#b # c\n"
				   "odd = it's # no comment\n";
	struct buf errors = BUF_INIT(65536);
	struct dovecot_conf *c = dovecot_parse_flat("f", str_c(text), &errors);

	(void)state;
	check_int(errors.n, 0);
	check_str(str_c(dovecot_value(c->first, "connect", "")), "host=x password=a$b{c}#d");
	check_str(str_c(dovecot_value(c->first, "password_query", "")),
		"SELECT email AS user, password  FROM users WHERE email = '%u'");
	check(dovecot_get(c->first, "x") == NULL);
	check_str(str_c(dovecot_value(c->first, "scheme", "")), "PLAIN");
	check_str(str_c(dovecot_value(c->first, "user_query", "")), "SELECT 'a # b' AS \"c # d\"  FROM users");
	check_str(str_c(dovecot_value(c->first, "pass", "")), "a#b");
	check_str(str_c(dovecot_value(c->first, "odd", "")), "it's # no comment");
	check_int(dovecot_get(c->first, "password_query")->line, 3);
	dovecot_free(&c);
}

/* Quotes hold a "#" as far as they go; Dovecot's rule elsewhere, and a word about what it cuts off that looks like no comment. */
static void test_flat_comments(void **state)
{
	static const char says[] = "f, line 1: the \"#\" begins a comment, as for Dovecot";
	static const struct {
		const char *text, *value;
		bool warns;
	} cases[] = {
		{ "q = SELECT data #>> '{password}' AS password FROM users WHERE email = '%u'\n", "SELECT data", true },
		{ "q = SELECT data#>>'{password}' AS password\n", "SELECT data#>>'{password}' AS password", false },
		{ "q = SELECT data #> '{a}' \\\nz = 1\n", "SELECT data", true },
		{ "q = SELECT data #- '{a}'\n", "SELECT data", true },
		{ "q = SELECT a # 5 FROM t WHERE u = '%u'\n", "SELECT a", true },
		{ "q = SELECT a # 5 FROM t WHERE u = '%{user}'\n", "SELECT a", true },
		{ "q = a # 50% of them\n", "a", false },
		{ "q = a #--- from here on ---\n", "a", false },
		{ "q = a #it's\n", "a", false },
		{ "q = a #\n", "a", false },
		{ "#> q = %u\n  #> %u\nq = a\n", "a", false },
		{ "q = SELECT 'a \\\n # b' AS x # c\n", "SELECT 'a  # b' AS x", false },
		{ "q = SELECT 'a \\\n  it\\'s # b' AS x # c\n", "SELECT 'a  it\\'s # b' AS x", false },
		{ "q = SELECT 'a' \\\n # b' AS x\n", "SELECT 'a'", false },
		{ "z = it's\nq = a # b\n", "a", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf errors = BUF_INIT(65536);
		struct dovecot_conf *c = dovecot_parse_flat("f", str_c(cases[i].text), &errors);

		check_str(str_c(dovecot_value(c->first, "q", "none")), cases[i].value);
		check_int(errors.n, 0);
		if (cases[i].warns)
			check(c->warnings.n && strncmp(c->warnings.p, says, sizeof says - 1) == 0);
		else
			check_str(buf_str(&c->warnings), "");
		dovecot_free(&c);
		buf_free(&errors);
	}
}

static void write_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_include(void **state)
{
	char dir[] = "/tmp/dovecot_testXXXXXX", path[256];
	struct buf errors = BUF_INIT(65536), out = BUF_INIT(65536);
	struct dovecot_conf *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/1.inc", dir);
	write_to(path, "auth_mechanisms = $auth_mechanisms login\nbad\n");
	snprintf(path, sizeof path, "%s/2.inc", dir);
	write_to(path, "x = <secret\n");
	snprintf(path, sizeof path, "%s/secret", dir);
	write_to(path, "s3cret");
	snprintf(path, sizeof path, "%s/loop.conf", dir);
	write_to(path, "!include loop.conf\n");
	snprintf(path, sizeof path, "%s/main.conf", dir);
	write_to(path, "auth_mechanisms = plain\n!include *.inc\nlast = y\n");
	c = dovecot_load(path, &errors);
	show(c->first, &out);
	check_str(buf_str(&out), "auth_mechanisms=plain;auth_mechanisms=plain login;x=s3cret;last=y;");
	check(strstr(errors.p, "1.inc, line 2: \"bad\" is no setting") != NULL);
	dovecot_free(&c);
	buf_free(&errors);
	snprintf(path, sizeof path, "%s/loop.conf", dir);
	c = dovecot_load(path, &errors);
	check(strstr(errors.p, "does a file include itself?") != NULL);
	dovecot_free(&c);
	buf_free(&errors);
	buf_free(&out);
	snprintf(path, sizeof path, "rm -r '%s'", dir);
	check_int(system(path), 0);
}

static void test_values(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ms;
	} times[] = { { "2 secs", 0, 2000 }, { "2", 0, 2000 }, { "500ms", 0, 500 }, { "10 mins", 0, 600000 },
		{ "1 hour", 0, 3600000 }, { "infinite", 0, 366 * 86400000ULL }, { "x", -1, 0 }, { "2 parsecs", -1, 0 },
		{ "", -1, 0 } };
	uint64_t n;
	bool b;

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		check_int(dovecot_time_ms(times[i].text, &n), times[i].r);
		check_int(n, times[i].ms);
	}
	check(dovecot_size("10M", &n) == 0 && n == 10485760);
	check(dovecot_size("512 kB", &n) == 0 && n == 524288);
	check(dovecot_size("2 MiB", &n) == 0 && n == 2097152);
	check(dovecot_size("many", &n) == -1);
	check(dovecot_bool("yes", &b) == 0 && b);
	check(dovecot_bool("no", &b) == 0 && !b);
	check(dovecot_bool("perhaps", &b) == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_syntax), cmocka_unit_test(test_flat),
		cmocka_unit_test(test_flat_comments), cmocka_unit_test(test_include), cmocka_unit_test(test_values) };

	return test_run(tests);
}
