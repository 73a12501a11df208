/* Services that are none: their mail waits, and postqueue(1) says why. */
#include "queued/boot_test.h"

static void on_busy(uv_idle_t *idle)
{
	uv_idle_stop(idle);
}

static void test_faults(void **state)
{
	enum { LONG_OCTETS = 5000 };
	struct queued *q = boot_new(on_busy);
	char name[LONG_OCTETS + 1];
	struct buf master = BUF_INIT(100000);
	struct service *s;

	(void)state;
	memset(name, 'x', LONG_OCTETS);
	name[LONG_OCTETS] = '\0';
	buf_addf(&master, "smtp unix - - n - - smtp\nodd unix - - n - - pipe\n%s unix - - n - - %s\n", name, name);
	q->child.conf = conf_parse("/etc/x", STR(""), buf_str(&master), NULL, NULL);
	q->child.main = conf_main(q->child.conf);

	s = service_get(q, STR("smtp"));
	check(s->kind == SERVICE_RELAY && s->fault == NULL);
	s = service_get(q, STR("odd"));
	check_int(s->kind, SERVICE_RETRY);
	check_str(str_c(s->fault),
		"master.cf, line 2: the service odd has the command pipe, which is none of smtp, relay, lmtp, "
		"virtual, local, error, retry, discard");
	s = service_get(q, STR("nosuch"));
	check_int(s->kind, SERVICE_RETRY);
	check_str(str_c(s->fault), "master.cf has no service nosuch of type unix");

	s = service_get(q, str_c(name)); /* cut, and not left out */
	check_int(s->kind, SERVICE_RETRY);
	check(s->fault && str_has_prefix(str_c(s->fault), STR("master.cf, line 3: the service xxx")));
	check(s->fault &&
		str_has_suffix(str_c(s->fault), STR("xx, which is none of smtp, relay, lmtp, virtual, local, error, "
						    "retry, discard")));
	name[LONG_OCTETS - 1] = 'y';
	s = service_get(q, str_c(name));
	check(s->fault && str_has_prefix(str_c(s->fault), STR("master.cf has no service xxx")));
	buf_free(&master);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_faults) };

	return test_run(tests);
}
