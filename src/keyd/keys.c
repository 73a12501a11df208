#include "keyd/keyd.h"
#include "base/arena.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct held_key {
	struct key_id id;
	struct str der;
	EVP_PKEY *key; /* NULL: nobody has asked for it lately */
};

/* Master has read it; whether it can be used shows when it is asked for. */
static bool is_sequence(struct str der)
{
	return der.n > 2 && (unsigned char)der.p[0] == 0x30;
}

int keys_add(struct keys *k, struct str store, struct buf *error)
{
	struct key_id id;
	struct str der;
	int r;

	if (k->mem == NULL)
		k->mem = arena_new(64);
	store = arena_dup(k->mem, store);
	while ((r = key_store_next(&store, &id, &der)) == 1) {
		if (!is_sequence(der)) {
			buf_add_c(error, "a private key that master passed is none");
			return -1;
		}
		if (k->n == k->room) {
			k->room = k->room ? k->room * 2 : 16;
			k->item = xrealloc(k->item, k->room * sizeof *k->item);
		}
		k->item[k->n++] = (struct held_key){ id, der, NULL };
	}
	if (r != 0)
		buf_add_c(error, "the private keys that master passed cannot be read");
	return r;
}

/* Of many keys a few are in use at a time; the one that was read first makes room. */
static EVP_PKEY *key_of(struct keys *k, struct held_key *held)
{
	struct held_key **place = &k->read[k->next_read];
	const unsigned char *p = (const unsigned char *)held->der.p;

	if (held->key)
		return held->key;
	held->key = d2i_AutoPrivateKey(NULL, &p, (long)held->der.n);
	ERR_clear_error();
	if (held->key == NULL)
		return NULL;
	if (*place) {
		EVP_PKEY_free((*place)->key);
		(*place)->key = NULL;
	}
	*place = held;
	k->next_read = (k->next_read + 1) % KEYS_READ;
	return held->key;
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
		if (by_id(&k->item[n], &k->item[i]) != 0)
			k->item[++n] = k->item[i];
	k->n = n + 1;
	for (size_t i = 0; i < k->n && i < KEYS_READ; i++)
		key_of(k, &k->item[i]);
}

void keys_free(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		EVP_PKEY_free(k->item[i].key);
	free(k->item);
	arena_wipe(&k->mem);
	memset(k, 0, sizeof *k);
}

static int sign(EVP_PKEY *key, const struct signature_scheme *s, struct str text, char *room, size_t *n)
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

void keys_answer(struct keys *k, const struct key_question *q, char *room, struct key_answer *a)
{
	struct held_key *held = k->n ? bsearch(&q->key, k->item, k->n, sizeof *k->item, by_id) : NULL;
	const struct signature_scheme *s = signature_scheme_find(q->scheme);
	EVP_PKEY *key = held ? key_of(k, held) : NULL;
	size_t n = 0;

	*a = (struct key_answer){ q->request, KEY_UNKNOWN, { NULL, 0 } };
	if (held == NULL)
		return;
	a->status = KEY_FAILED;
	if (s == NULL || key == NULL || !EVP_PKEY_is_a(key, s->key_type) || !prime_fits(key, q->text) ||
		sign(key, s, q->text, room, &n) != 0)
		return;
	a->status = KEY_SIGNED;
	a->signature = str_pn(room, n);
}
