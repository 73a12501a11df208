#include "authd/settings.h"
#include "base/test.h"

#include <stdlib.h>
#include <unistd.h>

#define LISTENER "service auth {\n unix_listener a {\n }\n}\n"
#define MECHS	 "auth_mechanisms = oauthbearer\n"

/* Returns the settings, or NULL with what is wrong in *said; else what is doubtful. "~" in the text is a file with `flat`. */
static struct settings *load(const char *text, const char *flat, struct buf *said)
{
	char path[] = "/tmp/auth.conf.XXXXXX", other[] = "/tmp/oauth2.conf.XXXXXX";
	struct buf all = BUF_INIT(65536), warnings = BUF_INIT(65536);
	int fd = mkstemp(path), fd2 = mkstemp(other);
	struct settings *set;

	check(fd2 >= 0 && write(fd2, flat, strlen(flat)) == (ssize_t)strlen(flat));
	buf_add_c(&all, LISTENER MECHS);
	for (; *text; text++)
		if (*text == '~')
			buf_add_c(&all, other);
		else
			buf_add_char(&all, *text);
	check(fd >= 0 && write(fd, all.p, all.n) == (ssize_t)all.n);
	set = settings_load(path, said, &warnings);
	if (set)
		buf_add_str(said, buf_str(&warnings));
	close(fd);
	close(fd2);
	unlink(path);
	unlink(other);
	buf_free(&all);
	buf_free(&warnings);
	return set;
}

#ifdef HAVE_CURL
#define FLAT                                                                                           \
	"introspection_url = https://id:pw@login.example1.com/introspect\nintrospection_mode = post\n" \
	"client_id = us\nclient_secret = s\nusername_attribute = sub\nscope = mail\naudience = them\n" \
	"timeout_msecs = 2500\nmax_idle_time_msecs = 5000\npass_attrs = a=%{oauth2:x} b=%$ c\n"        \
	"active_attribute = active\nactive_value = true\nsend_auth_headers = yes\n"                    \
	"openid_configuration_url = https://login.example1.com/.well-known/openid-configuration\n"
#define MODERN                                                                                                      \
	"oauth2_introspection_url = https://id:pw@login.example1.com/introspect\noauth2_username_attribute = sub\n" \
	"oauth2_audience = them\n"                                                                                  \
	"oauth2 {\n introspection_mode = post\n client_id = us\n oauth2_client_secret = s\n scope = mail\n"         \
	" active_attribute = active\n active_value = true\n send_auth_headers = yes\n"                              \
	" http_client_request_timeout = 2500 ms\n max_idle_time_msecs = 5000\n"                                     \
	" openid_configuration_url = https://login.example1.com/.well-known/openid-configuration\n"                 \
	" fields {\n  a = %{oauth2:x}\n  b = %$\n  c =\n }\n}\n"

static void check_whole(const struct settings *set)
{
	const struct oauth2 *o = &set->oauth2;

	check(o->is_set && o->mode == OAUTH2_POST && o->has_user && o->sends_headers && !o->forces_introspection);
	check_int(set->fetch.n, 1);
	check_int(o->introspection_site, 0);
	check_int(o->tokeninfo_site, OAUTH2_NO_SITE);
	check_int(o->jwks_site, OAUTH2_NO_SITE);
	check_str(str_c(set->fetch.site[0].url), "https://id:pw@login.example1.com/introspect");
	check_int(set->fetch.site[0].idle_s, 5);
	check_int(o->timeout_ms, 2500);
	check_str(str_c(o->client_id), "us");
	check_str(str_c(o->client_secret), "s");
	check_str(str_c(o->answer_demands.audience), "them");
	check_str(str_c(o->answer_demands.username_attribute), "sub");
	check_str(str_c(o->answer_demands.active_value), "true");
	check_int(o->fields->n, 3);
	check_str(str_c(o->openid_configuration_url), "https://login.example1.com/.well-known/openid-configuration");
}

