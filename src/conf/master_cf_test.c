#include "base/test.h"
#include "conf/conf_impl.h"

static const char text[] = "# comment\n"
			   "smtp      inet  n       -       y       -       -       smtpd\n"
			   "submission inet n - n - 20 smtpd\n"
			   "  -o syslog_name=postfix/$service_name\n"
			   "# inside\n"
			   "\n"
			   "  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }\n"
			   "  -v -D -osmtpd_timeout=${own}0s\n"
			   "  -o own=1 -o mua=$smtpd_sasl_path\n"
			   "tlsmgr unix - - - 1000? 1 tlsmgr\n"
			   "[::1]:2525 inet n - - - 0 /usr/lib/smtpd\n"
			   "smtp unix - - - - - smtp\n"
			   "dovecot unix - n n - - pipe\n"
			   "\tflags=DRhu user=vmail:vmail argv={/bin/x a b} -d ${user}@${domain} {c  d}\n"
			   "log unix-dgram n - n - 1 postlogd\n";

static struct conf *parse(const char *main_cf, const char *master_cf, struct buf *errors)
{
	return conf_parse("/etc/x", str_c(main_cf), str_c(master_cf), errors, NULL);
}

static void test_columns(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c = parse("smtpd_banner = x\n", text, &errors);
	const struct conf_service *s;

	(void)state;
	check_str(buf_str(&errors), "");
	check_int(conf_services(c, &s), 7);
	check(strcmp(s[0].name, "smtp") == 0 && strcmp(s[0].type, "inet") == 0 && strcmp(s[0].command, "smtpd") == 0);
	check(!s[0].is_private && s[0].unpriv && s[0].chroot);
	check_int(s[0].maxproc, 100);
	check_int(s[0].line, 2);
	check_int(s[1].maxproc, 20);
	check_int(s[1].line, 3);
	check(!s[1].chroot);
	check(strcmp(s[2].wakeup, "1000?") == 0 && s[2].maxproc == 1 && s[2].is_private && !s[2].chroot);
	check(strcmp(s[3].name, "[::1]:2525") == 0 && s[3].maxproc == 0);
	check(conf_service_find(c, STR("smtp"), "unix") == &s[4]);
	check(conf_service_find(c, STR("smtp"), "fifo") == NULL);
	check(strcmp(s[6].type, "unix-dgram") == 0);
	conf_free(&c);
	buf_free(&errors);
}

static void test_arguments(void **state)
{
	struct conf *c = parse("", text, NULL);
	const struct conf_service *s;
	struct arena *mem = arena_new(0);
	struct str *words;

	(void)state;
	conf_services(c, &s);
	check_str(str_c(conf_str(s[1].view, "syslog_name")), "postfix/submission");
	check_str(str_c(conf_str(s[0].view, "syslog_name")), "postfix");
	check_str(str_c(conf_str(s[1].view, "smtpd_client_restrictions")), "permit_sasl_authenticated, reject");
	check_int(conf_list(s[1].view, "smtpd_client_restrictions", mem, &words), 2);
	check_str(words[1], "reject");
	check_int(conf_seconds(s[1].view, "smtpd_timeout"), 10);
	check_int(conf_seconds(conf_main(c), "smtpd_timeout"), 300);
	check_str(str_c(conf_lookup(s[1].view, "mua")), "private/auth");
	check(conf_lookup(conf_main(c), "mua") == NULL);
	check(conf_is_set(s[1].view, "smtpd_timeout") && !conf_is_set(conf_main(c), "smtpd_timeout"));
	check_str(str_c(s[1].argv[0]), "-v");
	check_str(str_c(s[1].argv[1]), "-D");
	check(s[1].argv[2] == NULL);
	check_str(str_c(s[5].argv[1]), "user=vmail:vmail");
	check_str(str_c(s[5].argv[2]), "argv={/bin/x a b}");
	check_str(str_c(s[5].argv[5]), "c  d");
	check(s[5].argv[6] == NULL);
	arena_free(&mem);
	conf_free(&c);
}

static void test_levels(void **state)
{
	struct conf *c = parse("compatibility_level = 0\n", "a unix - - - - - x\n", NULL);
	const struct conf_service *s;

	(void)state;
	conf_services(c, &s);
	check(s[0].chroot); /* "-" meant y before level 1 */
	conf_free(&c);
}

static void test_errors(void **state)
{
	static const char *const rows[] = {
		"smtp inet n - - - smtpd",
		"smtp tcp n - - - - smtpd",
		"smtp inet q - - - - smtpd",
		"smtp inet n yes - - - smtpd",
		"smtp inet n - - 5x - smtpd",
		"smtp inet n - - - many smtpd",
		"smtp inet n - - - - smtpd -o",
		"smtp inet n - - - - smtpd -o smtpd_timeout",
		"smtp inet n - - - - smtpd -o =x",
		"smtp inet n - - - - smtpd -o {a = b",
		"smtp inet n - - - - smtpd -o {a = b}c",
		"smtp inet n - - - - smtpd -o smtpd_timeout=soon",
		"smtp inet n - - - - smtpd -o smtpd_banner=${",
		"a unix - - - - - x\na unix - - - - - x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf errors = BUF_INIT(65536);

		check(parse("", rows[i], &errors) == NULL);
		check(str_has_prefix(buf_str(&errors), STR("/etc/x/master.cf, line ")));
		check(str_has_suffix(buf_str(&errors), STR("\n")));
		buf_free(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_errors),
	};

	return test_run(tests);
}
