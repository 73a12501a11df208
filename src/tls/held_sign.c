/* The signatures of held keys (provider-signature(7)): those that TLS makes, in one piece. */
#include "tls/held_impl.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>

struct signing {
	const struct held_key *key; /* the caller's */
	unsigned digest;	    /* 256, 384, 512; 0: none */
	bool is_pss;
};

/* TLS SignatureScheme (RFC 8446 sec. 4.2.3); what is not here fails when it is begun, and libssl takes another. */
static const struct {
	const char *type;
	unsigned digest;
	bool is_pss;
	uint16_t scheme;
} schemes[] = {
	{ "RSA", 256, false, 0x0401 },
	{ "RSA", 384, false, 0x0501 },
	{ "RSA", 512, false, 0x0601 },
	{ "RSA", 256, true, 0x0804 },
	{ "RSA", 384, true, 0x0805 },
	{ "RSA", 512, true, 0x0806 },
	{ "RSA-PSS", 256, true, 0x0809 },
	{ "RSA-PSS", 384, true, 0x080A },
	{ "RSA-PSS", 512, true, 0x080B },
	{ "EC", 256, false, 0x0403 },
	{ "EC", 384, false, 0x0503 },
	{ "EC", 512, false, 0x0603 },
	{ "ED25519", 0, false, 0x0807 },
	{ "ED448", 0, false, 0x0808 },
};

static const struct {
	const char *name;
	unsigned bits;
} digests[] = { { "SHA256", 256 }, { "SHA2-256", 256 }, { "SHA384", 384 }, { "SHA2-384", 384 }, { "SHA512", 512 },
	{ "SHA2-512", 512 } };

/* 0: no such scheme. */
static uint16_t scheme_of(const struct signing *s)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strcmp(schemes[i].type, s->key->type) == 0 && schemes[i].digest == s->digest &&
			schemes[i].is_pss == s->is_pss)
			return schemes[i].scheme;
	return 0;
}

static void *signing_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return xcalloc(1, sizeof(struct signing));
}

static void signing_free(void *ctx)
{
	free(ctx);
}

static int set_padding(struct signing *s, const OSSL_PARAM *p)
{
	int number = 0;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		number = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0	? RSA_PKCS1_PSS_PADDING
			 : strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
										: 0;
	else if (OSSL_PARAM_get_int(p, &number) != 1)
		return 0;
	s->is_pss = number == RSA_PKCS1_PSS_PADDING;
	return number == RSA_PKCS1_PSS_PADDING || number == RSA_PKCS1_PADDING;
}

/* TLS has salts that are as long as the digest, and no others. */
static int set_params(void *ctx, const OSSL_PARAM params[])
{
	struct signing *s = ctx;
	const OSSL_PARAM *p;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p && !set_padding(s, p))
		return 0;
	return scheme_of(s) != 0;
}

static const OSSL_PARAM *settable(void *ctx, void *provider)
{
	static const OSSL_PARAM list[] = { OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), OSSL_PARAM_END };

	(void)ctx;
	(void)provider;
	return list;
}

static int sign_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signing *s = ctx;
	const struct held_key *k = key ? key : s->key;

	if (k == NULL || !k->has_id)
		return 0;
	*s = (struct signing){ .key = k, .is_pss = strcmp(k->type, "RSA-PSS") == 0 };
	for (size_t i = 0; digest && i < sizeof digests / sizeof *digests; i++)
		if (strcasecmp(digest, digests[i].name) == 0)
			s->digest = digests[i].bits;
	return scheme_of(s) != 0 && set_params(s, params);
}

static int sign(void *ctx, unsigned char *sig, size_t *n, size_t room, const unsigned char *text, size_t text_n)
{
	const struct signing *s = ctx;
	unsigned char out[KEY_SIGNATURE_MAX];
	int size = EVP_PKEY_get_size(s->key->public);

	if (size <= 0)
		return 0;
	*n = (size_t)size;
	if (sig == NULL)
		return 1;
	if (tls_held_sign(s->key, scheme_of(s), str_pn(text, text_n), out, n) != 0 || *n > room)
		return 0;
	memcpy(sig, out, *n);
	return 1;
}

#define FUNCTION(id, f)                                       \
	{                                                     \
		OSSL_FUNC_SIGNATURE_##id, (void (*)(void))(f) \
	}
static const OSSL_DISPATCH functions[] = { FUNCTION(NEWCTX, signing_new), FUNCTION(FREECTX, signing_free),
	FUNCTION(DIGEST_SIGN_INIT, sign_init), FUNCTION(DIGEST_SIGN, sign), FUNCTION(SET_CTX_PARAMS, set_params),
	FUNCTION(SETTABLE_CTX_PARAMS, settable), { 0, NULL } };

const OSSL_ALGORITHM tls_held_signatures[] = { { "RSA:rsaEncryption", "provider=held", functions, NULL },
	{ "ECDSA", "provider=held", functions, NULL }, { "ED25519", "provider=held", functions, NULL },
	{ "ED448", "provider=held", functions, NULL }, { NULL, NULL, NULL, NULL } };
