#include "auth/password.h"

#include "auth/password_old.h"
#include "base/arena.h"
#include "base/log.h"
#include "sasl/base64.h"
#include "sasl/cram_md5.h"
#include "sasl/saslprep.h"
#include "sasl/scram.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/random.h>

enum encoding {
	ENC_NONE,
	ENC_HEX,
	ENC_BASE64,
	ENC_AUTO /* hex when it has twice the digest's length, else base64 */,
	ENC_AUTO_HEX /* the same, but made in hex */
};
enum {
	DATA_MAX = 8192,
	SALT_OCTETS = 16,
	SMD5_SALT = 4,
	ARGON2_T = 2,
	ARGON2_M_KIB = 19 * 1024,
	ARGON2_M_MAX_KIB = 1024 * 1024,
	ARGON2_T_MAX = 64,
	BLF_COST = 10,
	PBKDF2_ROUNDS = 5000,
	ROUNDS_MAX = 10 * 1000 * 1000
};

struct scheme {
	const char *name;
	enum encoding encoding; /* of what is stored, if no suffix says otherwise */
	/* `raw` is decoded. Returns as password_verify(). NULL in neither. */
	int (*verify)(const struct scheme *s, struct str raw, struct str plain);
	int (*make)(const struct scheme *s, struct str plain, struct buf *raw);
	const char *detail; /* digest's name, or crypt's prefix */
	bool weak;
};

static _Thread_local unsigned wanted_rounds; /* of password_make_for(); 0: as usual */

/* ---- digests: hash, or hash and salt ---- */

static size_t digest(const char *name, struct str a, struct str b, unsigned char out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
	unsigned n = 0;

	if (ctx == NULL || md == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
		EVP_DigestUpdate(ctx, a.p, a.n) != 1 || EVP_DigestUpdate(ctx, b.p, b.n) != 1 ||
		EVP_DigestFinal_ex(ctx, out, &n) != 1)
		n = 0;
	EVP_MD_free(md);
	EVP_MD_CTX_free(ctx);
	return n;
}

static int digest_verify(const struct scheme *s, struct str raw, struct str plain)
{
	unsigned char want[EVP_MAX_MD_SIZE];
	bool salted = s->name[1] == 'S' || s->name[1] == 'M'; /* SSHA…, SMD5 */
	size_t n = digest(s->detail, plain, STR(""), want);

	if (n == 0 || raw.n < n || (!salted && raw.n != n))
		return -PASSWORD_EDATA;
	if (salted)
		digest(s->detail, plain, str_from(raw, n), want);
	return mem_eq_ct(raw.p, want, n);
}

static void random_octets(void *p, size_t n)
{
	if (getrandom(p, n, 0) != (ssize_t)n)
		panic("the kernel gives no random numbers");
}

static int digest_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	char salt[SALT_OCTETS] = { 0 };
	struct str salted = s->name[0] == 'S' && s->name[1] == 'S' ? str_pn(salt, sizeof salt) : STR("");
	size_t n;

	random_octets(salt, sizeof salt);
	n = digest(s->detail, plain, salted, out);
	if (n == 0)
		return -PASSWORD_ECANNOT;
	buf_add(raw, out, n);
	buf_add_str(raw, salted);
	return 0;
}

/* ---- Argon2, RFC 9106, in the PHC string form ---- */

/* The number behind ",m=" or the like; 0: none. */
static uint64_t argon2_number(struct str raw, const char *key)
{
	size_t k = strlen(key), n = 0;
	uint64_t v;

	for (size_t i = 0; i + k < raw.n; i++) {
		if (memcmp(raw.p + i, key, k) != 0)
			continue;
		while (i + k + n < raw.n && ascii_is_digit(raw.p[i + k + n]))
			n++;
		return str_u64(str_sub(raw, i + k, n), &v) ? v : 0;
	}
	return 0;
}

