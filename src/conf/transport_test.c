#include "base/test.h"
#include "conf/transport.h"

/* Each has a command, and is found by it and by nothing like it. */
static void test_commands(void **state)
{
	static const char *const others[] = { "", "smtpd", "smt", "SMTP", "pipe", "/usr/lib/postfix/smtp" };

	(void)state;
	for (enum transport t = 0; t < TRANSPORTS; t++)
		check_int(transport_find(str_c(transport_command(t))), t);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		check_int(transport_find(str_c(others[i])), TRANSPORTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
	};

	return test_run(tests);
}
