#include "base/corpus_test.h"
#include "mime/content_type.h"

#include <stdlib.h>
#include <strings.h>

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
		{ " image/ png", MIME_OTHER, "" },
		{ " multipart / (c) mixed ; boundary=b", MIME_MULTIPART, "b" },
		{ " multipart /mixed;boundary=b", MIME_MULTIPART, "b" },
		{ " image / ; name=x", MIME_TEXT, "" },
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

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static const char *boundary_of(const json_t *expected)
{
	const json_t *list = json_object_get(expected, "attributes"), *pair;
	size_t i;

	json_array_foreach(list, i, pair) if (strcmp(json_string_value(json_array_get(pair, 0)), "boundary") ==
					      0) return json_string_value(json_array_get(pair, 1));
	return "";
}

/* What the vector says, as far as a conversion wants to know it; not for messages and what may not be converted. */
static bool kind_wanted(const json_t *expected, enum mime_kind *kind)
{
	const char *type = text_of(expected, "c_type"), *subtype = text_of(expected, "c_subtype");

	*kind = MIME_TEXT; /* RFC 2045 sec. 5.2 */
	if (strcasecmp(type, "multipart") == 0)
		*kind = strcasecmp(subtype, "digest") == 0 ? MIME_DIGEST : MIME_MULTIPART;
	else if (*subtype && strcasecmp(type, "text") != 0)
		*kind = MIME_OTHER;
	return strcasecmp(type, "message") != 0 && strcasecmp(subtype, "signed") != 0 &&
	       strcasecmp(subtype, "encrypted") != 0;
}

/* The vectors of another parser. */
static void test_corpus(void **state)
{
	unsigned judged = 0, same = 0;
	json_t *all = corpus_load("mime/mail-parser/fields/content_type.json"), *one;
	size_t i;

	(void)state;
	if (all == NULL)
		return;
	json_array_foreach(all, i, one)
	{
		const json_t *expected = json_object_get(one, "expected");
		const char *header = text_of(one, "header");
		char boundary[MIME_BOUNDARY_MAX];
		enum mime_kind want, got;
		size_t n;

		got = mime_kind_of(str_c(header), boundary, &n);
		if (!kind_wanted(expected, &want))
			continue;
		judged++;
		same += got == want && str_eq(str_pn(boundary, n), str_c(boundary_of(expected)));
		if (got != want || !str_eq(str_pn(boundary, n), str_c(boundary_of(expected))))
			printf("%d, not %d, \"%.*s\": %s", got, want, (int)n, boundary, header);
	}
	printf("types: %u of %u\n", same, judged);
	check(judged >= 80);
	check_int(same, judged);
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds), cmocka_unit_test(test_boundary_limit),
		cmocka_unit_test(test_encodings), cmocka_unit_test(test_items), cmocka_unit_test(test_corpus) };

	return test_run(tests);
}
