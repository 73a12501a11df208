#include "base/test.h"
#include "smtp/address.h"
#include <stdlib.h>
#include <stdio.h>
#include "base/utf8.h"

#define TEN(s) s s s s s s s s s s
#define SIXTY  TEN("abcdef")
#define L63    SIXTY "abc"

static void test_parse(void **state)
{
	static const struct {
		const char *path;
		bool utf8;
		int want;
		const char *local, *domain;
	} cases[] = {
		{ "a@b", false, 0, "a", "b" },
		{ "john.doe@example.org", false, 0, "john.doe", "example.org" },
		{ "postmaster", false, 0, "postmaster", "" },
		{ "!#$%&'*+-/=?^_`.{|}~@doe", false, 0, "!#$%&'*+-/=?^_`.{|}~", "doe" },
		{ "\"a b\"@c", false, 0, "\"a b\"", "c" },
		{ "\"\"@d", false, 0, "\"\"", "d" },
		{ "\"\\\\\"@d", false, 0, "\"\\\\\"", "d" },
		{ "\"a@b\"@c", false, 0, "\"a@b\"", "c" },
		{ "a@[127.0.0.1]", false, 0, "a", "[127.0.0.1]" },
		{ "a@[IPv6:::1]", false, 0, "a", "[IPv6:::1]" },
		{ "a@[x-tag:abc]", false, 0, "a", "[x-tag:abc]" },
		{ "a@b_c.example", false, 0, "a", "b_c.example" },
		{ SIXTY "abcd@b", false, 0, SIXTY "abcd", "b" },
		{ SIXTY "abcde@b", false, -ADDRESS_ELONG, SIXTY "abcde", "b" },
		{ "a@" L63 "." L63 "." L63 "." L63, false, 0, "a", L63 "." L63 "." L63 "." L63 },
		{ "a@" L63 "." L63 "." L63 "." L63 ".", false, -ADDRESS_ELONG, NULL, NULL },
		{ "a@" L63 "d.example", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "\xC3\xA4@b", true, 0, "\xC3\xA4", "b" },
		{ "\"\xC3\xA4 b\"@b", true, 0, "\"\xC3\xA4 b\"", "b" },
		{ "a@b\xC3\xBC"
		  "cher.example",
			true, 0, "a",
			"b\xC3\xBC"
			"cher.example" },
		{ "\xC3\xA4@b", false, -ADDRESS_EUTF8, NULL, NULL },
		{ "\xC3@b", true, -ADDRESS_EUTF8, NULL, NULL },
		{ "", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "@", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "@b", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@b@c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a b@c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ " a@c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@c ", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ ".a@c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a.@c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a..b@c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@c.", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@.c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@b..c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@-b", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@b-", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ ";id;", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ ";id;@b", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "\"a", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "\"a\\\"@b", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "\"a\"b@c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a\"b\"@c", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@[IPv6:::1%eth0]", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@[1.2.3.4", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "a@[]", false, -ADDRESS_ESYNTAX, NULL, NULL },
		{ "(c)a@b", false, -ADDRESS_ESYNTAX, NULL, NULL },
	};
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int got = address_parse(str_c(cases[i].path), cases[i].utf8, &a);

		if (got != cases[i].want)
			printf("path: %s\n", cases[i].path);
		check_int(got, cases[i].want);
		if (cases[i].local) {
			check_str(a.local, cases[i].local);
			check_str(a.domain, cases[i].domain);
		}
	}
}

