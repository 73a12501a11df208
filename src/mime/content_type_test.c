#include "base/test.h"
#include "mime/content_type.h"

#include <stdlib.h>

static void test_kinds(void **state)
{
	static const struct {
		const char *value;
		enum mime_kind kind;
		const char *boundary;
	} cases[] = {
		{ "", MIME_TEXT, "" },
		{ " text", MIME_TEXT, "" },
		{ " /plain", MIME_TEXT, "" },
		{ " text/", MIME_TEXT, "" },
		{ " TEXT/Plain; charset=utf-8\r\n", MIME_TEXT, "" },
		{ " (comment (nested)) text/html", MIME_TEXT, "" },
		{ " image/png", MIME_OTHER, "" },
		{ " message/rfc822", MIME_MESSAGE, "" },
		{ " message/global", MIME_OTHER, "" },
		{ " message/delivery-status", MIME_TEXT, "" },
		{ " message/partial; id=1", MIME_SEALED, "" },
		{ " message/external-body", MIME_SEALED, "" },
		{ " multipart/mixed; boundary=abc", MIME_MULTIPART, "abc" },
		{ " multipart/mixed;\r\n\tBOUNDARY=\"a b \"\r\n", MIME_MULTIPART, "a b" },
		{ " multipart/x; boundary=\"a\\\"b\"", MIME_MULTIPART, "a\"b" },
		{ " multipart/x; boundary=\"a\r\n b\"", MIME_MULTIPART, "a b" },
		{ " multipart/x; boundary=\"=_a;b\"; x=y", MIME_MULTIPART, "=_a;b" },
		{ " multipart/x; boundary==_a:b?; x=y", MIME_MULTIPART, "=_a:b?" },
		{ " multipart/x; boundary = (c) abc (d)", MIME_SEALED, "" },
		{ " multipart/x; boundary = abc (d)", MIME_MULTIPART, "abc" },
		{ " multipart/x; a=boundary; boundary=b; boundary=c", MIME_MULTIPART, "b" },
		{ " multipart/x; a=\"boundary=x\"; boundary=b", MIME_MULTIPART, "b" },
		{ " multipart/digest; boundary=b", MIME_DIGEST, "b" },
		{ " multipart/digest", MIME_SEALED, "" },
		{ " multipart/mixed; boundary=\"\"", MIME_SEALED, "" },
		{ " multipart/mixed; boundary=\"a", MIME_MULTIPART, "a" },
		{ " multipart/signed; boundary=b", MIME_SEALED, "" },
		{ " multipart/encrypted; boundary=b", MIME_SEALED, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char boundary[MIME_BOUNDARY_MAX];
		size_t n;

		check_int(mime_kind_of(str_c(cases[i].value), boundary, &n), cases[i].kind);
		check_str(str_pn(boundary, n), cases[i].boundary);
	}
}

static void test_boundary_limit(void **state)
{
	(void)state;
	for (int n = MIME_BOUNDARY_MAX - 1; n <= MIME_BOUNDARY_MAX + 1; n++) {
		char value[2 * MIME_BOUNDARY_MAX], boundary[MIME_BOUNDARY_MAX];
		size_t got;

		snprintf(value, sizeof value, "multipart/mixed; boundary=%0*d", n, 7);
		check_int(mime_kind_of(str_c(value), boundary, &got),
			n <= MIME_BOUNDARY_MAX ? MIME_MULTIPART : MIME_SEALED);
		check_int(got, n <= MIME_BOUNDARY_MAX ? n : 0);
	}
}

static void test_encodings(void **state)
{
	static const struct {
		const char *value;
		enum mime_cte cte;
	} cases[] = { { "", CTE_7BIT }, { " 7bit", CTE_7BIT }, { " 8BIT\r\n", CTE_8BIT }, { " (x) Binary", CTE_BINARY },
		{ " quoted-printable; x", CTE_QP }, { "base64", CTE_BASE64 }, { " x-uuencode", CTE_UNKNOWN },
		{ " 8 bit", CTE_UNKNOWN } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(mime_cte_of(str_c(cases[i].value)), cases[i].cte);
}

/* Every octet is in exactly one item. */
static void test_items(void **state)
{
	static const struct {
		const char *value, *kinds;
	} cases[] = { { "a b", "a a" }, { "\"a \\\" b\"c", "\"a" }, { "(a (b) \\) c)d", "(a" },
		{ "a <b \">\" c>d", "a <a" }, { "x=\"y", "a=\"" }, { "(", "(" }, { "<\"", "<" },
		{ "a@b,c;d:e", "a@a,a;a:a" }, { "\\\"", "\\\"" }, { " \r\n\t", " " } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str rest = str_c(cases[i].value), item;
		size_t octets = 0, n = 0;
		char kinds[20], c;

		while ((c = mime_item(&rest, &item)) != 0) {
			kinds[n++] = c;
			octets += item.n;
			check(item.n > 0);
		}
		check_str(str_pn(kinds, n), cases[i].kinds);
		check_int(octets, strlen(cases[i].value));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds), cmocka_unit_test(test_boundary_limit),
		cmocka_unit_test(test_encodings), cmocka_unit_test(test_items) };

	return test_run(tests);
}