static int argon2_verify_any(const struct scheme *s, struct str raw, struct str plain)
{
	bool is_id = strcmp(s->name, "ARGON2I") != 0;
	char *encoded;
	int r;

	if (!str_has_prefix(raw, is_id ? STR("$argon2id$") : STR("$argon2i$"))) {
		/* Dovecot writes both under either name. */
		is_id = !is_id;
		if (!str_has_prefix(raw, is_id ? STR("$argon2id$") : STR("$argon2i$")))
			return -PASSWORD_EDATA;
	}
	if (argon2_number(raw, "$m=") > ARGON2_M_MAX_KIB || argon2_number(raw, ",t=") > ARGON2_T_MAX)
		return -PASSWORD_ECOST;
	encoded = xstrndup(raw);
	r = argon2_verify(encoded, plain.p, plain.n, is_id ? Argon2_id : Argon2_i);
	free(encoded);
	return r == ARGON2_OK ? 1 : r == ARGON2_VERIFY_MISMATCH ? 0 : -PASSWORD_EDATA;
}

static int argon2_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	char salt[SALT_OCTETS], encoded[256];
	argon2_type type = strcmp(s->name, "ARGON2I") == 0 ? Argon2_i : Argon2_id;
	uint32_t t = type == Argon2_i ? 4 : ARGON2_T; /* RFC 9106 sec. 4: Argon2i needs more passes */

	if (wanted_rounds)
		t = wanted_rounds;
	random_octets(salt, sizeof salt);
	if (argon2_hash(t, ARGON2_M_KIB, 1, plain.p, plain.n, salt, sizeof salt, NULL, 32, encoded, sizeof encoded,
		    type, ARGON2_VERSION_NUMBER) != ARGON2_OK)
		return -PASSWORD_ECANNOT;
	buf_add_c(raw, encoded);
	return 0;
}

/* ---- crypt(3) ---- */

static int crypt_verify(const struct scheme *s, struct str raw, struct str plain)
{
	struct crypt_data *data = xcalloc(1, sizeof *data);
	char *setting = xstrndup(raw), *key = xstrndup(plain);
	const char *got;
	int r = 0;

	/* CRYPT is a column of whatever "$id$" there is: libxcrypt has all of them but this one. */
	if (s->detail == NULL && str_has_prefix(raw, STR("$argon2"))) {
		r = argon2_verify_any(s, raw, plain);
	} else if (s->detail && !str_has_prefix(raw, str_c(s->detail))) {
		r = -PASSWORD_EDATA;
	} else if (raw.n) {
		got = crypt_r(key, setting, data);
		if (got == NULL || got[0] == '*')
			r = -PASSWORD_EDATA;
		else
			r = strlen(got) == raw.n && mem_eq_ct(got, raw.p, raw.n);
	}
	mem_wipe(key, plain.n);
	mem_wipe(data, sizeof *data);
	free(key);
	free(setting);
	free(data);
	return r;
}

static unsigned long rounds_of(const struct scheme *s)
{
	bool has_rounds = s->detail && strcmp(s->detail, "$1$") != 0;

	return has_rounds ? wanted_rounds : 0;
}

static int crypt_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	const char *prefix = s->detail ? strcmp(s->detail, "$2") == 0 ? "$2y$" : s->detail : "$6$";
	struct crypt_data *data = xcalloc(1, sizeof *data);
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], seed[SALT_OCTETS], *key = xstrndup(plain);
	const char *got = NULL;

	random_octets(seed, sizeof seed);
	if (crypt_gensalt_rn(prefix,
		    rounds_of(s)		  ? rounds_of(s)
		    : strcmp(prefix, "$2y$") == 0 ? BLF_COST
						  : 0,
		    seed, sizeof seed, setting, (int)sizeof setting))
		got = crypt_r(key, setting, data);
	if (got && got[0] != '*')
		buf_add_c(raw, got);
	mem_wipe(key, plain.n);
	mem_wipe(data, sizeof *data);
	free(key);
	free(data);
	return raw->n ? 0 : -PASSWORD_ECANNOT;
}