static void test_literals(void **state)
{
	static const struct {
		const char *literal;
		bool want;
	} cases[] = {
		{ "[0.0.0.0]", true },
		{ "[255.255.255.255]", true },
		{ "[256.1.1.1]", false },
		{ "[1.2.3]", false },
		{ "[01.2.3.4]", false },
		{ "[1.2.3.4.5]", false },
		{ "[IPv6:2001:db8::1]", true },
		{ "[ipv6:2001:db8::1]", true },
		{ "[IPv6:::ffff:1.2.3.4]", true },
		{ "[IPv6:]", false },
		{ "[IPv6:1::2::3]", false },
		{ "[IPv6:1.2.3.4]", false },
		{ "[2001:db8::1]", true /* tag "2001" */ },
		{ "[tag:x]", true },
		{ "[tag:]", false },
		{ "[:x]", false },
		{ "[tag-:x]", false },
		{ "[tag:[x]", false },
		{ "[tag:a b]", false },
		{ "1.2.3.4", false },
		{ "", false },
		{ "[", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_int(literal_is_valid(str_c(cases[i].literal)), cases[i].want);
	check(!literal_is_valid(STR("[1.2.3.4\0]")));
}

static void test_normalise(void **state)
{
	static const struct {
		const char *path, *want;
	} cases[] = {
		{ "John@Example.ORG", "John@example.org" },
		{ "postmaster", "postmaster" },
		{ "\"ab\"@c", "ab@c" },
		{ "\"a.b\"@c", "a.b@c" },
		{ "\"a\\b\"@c", "ab@c" },
		{ "\"a b\"@c", "\"a b\"@c" },
		{ "\"a\\ b\"@c", "\"a b\"@c" },
		{ "\"a..b\"@c", "\"a..b\"@c" },
		{ "\"\"@c", "\"\"@c" },
		{ "\"\\\"\\\\\"@c", "\"\\\"\\\\\"@c" },
	};
	struct buf out = BUF_INIT(512), small = BUF_INIT(3);
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_int(address_parse(str_c(cases[i].path), false, &a), 0);
		check_int(address_normalise(&a, &out), 0);
		check_str(buf_str(&out), cases[i].want);
		/* Normal is normal. */
		check_int(address_parse(buf_str(&out), false, &a), 0);
		check_int(address_normalise(&a, &small), out.n > 3 ? -1 : 0);
	}
	buf_free(&out);
	buf_free(&small);
}

static void test_idn(void **state)
{
	static const struct {
		const char *domain, *want; /* NULL: refused */
	} cases[] = {
		{ "EXAMPLE.org", "example.org" },
		{ "b\xC3\xBC"
		  "cher.example",
			"xn--bcher-kva.example" },
		{ "B\xC3\x9C"
		  "CHER.example",
			"xn--bcher-kva.example" },
		{ "stra\xC3\x9F"
		  "e.example",
			"xn--strae-oqa.example" },
		{ "\xE4\xBE\x8B\xE3\x81\x88.\xE3\x83\x86\xE3\x82\xB9\xE3\x83\x88", "xn--r8jz45g.xn--zckzah" },
		{ "\xC3", NULL },
		{ "\xE2\x84\x80.example", NULL },	       /* U+2100 is mapped to "a/c" */
		{ "\xC3\xBC\xE3\x80\x82\xE3\x80\x82x", NULL }, /* U+3002 is mapped to "." */
		{ "a\xE2\x80\x8B.-\xC3\xBC", NULL },
	};
	struct buf out = BUF_INIT(255);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_int(domain_to_ascii(str_c(cases[i].domain), &out), cases[i].want ? 0 : -1);
		check_int(domain_is_valid(str_c(cases[i].domain), true), cases[i].want != NULL);
		if (cases[i].want)
			check_str(buf_str(&out), cases[i].want);
	}
	check(!domain_is_valid(STR("b\xC3\xBC"
				   "cher.example"),
		false));
	buf_free(&out);
}

