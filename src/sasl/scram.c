#include "sasl/scram.h"

#include "base/log.h"
#include "base/random.h"
#include "sasl/base64.h"
#include "sasl/saslprep.h"

#include <openssl/hmac.h>

enum { PASS_MAX = 16384, NONCE_OCTETS = 18 };

const struct scram_hash scram_sha1 = { "SHA-1", EVP_sha1, 20 };
const struct scram_hash scram_sha256 = { "SHA-256", EVP_sha256, 32 };
const struct scram_hash scram_sha512 = { "SHA-512", EVP_sha512, 64 };

const struct scram_hash *scram_hash_find(struct str name)
{
	static const struct scram_hash *const all[] = { &scram_sha1, &scram_sha256, &scram_sha512 };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (str_ieq(name, str_c(all[i]->name)))
			return all[i];
	return NULL;
}

static void hmac(const struct scram_hash *h, const unsigned char *key, struct str text, unsigned char *out)
{
	unsigned n = 0;

	if (HMAC(h->md(), key, (int)h->n, (const unsigned char *)text.p, text.n, out, &n) == NULL || n != h->n)
		panic("no HMAC with %s in libcrypto", h->name);
}

static void hash(const struct scram_hash *h, const unsigned char *in, unsigned char *out)
{
	unsigned n = 0;

	if (EVP_Digest(in, h->n, out, &n, h->md(), NULL) != 1 || n != h->n)
		panic("no %s in libcrypto", h->name);
}

/* SaltedPassword := Hi(Normalize(password), salt, i) */
static int salt_password(const struct scram_hash *h, struct str pass, const struct scram_keys *k, unsigned char *out)
{
	struct buf prepared = BUF_INIT(PASS_MAX);
	int r;

	if (k->salt_n == 0 || k->salt_n > SCRAM_SALT_MAX || k->iterations == 0 ||
		k->iterations > SCRAM_ITERATIONS_MAX || pass.n == 0 || pass.n > PASS_MAX)
		return -1;
	if (saslprep(pass, &prepared) == 0)
		pass = buf_str(&prepared);
	r = PKCS5_PBKDF2_HMAC(
		pass.p, (int)pass.n, k->salt, (int)k->salt_n, (int)k->iterations, h->md(), (int)h->n, out);
	buf_wipe(&prepared);
	return r == 1 ? 0 : -1;
}

int scram_derive(const struct scram_hash *h, struct str pass, struct scram_keys *k)
{
	unsigned char salted[SCRAM_HASH_MAX], client[SCRAM_HASH_MAX];

	memset(k->stored, 0, sizeof k->stored);
	memset(k->server, 0, sizeof k->server);
	if (salt_password(h, pass, k, salted) < 0)
		return -1;
	hmac(h, salted, STR("Client Key"), client);
	hash(h, client, k->stored);
	hmac(h, salted, STR("Server Key"), k->server);
	mem_wipe(salted, sizeof salted);
	mem_wipe(client, sizeof client);
	return 0;
}

int scram_keys_new(const struct scram_hash *h, struct str pass, struct scram_keys *k)
{
	memset(k, 0, sizeof *k);
	k->iterations = SCRAM_ITERATIONS;
	k->salt_n = SCRAM_SALT;
	random_octets(k->salt, k->salt_n);
	return scram_derive(h, pass, k);
}

int scram_keys_format(const struct scram_hash *h, const struct scram_keys *k, struct buf *out)
{
	if (buf_addf(out, "%u,", (unsigned)k->iterations) < 0 || base64_encode(out, str_pn(k->salt, k->salt_n)) < 0 ||
		buf_add_char(out, ',') < 0 || base64_encode(out, str_pn(k->stored, h->n)) < 0 ||
		buf_add_char(out, ',') < 0 || base64_encode(out, str_pn(k->server, h->n)) < 0)
		return -1;
	return 0;
}

/* 1..max octets of base64 to out; returns how many, 0: it is no such thing. */
static size_t take_octets(struct str base64, size_t max, unsigned char *out)
{
	struct buf raw = BUF_INIT(SCRAM_RECORD_MAX);
	size_t n = 0;

	if (base64_decode(&raw, base64) == 0 && raw.n && raw.n <= max) {
		n = raw.n;
		memcpy(out, raw.p, n);
	}
	buf_wipe(&raw);
	return n;
}