/* Two characters of salt, and no more than eight of the password. */
static int des_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	static const char set[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	struct crypt_data *data = xcalloc(1, sizeof *data);
	char salt[3] = "", *key = xstrndup(plain);
	const char *got;

	(void)s;
	random_octets(salt, 2);
	for (size_t i = 0; i < 2; i++)
		salt[i] = set[salt[i] & 63];
	got = crypt_r(key, salt, data);
	if (got && got[0] != '*')
		buf_add_c(raw, got);
	mem_wipe(key, plain.n);
	mem_wipe(data, sizeof *data);
	free(key);
	free(data);
	return raw->n ? 0 : -PASSWORD_ECANNOT;
}

/* ---- PBKDF2 (RFC 8018 sec. 5.2), "$1$salt$rounds$hex of 20 octets" ---- */

static void add_hex(struct buf *out, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%02x", p[i]);
}

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode_hex(struct buf *out, struct str s)
{
	if (s.n % 2)
		return -1;
	for (size_t i = 0; i < s.n; i += 2) {
		int hi = hex_value(s.p[i]), lo = hex_value(s.p[i + 1]);

		if (hi < 0 || lo < 0 || buf_add_char(out, (char)(hi * 16 + lo)) < 0)
			return -1;
	}
	return 0;
}

static int pbkdf2(const EVP_MD *md, struct str plain, struct str salt, uint64_t rounds, unsigned char *out)
{
	if (rounds == 0)
		return -PASSWORD_EDATA;
	if (rounds > ROUNDS_MAX)
		return -PASSWORD_ECOST;
	if (PKCS5_PBKDF2_HMAC(plain.p, (int)plain.n, (const unsigned char *)salt.p, (int)salt.n, (int)rounds, md,
		    EVP_MD_get_size(md), out) != 1)
		return -PASSWORD_ECANNOT;
	return 0;
}

static int pbkdf2_verify(const struct scheme *s, struct str raw, struct str plain)
{
	struct str rest = raw, empty, one, salt, rounds, hex;
	unsigned char want[EVP_MAX_MD_SIZE];
	struct buf have = BUF_INIT(64);
	uint64_t n;
	int r;

	(void)s;
	if (!str_field(&rest, "$", &empty) || empty.n || !str_field(&rest, "$", &one) || !str_eq(one, STR("1")) ||
		!str_field(&rest, "$", &salt) || !str_field(&rest, "$", &rounds) || !str_u64(rounds, &n) ||
		!str_field(&rest, "$", &hex) || rest.p != NULL)
		return -PASSWORD_EDATA;
	if (decode_hex(&have, hex) < 0 || have.n != 20)
		r = -PASSWORD_EDATA;
	else
		r = pbkdf2(EVP_sha1(), plain, salt, n, want);
	if (r == 0)
		r = mem_eq_ct(have.p, want, 20);
	buf_wipe(&have);
	return r;
}

static int pbkdf2_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz./";
	unsigned rounds = wanted_rounds ? wanted_rounds : PBKDF2_ROUNDS;
	char salt[SALT_OCTETS];
	unsigned char key[EVP_MAX_MD_SIZE];
	int r;

	(void)s;
	random_octets(salt, sizeof salt);
	for (size_t i = 0; i < sizeof salt; i++)
		salt[i] = set[salt[i] & 63];
	r = pbkdf2(EVP_sha1(), plain, str_pn(salt, sizeof salt), rounds, key);
	if (r == 0) {
		buf_addf(raw, "$1$%.*s$%u$", (int)sizeof salt, salt, rounds);
		add_hex(raw, key, 20);
	}
	mem_wipe(key, sizeof key);
	return r;
}

/* ---- a SCRAM record (RFC 5802 sec. 3): "iterations,salt,StoredKey,ServerKey" ---- */

static int scram_verify(const struct scheme *s, struct str raw, struct str plain)
{
	int r = scram_keys_verify(scram_hash_find(str_c(s->detail)), raw, plain);

	return r < 0 ? -PASSWORD_EDATA : r;
}

