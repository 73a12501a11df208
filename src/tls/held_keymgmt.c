/* The key management of held keys (provider-keymgmt(7)): all that is asked of a key is answered by its public half. */
#include "tls/held_impl.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

static void *new_of(const char *type)
{
	struct held_key *k = xcalloc(1, sizeof *k);

	k->type = type;
	return k;
}

#define NEW(name, type)                   \
	static void *name(void *provider) \
	{                                 \
		(void)provider;           \
		return new_of(type);      \
	}
NEW(new_rsa, "RSA")
NEW(new_rsa_pss, "RSA-PSS")
NEW(new_ec, "EC")
NEW(new_ed25519, "ED25519")
NEW(new_ed448, "ED448")

static void key_free(void *key)
{
	struct held_key *k = key;

	if (k)
		EVP_PKEY_free(k->public);
	free(k);
}

/* There is no way to take the private half out, but it counts as there. */
static int has(const void *key, int selection)
{
	const struct held_key *k = key;

	(void)selection;
	return k->public != NULL;
}

static int match(const void *a, const void *b, int selection)
{
	const struct held_key *x = a, *y = b;

	(void)selection;
	return x->public && y->public && EVP_PKEY_eq(x->public, y->public) == 1;
}

static int import(void *key, int selection, const OSSL_PARAM params[])
{
	struct held_key *k = key;
	const OSSL_PARAM *id = OSSL_PARAM_locate_const(params, HELD_ID_PARAM);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, k->type, NULL);
	void *octets = k->id.octets;

	(void)selection;
	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &k->public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params);
	EVP_PKEY_CTX_free(ctx);
	k->has_id = id && OSSL_PARAM_get_octet_string(id, &octets, sizeof k->id.octets, NULL) == 1;
	return k->public != NULL;
}

/* Another provider may have the public half. Asked for all of it, it would sign with what it has not. */
static int export(void *key, int selection, OSSL_CALLBACK *take, void *arg)
{
	struct held_key *k = key;

	if (k->public == NULL || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY))
		return 0;
	return EVP_PKEY_export(k->public, EVP_PKEY_PUBLIC_KEY, take, arg);
}

static const OSSL_PARAM *types(int selection)
{
	static const OSSL_PARAM list[] = { OSSL_PARAM_octet_string(HELD_ID_PARAM, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_END };

	(void)selection;
	return list;
}

static int get_params(void *key, OSSL_PARAM params[])
{
	struct held_key *k = key;

	return k->public && EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *gettable(void *provider)
{
	static const OSSL_PARAM list[] = { OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL), OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0), OSSL_PARAM_END };

	(void)provider;
	return list;
}

static const char *signs_as_rsa(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

static const char *signs_as_ecdsa(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define FUNCTION(id, f)                                     \
	{                                                   \
		OSSL_FUNC_KEYMGMT_##id, (void (*)(void))(f) \
	}
#define COMMON(new)                                                                                \
	FUNCTION(NEW, new), FUNCTION(FREE, key_free), FUNCTION(HAS, has), FUNCTION(MATCH, match),  \
		FUNCTION(IMPORT, import), FUNCTION(IMPORT_TYPES, types), FUNCTION(EXPORT, export), \
		FUNCTION(EXPORT_TYPES, types), FUNCTION(GET_PARAMS, get_params), FUNCTION(GETTABLE_PARAMS, gettable)

static const OSSL_DISPATCH rsa[] = { COMMON(new_rsa), FUNCTION(QUERY_OPERATION_NAME, signs_as_rsa), { 0, NULL } },
			   rsa_pss[] = { COMMON(new_rsa_pss), FUNCTION(QUERY_OPERATION_NAME, signs_as_rsa),
				   { 0, NULL } },
			   ec[] = { COMMON(new_ec), FUNCTION(QUERY_OPERATION_NAME, signs_as_ecdsa), { 0, NULL } },
			   ed25519[] = { COMMON(new_ed25519), { 0, NULL } },
			   ed448[] = { COMMON(new_ed448), { 0, NULL } };

const OSSL_ALGORITHM tls_held_keymgmts[] = { { "RSA:rsaEncryption", "provider=held", rsa, NULL },
	{ "RSA-PSS:RSASSA-PSS", "provider=held", rsa_pss, NULL }, { "EC:id-ecPublicKey", "provider=held", ec, NULL },
	{ "ED25519", "provider=held", ed25519, NULL }, { "ED448", "provider=held", ed448, NULL },
	{ NULL, NULL, NULL, NULL } };
