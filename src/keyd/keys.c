#include "keyd/keyd.h"
#include "base/arena.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct held_key {
	struct key_id id;
	EVP_PKEY *key;
};

int keys_add(struct keys *k, struct str store, struct buf *error)
{
	struct key_id id;
	struct str der;
	int r;

	while ((r = key_store_next(&store, &id, &der)) == 1) {
		const unsigned char *p = (const unsigned char *)der.p;
		EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)der.n);

		if (key == NULL) {
			buf_addf(error, "a private key cannot be read: %s", ERR_reason_error_string(ERR_peek_error()));
			ERR_clear_error();
			return -1;
		}
		k->item = xrealloc(k->item, (k->n + 1) * sizeof *k->item);
		k->item[k->n++] = (struct held_key){ id, key };
	}
	if (r != 0)
		buf_add_c(error, "the private keys that master passed cannot be read");
	return r;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct key_id));
}

void keys_seal(struct keys *k)
{
	size_t n = 0;

	if (k->n == 0)
		return;
	qsort(k->item, k->n, sizeof *k->item, by_id);
	for (size_t i = 1; i < k->n; i++)
		if (by_id(&k->item[n], &k->item[i]) == 0)
			EVP_PKEY_free(k->item[i].key);
		else
			k->item[++n] = k->item[i];
	k->n = n + 1;
}

void keys_free(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		EVP_PKEY_free(k->item[i].key);
	free(k->item);
	memset(k, 0, sizeof *k);
}

static int sign(EVP_PKEY *key, const struct scheme *s, struct str text, char *room, size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pkey_ctx = NULL;
	bool done = ctx && EVP_DigestSignInit_ex(ctx, &pkey_ctx, s->digest, NULL, NULL, key, NULL) == 1;

	if (done && s->is_pss)
		done = EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	*n = KEY_SIGNATURE_MAX;
	done = done && EVP_DigestSign(ctx, (unsigned char *)room, n, (const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return done ? 0 : -1;
}

/*
 * libssl takes a prime as strong as the key (SSL_CTX_set_dh_auto(3)), hardly longer than it. Behind a longer one a client's
 * certificate for the key would have room, with the other messages that a client signs.
 */
static bool prime_fits(EVP_PKEY *key, struct str text)
{
	return handshake_dh_octets(text) <= (size_t)EVP_PKEY_get_size(key) + 64;
}

void keys_answer(const struct keys *k, const struct key_question *q, char *room, struct key_answer *a)
{
	const struct held_key *held = k->n ? bsearch(&q->key, k->item, k->n, sizeof *k->item, by_id) : NULL;
	const struct scheme *s = scheme_find(q->scheme);
	size_t n = 0;

	*a = (struct key_answer){ q->request, KEY_UNKNOWN, { NULL, 0 } };
	if (held == NULL)
		return;
	a->status = KEY_FAILED;
	if (s == NULL || !EVP_PKEY_is_a(held->key, s->key_type) || !prime_fits(held->key, q->text) ||
		sign(held->key, s, q->text, room, &n) != 0)
		return;
	a->status = KEY_SIGNED;
	a->signature = str_pn(room, n);
}
