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
		check_str(address_in_ascii(str_c(cases[i].address), &out),
			str_is_8bit(str_c(cases[i].address)) && cases[i].ascii ? cases[i].ascii : cases[i].address);
		check_int(address_other_form(str_c(cases[i].address), &out), cases[i].other ? 0 : -1);
		if (cases[i].other)
			check_str(buf_str(&out), cases[i].other);
	}
	check_str(domain_in_ascii(STR("b\xC3\xBC"
				      "cher.example"),
			  &out),
		"xn--bcher-kva.example");
	check_str(domain_in_ascii(STR("Example.org"), &out), "Example.org");
	check_str(domain_in_ascii(STR("\xE2\x80\x80.example"), &out), "\xE2\x80\x80.example"); /* it has none */
	buf_free(&out);
}

/* "\\u00FC", "\\x{FC}" and surrogates of the corpus become UTF-8; a surrogate alone stays what is no UTF-8. */
static void unescape(struct str in, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < in.n; i++) {
		unsigned c = 0, low = 0;
		int used = 0;

		if (sscanf(in.p + i, "\\u%4x%n", &c, &used) != 1 && sscanf(in.p + i, "\\x{%x}%n", &c, &used) != 1) {
			buf_add_char(out, in.p[i]);
			continue;
		}
		i += (size_t)used - 1;
		if (c >> 10 == 0x36 && sscanf(in.p + i + 1, "\\u%4x", &low) == 1 && low >> 10 == 0x37) {
			c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
			i += 6;
		}
		if (c >= 0x10000)
			buf_add_char(out, (char)(0xf0 | c >> 18));
		if (c >= 0x800)
			buf_add_char(
				out, (char)((c >= 0x10000 ? 0x80 : 0xe0) | (c >> 12 & (c >= 0x10000 ? 0x3f : 0xf))));
		if (c >= 0x80)
			buf_add_char(out, (char)((c >= 0x800 ? 0x80 : 0xc0) | (c >> 6 & (c >= 0x800 ? 0x3f : 0x1f))));
		buf_add_char(out, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
	}
}

enum verdict { NOT_OURS, SAME, STRICTER, REFUSED, OTHER, TAKEN, VERDICTS };

/*
 * One line: type; source; toUnicode; toASCII. As its own text says: where it has an error there must be one, and
 * otherwise an error or the same result.
 */
static enum verdict judge(struct str line)
{
	struct buf source = BUF_INIT(4096), want = BUF_INIT(4096), got = BUF_INIT(1024);
	struct str field[4] = { 0 };
	enum verdict verdict = NOT_OURS;
	bool done;

	line = str_sub(line, 0, str_chr(line, '#') < 0 ? line.n : (size_t)str_chr(line, '#'));
	for (size_t i = 0; i < 4 && str_field(&line, ";", &field[i]); i++)
		field[i] = str_trim(field[i]);
	if (field[2].n == 0)
		field[2] = field[1];
	if (field[3].n == 0)
		field[3] = field[2];
	unescape(field[1], &source);
	/* T: the way of IDNA2003 */
	if (str_eq(field[0], STR("B")) || str_eq(field[0], STR("N"))) {
		bool labels = !str_is_8bit(buf_str(&source)); /* ASCII: the other way */
		struct str result = labels ? field[2] : field[3];

		unescape(result, &want);
		done = (labels ? domain_to_unicode : domain_to_ascii)(buf_str(&source), &got) == 0;
		if (result.p[0] == '[')
			verdict = done ? TAKEN : REFUSED;
		else
			verdict = !done ? STRICTER : str_eq(buf_str(&got), buf_str(&want)) ? SAME : OTHER;
	}
	buf_free(&source);
	buf_free(&want);
	buf_free(&got);
	return verdict;
}

static void test_corpus(void **state)
{
	const char *dir = getenv("GATEPOST_SHARED");
	unsigned n[VERDICTS] = { 0 };
	char line[8192];
	FILE *f;

	(void)state;
	snprintf(line, sizeof line, "%s/corpora/idn/IdnaTest.txt", dir ? dir : "../shared");
	f = fopen(line, "re");
	if (f == NULL) {
		printf("skipped: no %s\n", line);
		skip();
		return;
	}
	while (fgets(line, sizeof line, f)) {
		enum verdict verdict = judge(str_c(line));

		n[verdict]++;
		if (verdict == OTHER || (verdict != NOT_OURS && verdict != SAME && getenv("VERBOSE")))
			printf("%d %s", verdict, line);
	}
	fclose(f);
	printf("IdnaTest: same %u, stricter %u, refused %u, other %u, taken %u\n", n[SAME], n[STRICTER], n[REFUSED],
		n[OTHER], n[TAKEN]);
	check_int(n[OTHER], 0);
	check(n[SAME] >= 300);
	/* libidn2 asks the rule of Bidi of each label alone; and characters were assigned since. */
	check(n[TAKEN] * 100 <= n[REFUSED] * 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_literals),
		cmocka_unit_test(test_normalise), cmocka_unit_test(test_idn), cmocka_unit_test(test_forms),
		cmocka_unit_test(test_corpus) };

	return test_run(tests);
}
