#include "auth/jwt.h"
#include "auth/jwt_key.h"
#include "base/test.h"
#include "sasl/base64.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { NOW = 1700000000 };

static const struct jwt_demands open_demands = { "", "", "", "", "", "email", false, false };

/* RFC 7515 app. A.3: ES256 */
#define ES_KEY                                                                                           \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":" \
	"\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define ES_TOKEN                                                                                                  \
	"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2" \
	"90Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static void test_rfc7515(void **state)
{
	struct jwt_demands d = { "joe", "", "", "", "", "iss", false, false };
	struct arena *mem = arena_new(0);
	struct jwt_keys *k;
	struct str user;
	const char *why;
	char text[512];

	(void)state;
	k = jwt_keys_parse(STR("{\"keys\":[" ES_KEY "]}"), &why);
	check(k != NULL);
	check_int(jwt_check(k, STR(ES_TOKEN), &d, 1300819379, mem, &user, &why), 0);
	check_str(user, "joe");
	check_int(jwt_check(k, STR(ES_TOKEN), &d, 1300819380 + JWT_LEEWAY_S, mem, &user, &why), -1);
	check_str(str_c(why), "the token has expired");
	/* Whatever octet is another one, or missing: nobody. */
	for (size_t i = 0; i < sizeof ES_TOKEN - 1; i++) {
		memcpy(text, ES_TOKEN, sizeof ES_TOKEN);
		text[i] = text[i] == 'A' ? 'B' : 'A';
		check_int(jwt_check(k, str_c(text), &d, 1300819379, mem, &user, &why), -1);
		check(user.n == 0 && why != NULL);
		check_int(jwt_check(k, str_pn(ES_TOKEN, i), &d, 1300819379, mem, &user, &why), -1);
	}
	check_int(jwt_check(k, STR(ES_TOKEN "."), &d, 1300819379, mem, &user, &why), -1);
	check_int(jwt_check(k, STR(ES_TOKEN "="), &d, 1300819379, mem, &user, &why), -1);
	jwt_keys_free(&k);
	arena_free(&mem);
}

static void test_other_keys(void **state)
{
	static const struct {
		const char *keys, *token;
		bool is_one, needs;
	} cases[] = {
		{ ES_KEY, ES_TOKEN, true, false },
		{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
			ES_TOKEN, true, true },
		{ ES_KEY, "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AA", true, true },	/* {"alg":"ES256","kid":"x"} */
		{ ES_KEY, "eyJhbGciOiJIUzI1NiIsImtpZCI6IngifQ.e30.AA", true, false },	/* HS256 */
		{ ES_KEY, "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30", false, false },	/* two parts */
		{ ES_KEY, "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AA.", false, false }, /* four */
		{ ES_KEY, "nonsense", false, false },
		{ ES_KEY, "..", false, false },
		{ ES_KEY, "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf set = BUF_INIT(4096);
		struct jwt_keys *k;
		const char *why;

		buf_addf(&set, "{\"keys\":[%s]}", cases[i].keys);
		k = jwt_keys_parse(buf_str(&set), &why);
		check(k != NULL);
		check(jwt_is_one(str_c(cases[i].token)) == cases[i].is_one);
		check(jwt_needs_other_keys(k, str_c(cases[i].token)) == cases[i].needs);
		jwt_keys_free(&k);
		buf_free(&set);
	}
	check(jwt_needs_other_keys(NULL, STR(ES_TOKEN)));
}

#define ES_PEM                                                               \
	"-----BEGIN PUBLIC KEY-----\n"                                       \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n" \
	"6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"     \
	"-----END PUBLIC KEY-----\n"

/* Keys in files: of one algorithm, by one name, of one client. */
static void test_pem(void **state)
{
	static const struct {
		const char *pem, *azp, *alg, *kid;
		int added, good;
	} cases[] = {
		{ ES_PEM, "default", "ES256", "default", 0, 0 }, /* a token without a kid takes any */
		{ ES_PEM, "another", "ES256", "default", 0, -1 },
		{ ES_PEM, "default", "RS256", "default", -1, -1 },
		{ ES_PEM, "default", "EdDSA", "default", -1, -1 },
		{ ES_PEM, "default", "HS256", "default", -1, -1 },
		{ ES_PEM, "default", "ES384", "default", -1, -1 },
		{ "", "default", "ES256", "default", -1, -1 },
		{ "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "default", "ES256", "x", -1, -1 },
	};
	struct jwt_demands d = { "joe", "", "", "", "", "iss", false, false };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct jwt_keys *k = jwt_keys_new();
		struct str user;
		const char *why;

		check_int(jwt_keys_add_pem(k, str_c(cases[i].pem), str_c(cases[i].azp), str_c(cases[i].alg),
				  str_c(cases[i].kid)),
			cases[i].added);
		check_int(jwt_check(k, STR(ES_TOKEN), &d, 1300819379, mem, &user, &why), cases[i].good);
		jwt_keys_free(&k);
		arena_free(&mem);
	}
}

static void test_rfc8037(void **state)
{
	json_t *j = json_loads(
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}", 0, NULL);
	struct jwt_key *k = jwt_key_new(j);
	struct str text = STR("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
	struct buf sig = BUF_INIT(128);

	(void)state;
	check(k != NULL);
	check_int(jwt_base64url(
			  STR("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
			  &sig),
		0);
	check(jwt_key_verify(k, STR("EdDSA"), text, buf_str(&sig)));
	sig.p[5] ^= 1;
	check(!jwt_key_verify(k, STR("EdDSA"), text, buf_str(&sig)));
	check(!jwt_key_verify(k, STR("EdDSA"), text, STR("")));
	buf_free(&sig);
	jwt_key_free(&k);
	json_decref(j);
}

/* ---- an issuer of our own ---- */

static void add_url(struct buf *out, struct str s)
{
	struct buf b = BUF_INIT(32768);

	base64_encode(&b, s);
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] != '=')
			buf_add_char(out, b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i]);
	buf_free(&b);
}

