#include "tls/impl.h"
#include "base/log.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <time.h>

/*
 * Ticket keys are derived: HMAC-SHA-256(seed, label, period). All processes of one start share the seed, so each knows
 * the others' keys without a word, and a ticket of the period before is still good.
 */
enum { PERIOD_S = 3600, NAME_OCTETS = 16, KEY_OCTETS = 32 };

struct ticket_key {
	unsigned char name[NAME_OCTETS], aes[KEY_OCTETS], mac[KEY_OCTETS];
};
static struct {
	unsigned char seed[32];
	bool seeded;
	uint64_t period; /* of now; before is period - 1 */
	struct ticket_key now, before;
} tickets;

static void derive(const char *label, uint64_t period, unsigned char *out, size_t n)
{
	unsigned char text[32], mac[EVP_MAX_MD_SIZE];
	size_t label_n = strlen(label);
	unsigned mac_n = 0;

	for (size_t i = 0; i < label_n; i++)
		text[i] = (unsigned char)label[i];
	for (size_t i = 0; i < 8; i++)
		text[label_n + i] = (unsigned char)(period >> (56 - 8 * i));
	if (HMAC(EVP_sha256(), tickets.seed, sizeof tickets.seed, text, label_n + 8, mac, &mac_n) == NULL)
		panic("tls: HMAC: %s", tls_openssl_why());
	memcpy(out, mac, n);
	mem_wipe(mac, sizeof mac);
}

static void derive_key(struct ticket_key *k, uint64_t period)
{
	derive("ticket name", period, k->name, sizeof k->name);
	derive("ticket aes", period, k->aes, sizeof k->aes);
	derive("ticket mac", period, k->mac, sizeof k->mac);
}

void tls_tickets_rotate(void)
{
	uint64_t period = (uint64_t)time(NULL) / PERIOD_S;

	if (!tickets.seeded && RAND_bytes(tickets.seed, sizeof tickets.seed) != 1)
		panic("tls: no random octets: %s", tls_openssl_why());
	tickets.seeded = true;
	if (period == tickets.period)
		return;
	tickets.period = period;
	derive_key(&tickets.now, period);
	derive_key(&tickets.before, period - 1);
}

void tls_tickets_seed(const unsigned char seed[32])
{
	memcpy(tickets.seed, seed, sizeof tickets.seed);
	tickets.seeded = true;
	tickets.period = 0;
	tls_tickets_rotate();
}

static int set_key(
	const struct ticket_key *k, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	char digest[] = "SHA256";
	unsigned char key[KEY_OCTETS];
	OSSL_PARAM params[3];
	int done;

	memcpy(key, k->mac, sizeof key);
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, sizeof key);
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	done = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv, enc) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
	mem_wipe(key, sizeof key);
	return done ? 1 : -1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 use it, 2 use it and give a new one, 0 no ticket of ours. */
static int on_ticket(
	SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	(void)ssl;
	tls_tickets_rotate();
	if (enc) {
		memcpy(name, tickets.now.name, NAME_OCTETS);
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			return -1;
		return set_key(&tickets.now, iv, cipher, mac, 1);
	}
	if (memcmp(name, tickets.now.name, NAME_OCTETS) == 0)
		return set_key(&tickets.now, iv, cipher, mac, 0);
	if (memcmp(name, tickets.before.name, NAME_OCTETS) == 0)
		return set_key(&tickets.before, iv, cipher, mac, 0) == 1 ? 2 : -1;
	return 0;
}

void tls_tickets_use(SSL_CTX *ssl)
{
	tls_tickets_rotate();
	SSL_CTX_set_num_tickets(ssl, 1);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
}
