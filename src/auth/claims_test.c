#include "auth/claims.h"
#include "base/test.h"

#include <stdlib.h>

enum { NOW = 1700000000 };
#define UNVERIFIED "the token's email is not verified, says the token itself (email_verified)"

static const char *answer(const char *json, const struct jwt_demands *d)
{
	json_t *j = claims_parse(str_c(json));
	const char *why = "no object";

	if (j)
		why = claims_check_answer(j, d, NOW);
	json_decref(j);
	return why ? why : "good";
}

static void test_parse(void **state)
{
	static const char *const bad[] = { "", "[]", "\"x\"", "true", "{", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":1}{}",
		"{\"a\":\"\xff\"}", "\xef\xbb\xbf{}", "{\"a\":nan}" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check(claims_parse(str_c(bad[i])) == NULL);
	check(claims_parse((struct str){ NULL, 0 }) == NULL);
}

static void test_answer(void **state)
{
	static const struct jwt_demands open = { "", "", "", "", "", "email", false, false },
					strict = { "https://a https://b", "mail", "mail openid", "status", "1", "sub",
						false, false },
					lenient = { "", "", "", "", "", "email", true, false },
					by_sub = { "", "", "", "", "", "sub", false, false },
					by_address = { "", "", "", "", "", "sub", false, true };
	static const struct {
		const char *json;
		const struct jwt_demands *d;
		const char *why;
	} cases[] = {
		/* RFC 7662 sec. 2.2 */
		{ "{\"active\":true,\"exp\":1700000001}", &open, "good" },
		{ "{\"active\":true}", &open, "good" },
		{ "{}", &open, "good" },
		{ "{\"active\":\"true\"}", &open, "good" },
		{ "{\"active\":false}", &open, "the token is not active, says the server" },
		{ "{\"active\":null}", &open, "the token is not active, says the server" },
		{ "{\"active\":1}", &open, "the token is not active, says the server" },
		{ "{\"active\":\"false\",\"email\":\"a\"}", &open, "the token is not active, says the server" },
		{ "{\"active\":[true]}", &open, "the token is not active, says the server" },
		{ "{\"error\":\"invalid_token\",\"email\":\"a\"}", &open, "the token is refused by the server" },
		{ "{\"exp\":1699999940}", &open, "the token has expired" },
		{ "{\"exp\":1699999941}", &open, "good" },
		{ "{\"exp\":\"1699999940\"}", &open, "the token has expired" },
		{ "{\"exp\":\"tomorrow\"}", &open, "the token has no time of expiry" },
		{ "{\"exp\":null}", &open, "the token has no time of expiry" },
		{ "{\"nbf\":1700000061}", &open, "the token is not good yet" },
		{ "{\"iat\":\"1700000061\"}", &open, "the token is of the future" },
		{ "{\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"openid mail\",\"status\":1}", &strict, "good" },
		{ "{\"aud\":[\"x\",\"mail\"],\"scp\":[\"openid\",\"mail\"],\"status\":\"1\"}", &strict, "good" },
		{ "{\"iss\":\"https://c\",\"aud\":\"mail\",\"scope\":\"openid mail\",\"status\":1}", &strict,
			"the token is of another issuer" },
		{ "{\"iss\":7,\"aud\":\"mail\",\"scope\":\"openid mail\",\"status\":1}", &strict,
			"the token is of another issuer" },
		{ "{\"aud\":\"mails\",\"scope\":\"openid mail\",\"status\":1}", &strict,
			"the token is for another audience" },
		{ "{\"scope\":\"openid mail\",\"status\":1}", &strict, "the token is for another audience" },
		{ "{\"aud\":\"mail\",\"scope\":\"openid\",\"status\":1}", &strict, "the token lacks a scope" },
		{ "{\"aud\":\"mail\",\"status\":1}", &strict, "the token lacks a scope" },
		{ "{\"aud\":\"mail\",\"scope\":\"openid mail\",\"status\":0}", &strict,
			"the account is not active, says the token" },
		{ "{\"aud\":\"mail\",\"scope\":\"openid mail\"}", &strict,
			"the account is not active, says the token" },
		/* OpenID Connect Core sec. 5.1; Apple and Google write it as a string. */
		{ "{\"email_verified\":true}", &open, "good" },
		{ "{\"email_verified\":\"true\"}", &open, "good" },
		{ "{\"email_verified\":false}", &open, UNVERIFIED },
		{ "{\"email_verified\":\"false\"}", &open, UNVERIFIED },
		{ "{\"email_verified\":null}", &open, UNVERIFIED },
		{ "{\"email_verified\":0}", &open, UNVERIFIED },
		{ "{\"email_verified\":false}", &lenient, "good" },
		{ "{\"email_verified\":false}", &by_sub, "good" },
		{ "{\"email_verified\":false}", &by_address, UNVERIFIED },
		{ "{\"email_verified\":false,\"aud\":\"mail\",\"scope\":\"openid mail\",\"status\":1}", &strict,
			"good" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_str(str_c(answer(cases[i].json, cases[i].d)), cases[i].why);
}

/* A JWT must say itself what a server may leave to itself. */
static void test_jwt(void **state)
{
	static const struct jwt_demands d = { "https://a", "", "", "", "", "email", false, false };
	json_t *j = claims_parse(STR("{\"exp\":1700000001}"));

	(void)state;
	check_str(str_c(claims_check(j, &d, NOW)), "the token is of another issuer");
	json_decref(j);
	j = claims_parse(STR("{\"iss\":\"https://a\"}"));
	check_str(str_c(claims_check(j, &d, NOW)), "the token has no time of expiry");
	json_decref(j);
	j = claims_parse(STR("{\"iss\":\"https://a\",\"exp\":\"1700000001\"}"));
	check_str(str_c(claims_check(j, &d, NOW)), "the token has no time of expiry");
	json_decref(j);
}

static void test_until(void **state)
{
	static const struct {
		const char *json;
		long long end;
	} cases[] = { { "{}", NOW + 300 }, { "{\"exp\":1700000100}", NOW + 100 }, { "{\"exp\":1800000000}", NOW + 300 },
		{ "{\"expires_in\":7}", NOW + 7 }, { "{\"expires_in\":\"8\",\"exp\":1700000007}", NOW + 7 },
		{ "{\"exp\":5}", NOW }, { "{\"expires_in\":-5}", NOW }, { "{\"exp\":1e300}", NOW + 300 },
		{ "{\"exp\":-1e300}", NOW } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *j = claims_parse(str_c(cases[i].json));

		check_int(claims_end(j, NOW, NOW + 300), cases[i].end);
		json_decref(j);
	}
}

static void test_text(void **state)
{
	struct arena *mem = arena_new(0);
	json_t *j = claims_parse(STR("{\"s\":\"x\",\"n\":-12,\"t\":true,\"f\":false,\"r\":1.5,\"a\":[],\"z\":null}"));

	(void)state;
	check_str(claims_text(j, "s", mem), "x");
	check_str(claims_text(j, "n", mem), "-12");
	check_str(claims_text(j, "t", mem), "true");
	check_str(claims_text(j, "f", mem), "false");
	check_str(claims_text(j, "r", mem), "");
	check_str(claims_text(j, "a", mem), "");
	check_str(claims_text(j, "z", mem), "");
	check_str(claims_text(j, "not there", mem), "");
	json_decref(j);
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_answer),
		cmocka_unit_test(test_jwt), cmocka_unit_test(test_until), cmocka_unit_test(test_text) };

	return test_run(tests);
}
