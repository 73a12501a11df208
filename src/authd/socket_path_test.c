#include "authd/socket_path.h"
#include "base/test.h"

#include <stdio.h>
#include <unistd.h>

static void test_names(void **state)
{
	struct socket_path p;
	char fresh[64];

	(void)state;
	check_int(socket_path_make(&p, "private/auth", "/q"), 0);
	check_str(str_c(p.name), "/q/private/auth");
	snprintf(fresh, sizeof fresh, "/q/private/.%d", (int)getpid());
	check_str(str_c(p.fresh), fresh);
	check_int(socket_path_make(&p, "/auth", "/q"), 0);
	check_str(str_c(p.name), "/auth");
}

/* sun_path has 108 octets with the NUL, whichever of both names is the longer one. */
static void test_length(void **state)
{
	static const struct {
		size_t folder, name; /* "/aaa/", "bbb" */
		int want;
	} cases[] = { { 99, 8, 0 }, { 99, 9, -1 }, { 100, 1, -1 }, { 5, 102, 0 }, { 5, 103, -1 }, { 5000, 1, -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct socket_path p;
		char path[8192];

		memset(path, 'a', sizeof path);
		path[0] = path[cases[i].folder - 1] = '/';
		path[cases[i].folder + cases[i].name] = '\0';
		check_int(socket_path_make(&p, path, "/q"), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_length) };

	return test_run(tests);
}
