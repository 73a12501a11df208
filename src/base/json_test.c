#include "base/json.h"
#include "base/test.h"

#define IN(lit) lit, sizeof(lit) - 1

static const struct {
	const char *in;
	size_t n;
	const char *out;
} cases[] = {
	{ IN(""), "\"\"" },
	{ IN("user1@example1.com"), "\"user1@example1.com\"" },
	{ IN("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
	{ IN("\0\t\n\x1f\x7f"), "\"\\ufffd\\u0009\\u000a\\u001f\\u007f\"" },
	{ IN("J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x93\xa7"), "\"J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x93\xa7\"" },
	{ IN("a\xff\xc3"), "\"a\\ufffd\\ufffd\"" },
	{ IN("\xc0\x80\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"" },
};

static void test_put(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);

		json_put(&out, str_pn(cases[i].in, cases[i].n));
		check_str(buf_str(&out), cases[i].out);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_put) };

	return test_run(tests);
}
