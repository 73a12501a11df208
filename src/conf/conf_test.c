/* The whole of it: main.cf's lines, the getters, and what is said about faults. */
#include "base/test.h"
#include "base/log.h"
#include "conf/conf_impl.h"

#include <stdlib.h>
#include <unistd.h>

static struct conf *parse(const char *main_cf, struct buf *errors, struct buf *warnings)
{
	return conf_parse("/etc/x", str_c(main_cf),
		STR("smtp unix - - - - - smtp\nvm unix - - - - - pipe\nout unix - - - - - smtp\n"), errors, warnings);
}

static void test_lines(void **state)
{
	struct buf warnings = BUF_INIT(65536);
	struct conf *c = parse("\n  # comment first\nrelayhost = one,\n   two\n# inside\n\n\tthree\r\n"
			       "myorigin=$mydomain\nmydomain = a.example\nmyhostname = h.$mydomain\n"
			       "message_size_limit=5\n message_size_limit = 6\n",
		NULL, &warnings);

	(void)state;
	check(c == NULL); /* "5 message_size_limit = 6" is no number */
	c = parse("\n  # comment first\nrelayhost = one,\n   two\n# inside\n\n\tthree\r\n"
		  "myorigin=$mydomain\nmydomain = a.example\nmyhostname = h.$mydomain\n"
		  "queue_minfree = 1\nqueue_minfree = 2\nempty =\nrelay_domains = $empty",
		NULL, &warnings);
	check(c != NULL);
	check_str(str_c(conf_str(conf_main(c), "relayhost")), "one,   two\tthree");
	check_str(str_c(conf_str(conf_main(c), "myorigin")), "a.example");
	check_str(str_c(conf_str(conf_main(c), "mydestination")), "h.a.example, localhost.a.example, localhost");
	check_int(conf_int(conf_main(c), "queue_minfree"), 2);
	check_str(str_c(conf_str(conf_main(c), "relay_domains")), "");
	check_str(str_c(conf_dir(c)), "/etc/x");
	check_str(str_c(conf_str(conf_main(c), "auth_conf_file")), "/etc/x/auth.conf");
	conf_free(&c);
	check(c == NULL);
	buf_free(&warnings);
}

static void test_defaults(void **state)
{
	struct conf *c = parse("", NULL, NULL);
	const struct conf_view *v = conf_main(c);

	(void)state;
	check_str(str_c(conf_str(v, "compatibility_level")), "3.11");
	check_str(str_c(conf_str(v, "smtp_tls_security_level")), "may");
	check_str(str_c(conf_str(v, "lmtp_tls_security_level")), "");
	check_str(str_c(conf_str(v, "smtpd_relay_restrictions")),
		"permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination");
	check(conf_bool(v, "smtputf8_enable"));
	check(!conf_bool(v, "append_dot_mydomain"));
	check_str(str_c(conf_str(v, "mynetworks_style")), "host");
	check(str_has_prefix(str_c(conf_str(v, "mynetworks")), STR("127.0.0.0/8")));
	check(strstr(conf_str(v, "mynetworks"), "127.0.0.1") == NULL); /* it is in the first already */
	check(strchr(conf_str(v, "myhostname"), '.') != NULL);
	check_str(str_c(conf_str(v, "mail_name")), "Gatepost");
	check_str(str_c(conf_str(v, "mail_version")), GATEPOST_VERSION);
	check_str(str_c(conf_str(v, "smtpd_tls_protocols")), ">=TLSv1.2");
	check_int(conf_int(v, "message_size_limit"), 10240000);
	check_int(conf_seconds(v, "maximal_queue_lifetime"), 432000);
	/* Twins and parameters of services. */
	check_str(str_c(conf_str(v, "lmtp_tls_key_file")), "");
	check_int(conf_seconds(v, "lmtp_data_done_timeout"), 600);
	check_int(conf_int(v, "vm_destination_recipient_limit"), 50);
	conf_free(&c);
	c = parse("compatibility_level = 0\nlmtp_tls_cert_file = x\n", NULL, NULL);
	v = conf_main(c);
	check_str(str_c(conf_str(v, "smtpd_relay_restrictions")), "");
	check(!conf_bool(v, "smtputf8_enable"));
	check_str(str_c(conf_str(v, "smtp_tls_security_level")), "");
	check_str(str_c(conf_str(v, "lmtp_tls_key_file")), "x");
	conf_free(&c);
}

