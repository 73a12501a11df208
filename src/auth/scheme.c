#include "auth/scheme.h"

#include "auth/password.h"
#include "base/random.h"
#include "sasl/base64.h"
#include "sasl/cram_md5.h"
#include "sasl/scram.h"

/* ---- a SCRAM record (RFC 5802 sec. 3): "iterations,salt,StoredKey,ServerKey" ---- */

static int scram_verify(const struct scheme *s, struct str raw, struct str plain)
{
	int r = scram_keys_verify(scram_hash_find(str_c(s->detail)), raw, plain);

	return r < 0 ? -PASSWORD_EDATA : r;
}

static int scram_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	const struct scram_hash *h = scram_hash_find(str_c(s->detail));
	struct scram_keys k;
	int r = scram_keys_new(h, plain, &k);

	(void)rounds;
	if (r == 0)
		r = scram_keys_format(h, &k, raw);
	mem_wipe(&k, sizeof k);
	return r == 0 ? 0 : -PASSWORD_ECANNOT;
}

/* ---- CRAM-MD5: the states of HMAC-MD5 ---- */

static int cram_verify(const struct scheme *s, struct str raw, struct str plain)
{
	unsigned char states[CRAM_MD5_STATES];
	int r;

	(void)s;
	if (raw.n != sizeof states)
		return -PASSWORD_EDATA;
	cram_md5_states(plain, states);
	r = mem_eq_ct(raw.p, states, sizeof states);
	mem_wipe(states, sizeof states);
	return r;
}

static int cram_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	unsigned char states[CRAM_MD5_STATES];

	(void)s;
	(void)rounds;
	cram_md5_states(plain, states);
	buf_add(raw, states, sizeof states);
	mem_wipe(states, sizeof states);
	return 0;
}

/* ---- plain text ---- */

static int plain_verify(const struct scheme *s, struct str raw, struct str plain)
{
	char a[PASSWORD_MAX] = { 0 }, b[PASSWORD_MAX] = { 0 };
	bool same;

	(void)s;
	if (raw.n == 0 || raw.n > PASSWORD_MAX)
		return 0;
	memcpy(a, raw.p, raw.n);
	memcpy(b, plain.p, plain.n);
	same = mem_eq_ct(a, b, sizeof a) & (raw.n == plain.n);
	mem_wipe(a, sizeof a);
	mem_wipe(b, sizeof b);
	return same;
}

static int plain_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	(void)s;
	(void)rounds;
	buf_add_str(raw, plain);
	return 0;
}

/* ---- the table ---- */

/* Only together with a name: see password_verify_user(). */
static int digest_md5_verify(const struct scheme *s, struct str raw, struct str plain)
{
	(void)s;
	(void)raw;
	(void)plain;
	return -PASSWORD_ENAME;
}

/* MD5 is MD5-CRYPT when it looks like it, else LDAP-MD5. */
static int md5_verify(const struct scheme *s, struct str raw, struct str plain)
{
	struct buf decoded = BUF_INIT(128);
	int r = -PASSWORD_EDATA;

	(void)s;
	if (str_has_prefix(raw, STR("$1$")))
		return scheme_crypt_verify(scheme_find(STR("MD5-CRYPT")), raw, plain);
	if (base64_decode_loose(&decoded, raw) == 0)
		r = scheme_digest_verify(scheme_find(STR("LDAP-MD5")), buf_str(&decoded), plain);
	buf_wipe(&decoded);
	return r;
}

static int md5_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	(void)s;
	return scheme_crypt_make(scheme_find(STR("MD5-CRYPT")), plain, rounds, raw);
}