static EVP_PKEY *rsa;
static struct jwt_keys *rsa_keys;

static void make_issuer(void)
{
	struct buf set = BUF_INIT(8192);
	unsigned char octets[512];
	BIGNUM *n = NULL;
	const char *why;

	rsa = EVP_RSA_gen(2048);
	check_int(EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	buf_add_c(&set, "{\"keys\":[" ES_KEY ",{\"kty\":\"RSA\",\"kid\":\"one\",\"e\":\"AQAB\",\"n\":\"");
	add_url(&set, str_pn(octets, (size_t)BN_bn2bin(n, octets)));
	buf_add_c(&set, "\"}]}");
	rsa_keys = jwt_keys_parse(buf_str(&set), &why);
	check(rsa_keys && jwt_keys_count(rsa_keys) == 2);
	BN_free(n);
	buf_free(&set);
}

static void sign(struct buf *token, const char *header, const char *claims)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[512];
	size_t n = sizeof signature;

	add_url(token, str_c(header));
	buf_add_char(token, '.');
	add_url(token, str_c(claims));
	check_int(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, rsa), 1);
	check_int(EVP_DigestSign(ctx, signature, &n, (const unsigned char *)token->p, token->n), 1);
	buf_add_char(token, '.');
	add_url(token, str_pn(signature, n));
	EVP_MD_CTX_free(ctx);
}

#define HEAD "{\"alg\":\"RS256\",\"kid\":\"one\"}"
#define GOOD "\"exp\":1700000100,\"email\":\"user1@example1.com\""