static void test_all_errors(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c = conf_parse("/etc/x",
		STR("message_size_limit = 10 MB\njunk\n= y\nrelayhost = ${a\nsmtpd_timeout = soon\nunknown = ${also "
		    "bad\n"
		    "smtpd_sasl_auth_enable = $relay_domains\n"),
		STR("smtp inet n\nsmtp unix - - - - - smtp -o smtp_tls_loglevel=0 -o smtp_use_tls=perhaps\n"), &errors,
		NULL);

	(void)state;
	check(c == NULL);
	check_str(buf_str(&errors),
		"/etc/x/main.cf, line 2: missing '=' after parameter name: \"junk\"; write name = value\n"
		"/etc/x/main.cf, line 3: missing parameter name: \"= y\"; write name = value\n"
		"/etc/x/master.cf, line 1: bad field count: 3; write eight columns: service type private unpriv chroot "
		"wakeup maxproc command\n"
		"/etc/x/main.cf, line 1: message_size_limit = 10 MB: not a number; write octets, for example 10240000\n"
		"/etc/x/main.cf, line 4: relayhost = ${a: \"}\" is missing at \"${a\"\n"
		"/etc/x/main.cf, line 5: smtpd_timeout = soon: not a time; write a number and s, m, h, d or w, for "
		"example 300s\n"
		"/etc/x/main.cf, line 7: smtpd_sasl_auth_enable = $relay_domains: not a boolean; write yes or no\n"
		"/etc/x/master.cf, line 2: smtp_use_tls = perhaps: not a boolean; write yes or no\n");
	buf_free(&errors);
}

