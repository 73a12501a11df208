/* Every algorithm of a JWT's signature, with a key that names it and one that does not; and none with another's key. */
#include "auth/jwt.h"
#include "auth/jwt_key.h"
#include "base/test.h"
#include "sasl/base64.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

static const struct {
	const char *alg, *curve, *crv; /* curve NULL: RSA */
	const char *digest;
	bool is_pss;
	int half;
} algs[] = {
	{ "RS256", NULL, NULL, "SHA256", false, 0 },
	{ "RS384", NULL, NULL, "SHA384", false, 0 },
	{ "RS512", NULL, NULL, "SHA512", false, 0 },
	{ "PS256", NULL, NULL, "SHA256", true, 0 },
	{ "PS384", NULL, NULL, "SHA384", true, 0 },
	{ "PS512", NULL, NULL, "SHA512", true, 0 },
	{ "ES256", "P-256", "P-256", "SHA256", false, 32 },
	{ "ES384", "P-384", "P-384", "SHA384", false, 48 },
	{ "ES512", "P-521", "P-521", "SHA512", false, 66 },
};
enum { N_ALGS = sizeof algs / sizeof *algs };

static EVP_PKEY *pkeys[N_ALGS];

static void add_url(struct buf *out, struct str s)
{
	struct buf b = BUF_INIT(32768);

	base64_encode(&b, s);
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] != '=')
			buf_add_char(out, b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i]);
	buf_free(&b);
}

static void add_number(struct buf *out, const char *name, const EVP_PKEY *pkey, const char *param, int octets)
{
	unsigned char raw[512];
	BIGNUM *n = NULL;

	check_int(EVP_PKEY_get_bn_param(pkey, param, &n), 1);
	octets = octets ? octets : BN_num_bytes(n);
	check_int(BN_bn2binpad(n, raw, octets), octets);
	buf_addf(out, ",\"%s\":\"", name);
	add_url(out, str_pn(raw, (size_t)octets));
	buf_add_char(out, '"');
	BN_free(n);
}

/* alg NULL: it does not say. */
static struct jwt_keys *keys_of(size_t i, const char *alg)
{
	struct buf set = BUF_INIT(8192);
	struct jwt_keys *keys;
	const char *why;

	buf_addf(&set, "{\"keys\":[{\"kty\":\"%s\",\"use\":\"sig\"", algs[i].curve ? "EC" : "RSA");
	if (alg)
		buf_addf(&set, ",\"alg\":\"%s\"", alg);
	if (algs[i].curve) {
		buf_addf(&set, ",\"crv\":\"%s\"", algs[i].crv);
		add_number(&set, "x", pkeys[i], OSSL_PKEY_PARAM_EC_PUB_X, algs[i].half);
		add_number(&set, "y", pkeys[i], OSSL_PKEY_PARAM_EC_PUB_Y, algs[i].half);
	} else {
		add_number(&set, "n", pkeys[i], OSSL_PKEY_PARAM_RSA_N, 0);
		add_number(&set, "e", pkeys[i], OSSL_PKEY_PARAM_RSA_E, 0);
	}
	buf_add_c(&set, "}]}");
	keys = jwt_keys_parse(buf_str(&set), &why);
	buf_free(&set);
	return keys;
}

/* RFC 7518 sec. 3.4 */
static size_t side_by_side(unsigned char *signature, size_t n, int half)
{
	const unsigned char *p = signature;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);

	BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, half);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + half, half);
	ECDSA_SIG_free(sig);
	return (size_t)half * 2;
}

