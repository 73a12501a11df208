#include "tls/impl.h"
#include "base/log.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>

enum { LIFETIME_MAX_S = 7 * 24 * 3600 /* RFC 8446 sec. 4.6.1 */ };

/*
 * Ticket keys are derived: HMAC-SHA-256(secret, label, service). All processes have the same secrets from master, so each knows the
 * others' keys without a word. New tickets are sealed by the newest; those before it still open theirs, until master says that they
 * are over. Another service has other keys: it cannot open the ticket, whatever else it would accept.
 */
static struct {
	unsigned char octets[TICKET_SECRETS_MAX][TICKET_SECRET_OCTETS];
	unsigned n;
	unsigned changes; /* how often they were given; 0: not yet */
} secrets;

static void derive(
	const struct tls_ctx *ctx, const char *label, const unsigned char *secret, unsigned char *out, size_t n)
{
	unsigned char text[32 + TICKET_SERVICE_OCTETS], mac[EVP_MAX_MD_SIZE];
	size_t label_n = strlen(label);
	unsigned mac_n = 0;

	for (size_t i = 0; i < label_n; i++)
		text[i] = (unsigned char)label[i];
	memcpy(text + label_n, ctx->tickets.service, TICKET_SERVICE_OCTETS);
	if (HMAC(EVP_sha256(), secret, TICKET_SECRET_OCTETS, text, label_n + TICKET_SERVICE_OCTETS, mac, &mac_n) ==
		NULL)
		panic("tls: HMAC: %s", tls_openssl_why());
	memcpy(out, mac, n);
	mem_wipe(mac, sizeof mac);
}

static void derive_key(const struct tls_ctx *ctx, struct ticket_key *k, const unsigned char *secret)
{
	derive(ctx, "ticket name", secret, k->name, sizeof k->name);
	derive(ctx, "ticket aes", secret, k->aes, sizeof k->aes);
	derive(ctx, "ticket mac", secret, k->mac, sizeof k->mac);
}

/* What is over is wiped: who comes later cannot open what was recorded before. */
void tls_tickets_secrets(struct str octets)
{
	require(octets.n % TICKET_SECRET_OCTETS == 0 && octets.n <= sizeof secrets.octets);
	mem_wipe(secrets.octets, sizeof secrets.octets);
	if (octets.n)
		memcpy(secrets.octets, octets.p, octets.n);
	secrets.n = (unsigned)(octets.n / TICKET_SECRET_OCTETS);
	secrets.changes++;
}

/* Without master: a process of its own. */
static void make_one(void)
{
	unsigned char own[TICKET_SECRET_OCTETS];

	if (RAND_bytes(own, sizeof own) != 1)
		panic("tls: no random octets: %s", tls_openssl_why());
	tls_tickets_secrets(str_pn(own, sizeof own));
	mem_wipe(own, sizeof own);
}

void tls_tickets_refresh(struct tls_ctx *ctx)
{
	struct ticket_keys *t = &ctx->tickets;

	if (secrets.n == 0)
		make_one();
	if (t->changes == secrets.changes)
		return;
	mem_wipe(t->key, sizeof t->key);
	t->changes = secrets.changes;
	t->n = secrets.n;
	for (unsigned i = 0; i < t->n; i++)
		derive_key(ctx, &t->key[i], secrets.octets[i]);
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

	tls_tickets_refresh(ctx);
	if (enc) {
		memcpy(name, t->key[0].name, TICKET_NAME_OCTETS);
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			return -1;
		return set_key(&t->key[0], iv, cipher, mac, 1);
	}
	for (unsigned i = 0; i < t->n; i++)
		if (memcmp(name, t->key[i].name, TICKET_NAME_OCTETS) == 0)
			return set_key(&t->key[i], iv, cipher, mac, 0) == 1 ? 1 + (i > 0) : -1;
	return 0;
}

void tls_tickets_use(struct tls_ctx *ctx, const char *service, int64_t lifetime_s)
{
	unsigned n = 0;

	if (EVP_Digest(service, strlen(service), ctx->tickets.service, &n, EVP_sha256(), NULL) != 1)
		panic("tls: SHA-256: %s", tls_openssl_why());
	/* It is asked for a ticket's service again where the ticket was opened (SSL_CTX_set_session_id_context). */
	SSL_CTX_set_session_id_context(ctx->ssl, ctx->tickets.service, TICKET_SERVICE_OCTETS);
	SSL_CTX_set_app_data(ctx->ssl, ctx);
	if (lifetime_s == 0)
		SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_TICKET);
	SSL_CTX_set_timeout(ctx->ssl, (long)(lifetime_s < LIFETIME_MAX_S ? lifetime_s : LIFETIME_MAX_S));
	SSL_CTX_set_num_tickets(ctx->ssl, SSL_CTX_get_options(ctx->ssl) & SSL_OP_NO_TICKET ? 0 : 1);
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl, on_ticket);
}
