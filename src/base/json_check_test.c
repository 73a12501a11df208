#include "base/json_check.h"
#include "base/test.h"

static void test_members(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} cases[] = {
		{ "", true },
		{ "\"a\":1", true },
		{ "\"a\":1,\"b\":\"x\"", true },
		{ "\"a\":{\"b\":[1,2.5,-3.0,{}],\"c\":null},\"d\":true,\"e\":false", true },
		{ "\"a\":\"\\u00e9\\\"\\\\\\n\"", true },
		{ "\"a\":\"\xc3\xa9\"", true },
		{ "\"a\":[]", true },
		{ "\"a\":1,", false },
		{ ",\"a\":1", false },
		{ "\"a\":1}", false },
		{ "\"a\":1},{\"role\":\"keyd\"", false },
		{ "\"a\":[1}", false },
		{ "\"a\":[1,]", false },
		{ "\"a\" :1", false },
		{ "\"a\":", false },
		{ "\"a\"", false },
		{ "a:1", false },
		{ "\"a\":01x", false },
		{ "\"a\":-", false },
		{ "\"a\":1.", false },
		{ "\"a\":1e5", false },
		{ "\"a\":00", false },
		{ "\"a\":0.5", true },
		{ "\"a\":999999999999999999", true },
		{ "\"a\":9999999999999999999", false },
		{ "\"a\":\"\\u0000\"", false },
		{ "\"a\":\"\\ud800\"", false },
		{ "\"a\":\"\\uDFFF\"", false },
		{ "\"a\":\"\\u001b\"", true },
		{ "\"a\":truely", false },
		{ "\"a\":\"x", false },
		{ "\"a\":\"\x1b[2J\"", false },
		{ "\"a\":\"\n\"", false },
		{ "\"a\":\"\xff\"", false },
		{ "\"a\":\"\\x\"", false },
		{ "\"a\":\"\\u12g4\"", false },
		{ "\"a\":\"\\u12", false },
		{ "\"a\":\"\\", false },
		{ "\"a\":\"b\\\"", false },
		{ "\"a\":[[[[[[[]]]]]]]", true },
		{ "\"a\":[[[[[[[[[]]]]]]]]]", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		printf("%s\n", cases[i].text);
		check_int(json_is_members(str_c(cases[i].text)), cases[i].is);
	}
	check(!json_is_members(STR("\"a\":\"\0\"")));
}

static void test_objects(void **state)
{
	(void)state;
	check(json_is_objects(STR("")));
	check(json_is_objects(STR("{}")));
	check(json_is_objects(STR("{\"a\":1},{\"b\":{}}")));
	check(!json_is_objects(STR("{\"a\":1},")));
	check(!json_is_objects(STR("{\"a\":1}],\"x\":[{}")));
	check(!json_is_objects(STR("\"a\":1")));
	check(!json_is_objects(STR("[]")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_members), cmocka_unit_test(test_objects) };

	return test_run(tests);
}