static void test_dialects(void **state)
{
	static const struct {
		const char *text, *flat;
	} cases[] = {
		{ "passdb {\n driver = oauth2\n mechanisms = xoauth2 oauthbearer\n args = ~\n}\n", FLAT },
		{ "passdb oauth2 {\n args = ~\n}\n", FLAT },
		{ MODERN, "" },
		{ "passdb oauth2 {\n mechanisms_filter = oauthbearer\n oauth2_force_introspection = no\n}\n" MODERN,
			"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf said = BUF_INIT(65536);
		struct settings *set = load(cases[i].text, cases[i].flat, &said);

		if (set == NULL)
			fail_msg("case %zu: %s", i, said.p);
		check_whole(set);
		settings_free(&set);
		buf_free(&said);
	}
}

/* In the file of 2.3, too. */
static void test_file_words(void **state)
{
	struct buf said = BUF_INIT(65536);
	struct settings *set =
		load("passdb oauth2 {\n args = ~\n}\n", "issuer = x\nintrospection_url = https://a/\n", &said);

	(void)state;
	check(set == NULL && strstr(said.p, "line 1: issuer is no setting of tokens") != NULL);
	buf_free(&said);
}

/* What an answer has to have is not what a JWT has to have. */
static void test_audience(void **state)
{
	struct buf said = BUF_INIT(65536);
	struct settings *set = load("oauth2_introspection_url = https://a/\noauth2_client_id = us\n", "", &said);

	(void)state;
	check(set != NULL && set->oauth2.mode == OAUTH2_AUTH);
	check_str(str_c(set->oauth2.demands.audience), "us");
	check_str(str_c(set->oauth2.answer_demands.audience), "");
	check(strstr(said.p, "without audience or scope") != NULL);
	settings_free(&set);
	buf_free(&said);
}

/* Passwords that the server is shown: in the chain of passdbs, with its own settings, beside one for tokens. */
#define PLAIN "auth_mechanisms = plain\n"
#define GRANT "use_grant_password = yes\ngrant_url = https://a.example/token\nclient_id = us\nscope = mail\n"
static void test_grant(void **state)
{
	static const struct {
		const char *text, *flat;
		bool has_tokens;
	} cases[] = {
		{ PLAIN "passdb {\n driver = oauth2\n mechanisms = plain login\n args = ~\n}\n", GRANT, false },
		{ "passdb {\n driver = oauth2\n args = ~\n result_success = continue-ok\n}\n" MODERN, GRANT, true },
		{ PLAIN "passdb oauth2 {\n mechanisms_filter = plain login\n oauth2_grant_url = "
			"https://a.example/token\n"
			" oauth2_client_id = us\n oauth2_scope = mail\n}\n",
			"", false },
		{ PLAIN "passdb oauth2 {\n mechanisms_filter = plain\n}\noauth2 {\n grant_url = "
			"https://a.example/token\n"
			" client_id = us\n scope = mail\n}\n",
			"", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf said = BUF_INIT(65536);
		struct settings *set = load(cases[i].text, cases[i].flat, &said);
		const struct oauth2 *o = set && set->n_passdbs ? set->passdb[set->n_passdbs - 1].grant : NULL;

		if (o == NULL)
			fail_msg("case %zu: %s", i, said.p);
		check(o->is_grant && o->grant_site >= 0 && o->introspection_site == OAUTH2_NO_SITE);
		check_str(str_c(set->fetch.site[o->grant_site].url), "https://a.example/token");
		check_str(str_c(o->client_id), "us");
		check_str(str_c(o->answer_demands.scope), "mail");
		check(set->oauth2.is_set == cases[i].has_tokens);
		settings_free(&set);
		buf_free(&said);
	}
}

#define URL "oauth2_introspection_url = https://a.example/\n"
static void test_said(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "oauth2_introspection_url = http://a.example/\n", "is http: tokens cross the network" },
		{ "oauth2_jwks = http://a.example/keys\n", "jwks is http: who stands in between could put keys" },
		{ "oauth2_introspection_url = gopher://id:secret@a/\n", "introspection_url: it does not begin" },
		{ "oauth2_introspection_url = https://a.example\noauth2_introspection_mode = get\n", "has no path" },
		{ "oauth2_tokeninfo_url = https://a.example\n", "has no path" },
		{ "oauth2_introspection_url = https://id:secret@a/\n", "introspection_url has a user" },
		{ "oauth2_introspection_url = https://id:secret@a/\noauth2_introspection_mode = auth\n",
			"should be introspection_mode = post" },
		{ URL "oauth2_issuer = https://a.example\n", "oauth2_issuer is no setting of tokens" },
		{ URL "oauth2 {\n audiences = us\n}\n", "audiences is no setting of tokens" },
		{ URL "passdb oauth2 {\n oauth2_scopes = mail\n}\n", "oauth2_scopes is no setting of tokens" },
		{ URL "oauth2 {\n scope = a\n}\noauth2 {\n issuers = b\n}\n", "several blocks oauth2" },
		{ URL "passdb oauth2 {\n args = ~\n}\n", "both args = FILE and settings oauth2_" },
		{ URL "oauth2 {\n ssl_client_ca_file =\n http_client_max_idle_time = 5s\n rawlog_dir = /\n}\n",
			"without audience or scope" },
		{ URL "oauth2_introspection_mode = both\n", "it should be auth, get, post or local" },
		{ URL "oauth2_introspection_mode = local\n", "jwks is missing" },
		{ URL "oauth2_scope = a\"b\n", "has a quote" },
		{ URL "oauth2_openid_configuration_url = /x\n", "openid_configuration_url = /x" },
		{ URL "oauth2_use_grant_password = yes\n", "use_grant_password is for passwords" },
		{ "passdb oauth2 {\n mechanisms_filter = plain\n}\n", "use_grant_password needs grant_url" },
		{ "passdb oauth2 {\n mechanisms_filter = plain\n}\noauth2_grant_url = http://a.example/\n",
			"grant_url is http: passwords would cross" },
		{ "passdb oauth2 {\n mechanisms_filter = plain\n}\noauth2_grant_url = https://a/\noauth2_jwks = /x\n",
			"are for tokens that clients show" },
		{ "passdb oauth2 {\n mechanisms_filter = plain\n deny = yes\n}\noauth2_grant_url = https://a/\n",
			"cannot be asked who it knows" },
		{ "passdb oauth2 {\n mechanisms_filter = plain\n nonsense = 1\n}\noauth2_grant_url = https://a/\n",
			"nonsense in a passdb block is not supported" },
		{ URL "oauth2_tls_allow_invalid_cert = yes\n", "never believed" },
		{ URL "oauth2 {\n ssl_client_require_valid_cert = no\n}\n", "never believed" },
		{ URL "oauth2_local_validation_key_dict = redis:host=x\n", "should be fs:posix:prefix=/FOLDER/" },
		{ URL "oauth2_local_validation_key_dict = fs:posix:prefix=/nonexistent/\n",
			"/nonexistent: No such file" },
		{ URL "oauth2 {\n local_validation {\n dict fs {\n fs posix {\n prefix = /nonexistent/\n}\n}\n}\n}\n",
			"/nonexistent: No such file" },
		{ "ssl_client_ca_file = /nonexistent\n" URL, "/nonexistent: No such file" },
		{ URL "oauth2_jwks = https://a/\noauth2_local_validation_key_dict = x\n", "one of them" },
		{ URL "oauth2_timeout_msecs = soon\n", "a number of milliseconds" },
		{ URL "oauth2_pass_attrs = nologin=y\n", "nologin is not supported for tokens" },
		{ URL "oauth2_username_validation_format = user\n", "all users would be the same one" },
		{ URL "oauth2_username_validation_format = %{nonsense}\n", "username_validation_format" },
		{ "oauth2_scope = mail\n", "there should be jwks" },
		{ "oauth2_introspection_url =\n", "there should be jwks" },
		{ "oauth2_tokeninfo_url =\noauth2_jwks =\n", "there should be jwks" },
		{ "passdb oauth2 {\n args = ~\n}\n", "there should be jwks" },
		{ "passdb oauth2 {\n}\n", "needs args = FILE" },
		{ "", "it needs \"passdb" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf said = BUF_INIT(65536);
		struct settings *set = load(cases[i].text, "", &said);

		buf_add_char(&said, '\0');
		if (strstr(said.p, cases[i].says) == NULL || strstr(said.p, "secret"))
			fail_msg("case %zu: %s", i, said.p);
		check(true);
		settings_free(&set);
		buf_free(&said);
	}
}
#else
static void test_without(void **state)
{
	struct buf said = BUF_INIT(65536);

	(void)state;
	check(load("oauth2_introspection_url = https://a/\n", "", &said) == NULL);
	check(strstr(said.p, "built without libcurl") != NULL);
	buf_free(&said);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef HAVE_CURL
		cmocka_unit_test(test_dialects), cmocka_unit_test(test_audience), cmocka_unit_test(test_grant),
		cmocka_unit_test(test_file_words), cmocka_unit_test(test_said)
#else
		cmocka_unit_test(test_without)
#endif
	};

	return test_run(tests);
}
