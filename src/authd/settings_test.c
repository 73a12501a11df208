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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_oauth2_block), cmocka_unit_test(test_log),
		cmocka_unit_test(test_token_listeners) };

	return test_run(tests);
}
