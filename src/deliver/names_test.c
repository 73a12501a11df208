#include "base/log.h"
#include "base/test.h"
#include "deliver/names.h"

#include <signal.h>
#include <unistd.h>

static struct child child_of(bool root)
{
	struct child c = { .root = root, .master.fd = -1 };

	c.conf = conf_parse("/nonexistent", STR("mail_owner = nobody\n"), STR(""), NULL, NULL);
	require(c.conf != NULL);
	c.main = conf_main(c.conf);
	return c;
}

static void check_names(void)
{
	struct arena *mem = arena_new(0);
	char overlong[2000];
	struct account a;

	for (int round = 0; round < 3; round++) {
		check_int(names_find("root", mem, &a), 1);
		check_int(a.uid, 0);
		check_str(str_c(a.name), "root");
		check_str(str_c(a.home), "/root");
		check_int(names_find("nobody", mem, &a), 1);
		check_int(a.uid, 65534);
		check_int(names_find("no-such-account", mem, &a), 0);
		check_int(names_find("", mem, &a), 0);
	}
	memset(overlong, 'x', sizeof overlong);
	overlong[sizeof overlong - 1] = '\0';
	check_int(names_find(overlong, mem, &a), 0);
	arena_free(&mem);
}

static void test_without_root(void **state)
{
	struct child c = child_of(false);

	(void)state;
	check_str(str_c(names_start(&c)), "");
	check_names();
	conf_free(&c.conf);
}

static void test_under_root(void **state)
{
	struct child c = child_of(true);

	(void)state;
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		return;
	}
	check(strstr(names_start(&c), "uid, capabilities, no_new_privs") != NULL);
	check_names();
	conf_free(&c.conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_without_root), cmocka_unit_test(test_under_root) };

	return test_run(tests);
}
