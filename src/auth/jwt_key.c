#include "auth/jwt_key.h"

#include "base/arena.h"
#include "base/log.h"
#include "sasl/base64.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { PEM_MAX = 65536, NUMBER_MAX = 2048, RSA_BITS_MIN = 2048, HALF_MAX = 66, ED25519_OCTETS = 32 };

/* RFC 7518 sec. 3.1, RFC 8037 sec. 3.1. Those of HMAC are not there: who can check one of these can sign it. */
static const struct jwt_alg {
	const char *name, *kty;
	const char *digest; /* NULL: the signature has its own */
	bool is_pss;
	const char *crv, *group; /* of EC; group: as the library calls it */
	size_t half;		 /* octets of each of the two numbers of an ECDSA signature */
} algs[] = {
	{ "RS256", "RSA", "SHA256", false, NULL, NULL, 0 },
	{ "RS384", "RSA", "SHA384", false, NULL, NULL, 0 },
	{ "RS512", "RSA", "SHA512", false, NULL, NULL, 0 },
	{ "PS256", "RSA", "SHA256", true, NULL, NULL, 0 },
	{ "PS384", "RSA", "SHA384", true, NULL, NULL, 0 },
	{ "PS512", "RSA", "SHA512", true, NULL, NULL, 0 },
	{ "ES256", "EC", "SHA256", false, "P-256", "prime256v1", 32 },
	{ "ES384", "EC", "SHA384", false, "P-384", "secp384r1", 48 },
	{ "ES512", "EC", "SHA512", false, "P-521", "secp521r1", 66 },
	{ "EdDSA", "OKP", NULL, false, NULL, NULL, 0 },
};

static const struct jwt_alg *alg_of(struct str name)
{
	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++)
		if (str_eq(name, str_c(algs[i].name)))
			return &algs[i];
	return NULL;
}

struct jwt_key {
	EVP_PKEY *pkey;
	const struct jwt_alg *alg; /* NULL: any that RSA has */
	char *kid;
	char *azp; /* NULL: of any client */
};

int jwt_base64url(struct str s, struct buf *out)
{
	struct buf b = BUF_INIT(32768);
	int r = 0;

	for (size_t i = 0; i < s.n && r == 0; i++) {
		char c = s.p[i];

		r = c == '+' || c == '/' || c == '=' ? -1 : buf_add_char(&b, c == '-' ? '+' : c == '_' ? '/' : c);
	}
	while (r == 0 && b.n % 4)
		r = buf_add_char(&b, '=');
	if (r == 0)
		r = base64_decode(out, buf_str(&b));
	buf_wipe(&b);
	return r;
}

static struct str text_of(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) ? str_pn(json_string_value(v), json_string_length(v)) : STR("");
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *key = NULL;

	if (ctx && params && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* A key that asks for one would ask on the terminal. */
static int no_password(char *p, int size, int writing, void *context)
{
	(void)p;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

/* RFC 7518 sec. 6.3.1 */
static EVP_PKEY *rsa_key(const json_t *jwk)
{
	struct buf n = BUF_INIT(NUMBER_MAX), e = BUF_INIT(16);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *big_n = NULL, *big_e = NULL;
	EVP_PKEY *key = NULL;

	if (jwt_base64url(text_of(jwk, "n"), &n) == 0 && jwt_base64url(text_of(jwk, "e"), &e) == 0 && n.n && e.n) {
		big_n = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
		big_e = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
		if (build && big_n && big_e && BN_num_bits(big_n) >= RSA_BITS_MIN && BN_is_odd(big_e) &&
			!BN_is_one(big_e) && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, big_n) == 1 &&
			OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, big_e) == 1)
			key = from_params("RSA", build);
	}
	OSSL_PARAM_BLD_free(build);
	BN_free(big_n);
	BN_free(big_e);
	buf_free(&n);
	buf_free(&e);
	return key;
}

static const struct jwt_alg *alg_of_curve(struct str crv)
{
	for (size_t i = 0; i < sizeof algs / sizeof *algs; i++)
		if (algs[i].crv && str_eq(crv, str_c(algs[i].crv)))
			return &algs[i];
	return NULL;
}

/* RFC 7518 sec. 6.2.1; a point that is not on the curve is refused by the library. */
static EVP_PKEY *ec_key(const json_t *jwk)
{
	const struct jwt_alg *a = alg_of_curve(text_of(jwk, "crv"));
	struct buf point = BUF_INIT(1 + 2 * HALF_MAX);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	buf_add_char(&point, POINT_CONVERSION_UNCOMPRESSED);
	if (a && jwt_base64url(text_of(jwk, "x"), &point) == 0 && point.n == 1 + a->half &&
		jwt_base64url(text_of(jwk, "y"), &point) == 0 && point.n == 1 + 2 * a->half && build &&
		OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, a->group, 0) == 1 &&
		OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n) == 1)
		key = from_params("EC", build);
	OSSL_PARAM_BLD_free(build);
	buf_free(&point);
	return key;
}

/* RFC 8037 sec. 2 */
static EVP_PKEY *ed_key(const json_t *jwk)
{
	struct buf x = BUF_INIT(64);
	EVP_PKEY *key = NULL;

	if (str_eq(text_of(jwk, "crv"), STR("Ed25519")) && jwt_base64url(text_of(jwk, "x"), &x) == 0 &&
		x.n == ED25519_OCTETS)
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.p, x.n);
	buf_free(&x);
	return key;
}

