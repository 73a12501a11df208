#include "tls/impl.h"
#include "base/log.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <time.h>

/*
 * Ticket keys are derived: HMAC-SHA-256(seed, label, service, period). All processes of one start share the seed, so
 * each knows the others' keys without a word, and a ticket of the period before is still good. Another service has
 * other keys: it cannot open the ticket, whatever else it would accept.
 */
enum { PERIOD_S = 3600 };

static unsigned char seed[32];
static unsigned seeded; /* how often; 0: not yet */

static void derive(const struct tls_ctx *ctx, const char *label, uint64_t period, unsigned char *out, size_t n)
{
	unsigned char text[32 + TICKET_SERVICE_OCTETS + 8], mac[EVP_MAX_MD_SIZE];
	size_t at = 0, label_n = strlen(label);
	unsigned mac_n = 0;

	for (; at < label_n; at++)
		text[at] = (unsigned char)label[at];
	memcpy(text + at, ctx->tickets.service, TICKET_SERVICE_OCTETS);
	at += TICKET_SERVICE_OCTETS;
	for (size_t i = 0; i < 8; i++)
		text[at++] = (unsigned char)(period >> (56 - 8 * i));
	if (HMAC(EVP_sha256(), seed, sizeof seed, text, at, mac, &mac_n) == NULL)
		panic("tls: HMAC: %s", tls_openssl_why());
	memcpy(out, mac, n);
	mem_wipe(mac, sizeof mac);
}

static void derive_key(const struct tls_ctx *ctx, struct ticket_key *k, uint64_t period)
{
	derive(ctx, "ticket name", period, k->name, sizeof k->name);
	derive(ctx, "ticket aes", period, k->aes, sizeof k->aes);
	derive(ctx, "ticket mac", period, k->mac, sizeof k->mac);
}

/* The keys of this hour, and of the one before. */
static void turn(struct tls_ctx *ctx)
{
	struct ticket_keys *t = &ctx->tickets;
	uint64_t period = (uint64_t)time(NULL) / PERIOD_S;

	if (seeded == 0 && RAND_bytes(seed, sizeof seed) != 1)
		panic("tls: no random octets: %s", tls_openssl_why());
	if (seeded == 0)
		seeded = 1;
	if (period == t->period && t->seeded == seeded)
		return;
	t->period = period;
	t->seeded = seeded;
	derive_key(ctx, &t->now, period);
	derive_key(ctx, &t->before, period - 1);
}

void tls_tickets_seed(const unsigned char octets[32])
{
	memcpy(seed, octets, sizeof seed);
	seeded++;
}

static int set_key(
	const struct ticket_key *k, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	char digest[] = "SHA256";
	unsigned char key[TICKET_KEY_OCTETS];
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
	struct tls_ctx *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_keys *t = &ctx->tickets;

	turn(ctx);
	if (enc) {
		memcpy(name, t->now.name, TICKET_NAME_OCTETS);
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			return -1;
		return set_key(&t->now, iv, cipher, mac, 1);
	}
	if (memcmp(name, t->now.name, TICKET_NAME_OCTETS) == 0)
		return set_key(&t->now, iv, cipher, mac, 0);
	if (memcmp(name, t->before.name, TICKET_NAME_OCTETS) == 0)
		return set_key(&t->before, iv, cipher, mac, 0) == 1 ? 2 : -1;
	return 0;
}

void tls_tickets_use(struct tls_ctx *ctx, const char *service)
{
	unsigned n = 0;

	if (EVP_Digest(service, strlen(service), ctx->tickets.service, &n, EVP_sha256(), NULL) != 1)
		panic("tls: SHA-256: %s", tls_openssl_why());
	/* It is asked for a ticket's service again where the ticket was opened (SSL_CTX_set_session_id_context). */
	SSL_CTX_set_session_id_context(ctx->ssl, ctx->tickets.service, TICKET_SERVICE_OCTETS);
	SSL_CTX_set_app_data(ctx->ssl, ctx);
	SSL_CTX_set_num_tickets(ctx->ssl, SSL_CTX_get_options(ctx->ssl) & SSL_OP_NO_TICKET ? 0 : 1);
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl, on_ticket);
}