/* With the key of `i`, and its way to sign, under the name `alg`. */
static void sign(struct buf *token, size_t i, const char *alg)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *params = NULL;
	unsigned char signature[512];
	size_t n = sizeof signature;
	char header[64];

	snprintf(header, sizeof header, "{\"alg\":\"%s\"}", alg);
	add_url(token, str_c(header));
	buf_add_char(token, '.');
	add_url(token, STR("{\"email\":\"u\",\"exp\":2}"));
	check_int(EVP_DigestSignInit_ex(ctx, &params, algs[i].digest, NULL, NULL, pkeys[i], NULL), 1);
	if (algs[i].is_pss) {
		EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST);
	}
	check_int(EVP_DigestSign(ctx, signature, &n, (const unsigned char *)token->p, token->n), 1);
	EVP_MD_CTX_free(ctx);
	if (algs[i].half)
		n = side_by_side(signature, n, algs[i].half);
	buf_add_char(token, '.');
	add_url(token, str_pn(signature, n));
}

static bool is_good(struct jwt_keys *keys, struct str token)
{
	const char *why;
	json_t *claims = jwt_claims(keys, token, &why);

	json_decref(claims);
	return claims != NULL;
}

static void test_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALGS; i++) {
		struct buf token = BUF_INIT(8192);
		struct jwt_keys *named = keys_of(i, algs[i].alg), *open = keys_of(i, NULL);

		if (named == NULL || open == NULL)
			fail_msg("%s: no key", algs[i].alg);
		sign(&token, i, algs[i].alg);
		if (!is_good(named, buf_str(&token)) || !is_good(open, buf_str(&token)))
			fail_msg("%s: a good signature is not good", algs[i].alg);
		token.p[token.n - 20] = token.p[token.n - 20] == 'A' ? 'B' : 'A';
		check(!is_good(named, buf_str(&token)) && !is_good(open, buf_str(&token)));
		buf_free(&token);
		jwt_keys_free(&named);
		jwt_keys_free(&open);
	}
}

/* A signature of one kind under the name of another, and a key that is named for another: neither opens anything. */
static void test_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALGS; i++)
		for (size_t k = 0; k < N_ALGS; k++) {
			struct buf token = BUF_INIT(8192);
			struct jwt_keys *open = keys_of(i, NULL), *named = keys_of(i, algs[k].alg);
			bool is_possible = !algs[i].curve && !algs[k].curve;

			if (i != k) {
				check((named != NULL) == is_possible);
				sign(&token, i, algs[k].alg);
				check(!is_good(open, buf_str(&token)));
				buf_reset(&token);
				sign(&token, i, algs[i].alg);
				check(named == NULL || !is_good(named, buf_str(&token)));
			}
			buf_free(&token);
			jwt_keys_free(&open);
			jwt_keys_free(&named);
		}
}

static void test_rfc7515(void **state)
{
	/* App. A.4: ES512 */
	json_t *j = json_loads(
		"{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":"
		"\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":"
		"\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
		0, NULL);
	struct jwt_key *k = jwt_key_new(j);
	struct buf sig = BUF_INIT(256);

	(void)state;
	check(k != NULL);
	check_int(
		jwt_base64url(STR("AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
				  "7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXo"
				  "lLzeO_Jn"),
			&sig),
		0);
	check(jwt_key_is_for(k, STR("ES512"), STR("")) && !jwt_key_is_for(k, STR("ES256"), STR("")));
	check(jwt_key_verify(k, STR("ES512"), STR("eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA"), buf_str(&sig)));
	check(!jwt_key_verify(k, STR("ES512"), STR("eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZB"), buf_str(&sig)));
	buf_free(&sig);
	jwt_key_free(&k);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rfc7515), cmocka_unit_test(test_each),
		cmocka_unit_test(test_others) };
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	int r;

	for (size_t i = 0; i < N_ALGS; i++) {
		pkeys[i] = algs[i].curve ? EVP_EC_gen(algs[i].curve) : rsa;
		if (!algs[i].curve)
			EVP_PKEY_up_ref(rsa);
	}
	r = test_run(tests);
	for (size_t i = 0; i < N_ALGS; i++)
		EVP_PKEY_free(pkeys[i]);
	EVP_PKEY_free(rsa);
	return r;
}
