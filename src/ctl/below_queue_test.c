#include "base/test.h"
#include "ctl/below_queue.h"

static void test_paths(void **state)
{
	static const struct {
		const char *path, *below;
	} cases[] = {
		{ "private/auth", "private/auth" },
		{ "/q/spool/private/auth", "private/auth" },
		{ "/q/spool/", "" },
		{ "/q/spool", "/q/spool" },
		{ "/q/spools/auth", "/q/spools/auth" },
		{ "/q/auth", "/q/auth" },
		{ "inet:127.0.0.1:12345", "inet:127.0.0.1:12345" },
		{ "", "" },
	};
	const struct str listeners[] = { STR("/q/spool/login"), STR("private/auth"), STR("/run/auth") };
	struct conf *c = conf_parse("/etc/x", STR("queue_directory = /q/spool\n"), STR(""), NULL, NULL);
	const struct conf_view *v = conf_main(c);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_str(below_queue(v, str_c(cases[i].path)), cases[i].below);
	check(below_queue_is_in(v, STR("/q/spool/private/auth"), listeners, 3));
	check(below_queue_is_in(v, STR("login"), listeners, 3));
	check(below_queue_is_in(v, STR("/run/auth"), listeners, 3));
	check(!below_queue_is_in(v, STR("run/auth"), listeners, 3));
	check(!below_queue_is_in(v, STR("private/auth"), listeners, 0));
	conf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
	};

	return test_run(tests);
}
