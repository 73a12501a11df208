#include "authd/template.h"
#include "base/test.h"

#include <stdlib.h>

static const struct sql_field fields[] = { { { "home", sizeof "home" - 1 }, { "/h", sizeof "/h" - 1 }, false },
	{ { "none", sizeof "none" - 1 }, { 0 }, true } };

static struct vars example(void)
{
	static struct sql_row row = { .field = (struct sql_field *)(uintptr_t)fields, .n = 2 };
	struct vars v = { .service = STR("imap"),
		.remote_ip = STR("192.0.2.1"),
		.local_port = STR("143"),
		.mechanism = STR("PLAIN"),
		.secured = STR("secured"),
		.pass = STR("1234567890"),
		.orig_user = STR("Orig@Dom"),
		.login_user = STR("target@there"),
		.client_id = STR("a\tb"),
		.session = STR("hello"),
		.passdb = &row };

	vars_set_user(&v, STR("user@test@domain"));
	return v;
}

/* What Dovecot 2.3 and 2.4 make of the same. NULL: refused when it is read. */
static const struct {
	const char *text, *want;
} cases[] = {
	{ "", "" },
	{ "a%%b", "a%b" },
	{ "%u %n %d", "user@test@domain user test@domain" },
	{ "%s %l|%r %a %m %c", "imap |192.0.2.1 143 PLAIN secured" },
	{ "%Us %LUs %ULs", "IMAP IMAP imap" },
	{ "%{service} %{protocol}", "imap imap" },
	{ "%{domain_first} %{domain_last}", "test domain" },
	{ "%{orig_user} %{orig_username} %{orig_domain}", "Orig@Dom Orig Dom" },
	{ "%{login_user} %{login_username} %{login_domain}", "target@there target there" },
	{ "%{auth_user} %{auth_username}", "user@test@domain user" },
	{ "%{real_rip} %{rip} %{remote_ip}", "192.0.2.1 192.0.2.1 192.0.2.1" },
	{ "%{passdb:home} %{passdb:nothing} %{passdb:nothing:x} %{passdb:none:y}", "/h  x y" },
	{ "%{env:GATEPOST_TEST_VAR}", "from env" },
	/* 2.3: parts */
	{ "%1.2w", "23" },
	{ "%3w", "123" },
	{ "%-2w %-012w %-2Un", "12 001234567890 US" },
	{ "%-2.w %-2.0w", "90 90" },
	{ "%b %{rport} %{real_rport} %{real_lport} %{local_port}", "0 0 0 143 143" },
	{ "%{if;%b;<;25;y;n} %{if;%b;>;24;y;n}", "y n" },
	{ "%{if;%n;~;^us;y;n} %{if;%n;!~;^us;y;n} %{if;%n;~;^U;y;n}", "y n n" },
	{ "%{if;%n;~;(;y;n}x", "x" },
	{ "%{if(user, '~', '@Dom', 'y', 'n')}", "n" },
	{ "%{if(user, '~', '@[a-z]+$', 'y', 'n')}", "y" },
	{ "%-3.2w", "89" },
	{ "%0.3w", "123" },
	{ "%2.-3w", "34567" },
	{ "%05a", "00143" },
	{ "%3Us", "IMA" },
	{ "%20w", "1234567890" },
	{ "%20.3w", "" },
	{ "%Rs", "pami" },
	{ "%Xa", "8f" },
	{ "%Xs", "0" },
	{ "%D{domain}", "test@domain" },
	{ "%Ms", "b2a4d1002579716e40261daba3be0fc7" },
	{ "%8Ms", "b2a4d100" },
	{ "%2.256N{session}", "76" },
	{ "%4.256N{session}", "0076" },
	{ "%N{session}", "bc4b2a76" },
	{ "%H{session}", "6ec32f" },
	{ "%E{client_id}", "a\tb" },
	{ "%{md5:session}", "5d41402abc4b2a76b9719d911017c592" },
	{ "%{sha1;rounds=1000:session}", "c0ddea212ee1af8d6401947d29c8bfab31f8ad93" },
	{ "%{sha1;rounds=1000,salt=world:session}", "a314ec3ef5103223a4c5bd285dbe4ea5534d4334" },
	{ "%{sha256;truncate=8:session}", "2c" },
	{ "%{sha256;truncate=12:session}", "02cf" },
	{ "%{md5;format=base64:session}", "XUFAKrxLKna5cZ2REBfFkg==" },
	{ "%{if;%s;eq;imap;yes;no}", "yes" },
	{ "%{if;%a;>;200;yes;no}", "no" },
	{ "%{if;%s;*;im*;%d;%n}", "test@domain" },
	{ "%{if;%s;eq;a\\;b;yes;it's}", "it's" },
	/* 2.4 */
	{ "%{user | username}", "user" },
	{ "%{user | domain}", "test@domain" },
	{ "%{user | domain | domain}", "domain" },
	{ "%{user|domain|upper}", "TEST@DOMAIN" },
	{ "%{lookup('session')}", "hello" },
	{ "%{literal('hello')}", "hello" },
	{ "%{session | default('x')}", "hello" },
	{ "%{home | default('x')}", "x" },
	{ "%{home | default}", "" },
	{ "%{home | default(session)}", "hello" },
	{ "%{session | substr(0)}", "hello" },
	{ "%{session | substr(1, 2)}", "el" },
	{ "%{session | substr(-2, 2)}", "lo" },
	{ "%{session | substr(2, -2)}", "l" },
	{ "%{session | substr(0, -1)}", "hell" },
	{ "%{session | substr(-1)}", "o" },
	{ "%{session | substr(6)}", "" },
	{ "%{session | substr(6) | default('x')}", "x" },
	{ "%{session | substr(1, 5)}", "" },
	{ "%{session | reverse}", "olleh" },
	{ "%{literal('hello world') | regexp('(.*) (.*)', '$2 $1')}", "world hello" },
	{ "%{literal('hello world') | regexp('(.*) (.*)', '\\\\2 \\\\1')}", "world hello" },
	{ "%{literal('hello world') | regexp('(.*) (.*)', '\\\\\\\\2 \\\\\\\\1')}", "\\2 \\1" },
	{ "%{literal('hello world') | regexp('x+', 'y')}", "hello world" },
	{ "%{literal('hello world') | regexp('o', '0')}", "hell0 world" },
	{ "%{literal('hello') | regexp('(', '0') | default('none')}", "none" },
	{ "%{literal('hello') | regexp('l', '$9') | default('none')}", "none" },
	{ "%{literal('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab') | regexp('(a+)+$', 'y') | default('none')}", "none" },
	{ "%{user | regexp('(', '0')}x", "x" },
	{ "%{literal('hello') | regexp('l')}", NULL },
	{ "%{regexp('l', 'x')}", NULL },
	{ "%{literal('01020304') | unhexlify | benumber}", "16909060" },
	{ "%{literal('0102') | unhexlify | lenumber}", "513" },
	{ "%{literal('ffffffffffffffff') | unhexlify | lenumber}", "18446744073709551615" },
	{ "%{literal('010203') | unhexlify | benumber | default('none')}", "none" },
	{ "%{session | safe}", "hello" },
	{ "%{session | safe | upper}", NULL },
	{ "%{session | concat(' ', service)}", "hello imap" },
	{ "%{concat(session, ' ', service)}", "hello imap" },
	{ "%{session | sha1}", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d" },
	{ "%{session | sha1(rounds=1000)}", "c0ddea212ee1af8d6401947d29c8bfab31f8ad93" },
	{ "%{session | sha1(salt='world')}", "5715790a892990382d98858c4aa38d0617151575" },
	{ "%{session | hash('sha1', rounds=1000, salt='world')}", "a314ec3ef5103223a4c5bd285dbe4ea5534d4334" },
	{ "%{literal('1724925643') | hex}", "66d046cb" },
	{ "%{literal('68656c6c6f') | unhexlify | text}", "hello" },
	{ "%{literal('68656c6c6f') | unhexlify}", "68656c6c6f" },
	{ "%{literal('3') | hexlify(4)}", "0033" },
	{ "%{literal('3') | hex | unhex}", "3" },
	{ "%{literal('3') | hex(2)}", "03" },
	{ "%{literal('1727121943') | hex(2)}", "17" },
	{ "%{literal('1727121943') | hex(-2)}", "66" },
	{ "%{session | base64}", "aGVsbG8=" },
	{ "%{session | base64 | unbase64 | text}", "hello" },
	{ "%{session | base64(pad=0)}", "aGVsbG8" },
	{ "%{literal('<<?\?\?>>') | base64(url=1)}", "PDw_Pz8-Pg==" },
	{ "%{session | truncate(4)}", "hell" },
	{ "%{session | truncate(6)}", "hello" },
	{ "%{session | truncate(bits=7)}", "4" },
	{ "cn=%{session},ou=%{literal('test.dovecot.org') | ldap_dn}", "cn=hello,ou=test,dc=dovecot,dc=org" },
	{ "%{user | index('@', 0)}", "user" },
	{ "%{user | index('@', 1)}", "test" },
	{ "%{user | index('@', -1)}", "domain" },
	{ "%{user | index('@', 3)}", "" },
	{ "%{user | index('@', -4) | default('hello')}", "hello" },
	{ "%{client_id | list(',')}", "a,b" },
	{ "%{literal('1') | rfill(3)}", "100" },
	{ "%{literal('1') | lfill(3, ' ')}", "  1" },
	{ "%{session | md5 | hexlify(8)}", "5d41402a" },
	{ "%{session | md5 | substr(4,4) }", "bc4b2a76" },
	{ "%{session | md5 | substr(0,8) % 256 | hex}", "76" },
	{ "%{session | md5 % 256 | hex}", "92" },
	{ "%{session | md5 % 30 | hex(-4) }", "1600" },
	{ "%{lport + 1} %{lport * 2} %{lport / 10} %{lport % 5}", "144 286 14 3" },
	{ "%{lport / 0}", "" },
	{ "%{service - 1}", "" },
	{ "%{if(1, '==', 1, 'yes', 'no')}", "yes" },
	{ "%{literal('1') | if('<', 1, 'yes', 'no')}", "no" },
	{ "%{literal('a') | if('lt', 'b', 'yes', 'no')}", "yes" },
	{ "%{literal('a') | if('!*', '*b*', 'yes', 'no')}", "yes" },
	{ "%{service | if('eq', 'imap', user, 'no')}", "user@test@domain" },
	{ "%{service | if('==', 1, 'yes', 'no')}", "" },
	{ "%{service | switch('eq', 'pop3', 'no', 'imap', 'yes', 'other')}", "yes" },
	{ "%{service | switch('eq', 'pop3', 'no', 'x', 'yes', 'other')}", "other" },
	{ "%{switch(service, 'eq', 'imap', 'yes')}", "yes" },
	{ "%{literal('}')}x", "}x" },
	{ "%{user | nosuch}", NULL },
	{ "%{nosuch}", NULL },
	{ "%{user | lower(1)}", NULL },
	{ "%{user | md5(fail=1)}", NULL },
	{ "%{user | substr}", NULL },
	{ "%{lower}", NULL },
	{ "%{literal('7') | calculate('+', 1)}", "8" },
	{ "%{literal('7') | calculate('%', 4)}", "3" },
	{ "%{literal('7') | calculate('%', 0)}", "" },
	{ "%{literal('7') | calculate('/', 0)}", "" },
	{ "%{user | sha1 | calculate('%', 0)}", "" },
	{ "%{literal('7') | calculate(user, 1)}", NULL },
	{ "%{literal('7') | calculate('', 1)}", NULL },
	{ "%{literal('7') | calculate('x', 0)}", NULL },
	{ "%{literal('7') | calculate('+-', 0)}", NULL },
	{ "%{literal('7') | calculate(1, 0)}", NULL },
	{ "%{user | default('x}", NULL },
	{ "%{user", NULL },
	{ "%{if;a;b}", NULL },
	{ "%", NULL },
	{ "%y", NULL },
	{ "%5", NULL },
};

static void test_templates(void **state)
{
	struct vars v = example();

	(void)state;
	setenv("GATEPOST_TEST_VAR", "from env", 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct template t;
		const char *why = NULL;
		int r = template_compile(str_c(cases[i].text), mem, &t, &why);

		if ((r == 0) != (cases[i].want != NULL))
			fail_msg("%s: %s", cases[i].text, why ? why : "was taken");
		check((why != NULL) == (r < 0));
		if (r == 0 && !str_eq(template_expand(&t, &v, mem), str_c(cases[i].want)))
			fail_msg("%s is \"%.*s\", not \"%s\"", cases[i].text, STR_ARG(template_expand(&t, &v, mem)),
				cases[i].want);
		check(true);
		arena_free(&mem);
	}
}

/* Every beginning of a variable is taken or refused, and is read no further than it goes. */
static void test_cut_short(void **state)
{
	struct vars v = example();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t n = 0; n < strlen(cases[i].text); n++) {
			struct arena *mem = arena_new(0);
			char *exact = n ? malloc(n) : NULL;
			struct template t;
			const char *why = NULL;

			if (exact)
				memcpy(exact, cases[i].text, n);
			if (template_compile(str_pn(exact, n), mem, &t, &why) == 0)
				template_expand(&t, &v, mem);
			else
				check(why != NULL);
			free(exact);
			arena_free(&mem);
		}
}

static void test_who_chooses(void **state)
{
	static const struct {
		const char *text;
		bool is_free;
	} free_cases[] = { { "%s%c%m", false }, { "%u", true }, { "%{protocol | lower}", false },
		{ "%{protocol | concat(user)}", true }, { "%{if;%s;eq;%u;a;b}", true }, { "%{lookup('user')}", true },
		{ "%r", true }, { "%w", true }, { "x", false } };
	struct arena *mem = arena_new(0);
	struct template t;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof free_cases / sizeof *free_cases; i++) {
		check_int(template_compile(str_c(free_cases[i].text), mem, &t, &why), 0);
		check_int(t.is_free, free_cases[i].is_free);
	}
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_templates), cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_who_chooses) };

	return test_run(tests);
}