/* Salted hashes have no fixed length, so that hexadecimal ones need the suffix. */
static const struct scheme schemes[] = {
	{ "ARGON2ID", ENC_NONE, scheme_argon2_verify, scheme_argon2_make, NULL, 0 },
	{ "ARGON2I", ENC_NONE, scheme_argon2_verify, scheme_argon2_make, NULL, 0 },
	{ "ARGON2", ENC_NONE, scheme_argon2_verify, scheme_argon2_make, NULL, 0 },
	{ "BLF-CRYPT", ENC_NONE, scheme_crypt_verify, scheme_crypt_make, "$2", 0 },
	{ "SHA512-CRYPT", ENC_NONE, scheme_crypt_verify, scheme_crypt_make, "$6$", 0 },
	{ "SHA256-CRYPT", ENC_NONE, scheme_crypt_verify, scheme_crypt_make, "$5$", 0 },
	{ "CRYPT", ENC_NONE, scheme_crypt_verify, scheme_crypt_make, NULL, 0 },
	{ "PBKDF2", ENC_NONE, scheme_pbkdf2_verify, scheme_pbkdf2_make, NULL, 0 },
	{ "SCRAM-SHA-1", ENC_NONE, scram_verify, scram_make, "SHA-1", 0 },
	{ "SCRAM-SHA-256", ENC_NONE, scram_verify, scram_make, "SHA-256", 0 },
	{ "SCRAM-SHA-512", ENC_NONE, scram_verify, scram_make, "SHA-512", 0 },
	{ "CRAM-MD5", ENC_HEX, cram_verify, cram_make, NULL, 0 },
	{ "SSHA", ENC_BASE64, scheme_digest_verify, scheme_digest_make, "SHA1", SCHEME_SALTED },
	{ "SSHA256", ENC_BASE64, scheme_digest_verify, scheme_digest_make, "SHA256", SCHEME_SALTED },
	{ "SSHA512", ENC_BASE64, scheme_digest_verify, scheme_digest_make, "SHA512", SCHEME_SALTED },
	{ "SHA", ENC_AUTO, scheme_digest_verify, scheme_digest_make, "SHA1", 0 },
	{ "SHA1", ENC_AUTO, scheme_digest_verify, scheme_digest_make, "SHA1", 0 },
	{ "SHA256", ENC_AUTO, scheme_digest_verify, scheme_digest_make, "SHA256", 0 },
	{ "SHA512", ENC_AUTO, scheme_digest_verify, scheme_digest_make, "SHA512", 0 },
	{ "PLAIN", ENC_NONE, plain_verify, plain_make, NULL, SCHEME_CLEAR },
	{ "CLEAR", ENC_NONE, plain_verify, plain_make, NULL, SCHEME_CLEAR },
	{ "CLEARTEXT", ENC_NONE, plain_verify, plain_make, NULL, SCHEME_CLEAR },
	{ "DIGEST-MD5", ENC_HEX, digest_md5_verify, NULL, "MD5", SCHEME_NAMED },
	{ "HMAC-MD5", ENC_HEX, cram_verify, cram_make, NULL, SCHEME_WEAK },
	{ "PLAIN-TRUNC", ENC_NONE, scheme_trunc_verify, NULL, NULL, 0 },
	{ "OTP", ENC_NONE, scheme_otp_verify, NULL, NULL, 0 },
	{ "MD5-CRYPT", ENC_NONE, scheme_crypt_verify, scheme_crypt_make, "$1$", SCHEME_WEAK },
	{ "DES-CRYPT", ENC_NONE, scheme_crypt_verify, scheme_des_make, NULL, SCHEME_WEAK },
	{ "MD5", ENC_NONE, md5_verify, md5_make, NULL, SCHEME_WEAK },
	{ "LDAP-MD5", ENC_AUTO, scheme_digest_verify, scheme_digest_make, "MD5", SCHEME_WEAK },
	{ "PLAIN-MD5", ENC_AUTO_HEX, scheme_digest_verify, scheme_digest_make, "MD5", SCHEME_WEAK },
	{ "PLAIN-MD4", ENC_AUTO_HEX, scheme_md4_verify, scheme_md4_make, "MD5", SCHEME_WEAK },
	{ "SMD5", ENC_BASE64, scheme_digest_verify, scheme_smd5_make, "MD5", SCHEME_WEAK | SCHEME_SALTED },
};

const struct scheme *scheme_at(size_t i)
{
	return i < sizeof schemes / sizeof *schemes ? &schemes[i] : NULL;
}

const struct scheme *scheme_find(struct str name)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_ieq(name, str_c(schemes[i].name)))
			return &schemes[i];
	return NULL;
}
