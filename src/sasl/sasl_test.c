#include "base/test.h"
#include "sasl/base64.h"
#include "sasl/sasl_mech.h"

#define S(lit)                          \
	{                               \
		"" lit, sizeof(lit) - 1 \
	}

static void test_base64(void **state)
{
	static const struct {
		struct str text, raw;
		bool good, loose;
	} cases[] = {
		{ S(""), S(""), true, true },
		{ S("Zg=="), S("f"), true, true },
		{ S("Zm8="), S("fo"), true, true },
		{ S("Zm9v"), S("foo"), true, true },
		{ S("Zm9vYmFy"), S("foobar"), true, true },
		{ S("AGE="), S("\0a"), true, true },
		{ S("Zh=="), S("f"), false, true }, /* RFC 4648 sec. 3.5 */
		{ S("Zg"), S("f"), false, true },
		{ S("Zg="), S("f"), false, true },
		{ S("Z"), S(""), false, false },
		{ S("!!!!"), S(""), false, false },
		{ S("AB=A"), S(""), false, false },
		{ S("===="), S(""), false, false },
		{ S("Zm9v\n"), S(""), false, false },
		{ S("Zm 9v=="), S(""), false, false },
		{ S("="), S(""), false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = BUF_INIT(64);

		check_int(base64_decode(&b, cases[i].text), cases[i].good ? 0 : -1);
		check(str_eq(buf_str(&b), cases[i].good ? cases[i].raw : STR("")));
		buf_reset(&b);
		if (cases[i].text.n != 1) {
			check_int(base64_decode_loose(&b, cases[i].text), cases[i].loose ? 0 : -1);
			buf_reset(&b);
		}
		if (cases[i].good) {
			check_int(base64_encode(&b, cases[i].raw), 0);
			check(str_eq(buf_str(&b), cases[i].text));
		}
		buf_free(&b);
	}
}

struct turn {
	struct str in; /* p == NULL: none */
	enum sasl_step want;
	const char *out;
};
#define NONE            \
	{               \
		NULL, 0 \
	}

static void test_server(void **state)
{
	static const char long_pass[] = "\0u\0"
					"0123456789012345678901234567890123456789012345678901234567890123";
	static const struct {
		const char *mech;
		struct turn turn[3];
		size_t turns;
		const char *authcid, *authzid, *pass;
	} cases[] = {
		{ "PLAIN", { { S("\0user1@example1.com\0SecurePass"), SASL_CHECK_PASS, "" } }, 1, "user1@example1.com",
			"", "SecurePass" },
		{ "plain", { { S("a\0b\0c"), SASL_CHECK_PASS, "" } }, 1, "b", "a", "c" },
		/* RFC 4616 sec. 4: both of its examples */
		{ "PLAIN", { { S("\0tim\0tanstaaftanstaaf"), SASL_CHECK_PASS, "" } }, 1, "tim", "",
			"tanstaaftanstaaf" },
		{ "PLAIN", { { S("Ursel\0Kurt\0xipj3plmq"), SASL_CHECK_PASS, "" } }, 1, "Kurt", "Ursel", "xipj3plmq" },
		{ "PLAIN", { { NONE, SASL_MORE, "" }, { S("\0b\0c"), SASL_CHECK_PASS, "" } }, 2, "b", "", "c" },
		{ "PLAIN", { { S(""), SASL_BAD, "" } }, 1, "", "", "" },
		{ "PLAIN", { { S("\0b"), SASL_BAD, "" } }, 1, "", "", "" },
		{ "PLAIN", { { S("\0b\0"), SASL_BAD, "" } }, 1, "b", "", "" },
		{ "PLAIN", { { S("\0\0c"), SASL_BAD, "" } }, 1, "", "", "" },
		{ "PLAIN", { { S("\0b\0c\0"), SASL_BAD, "" } }, 1, "b", "", "" },
		{ "PLAIN", { { S("\0b\0c\0d"), SASL_BAD, "" } }, 1, "b", "", "" },
		{ "PLAIN", { { S("\0\xff\0c"), SASL_BAD, "" } }, 1, "", "", "" },
		{ "PLAIN", { { S("\0\xc0\xaf\0c"), SASL_BAD, "" } }, 1, "", "", "" },
		{ "PLAIN", { { S("\0J\xc3\xbcrg\0p\xc3\xa4ss"), SASL_CHECK_PASS, "" } }, 1, "J\xc3\xbcrg", "",
			"p\xc3\xa4ss" },
		{ "LOGIN",
			{ { NONE, SASL_MORE, "Username:" }, { S("u"), SASL_MORE, "Password:" },
				{ S("p"), SASL_CHECK_PASS, "" } },
			3, "u", "", "p" },
		{ "LOGIN", { { S("u"), SASL_MORE, "Password:" }, { S("p"), SASL_CHECK_PASS, "" } }, 2, "u", "", "p" },
		{ "LOGIN", { { NONE, SASL_MORE, "Username:" }, { S(""), SASL_BAD, "" } }, 2, "", "", "" },
		{ "LOGIN", { { S("u"), SASL_MORE, "Password:" }, { S(""), SASL_BAD, "" } }, 2, "u", "", "" },
		{ "LOGIN", { { S("u"), SASL_MORE, "Password:" }, { S("a\0b"), SASL_BAD, "" } }, 2, "u", "", "" },
	};

	(void)state;
	check(sasl_mech_find(STR("DIGEST-MD5")) == NULL);
	check(sasl_mech_find(STR("")) == NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct sasl_mech *m = sasl_mech_find(str_c(cases[i].mech));
		struct arena *mem = arena_new(0);
		struct buf out = BUF_INIT(1024);
		struct sasl_xchg *x;

		check(m != NULL);
		x = sasl_xchg_new(m, mem, &out);
		for (size_t t = 0; t < cases[i].turns; t++) {
			buf_reset(&out);
			check_int(m->step(x, cases[i].turn[t].in), cases[i].turn[t].want);
			check_str(buf_str(&out), cases[i].turn[t].out);
			check((x->why != NULL) == (cases[i].turn[t].want == SASL_BAD));
		}
		check_str(x->authcid, cases[i].authcid);
		check_str(x->authzid, cases[i].authzid);
		check_str(x->pass, cases[i].pass);
		buf_free(&out);
		arena_wipe(&mem);
	}
	/* The longest password, and one octet more. */
	for (size_t n = SASL_PASS_MAX; n <= SASL_PASS_MAX + 1; n++) {
		struct arena *mem = arena_new(0);
		struct buf out = BUF_INIT(1024), in = BUF_INIT(4096);
		struct sasl_xchg *x = sasl_xchg_new(&sasl_plain, mem, &out);

		buf_add(&in, long_pass, 3);
		for (size_t k = 0; k < n; k++)
			buf_add_char(&in, 'p');
		check_int(sasl_plain.step(x, buf_str(&in)), n == SASL_PASS_MAX ? SASL_CHECK_PASS : SASL_BAD);
		buf_free(&in);
		buf_free(&out);
		arena_wipe(&mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_base64), cmocka_unit_test(test_server) };

	return test_run(tests);
}