static void test_forms(void **state)
{
	static const struct {
		const char *address, *ascii, *other; /* NULL: none */
	} cases[] = {
		{ "a@b\xC3\xBC"
		  "cher.example",
			"a@xn--bcher-kva.example", "a@xn--bcher-kva.example" },
		{ "a@xn--bcher-kva.example", "a@xn--bcher-kva.example",
			"a@b\xC3\xBC"
			"cher.example" },
		{ "a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example",
			"a@b\xC3\xBC"
			"cher.example" },
		{ "\xC3\xBC@b\xC3\xBC"
		  "cher.example",
			NULL, "\xC3\xBC@xn--bcher-kva.example" },
		{ "\xC3\xBC@example.org", NULL, NULL },
		{ "a@example.org", "a@example.org", NULL },
		{ "a@xn--zzzzzz.example", "a@xn--zzzzzz.example", NULL },
		{ "a@\xE2\x80\x80.example", NULL, NULL },
		{ "postmaster", NULL, NULL },
	};
	struct buf out = BUF_INIT(4096);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		check_int(address_to_ascii(str_c(cases[i].address), &out), cases[i].ascii ? 0 : -1);
		if (cases[i].ascii)
			check_str(buf_str(&out), cases[i].ascii);
		check_int(address_other_form(str_c(cases[i].address), &out), cases[i].other ? 0 : -1);
		if (cases[i].other)
			check_str(buf_str(&out), cases[i].other);
	}
	buf_free(&out);
}

/* "\\u00FC" of the corpus becomes UTF-8. */
static void unescape(struct str in, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < in.n; i++) {
		unsigned c = 0;

		if (in.p[i] != '\\' || sscanf(in.p + i, "\\u%4x", &c) != 1) {
			buf_add_char(out, in.p[i]);
			continue;
		}
		i += 5;
		if (c >= 0x800) {
			buf_add_char(out, (char)(0xe0 | c >> 12));
			buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		} else if (c >= 0x80) {
			buf_add_char(out, (char)(0xc0 | c >> 6));
		}
		buf_add_char(out, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
	}
}

/* One line: type; source; toUnicode; toASCII. Returns 1: as it says, 0: otherwise, -1: no line to be judged. */
static int judge(struct str line)
{
	struct buf source = BUF_INIT(4096), want = BUF_INIT(4096), got = BUF_INIT(1024);
	struct str field[4] = { 0 };
	int verdict = -1;

	if (memmem(line.p, line.n, "NV8", 3)) /* what IDNA2008 excludes, RFC 5891 does too */
		return -1;
	for (size_t i = 0; i < 4 && str_field(&line, ";", &field[i]); i++)
		field[i] = str_trim(field[i]);
	if (field[3].n == 0)
		field[3] = field[2].n ? field[2] : field[1];
	unescape(field[1], &source);
	unescape(field[3], &want);
	/* Of errors only those of the corpus's own Unicode version are listed; surrogates are no UTF-8. */
	if ((str_eq(field[0], STR("B")) || str_eq(field[0], STR("N"))) && field[3].n && field[3].p[0] != '[' &&
		field[2].n && field[2].p[0] != '[' && memmem(field[1].p, field[1].n, "\\uD", 3) == NULL &&
		str_is_8bit(buf_str(&source)) && !str_is_8bit(buf_str(&want)) && domain_is_valid(buf_str(&want), false))
		verdict = domain_to_ascii(buf_str(&source), &got) == 0 && str_eq(buf_str(&got), buf_str(&want));
	buf_free(&source);
	buf_free(&want);
	buf_free(&got);
	return verdict;
}

static void test_corpus(void **state)
{
	FILE *f = fopen("../shared/corpora/idn/IdnaTest.txt", "re");
	unsigned good = 0, all = 0;
	char line[8192];

	(void)state;
	while (f && fgets(line, sizeof line, f)) {
		int verdict = judge(str_c(line));

		all += verdict >= 0;
		good += verdict == 1;
		if (verdict == 0 && getenv("VERBOSE"))
			printf("%s", line);
	}
	if (f)
		fclose(f);
	printf("IdnaTest: %u of %u\n", good, all);
	check(all == 0 || good * 100 >= all * 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_literals),
		cmocka_unit_test(test_normalise), cmocka_unit_test(test_idn), cmocka_unit_test(test_forms),
		cmocka_unit_test(test_corpus) };

	return test_run(tests);
}
