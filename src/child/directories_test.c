#include "base/test.h"
#include "child/directories.h"

static void test_is_made(void **state)
{
	static const struct {
		const char *path;
		bool is;
	} cases[] = { { "/q", true }, { "/q/private", true }, { "/q/public", true }, { "/q/pid", true },
		{ "/q/log", true }, { "/q/privat", false }, { "/q/private/x", false }, { "/qprivate", false },
		{ "/q2", false }, { "/private", false }, { "/", false }, { "", false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(child_directory_is_made(cases[i].path, "/q"), cases[i].is);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_is_made) };

	return test_run(tests);
}
