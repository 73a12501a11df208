#include "base/test.h"
#include "smtpd/smtpd.h"

#include <netdb.h>

/* The ports that the jail permits with this main.cf and master.cf, as "53 9998". */
static const char *ports_of(const char *main_cf, const char *master_cf)
{
	static char text[256];
	struct buf errors = BUF_INIT(4096);
	struct conf *conf = conf_parse("/etc/gatepost", str_c(main_cf), str_c(master_cf), &errors, NULL);
	const struct conf_service *row;
	struct service services[4] = { 0 };
	size_t n = 0;

	if (conf == NULL)
		fail_msg("%.*s", STR_ARG(buf_str(&errors)));
	smtpd.n_service = conf_services(conf, &row);
	require(smtpd.n_service <= 4);
	smtpd.service = services;
	for (size_t i = 0; i < smtpd.n_service; i++)
		services[i].view = row[i].view;
	text[0] = '\0';
	for (const uint16_t *p = ports_to_connect(); *p; p++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%u", n > 0 ? " " : "", *p);
	conf_free(&conf);
	buf_free(&errors);
	return text;
}

static void test_ports_of_the_configuration(void **state)
{
	static const char smtp[] = "smtp inet n - n - - smtpd\n";
	static const struct {
		const char *main_cf, *master_cf, *want;
	} cases[] = {
		{ "", smtp, "53" },
		{ "smtpd_sasl_path = inet:127.0.0.1:12345\n", smtp, "53 12345" },
		{ "smtpd_sasl_path = inet:[::1]:12345\n", smtp, "53 12345" },
		{ "port = 9998\nsmtpd_recipient_restrictions = permit_mynetworks, check_policy_service "
		  "inet:127.0.0.1:$port, reject_unauth_destination\n",
			smtp, "53 9998" },
		{ "smtpd_client_restrictions = check_policy_service {inet:127.0.0.1:9998, timeout=10s}, "
		  "check_policy_service { inet:127.0.0.1:9999 }\n",
			smtp, "53 9998 9999" },
		{ "smtpd_restriction_classes = strict\nstrict = check_policy_service inet:127.0.0.1:10023\n", smtp,
			"53 10023" },
		{ "smtpd_milters = inet:localhost:8891, unix:/run/x\n", smtp, "53 8891" },
		{ "", "587 inet n - n - - smtpd -o smtpd_sasl_path=inet:127.0.0.1:4000\n", "53 4000" },
		{ "smtpd_sasl_path = inet:127.0.0.1:0\n", smtp, "53" },
		{ "smtpd_sasl_path = inet:127.0.0.1:70000\n", smtp, "53" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_str(str_c(ports_of(cases[i].main_cf, cases[i].master_cf)), cases[i].want);
}

static void test_ports_by_name(void **state)
{
	static const char main_cf[] = "smtpd_milters = inet:localhost:submission, inet:localhost:no-such-service\n";

	(void)state;
	if (getservbyname("submission", "tcp") == NULL) {
		printf("skipped: there is no /etc/services\n");
		return;
	}
	check_str(str_c(ports_of(main_cf, "smtp inet n - n - - smtpd\n")), "53 587");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ports_of_the_configuration),
		cmocka_unit_test(test_ports_by_name) };

	return test_run(tests);
}
