#include "authd/verdicts.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/random.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

enum { SETS = 8192, WAYS = 4, MATCH_MS = 3600 * 1000, MISMATCH_MS = 5000 };

struct verdict {
	struct verdict_key key;
	uint64_t expires_ms; /* 0: free */
	bool matched;
};

struct verdicts {
	EVP_MAC_CTX *mac; /* keyed; each question starts from it anew */
	struct verdict set[SETS][WAYS];
};

struct verdicts *verdicts_new(void)
{
	struct verdicts *v = xcalloc(1, sizeof *v);
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END };
	unsigned char key[32];

	random_octets(key, sizeof key);
	v->mac = EVP_MAC_CTX_new(hmac);
	if (v->mac == NULL || EVP_MAC_init(v->mac, key, sizeof key, params) != 1)
		panic("no HMAC-SHA-256 in libcrypto");
	EVP_MAC_free(hmac);
	mem_wipe(key, sizeof key);
	return v;
}

void verdicts_free(struct verdicts **v)
{
	if (*v)
		EVP_MAC_CTX_free((*v)->mac);
	free(*v);
	*v = NULL;
}

static void feed(EVP_MAC_CTX *mac, struct str s)
{
	uint64_t n = s.n; /* lengths, so that no two questions read the same */

	if (EVP_MAC_update(mac, (const unsigned char *)&n, sizeof n) != 1 ||
		EVP_MAC_update(mac, (const unsigned char *)s.p, s.n) != 1)
		panic("HMAC-SHA-256 failed");
}

void verdict_key(struct verdicts *v, struct str user, struct str pass, struct str stored, struct verdict_key *key)
{
	size_t n = 0;

	if (EVP_MAC_init(v->mac, NULL, 0, NULL) != 1)
		panic("HMAC-SHA-256 failed");
	feed(v->mac, user);
	feed(v->mac, pass);
	feed(v->mac, stored);
	if (EVP_MAC_final(v->mac, key->octets, &n, sizeof key->octets) != 1 || n != sizeof key->octets)
		panic("HMAC-SHA-256 failed");
}

static struct verdict *set_of(struct verdicts *v, const struct verdict_key *key)
{
	return v->set[(key->octets[0] | (unsigned)key->octets[1] << 8) % SETS];
}

int verdict_get(struct verdicts *v, const struct verdict_key *key, uint64_t now_ms)
{
	struct verdict *set = set_of(v, key);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].expires_ms > now_ms && mem_eq_ct(set[i].key.octets, key->octets, sizeof key->octets))
			return set[i].matched;
	return -1;
}

void verdict_put(struct verdicts *v, const struct verdict_key *key, bool matched, uint64_t now_ms)
{
	struct verdict *set = set_of(v, key), *worst = &set[0];

	for (size_t i = 1; i < WAYS; i++)
		if (set[i].expires_ms < worst->expires_ms)
			worst = &set[i];
	*worst = (struct verdict){ *key, now_ms + (matched ? MATCH_MS : MISMATCH_MS), matched };
}

void verdicts_flush(struct verdicts *v)
{
	memset(v->set, 0, sizeof v->set);
}
