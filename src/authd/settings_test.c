#include "authd/settings.h"
#include "base/test.h"

#include <stdlib.h>
#include <unistd.h>

static void load(const char *text, struct buf *errors)
{
	char path[] = "/tmp/auth.conf.XXXXXX";
	struct buf warnings = BUF_INIT(65536);
	struct settings *set;
	int fd = mkstemp(path);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	set = settings_load(path, errors, &warnings);
	check((set == NULL) == (errors->n > 0));
	if (set)
		settings_free(&set);
	unlink(path);
	buf_free(&warnings);
}

#define STATIC "passdb {\n driver = static\n args = nopassword=y\n}\n"

/* What it would have to obey, and does not, is said. */
static void test_oauth2_block(void **state)
{
	static const struct {
		const char *text, *says; /* NULL: not that */
		const char *never;
	} cases[] = {
		{ STATIC "passdb {\n driver = oauth2\n args = /nonexistent\n mechanisms = oauthbearer\n}\n",
			"/nonexistent", "in a passdb block" },
		{ STATIC "passdb {\n driver = oauth2\n args = /nonexistent\n deny = yes\n}\n", "deny in a passdb block",
			NULL },
		{ STATIC "passdb {\n driver = oauth2\n args = /nonexistent\n username_filter = *@a\n}\n",
			"username_filter in a passdb block", NULL },
		{ STATIC "passdb oauth2 {\n args = /nonexistent\n default_fields = a=b\n}\n",
			"default_fields in a passdb block", NULL },
		{ STATIC "passdb {\n driver = oauth2\n args = /nonexistent\n}\npassdb {\n driver = oauth2\n args = "
			 "/nonexistent2\n}\n",
			"a second passdb with driver = oauth2", NULL },
		{ STATIC "passdb {\n driver = oauth2\n args = /nonexistent\n}\n", "/nonexistent", "a second" },
		/* Who is denied, and tokens: somebody can log in. */
		{ "passdb {\n driver = static\n args = nopassword=y\n deny = yes\n username_filter = bad\n}\n"
		  "passdb {\n driver = oauth2\n args = /nonexistent\n}\n",
			"/nonexistent", "nobody could log in" },
		{ "passdb {\n driver = static\n args = nopassword=y\n deny = yes\n}\n", "nobody could log in", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf errors = BUF_INIT(65536);

		load(cases[i].text, &errors);
		buf_add_char(&errors, '\0');
		if (strstr(errors.p, cases[i].says) == NULL || (cases[i].never && strstr(errors.p, cases[i].never)))
			fail_msg("case %zu: %s", i, errors.p);
		check(true);
		buf_free(&errors);
	}
}

static void test_log(void **state)
{
	static const struct {
		const char *line;
		bool is_good;
	} cases[] = {
		{ "auth_verbose_passwords = no", true },
		{ "auth_verbose_passwords = plain", true },
		{ "auth_verbose_passwords = yes", true },
		{ "auth_verbose_passwords = sha1:6", true },
		{ "auth_verbose_passwords = plain:2", true },
		{ "auth_verbose_passwords = sha256", false },
		{ "auth_verbose_passwords = sha1:", false },
		{ "auth_verbose_passwords = sha1:0", false },
		{ "auth_verbose_passwords = no:3", false },
		{ "auth_verbose_passwords = sha1:x", false },
		{ "auth_debug = yes", true },
		{ "auth_debug = perhaps", false },
		{ "auth_debug_passwords = yes", true },
		{ "auth_debug_passwords = 2", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf errors = BUF_INIT(65536), text = BUF_INIT(65536);

		buf_addf(&text, "%sservice auth {\n unix_listener a {\n }\n}\n%s\n", STATIC, cases[i].line);
		load(text.p, &errors);
		if ((errors.n == 0) != cases[i].is_good)
			fail_msg("%s: %.*s", cases[i].line, STR_ARG(buf_str(&errors)));
		check(true);
		buf_free(&errors);
		buf_free(&text);
	}
}

/* What has to be a socket of another kind must not become one for clients. */
static void test_token_listeners(void **state)
{
	static const char *const none[] = { "unix_listener auth-token {\n  mode = 0666\n }",
		"unix_listener token-login/tokenlogin {\n  mode = 0666\n }",
		"unix_listener a {\n  type = token-login\n }", "unix_listener a {\n  type = token\n  mode = 0600\n }" };
	struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
	char path[] = "/tmp/auth.conf.XXXXXX";

	(void)state;
	close(mkstemp(path));
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		struct settings *set;
		FILE *f = fopen(path, "w");

		check(f != NULL);
		fprintf(f, "%sservice auth {\n unix_listener b {\n }\n %s\n}\n", STATIC, none[i]);
		fclose(f);
		set = settings_load(path, &errors, &warnings);
		check_str(buf_str(&errors), "");
		check_int(set->n_listeners, 1);
		check_str(str_c(set->listener[0].path), "b");
		check(strstr(warnings.p, "is a socket for DOVECOT-TOKEN") != NULL);
		settings_free(&set);
		buf_reset(&warnings);
	}
	unlink(path);
	buf_free(&errors);
	buf_free(&warnings);
}

/* What would have no effect is said, and what concerns other services is not. */
static void test_vain(void **state)
{
	static const struct {
		const char *text, *says; /* "": nothing */
	} cases[] = {
		{ "auth_mechanism = login\n",
			"line 8: auth_mechanism is not known, and has no effect; did you mean auth_mechanisms?\n" },
		{ "service auth {\n unix_listener b {\n  mode = 0660\n  group = 0\n }\n inet_listener c {\n  port = "
		  "0\n }\n process_limit = 1\n}\n",
			"" },
		{ "service auth {\n unix_listener b {\n  moode = 0660\n }\n}\n",
			"line 10: moode in unix_listener b is not known, and has no effect\n" },
		{ "service auth {\n unix_listner b {\n }\n}\n", "line 9: unix_listner in service auth is not known" },
		/* Without a server to ask they are known all the same, and what is wrong in them is no fault. */
		{ "auth_policy_hash_nonce = x\nauth_policy_hash_mech = none\nauth_policy_server_timeout_msecs = x\n"
		  "auth_policy_log_only = x\nauth_policy_request_attributes = x\nauth_policy_server_url =\n",
			"" },
		{ "auth_penalty_keeps = x\n", "did you mean auth_penalty_keep?" },
		{ "auth_worker_max_counts = x\n", "did you mean auth_worker_max_count?" },
		{ "gatepost_nothing = x\n", "line 8: gatepost_nothing is not known, and has no effect\n" },
		{ "auth_worker_max_count = 30\nmail_location = x\nprotocol imap {\n passdb {\n }\n}\n", "" },
		{ "protocol !indexer-worker {\n mail_x = y\n}\nlocal_name x {\n ssl_cert = y\n}\n", "" },
		{ "protocol smtp {\n passdb {\n  driver = sql\n }\n}\n",
			"line 9: passdb within \"protocol smtp\" has no effect here" },
		{ "local 192.0.2.1 {\n protocol !imap {\n  auth_verbose = yes\n }\n}\n",
			"line 10: auth_verbose within \"protocol !imap\" has no effect here" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
		char path[] = "/tmp/auth.conf.XXXXXX";
		FILE *f = fdopen(mkstemp(path), "w");
		struct settings *set;

		check(f != NULL);
		fprintf(f, "%sservice auth {\n unix_listener a {\n }}\n%s", STATIC, cases[i].text);
		fclose(f);
		set = settings_load(path, &errors, &warnings);
		check_str(buf_str(&errors), "");
		buf_add_char(&warnings, '\0');
		if (*cases[i].says ? strstr(warnings.p, cases[i].says) == NULL : *warnings.p != '\0')
			fail_msg("case %zu: %s", i, warnings.p);
		check(true);
		settings_free(&set);
		unlink(path);
		buf_free(&errors);
		buf_free(&warnings);
	}
}

/* A query that is cut at a "#" is said, and of a file that two blocks name once. */
static void test_cut_query(void **state)
{
	struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536), want = BUF_INIT(1024);
	char dir[] = "/tmp/gatepost-unit.XXXXXX", sql[64], path[64];
	struct settings *set;
	FILE *f;

	(void)state;
	check(mkdtemp(dir) != NULL);
	snprintf(sql, sizeof sql, "%s/sql.conf", dir);
	snprintf(path, sizeof path, "%s/auth.conf", dir);
	f = fopen(sql, "w");
	check(f != NULL);
	fputs("driver = sqlite\nconnect = /nonexistent\npassword_query = SELECT data #>> '{password}' AS "
	      "password\nuser_query = SELECT 1\n",
		f);
	fclose(f);
	f = fopen(path, "w");
	check(f != NULL);
	fputs("passdb {\n driver = sql\n args = sql.conf\n}\nuserdb {\n driver = sql\n args = sql.conf\n}\n"
	      "service auth {\n unix_listener a {\n }\n}\n",
		f);
	fclose(f);
	set = settings_load(path, &errors, &warnings);
	check_str(buf_str(&errors), "");
	buf_addf(&want,
		"%s, line 3: the \"#\" begins a comment, as for Dovecot, and what follows it is not read; without a "
		"blank before it, or in quotes, it would be\n",
		sql);
	check_str(buf_str(&warnings), want.p);
	settings_free(&set);
	unlink(sql);
	unlink(path);
	check_int(rmdir(dir), 0);
	buf_free(&errors);
	buf_free(&warnings);
	buf_free(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_oauth2_block), cmocka_unit_test(test_log),
		cmocka_unit_test(test_token_listeners), cmocka_unit_test(test_vain), cmocka_unit_test(test_cut_query) };

	return test_run(tests);
}