bool jwt_alg_is_known(struct str alg)
{
	return alg_of(alg) != NULL;
}

static struct jwt_key *key_new(EVP_PKEY *pkey, const struct jwt_alg *alg, struct str kid)
{
	struct jwt_key *k = xcalloc(1, sizeof *k);

	k->pkey = pkey;
	k->alg = alg;
	k->kid = xstrndup(kid);
	return k;
}

struct jwt_key *jwt_key_new(const json_t *jwk)
{
	static const struct {
		const char *kty;
		EVP_PKEY *(*make)(const json_t *jwk);
	} kinds[] = { { "RSA", rsa_key }, { "EC", ec_key }, { "OKP", ed_key } };
	struct str kty = text_of(jwk, "kty"), use = text_of(jwk, "use"), name = text_of(jwk, "alg");
	const struct jwt_alg *alg = name.n ? alg_of(name) : NULL, *own = alg_of_curve(text_of(jwk, "crv"));
	EVP_PKEY *pkey = NULL;

	if (str_eq(kty, STR("OKP")))
		own = alg_of(STR("EdDSA"));
	else if (!str_eq(kty, STR("EC")))
		own = NULL;
	/* What it says of itself must be what it is: a curve has one algorithm. */
	if ((use.n && !str_eq(use, STR("sig"))) || (name.n && (alg == NULL || !str_eq(kty, str_c(alg->kty)))) ||
		(own && alg && own != alg))
		return NULL;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (str_eq(kty, str_c(kinds[i].kty)))
			pkey = kinds[i].make(jwk);
	ERR_clear_error();
	return pkey ? key_new(pkey, own ? own : alg, text_of(jwk, "kid")) : NULL;
}

/* Is it what the algorithm needs? */
static bool is_kind(const EVP_PKEY *pkey, const struct jwt_alg *a)
{
	char group[32] = "";

	if (strcmp(a->kty, "RSA") == 0)
		return EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN;
	if (strcmp(a->kty, "OKP") == 0)
		return EVP_PKEY_is_a(pkey, "ED25519");
	EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL);
	return EVP_PKEY_is_a(pkey, "EC") && strcmp(group, a->group) == 0;
}

struct jwt_key *jwt_key_from_pem(struct str pem, struct str azp, struct str alg, struct str kid)
{
	const struct jwt_alg *a = alg_of(alg);
	BIO *bio = pem.n <= PEM_MAX ? BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n) : NULL;
	EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL) : NULL;
	struct jwt_key *k = NULL;

	if (pkey && a && is_kind(pkey, a)) {
		k = key_new(pkey, a, kid);
		k->azp = xstrndup(azp);
	} else {
		EVP_PKEY_free(pkey);
	}
	BIO_free(bio);
	ERR_clear_error();
	return k;
}

bool jwt_key_is_of(const struct jwt_key *k, struct str azp)
{
	return k->azp == NULL || str_eq(azp.n ? azp : STR("default"), str_c(k->azp));
}

void jwt_key_free(struct jwt_key **k)
{
	EVP_PKEY_free((*k)->pkey);
	free((*k)->azp);
	free((*k)->kid);
	free(*k);
	*k = NULL;
}

bool jwt_key_is_for(const struct jwt_key *k, struct str alg, struct str kid)
{
	const struct jwt_alg *a = alg_of(alg);

	return a && (k->alg ? a == k->alg : strcmp(a->kty, "RSA") == 0) && (kid.n == 0 || str_eq(kid, str_c(k->kid)));
}

/* RFC 7518 sec. 3.4: both numbers side by side; the library wants them in DER. Returns the octets of *der, or 0. */
static int ecdsa_der(struct str signature, size_t half, unsigned char **der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r, *s;
	int n = 0;

	if (signature.n != 2 * half) {
		ECDSA_SIG_free(sig);
		return 0;
	}
	r = BN_bin2bn((const unsigned char *)signature.p, (int)half, NULL);
	s = BN_bin2bn((const unsigned char *)signature.p + half, (int)half, NULL);
	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1)
		n = i2d_ECDSA_SIG(sig, der);
	ECDSA_SIG_free(sig);
	return n > 0 ? n : 0;
}

/* RFC 7518 sec. 3.5: the salt is as long as the digest. */
static bool begin(EVP_MD_CTX *ctx, const struct jwt_alg *a, EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *params = NULL;

	if (EVP_DigestVerifyInit_ex(ctx, &params, a->digest, NULL, NULL, pkey, NULL) != 1)
		return false;
	return !a->is_pss || (EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING) == 1 &&
				     EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST) == 1);
}

bool jwt_key_verify(const struct jwt_key *k, struct str alg, struct str text, struct str signature)
{
	const struct jwt_alg *a = alg_of(alg);
	const unsigned char *octets = (const unsigned char *)signature.p;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	size_t n = signature.n;
	bool good;

	require(a != NULL);
	if (a->half) {
		n = (size_t)ecdsa_der(signature, a->half, &der);
		octets = der;
	}
	good = n && ctx && begin(ctx, a, k->pkey) &&
	       EVP_DigestVerify(ctx, octets, n, (const unsigned char *)text.p, text.n) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}