static void test_headers(void **state)
{
	static const struct {
		const char *header, *why;
	} cases[] = {
		{ HEAD, NULL },
		{ "{\"alg\":\"RS256\"}", NULL },
		{ "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", NULL },
		{ "{\"alg\":\"RS256\",\"kid\":\"two\"}", "no known key" },
		{ "{\"alg\":\"none\"}", "no known key" },
		{ "{\"alg\":\"HS256\",\"kid\":\"one\"}", "no known key" },
		{ "{\"alg\":\"ES256\"}", "no known key" },
		{ "{\"alg\":\"rs256\"}", "no known key" },
		{ "{\"kid\":\"one\"}", "no known key" },
		{ "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", "no signed JWT" },
		{ "{\"alg\":\"RS256\",\"crit\":[\"x\"]}", "an extension" },
		{ "[]", "no signed JWT" },
		{ "nonsense", "no signed JWT" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct buf token = BUF_INIT(JWT_MAX);
		const char *why = "x";
		struct str user;

		sign(&token, cases[i].header, "{" GOOD "}");
		check_int(jwt_check(rsa_keys, buf_str(&token), &open_demands, NOW, mem, &user, &why),
			cases[i].why ? -1 : 0);
		check(cases[i].why ? strstr(why, cases[i].why) != NULL : why == NULL);
		check_str(user, cases[i].why ? "" : "user1@example1.com");
		buf_free(&token);
		arena_free(&mem);
	}
}

static void test_claims(void **state)
{
	static const struct jwt_demands strict = { "https://a https://b", "mail", "openid mail", "active", "true",
		"email", false, false };
#define ALL GOOD ",\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"mail x openid\",\"active\":true"
	static const struct {
		const char *claims, *why;
	} cases[] = {
		{ "{" ALL "}", NULL },
		{ "{" GOOD
		  ",\"iss\":\"https://a\",\"aud\":[\"x\",\"mail\"],\"scp\":[\"mail\",\"openid\"],\"active\":\"true\"}",
			NULL },
		{ "{" ALL ",\"nbf\":1700000050}", NULL }, /* within the leeway */
		{ "{" ALL ",\"nbf\":1700000070}", "not good yet" },
		{ "{" ALL ",\"nbf\":\"x\"}", "not good yet" },
		{ "{" ALL ",\"iat\":1700000070}", "future" },
		{ "{\"email\":\"x\"}", "no time of expiry" },
		{ "{\"email\":\"x\",\"exp\":\"1700000100\"}", "no time of expiry" },
		{ "{\"email\":\"x\",\"exp\":1699999940}", "expired" },
		{ "{" GOOD ",\"iss\":\"https://c\",\"aud\":\"mail\",\"scope\":\"openid mail\",\"active\":true}",
			"issuer" },
		{ "{" GOOD ",\"aud\":\"mail\",\"scope\":\"openid mail\",\"active\":true}", "issuer" },
		{ "{" GOOD ",\"iss\":\"\",\"aud\":\"mail\",\"scope\":\"openid mail\",\"active\":true}", "issuer" },
		{ "{" GOOD ",\"iss\":\"https://b\",\"aud\":\"mails\",\"scope\":\"openid mail\",\"active\":true}",
			"audience" },
		{ "{" GOOD ",\"iss\":\"https://b\",\"aud\":[\"x\",1],\"scope\":\"openid mail\",\"active\":true}",
			"audience" },
		{ "{" GOOD ",\"iss\":\"https://b\",\"scope\":\"openid mail\",\"active\":true}", "audience" },
		{ "{" GOOD ",\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"openid mailx\",\"active\":true}",
			"scope" },
		{ "{" GOOD ",\"iss\":\"https://b\",\"aud\":\"mail\",\"active\":true}", "scope" },
		{ "{" GOOD ",\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"openid mail\",\"active\":false}",
			"active" },
		{ "{" GOOD ",\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"openid mail\"}", "active" },
		{ "{" GOOD ",\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"openid mail\",\"active\":1}",
			"active" },
		{ "{\"exp\":1700000100,\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"openid "
		  "mail\",\"active\":true}",
			"names no user" },
		{ "{\"exp\":1700000100,\"email\":1,\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"openid "
		  "mail\",\"active\":true}",
			"names no user" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct buf token = BUF_INIT(JWT_MAX);
		const char *why = "x";
		struct str user;

		sign(&token, HEAD, cases[i].claims);
		check_int(jwt_check(rsa_keys, buf_str(&token), &strict, NOW, mem, &user, &why), cases[i].why ? -1 : 0);
		check(cases[i].why ? strstr(why, cases[i].why) != NULL : why == NULL);
		buf_free(&token);
		arena_free(&mem);
	}
}

static void test_sets(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1,null,{}]}",
		"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
		/* RSA of 24 bits; another use; another algorithm; another curve; a point beside the curve; half a key */
		"{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"gAAB\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"use\":\"enc\",\"crv\":\"Ed25519\",\"x\":"
		"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"alg\":\"RS256\",\"crv\":\"Ed25519\",\"x\":"
		"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]"
		"}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		"\"y\":"
		"\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}]}",
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}"
	};
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		check(jwt_keys_parse(str_c(bad[i]), &why) == NULL);
		check(why != NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rfc7515), cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_pem), cmocka_unit_test(test_rfc8037), cmocka_unit_test(test_headers),
		cmocka_unit_test(test_claims), cmocka_unit_test(test_sets) };
	int r;

	make_issuer();
	r = test_run(tests);
	jwt_keys_free(&rsa_keys);
	EVP_PKEY_free(rsa);
	return r;
}