static int scram_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	const struct scram_hash *h = scram_hash_find(str_c(s->detail));
	struct scram_keys k;
	int r = scram_keys_new(h, plain, &k);

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

static int cram_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	unsigned char states[CRAM_MD5_STATES];

	(void)s;
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

static int plain_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	(void)s;
	buf_add_str(raw, plain);
	return 0;
}

/* ---- of old times ---- */

static int md4_verify(const struct scheme *s, struct str raw, struct str plain)
{
	unsigned char want[MD4_OCTETS];

	(void)s;
	if (raw.n != sizeof want)
		return -PASSWORD_EDATA;
	return password_md4(plain, want) ? mem_eq_ct(raw.p, want, sizeof want) : -PASSWORD_ESCHEME;
}

static int md4_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	unsigned char out[MD4_OCTETS];

	(void)s;
	if (!password_md4(plain, out))
		return -PASSWORD_ECANNOT;
	buf_add(raw, out, sizeof out);
	return 0;
}

static int trunc_verify(const struct scheme *s, struct str raw, struct str plain)
{
	int r = password_trunc(raw, plain);

	(void)s;
	return r < 0 ? -PASSWORD_EDATA : r;
}

static int otp_verify(const struct scheme *s, struct str raw, struct str plain)
{
	int r = password_otp(raw, plain);

	(void)s;
	return r < 0 ? -PASSWORD_EDATA : r;
}

/* Only together with a name: see password_verify_user(). */
static int digest_md5_verify(const struct scheme *s, struct str raw, struct str plain)
{
	(void)s;
	(void)raw;
	(void)plain;
	return -PASSWORD_ENAME;
}

static int smd5_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	char salt[SMD5_SALT];
	size_t n;

	random_octets(salt, sizeof salt);
	n = digest(s->detail, plain, str_pn(salt, sizeof salt), out);
	if (n == 0)
		return -PASSWORD_ECANNOT;
	buf_add(raw, out, n);
	buf_add(raw, salt, sizeof salt);
	return 0;
}

static int md5_crypt_make(const struct scheme *s, struct str plain, struct buf *raw);

/* MD5 is MD5-CRYPT when it looks like it, else LDAP-MD5. */
static int md5_verify(const struct scheme *s, struct str raw, struct str plain);

/* Salted hashes have no fixed length, so that hexadecimal ones need the suffix. */
static const struct scheme schemes[] = {
	{ "ARGON2ID", ENC_NONE, argon2_verify_any, argon2_make, NULL, false },
	{ "ARGON2I", ENC_NONE, argon2_verify_any, argon2_make, NULL, false },
	{ "ARGON2", ENC_NONE, argon2_verify_any, argon2_make, NULL, false },
	{ "BLF-CRYPT", ENC_NONE, crypt_verify, crypt_make, "$2", false },
	{ "SHA512-CRYPT", ENC_NONE, crypt_verify, crypt_make, "$6$", false },
	{ "SHA256-CRYPT", ENC_NONE, crypt_verify, crypt_make, "$5$", false },
	{ "CRYPT", ENC_NONE, crypt_verify, crypt_make, NULL, false },
	{ "PBKDF2", ENC_NONE, pbkdf2_verify, pbkdf2_make, NULL, false },
	{ "SCRAM-SHA-1", ENC_NONE, scram_verify, scram_make, "SHA-1", false },
	{ "SCRAM-SHA-256", ENC_NONE, scram_verify, scram_make, "SHA-256", false },
	{ "SCRAM-SHA-512", ENC_NONE, scram_verify, scram_make, "SHA-512", false },
	{ "CRAM-MD5", ENC_HEX, cram_verify, cram_make, NULL, false },
	{ "SSHA", ENC_BASE64, digest_verify, digest_make, "SHA1", false },
	{ "SSHA256", ENC_BASE64, digest_verify, digest_make, "SHA256", false },
	{ "SSHA512", ENC_BASE64, digest_verify, digest_make, "SHA512", false },
	{ "SHA", ENC_AUTO, digest_verify, digest_make, "SHA1", false },
	{ "SHA1", ENC_AUTO, digest_verify, digest_make, "SHA1", false },
	{ "SHA256", ENC_AUTO, digest_verify, digest_make, "SHA256", false },
	{ "SHA512", ENC_AUTO, digest_verify, digest_make, "SHA512", false },
	{ "PLAIN", ENC_NONE, plain_verify, plain_make, NULL, false },
	{ "CLEAR", ENC_NONE, plain_verify, plain_make, NULL, false },
	{ "CLEARTEXT", ENC_NONE, plain_verify, plain_make, NULL, false },
	{ "DIGEST-MD5", ENC_HEX, digest_md5_verify, NULL, "MD5", false },
	{ "HMAC-MD5", ENC_HEX, cram_verify, cram_make, NULL, true },
	{ "PLAIN-TRUNC", ENC_NONE, trunc_verify, NULL, NULL, false },
	{ "OTP", ENC_NONE, otp_verify, NULL, NULL, false },
	{ "MD5-CRYPT", ENC_NONE, crypt_verify, crypt_make, "$1$", true },
	{ "DES-CRYPT", ENC_NONE, crypt_verify, des_make, NULL, true },
	{ "MD5", ENC_NONE, md5_verify, md5_crypt_make, NULL, true },
	{ "LDAP-MD5", ENC_AUTO, digest_verify, digest_make, "MD5", true },
	{ "PLAIN-MD5", ENC_AUTO_HEX, digest_verify, digest_make, "MD5", true },
	{ "PLAIN-MD4", ENC_AUTO_HEX, md4_verify, md4_make, "MD5", true },
	{ "SMD5", ENC_BASE64, digest_verify, smd5_make, "MD5", true },
};

