#include "authd/policy.h"

#include "authd/settings.h"
#include "base/test.h"

#include <stdlib.h>
#include <unistd.h>

static void test_answer(void **state)
{
	static const struct {
		const char *body;
		int result;
		long long status;
		const char *message;
	} cases[] = {
		{ "{\"status\":0}", 0, 0, "" },
		{ "{\"status\":-1,\"msg\":\"go away\"}", 0, -1, "go away" },
		{ " { \"msg\" : null , \"status\" : 5 , \"more\" : [ 1 ] } ", 0, 5, "" },
		{ "{\"status\":-1,\"msg\":\"\"}", 0, -1, "" },
		{ "", -1, 0, "" },
		{ "ok", -1, 0, "" },
		{ "[]", -1, 0, "" },
		{ "{}", -1, 0, "" },
		{ "{\"status\":\"0\"}", -1, 0, "" },
		{ "{\"status\":0.5}", -1, 0, "" },
		{ "{\"status\":99999999999999999999}", -1, 0, "" },
		{ "{\"status\":0,\"msg\":7}", -1, 0, "" },
		{ "{\"status\":0,\"status\":-1}", -1, 0, "" },
		{ "{\"status\":0}{", -1, 0, "" },
	};
	struct arena *mem = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct policy_answer a;
		const char *why;

		check_int(policy_answer_parse(str_c(cases[i].body), mem, &a, &why), cases[i].result);
		check_int(a.status, cases[i].status);
		check_str(a.message, cases[i].message);
		check((why != NULL) == (cases[i].result < 0));
	}
	arena_free(&mem);
}

static void test_truncate(void **state)
{
	static const unsigned char digest[] = { 0xab, 0xcd, 0xef, 0x12 };
	static const struct {
		unsigned bits;
		const char *text;
	} cases[] = { { 0, "abcdef12" }, { 32, "abcdef12" }, { 512, "abcdef12" }, { 16, "abcd" }, { 12, "0abc" },
		{ 8, "ab" }, { 4, "0a" }, { 1, "01" }, { 20, "0abcde" }, { 31, "55e6f789" } };
	struct buf out = BUF_INIT(64);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_reset(&out);
		policy_truncate(digest, sizeof digest, cases[i].bits, &out);
		check_str(buf_str(&out), cases[i].text);
	}
	buf_free(&out);
}

#define BEGIN                                                                                                      \
	"passdb {\n driver = static\n args = nopassword=y\n}\nservice auth {\n unix_listener x {\n mode = 0600\n " \
	"}\n}\n"
#define POLICY BEGIN "auth_policy_server_url = http://127.0.0.1:9/\nauth_policy_hash_nonce = x\n"

/* What is wrong is said with its line; nothing that fetchd would not take is ever sent. */
static void test_settings(void **state)
{
	static const struct {
		const char *text, *says; /* NULL: nothing is wrong */
	} cases[] = {
		{ POLICY, NULL },
		{ POLICY "auth_policy_server_api_header = secret\n", NULL },
		{ POLICY "auth_policy_server_api_header = X-Key: secret\n", NULL },
		{ POLICY "auth_policy_server_api_header = X Key: secret\n", "is no header" },
		{ POLICY "auth_policy_server_api_header = : secret\n", "is no header" },
		{ BEGIN "auth_policy_server_url = http://127.0.0.1:9/\n", "needs auth_policy_hash_nonce" },
		{ BEGIN "auth_policy_server_url = http://127.0.0.1:9\nauth_policy_hash_nonce = x\n", "it has no path" },
		{ BEGIN "auth_policy_server_url = ftp://127.0.0.1/\nauth_policy_hash_nonce = x\n",
			"auth_policy_server_url: " },
		{ POLICY "auth_policy_hash_mech = rot13\n", "auth_policy_hash_mech = rot13" },
		{ POLICY "auth_policy_hash_truncate = many\n", "auth_policy_hash_truncate = many" },
		{ POLICY "auth_policy_request_attributes = a=%u b/c=%{hashed_password} d/e=x=y\n", NULL },
		{ POLICY "auth_policy_request_attributes = a\n", "it should be key=value" },
		{ POLICY "auth_policy_request_attributes = a=%{nothing}\n", "auth_policy_request_attributes: " },
		{ POLICY "auth_policy_log_only = perhaps\n", "auth_policy_log_only = perhaps" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char path[] = "/tmp/auth.conf.XXXXXX";
		int fd = mkstemp(path);
		struct buf errors = BUF_INIT(65536), warnings = BUF_INIT(65536);
		struct settings *set;

		check(fd >= 0 && write(fd, cases[i].text, strlen(cases[i].text)) > 0);
		close(fd);
		set = settings_load(path, &errors, &warnings);
		unlink(path);
		if (cases[i].says == NULL && errors.n)
			fail_msg("case %zu: %s", i, errors.p);
		check((errors.n > 0) == (cases[i].says != NULL));
		check(cases[i].says == NULL || strstr(errors.p, cases[i].says) != NULL);
		if (set)
			settings_free(&set);
		buf_free(&errors);
		buf_free(&warnings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answer), cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_settings) };

	return test_run(tests);
}
