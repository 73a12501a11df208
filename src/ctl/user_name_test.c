#include "base/test.h"
#include "ctl/user_impl.h"

static void test_names(void **state)
{
	static const struct {
		const char *name, *want; /* how the fault begins; NULL: none */
	} cases[] = {
		{ "john@example.org", NULL },
		{ "john", NULL },
		{ "J\xc3\xb6rg@b\xc3\xbc"
		  "cher.example",
			NULL },
		{ "a+b_c.d-e'f@example.org", NULL },
		{ ".john@example.org", NULL },
		{ "...", NULL },
		{ "", "a user's name has 1" },
		{ "\xff@example.org", "a user's name has 1" },
		{ "a b@example.org", "a user's name has no blanks" },
		{ "a\tb", "a user's name has no blanks" },
		{ "a\nb", "a user's name has no blanks" },
		{ "a\x7f", "a user's name has no blanks" },
		{ "a\xc2\x85"
		  "b",
			"a user's name has no blanks" },
		{ "a\xc2\xa0"
		  "b",
			NULL },
		{ "@example.org", "nothing stands before" },
		{ "@", "nothing stands before" },
		{ "john@", "nothing stands behind" },
		{ "a@b@c", "a user's name has one @" },
		{ "../x", "a user's name has no \"/\"" },
		{ "../x@example.org", "a user's name has no \"/\"" },
		{ "a/b@example.org", "a user's name has no \"/\"" },
		{ "/etc", "a user's name has no \"/\"" },
		{ "x@../../etc", "a user's name has no \"/\"" },
		{ "..", "a user's name has no \"/\"" },
		{ "..@example.org", "a user's name has no \"/\"" },
		{ ".@example.org", "a user's name has no \"/\"" },
		{ "x@..", "a user's name has no \"/\"" },
	};
	char longest[257];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *fault = user_name_fault(str_c(cases[i].name));

		check((fault != NULL) == (cases[i].want != NULL));
		if (fault && cases[i].want)
			check(strncmp(fault, cases[i].want, strlen(cases[i].want)) == 0);
	}
	memset(longest, 'a', sizeof longest);
	check(user_name_fault(str_pn(longest, 255)) == NULL);
	check(user_name_fault(str_pn(longest, 256)) != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names) };

	return test_run(tests);
}