static const struct scheme *scheme_find(struct str name)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_ieq(name, str_c(schemes[i].name)))
			return &schemes[i];
	return NULL;
}

static int md5_verify(const struct scheme *s, struct str raw, struct str plain)
{
	struct buf decoded = BUF_INIT(128);
	int r = -PASSWORD_EDATA;

	(void)s;
	if (str_has_prefix(raw, STR("$1$")))
		return crypt_verify(scheme_find(STR("MD5-CRYPT")), raw, plain);
	if (base64_decode_loose(&decoded, raw) == 0)
		r = digest_verify(scheme_find(STR("LDAP-MD5")), buf_str(&decoded), plain);
	buf_wipe(&decoded);
	return r;
}

static int md5_crypt_make(const struct scheme *s, struct str plain, struct buf *raw)
{
	(void)s;
	return crypt_make(scheme_find(STR("MD5-CRYPT")), plain, raw);
}

/* "SSHA256.b64" to the scheme and its encoding. */
static const struct scheme *scheme_parse(struct str text, enum encoding *encoding)
{
	ptrdiff_t dot = str_chr(text, '.');
	struct str suffix = dot < 0 ? STR("") : str_from(text, (size_t)dot + 1);
	const struct scheme *s = scheme_find(dot < 0 ? text : str_sub(text, 0, (size_t)dot));

	if (s == NULL)
		return NULL;
	*encoding = s->encoding;
	if (dot < 0)
		return s;
	if (str_ieq(suffix, STR("hex")))
		*encoding = ENC_HEX;
	else if (str_ieq(suffix, STR("b64")) || str_ieq(suffix, STR("base64")))
		*encoding = ENC_BASE64;
	else
		return NULL;
	return s;
}

static int decode(const struct scheme *s, enum encoding encoding, struct str data, struct buf *raw)
{
	if (encoding == ENC_AUTO || encoding == ENC_AUTO_HEX) {
		const EVP_MD *md = EVP_get_digestbyname(s->detail);

		encoding = md && data.n == (size_t)EVP_MD_get_size(md) * 2 ? ENC_HEX : ENC_BASE64;
	}
	if (encoding == ENC_HEX)
		return decode_hex(raw, data);
	if (encoding == ENC_BASE64)
		return base64_decode_loose(raw, data);
	return buf_add_str(raw, data);
}

