/*
 * Private keys of which we have no more than the public half: a provider of OpenSSL with keys that another process signs
 * with (provider(7)). Why a provider, and not RSA_METHOD and EC_KEY_METHOD: those are deprecated, and Ed25519 has none.
 *
 * It is loaded into a library context of its own, so that nothing else, such as the certificates of clients, ever finds its
 * way to it. The question is asked synchronously, as the signature was made: a session waits no longer than the computation
 * takes, and the others with it, as before. OpenSSL's way to do other things meanwhile (ASYNC_start_job(3)) runs each
 * handshake on a stack of its own, which must be kept until the answer is there even when its client has gone.
 */
#include "tls/held_impl.h"
#include "base/log.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>

static OSSL_LIB_CTX *library;
static const char *(*signer)(const struct key_id *id, uint16_t scheme, struct str text, unsigned char *out, size_t *n);
static const char *failure;

static const OSSL_ALGORITHM *on_query(void *provider, int operation, int *no_store)
{
	(void)provider;
	*no_store = 0;
	return operation == OSSL_OP_KEYMGMT	? tls_held_keymgmts
	       : operation == OSSL_OP_SIGNATURE ? tls_held_signatures
						: NULL;
}

static int on_init(
	const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *from_core, const OSSL_DISPATCH **out, void **provider)
{
	static const OSSL_DISPATCH ours[] = { { OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))on_query },
		{ 0, NULL } };

	(void)from_core;
	*out = ours;
	*provider = (void *)(uintptr_t)handle;
	return 1;
}

void tls_held_keys_sign_by(
	const char *(*sign)(const struct key_id *id, uint16_t scheme, struct str text, unsigned char *out, size_t *n))
{
	signer = sign;
	if (library)
		return;
	library = OSSL_LIB_CTX_new();
	if (library == NULL || OSSL_PROVIDER_add_builtin(library, "held", on_init) != 1 ||
		OSSL_PROVIDER_load(library, "held") == NULL)
		panic("tls: no provider of held keys: %s", tls_openssl_why());
}

const char *tls_held_type(const EVP_PKEY *key)
{
	static const char *const types[] = { "RSA", "RSA-PSS", "EC", "ED25519", "ED448" };

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (EVP_PKEY_is_a(key, types[i]))
			return types[i];
	return NULL;
}

/* The public half goes in as what it consists of, and its id beside it. */
static EVP_PKEY *from_params(const char *type, const OSSL_PARAM *public, const struct key_id *id)
{
	OSSL_PARAM own[2] = { OSSL_PARAM_construct_octet_string(
				      HELD_ID_PARAM, (void *)(uintptr_t)id->octets, sizeof id->octets),
		OSSL_PARAM_construct_end() };
	OSSL_PARAM *all = OSSL_PARAM_merge(public, own);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(library, type, NULL);
	EVP_PKEY *key = NULL;

	if (all && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(all);
	return key;
}

EVP_PKEY *tls_held_key_new(EVP_PKEY *public, const struct key_id *id)
{
	const char *type = tls_held_type(public);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (type && EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) == 1)
		key = from_params(type, params, id);
	OSSL_PARAM_free(params);
	return key;
}

int tls_held_sign(const struct held_key *key, uint16_t scheme, struct str text, unsigned char *out, size_t *n)
{
	failure = signer ? signer(&key->id, scheme, text, out, n) : "nobody holds the private key";
	return failure ? -1 : 0;
}

const char *tls_held_failure(void)
{
	const char *why = failure;

	failure = NULL;
	return why;
}