/* A default that follows a name of which nothing else knows the type; and one cause is one error. */
static void test_defaults_errors(void **state)
{
	static const struct {
		const char *main_cf, *error;
	} cases[] = {
		{ "smtpd_per_record_deadline = maybe\n",
			"/etc/x/main.cf: smtpd_per_request_deadline = "
			"${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{yes}} "
			"(its default): "
			"not a boolean; write yes or no\n" },
		{ "compatibility_level = new\n",
			"/etc/x/main.cf, line 1: compatibility_level = new: not a compatibility "
			"level; write for example 3.6\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf errors = BUF_INIT(65536);

		check(parse(cases[i].main_cf, &errors, NULL) == NULL);
		check_str(buf_str(&errors), cases[i].error);
		buf_free(&errors);
	}
}

/* A value of main.cf that is good there, but not with what a service puts below it. */
static void test_service_view(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct conf *c = conf_parse("/etc/x", STR("limit = 5\nmessage_size_limit = $limit\n"),
		STR("smtp inet n - - - - smtpd -o limit=five\n"), &errors, NULL);

	(void)state;
	check(c == NULL);
	check_str(buf_str(&errors),
		"/etc/x/master.cf, line 1: message_size_limit = $limit (with the -o of this service): "
		"not a number; write octets, for example 10240000\n");
	buf_free(&errors);
}

static void test_warnings(void **state)
{
	static const struct {
		const char *main_cf, *warning;
	} cases[] = {
		{ "foo = bar\n", "/etc/x/main.cf, line 1: unused parameter: foo=bar\n" },
		{ "smtpd_tls_crt_file = x\n",
			"/etc/x/main.cf, line 1: unused parameter: smtpd_tls_crt_file=x; did you mean "
			"smtpd_tls_cert_file?\n" },
		{ "foo = bar\nrelayhost = $foo\n", "" },
		{ "foo = bar\nrelayhost = ${x?$foo}\n", "" },
		{ "relayhost = $fooo\n", "/etc/x/main.cf, line 1: undefined parameter: fooo\n" },
		{ "smtpd_restriction_classes = strict\nstrict = reject\n", "" },
		{ "virtual_maps = x\n", "" },
		{ "vm_destination_recipient_limit = 1\nvm_time_limit = 5\nsmtp_time_limit = 5\n",
			"/etc/x/main.cf, line 3: unused parameter: smtp_time_limit=5\n" },
		{ "out_destination_recipient_limit = 1\nout_time_limit = 5\n",
			"/etc/x/main.cf, line 2: unused parameter: out_time_limit=5\n" },
		{ "nn_destination_recipient_limit = 1\n",
			"/etc/x/main.cf, line 1: unused parameter: nn_destination_recipient_limit=1\n" },
		{ "virtual_alias_maps = mysql:old\nold_user = x\nolder_user = y\n",
			"/etc/x/main.cf, line 3: unused parameter: older_user=y\n" },
		{ "relayhost = a\nrelayhost = b\nrelayhost = b\n",
			"/etc/x/main.cf, line 2: overriding earlier entry: relayhost=a\n" },
		{ " relayhost = a\n",
			"/etc/x/main.cf, line 1: logical line must not start with whitespace: \" relayhost = a\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf warnings = BUF_INIT(65536);
		struct conf *c = parse(cases[i].main_cf, NULL, &warnings);

		check(c != NULL);
		check_str(buf_str(&warnings), cases[i].warning);
		conf_free(&c);
		buf_free(&warnings);
	}
}

/* What asks a running instance gets along with a main.cf that somebody is just editing, and reads no master.cf. */
static void test_forgiving(void **state)
{
	char dir[] = "/tmp/gatepost-test.XXXXXX", path[64];
	struct buf errors = BUF_INIT(65536), faults = BUF_INIT(65536), wanted = BUF_INIT(65536);
	struct conf *c;
	FILE *f;

	(void)state;
	require(mkdtemp(dir) != NULL);
	check(conf_load_main(dir, &errors, NULL) == NULL);
	check(str_has_suffix(buf_str(&errors), STR("/main.cf: cannot be read: No such file or directory\n")));
	snprintf(path, sizeof path, "%s/main.cf", dir);
	f = fopen(path, "w");
	require(f != NULL);
	fputs("queue_directory = /q\nmessage_size_limit = 10MB\nbad\nmyhostname = ${x\nbounce_size_limit = "
	      "$message_size_limit\nfoo = ${x\nenable_long_queue_ids = yes\n",
		f);
	fclose(f);
	buf_reset(&errors);
	c = conf_load_main(dir, &errors, &faults);
	require(c != NULL);
	check_int(errors.n, 0);
	check_str(str_c(conf_str(conf_main(c), "queue_directory")), "/q");
	check_int(conf_int(conf_main(c), "message_size_limit"), 10240000);
	check_int(conf_int(conf_main(c), "bounce_size_limit"), 10240000);
	check(conf_bool(conf_main(c), "enable_long_queue_ids"));
	check(strchr(conf_str(conf_main(c), "myhostname"), '.') != NULL);
	buf_addf(&wanted, "%s, line 3: missing '=' after parameter name: \"bad\"; write name = value\n", path);
	check(str_has_prefix(buf_str(&faults), buf_str(&wanted)));
	check(strstr(faults.p, "line 2: message_size_limit = 10MB: ") != NULL);
	check(strstr(faults.p, "line 4: myhostname = ${x: ") != NULL);
	check(strstr(faults.p, "foo") == NULL); /* nothing reads it */
	conf_free(&c);
	unlink(path);
	rmdir(dir);
	buf_free(&errors);
	buf_free(&faults);
	buf_free(&wanted);
}

/* Whom a program asks is never said by a default because of a fault: it might be another instance. */
static void test_forgiving_not_all(void **state)
{
	static const struct {
		const char *main_cf, *queue; /* NULL: it is not known */
	} cases[] = {
		{ "", "/var/spool/gatepost" },
		{ "foo = bar\n", "/var/spool/gatepost" },
		{ "queue_directory = /q\nbad\n", "/q" },
		{ "queue_directory = $base/q\nbase = /b\nbad\n", "/b/q" },
		{ "queue_directory = ${config_directory}/q\nbad\n", "/etc/x/q" },
		{ "queue_directory = ${base?{$base}:{/c}}/q\nbase = $more\nmore = /b\nbad\n", "/b/q" },
		{ "bad\n", NULL },
		{ "message_size_limit = 10MB\n", NULL },
		{ "queue_directory /q\n", NULL },
		{ "queue_directory = /a\nqueue_directory /q\n", NULL },
		{ "queue_directory = /a\nqueue_directory = ${q\n", NULL },
		{ "queue_directory =\n", NULL },
		{ "queue_directory = $nothing\n", NULL },
		{ "queue_directory = ${x\n", NULL },
		{ "queue_directory = $base/q\nbase /b\n", NULL },
		{ "queue_directory = $base/q\nbase = ${x\n", NULL },
		{ "queue_directory = $base/q\nbase = $more/b\nmore /m\n", NULL },
		{ "queue_directory = ${base?{$base}:{/c}}/q\nbase /b\n", NULL },
		{ "queue_directory = $data_directory/q\ndata_directory /b\n", NULL },
		{ "queue_directory = $queue_directory\n", NULL },
	};
	struct arena *mem = arena_new(0);
	char dir[] = "/tmp/gatepost-test.XXXXXX";

	(void)state;
	require(mkdtemp(dir) != NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf errors = BUF_INIT(65536), faults = BUF_INIT(65536);
		const char *path = arena_printf(mem, "%s/main.cf", dir), *queue;
		FILE *f = fopen(path, "w");
		struct conf *c;

		require(f != NULL);
		fputs(cases[i].main_cf, f);
		fclose(f);
		c = conf_load_main(dir, &errors, &faults);
		queue = c ? conf_str(conf_main(c), "queue_directory") : "(not known)";
		if (str_has_prefix(str_c(queue), str_c(dir)))
			queue = arena_printf(mem, "/etc/x%s", queue + strlen(dir));
		check_str(str_c(queue), cases[i].queue ? cases[i].queue : "(not known)");
		check_int(c == NULL, errors.n > 0);
		if (c == NULL) {
			check_int(faults.n, 0);
			check(strstr(errors.p, ", line ") != NULL); /* the fault itself */
			check(str_has_suffix(buf_str(&errors), STR("mend it, and try again\n")));
		}
		conf_free(&c);
		buf_free(&errors);
		buf_free(&faults);
		unlink(path);
	}
	rmdir(dir);
	arena_free(&mem);
}

/* However often a name is mentioned, it is looked at once. */
static void test_forgiving_soon(void **state)
{
	char dir[] = "/tmp/gatepost-test.XXXXXX", path[64];
	struct buf errors = BUF_INIT(65536);
	struct conf *c;
	FILE *f;

	(void)state;
	require(mkdtemp(dir) != NULL);
	snprintf(path, sizeof path, "%s/main.cf", dir);
	f = fopen(path, "w");
	require(f != NULL);
	fputs("queue_directory = /q${a0?{}}\nbad\n", f);
	for (unsigned i = 0; i < 60; i++)
		fprintf(f, "a%u = ${a%u?{}}${a%u?{}}\n", i, i + 1, i + 1);
	fputs("a60 =\n", f);
	fclose(f);
	c = conf_load_main(dir, &errors, NULL);
	check(c != NULL && strcmp(conf_str(conf_main(c), "queue_directory"), "/q") == 0);
	conf_free(&c);
	buf_free(&errors);
	unlink(path);
	rmdir(dir);
}

static void test_lists(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "" },
		{ " , ,, ", "" },
		{ "a", "<a>" },
		{ "a b,c\t\td , e", "<a><b><c><d><e>" },
		{ "a, { b c, d } e", "<a><b c, d><e>" },
		{ "check_x { pcre:{{/a b/ c}} } d", "<check_x><pcre:{{/a b/ c}}><d>" },
		{ "inline:{ a=b, c=d } x", "<inline:{ a=b, c=d }><x>" },
		{ "{}", "<>" },
		{ "{ a", "<{ a>" },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf got = BUF_INIT(4096);
		struct str *words;
		size_t n = conf_words(str_c(cases[i].text), mem, &words);

		for (size_t k = 0; k < n; k++)
			buf_addf(&got, "<%.*s>", STR_ARG(words[k]));
		check_str(buf_str(&got), cases[i].words);
		buf_free(&got);
	}
	arena_free(&mem);
}