static bool is_plain_good(struct str plain)
{
	return plain.n && plain.n <= PASSWORD_MAX && str_chr(plain, '\0') < 0;
}

/* "{SCHEME}data", or data of the default scheme. */
static struct str split_stored(struct str stored, struct str default_scheme, struct str *data)
{
	ptrdiff_t end = stored.n && stored.p[0] == '{' ? str_chr(stored, '}') : -1;

	*data = end > 0 ? str_from(stored, (size_t)end + 1) : stored;
	return end > 0 ? str_sub(stored, 1, (size_t)end - 1) : default_scheme;
}

int password_like(struct str stored, struct str default_scheme, struct buf *out)
{
	struct str data, name = split_stored(stored, default_scheme, &data);
	enum encoding encoding;
	const struct scheme *s = scheme_parse(name, &encoding);
	char random;

	if (s == NULL)
		return -PASSWORD_ESCHEME;
	if (data.n == 0 || data.n > DATA_MAX)
		return -PASSWORD_EDATA;
	if (s->verify != plain_verify) {
		buf_addf(out, "{%.*s}%.*s", STR_ARG(name), STR_ARG(data));
		return 0;
	}
	buf_add_c(out, "{PLAIN.hex}");
	for (size_t i = 0; i < data.n; i++) {
		random_octets(&random, 1);
		buf_addf(out, "%02x", (unsigned char)random);
	}
	return 0;
}

/*
 * RFC 4616 sec. 2: both sides are compared prepared (SASLprep). What is stored may have been made of the octets as they were
 * typed, so that those are tried first; they are the same for nearly everybody.
 */
static int verify_prepared(const struct scheme *s, struct str raw, struct str plain)
{
	struct buf prepared = BUF_INIT(PASSWORD_MAX);
	int r = 0;

	if (saslprep(plain, &prepared) == 0 && !str_eq(buf_str(&prepared), plain))
		r = s->verify(s, raw, buf_str(&prepared));
	buf_wipe(&prepared);
	return r;
}

int password_verify(struct str stored, struct str default_scheme, struct str plain, bool allow_weak)
{
	struct str data, name = split_stored(stored, default_scheme, &data);
	struct buf raw = BUF_INIT(DATA_MAX);
	const struct scheme *s;
	enum encoding encoding;
	int r;

	if (!is_plain_good(plain))
		return -PASSWORD_ETOOLONG;
	s = scheme_parse(name, &encoding);
	if (s == NULL)
		return -PASSWORD_ESCHEME;
	if (s->weak && !allow_weak)
		return -PASSWORD_EWEAK;
	r = str_chr(data, '\0') >= 0 || decode(s, encoding, data, &raw) < 0 ? -PASSWORD_EDATA
									    : s->verify(s, buf_str(&raw), plain);
	if (r == 0)
		r = verify_prepared(s, buf_str(&raw), plain);
	buf_wipe(&raw);
	return r;
}

enum password_use password_raw(struct str stored, struct str default_scheme, const char *scheme, struct buf *out)
{
	struct str data, name = split_stored(stored, default_scheme, &data);
	enum encoding encoding;
	const struct scheme *s = scheme_parse(name, &encoding);

	if (s == NULL || (s->verify != plain_verify && strcmp(s->name, scheme) != 0) || str_chr(data, '\0') >= 0 ||
		decode(s, encoding, data, out) < 0 || out->n == 0)
		return PASSWORD_RAW_NONE;
	return s->verify == plain_verify ? PASSWORD_RAW_PLAIN : PASSWORD_RAW_SCHEME;
}