int scram_keys_parse(const struct scram_hash *h, struct str record, struct scram_keys *k)
{
	struct str rest = record, iterations, salt, stored, server;
	uint64_t n;

	memset(k, 0, sizeof *k);
	if (!str_field(&rest, ",", &iterations) || !str_u64(iterations, &n) || n == 0 || n > SCRAM_ITERATIONS_MAX ||
		!str_field(&rest, ",", &salt) || !str_field(&rest, ",", &stored) || !str_field(&rest, ",", &server))
		return -1;
	k->iterations = (uint32_t)n;
	k->salt_n = take_octets(salt, sizeof k->salt, k->salt);
	if (k->salt_n == 0 || take_octets(stored, sizeof k->stored, k->stored) != h->n)
		return -1;
	if (take_octets(server, sizeof k->server, k->server) != h->n)
		return -1;
	return rest.p == NULL ? 0 : -1;
}

int scram_keys_verify(const struct scram_hash *h, struct str record, struct str pass)
{
	struct scram_keys have, want;
	int r = scram_keys_parse(h, record, &have);

	want = have;
	if (r == 0)
		r = scram_derive(h, pass, &want);
	if (r == 0)
		r = mem_eq_ct(have.stored, want.stored, h->n);
	mem_wipe(&have, sizeof have);
	mem_wipe(&want, sizeof want);
	return r;
}

bool scram_proof_is_good(const struct scram_hash *h, const struct scram_keys *k, struct str message, struct str proof)
{
	unsigned char signature[SCRAM_HASH_MAX], client[SCRAM_HASH_MAX], stored[SCRAM_HASH_MAX];
	bool good;

	if (proof.n != h->n)
		return false;
	hmac(h, k->stored, message, signature);
	for (size_t i = 0; i < h->n; i++)
		client[i] = (unsigned char)proof.p[i] ^ signature[i];
	hash(h, client, stored);
	good = mem_eq_ct(stored, k->stored, h->n);
	mem_wipe(signature, sizeof signature);
	mem_wipe(client, sizeof client);
	return good;
}

void scram_server_signature(
	const struct scram_hash *h, const struct scram_keys *k, struct str message, unsigned char *out)
{
	hmac(h, k->server, message, out);
}

int scram_client_proof(const struct scram_hash *h, struct str pass, const struct scram_keys *k, struct str message,
	unsigned char *proof, unsigned char *signature)
{
	unsigned char salted[SCRAM_HASH_MAX], client[SCRAM_HASH_MAX], key[SCRAM_HASH_MAX];

	if (salt_password(h, pass, k, salted) < 0)
		return -1;
	hmac(h, salted, STR("Client Key"), client);
	hash(h, client, key);
	hmac(h, key, message, proof);
	for (size_t i = 0; i < h->n; i++)
		proof[i] ^= client[i];
	hmac(h, salted, STR("Server Key"), key);
	hmac(h, key, message, signature);
	mem_wipe(salted, sizeof salted);
	mem_wipe(client, sizeof client);
	mem_wipe(key, sizeof key);
	return 0;
}

bool scram_attribute(struct str *rest, char name, struct str *value)
{
	struct str field;

	if (rest->n < 3 || rest->p[0] != name || rest->p[1] != '=' || !str_field(rest, ",", &field))
		return false;
	*value = str_from(field, 2);
	return value->n > 0;
}

int scram_add_name(struct buf *out, struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == ',' || name.p[i] == '=' ? buf_add_c(out, name.p[i] == ',' ? "=2C" : "=3D") < 0
							 : buf_add_char(out, name.p[i]) < 0)
			return -1;
	return 0;
}

int scram_take_name(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '=') {
			struct str code = str_sub(s, i + 1, 2);

			if (str_eq(code, STR("2C")))
				c = ',';
			else if (!str_eq(code, STR("3D")))
				return -1;
			i += 2;
		}
		if (buf_add_char(out, c) < 0)
			return -1;
	}
	return 0;
}

void scram_add_nonce(struct buf *out)
{
	char octets[NONCE_OCTETS];

	random_octets(octets, sizeof octets);
	if (base64_encode(out, str_pn(octets, sizeof octets)) < 0)
		panic("no room for a nonce");
}