/* Every row of the table has a meaning, and a default that fits its type at every level. */
static void test_table(void **state)
{
	static const char *const levels[] = { "0", "1", "2", "3.6", "3.11" };
	const struct param *const *rows;
	size_t n = params_all(&rows);

	(void)state;
	check(n > 850);
	for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++) {
		struct arena *mem = arena_new(0);
		struct conf *c = parse(arena_printf(mem, "compatibility_level = %s\n", levels[l]), NULL, NULL);

		check(c != NULL);
		for (size_t i = 0; i < n; i++) {
			const char *value = conf_str(conf_main(c), rows[i]->name);

			check(rows[i]->meaning[0] != '\0');
			check_str(str_c(value_check(rows[i], value, mem)), "");
		}
		conf_free(&c);
		arena_free(&mem);
	}
}

static void test_guess(void **state)
{
	(void)state;
	check_str(str_c(param_guess(STR("smtpd_tls_cret_file"))), "smtpd_tls_cert_file");
	check_str(str_c(param_guess(STR("relayhots"))), "relayhost");
	check_str(str_c(param_guess(STR("myhostnam"))), "myhostname");
	check(param_guess(STR("mua_sender_restrictions")) == NULL);
	check(param_guess(STR("q")) == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_errors),
		cmocka_unit_test(test_defaults_errors),
		cmocka_unit_test(test_service_view),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_forgiving),
		cmocka_unit_test(test_forgiving_not_all),
		cmocka_unit_test(test_forgiving_soon),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_guess),
	};

	return test_run(tests);
}