int password_make(struct str scheme, struct str plain, struct buf *out)
{
	struct buf raw = BUF_INIT(DATA_MAX);
	enum encoding encoding;
	const struct scheme *s = scheme_parse(scheme, &encoding);
	int r;

	if (s == NULL)
		return -PASSWORD_ESCHEME;
	if (s->make == NULL)
		return s->weak ? -PASSWORD_EWEAK : -PASSWORD_ECANNOT;
	if (!is_plain_good(plain))
		return -PASSWORD_ETOOLONG;
	r = s->make(s, plain, &raw);
	if (r == 0) {
		buf_addf(out, "{%.*s}", STR_ARG(scheme));
		if (encoding == ENC_HEX || encoding == ENC_AUTO_HEX)
			add_hex(out, (const unsigned char *)raw.p, raw.n);
		else if (encoding == ENC_NONE)
			buf_add_str(out, buf_str(&raw));
		else
			base64_encode(out, buf_str(&raw));
	}
	buf_wipe(&raw);
	return r;
}

int password_make_for(struct str scheme, struct str user, struct str plain, unsigned rounds, struct buf *out)
{
	unsigned char digest_md5[DIGEST_MD5_OCTETS];
	enum encoding encoding;
	const struct scheme *s = scheme_parse(scheme, &encoding);
	int r;

	if (s && s->verify == digest_md5_verify) {
		if (!is_plain_good(plain))
			return -PASSWORD_ETOOLONG;
		if (user.n == 0)
			return -PASSWORD_ENAME;
		if (!password_digest_md5(user, plain, digest_md5))
			return -PASSWORD_ECANNOT;
		buf_addf(out, "{%.*s}", STR_ARG(scheme));
		if (encoding == ENC_BASE64)
			base64_encode(out, str_pn(digest_md5, sizeof digest_md5));
		else
			add_hex(out, digest_md5, sizeof digest_md5);
		return 0;
	}
	wanted_rounds = rounds;
	r = password_make(scheme, plain, out);
	wanted_rounds = 0;
	return r;
}

int password_verify_user(
	struct str stored, struct str default_scheme, struct str user, struct str plain, bool allow_weak)
{
	struct str data, name = split_stored(stored, default_scheme, &data);
	unsigned char want[DIGEST_MD5_OCTETS];
	struct buf raw = BUF_INIT(DATA_MAX);
	enum encoding encoding;
	const struct scheme *s = scheme_parse(name, &encoding);
	int r = -PASSWORD_EDATA;

	if (s == NULL || s->verify != digest_md5_verify || user.n == 0)
		return password_verify(stored, default_scheme, plain, allow_weak);
	if (!is_plain_good(plain))
		return -PASSWORD_ETOOLONG;
	if (decode(s, encoding, data, &raw) == 0 && raw.n == sizeof want && password_digest_md5(user, plain, want))
		r = mem_eq_ct(raw.p, want, sizeof want);
	buf_wipe(&raw);
	return r;
}

const char *password_scheme_name(size_t i)
{
	return i < sizeof schemes / sizeof *schemes ? schemes[i].name : NULL;
}

int password_scheme_check(struct str scheme, bool allow_weak)
{
	enum encoding encoding;
	const struct scheme *s = scheme_parse(scheme, &encoding);

	if (s == NULL)
		return -PASSWORD_ESCHEME;
	return s->weak && !allow_weak ? -PASSWORD_EWEAK : 0;
}

void password_load(void)
{
	char out[32];

	if (argon2id_hash_raw(1, 16, 2, "x", 1, "saltsalt", 8, out, sizeof out) != ARGON2_OK)
		panic("libargon2 makes no hash");
	password_old_load();
}

const char *password_err_text(int err)
{
	switch (-err) {
	case PASSWORD_ESCHEME:
		return "unknown password scheme";
	case PASSWORD_EWEAK:
		return "the password scheme is broken; auth_allow_weak_schemes = yes permits it";
	case PASSWORD_EDATA:
		return "the stored password is not in the form of its scheme";
	case PASSWORD_ECOST:
		return "the stored password asks for too much memory or time";
	case PASSWORD_ETOOLONG:
		return "the password is empty, longer than 512 octets, or has a NUL";
	case PASSWORD_ECANNOT:
		return "this password scheme can be checked, but not made";
	case PASSWORD_ENAME:
		return "this password scheme wants the name of the user too";
	}
	return "no error";
}
