#include "base/test.h"
#include "ctl/header_addr.h"

static void test_addresses(void **state)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{ "a@b.example", "a@b.example|" },
		{ " User1 <user1@example1.com>,\r\n\tjohn@example.org (John, of Org)",
			"user1@example1.com|john@example.org|" },
		{ "\"Last, First\" <x@y.example>, z", "x@y.example|z|" },
		{ "friends: a@b.example, \"c d\"@e.example; , f@g.example",
			"a@b.example|\"c d\"@e.example|f@g.example|" },
		{ "undisclosed-recipients:;", "" },
		{ "<@relay.example,@other.example:x@y.example>", "x@y.example|" },
		{ "a @ b.example (c (d) e)", "a@b.example|" },
		{ "<>, a", "a|" },
		{ "\"unbalanced <a@b>", "\"unbalanced <a@b>|" },
		{ "(only a comment)", "" },
		{ "a@[127.0.0.1], b", "a@[127.0.0.1]|b|" },
		{ ",,;", "" },
		{ "", "" },
		{ "<a@b", "a@b|" },
		{ "x\\", "x\\|" },
		{ "a@b.example c@d.example\te", "a@b.example|c@d.example|e|" },
		{ "a@b.example (A) c@d.example, f", "a@b.example|c@d.example|f|" },
		{ "a@b.example <c@d.example>", "c@d.example|" },
		{ "a@b.example c d <e@f.example> , g", "e@f.example|g|" },
		{ "a@b.example friends: c;", "c|" },
		{ "a@b . example", "a@b.example|" },
		{ "a b @ c.example", "ab@c.example|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str rest = str_c(cases[i].body), addr;
		struct buf got = BUF_INIT(4096);

		while (header_addr_next(&rest, &addr)) {
			header_addr_clean(addr, &got);
			buf_add_char(&got, '|');
		}
		check_str(buf_str(&got), cases[i].want);
		buf_free(&got);
	}
	check(header_addr_has_domain(STR("a@b")));
	check(!header_addr_has_domain(STR("\"a@b\"")));
	check(!header_addr_has_domain(STR("root")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_addresses) };

	return test_run(tests);
}
