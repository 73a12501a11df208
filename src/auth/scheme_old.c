#include "auth/password.h"
#include "auth/scheme.h"
#include "base/hex.h"

#include <openssl/evp.h>
#include <openssl/provider.h>

enum { MD4_OCTETS = 16, OTP_OCTETS = 8, OTP_ROUNDS_MAX = 9999, SEED_MAX = 16 };

static OSSL_LIB_CTX *legacy; /* NULL: there is no legacy provider */
static EVP_MD *md4;

void scheme_old_load(void)
{
	if (md4)
		return;
	/* In a context of its own, so that nothing else gets old digests by accident. */
	legacy = OSSL_LIB_CTX_new();
	if (legacy && OSSL_PROVIDER_load(legacy, "legacy"))
		md4 = EVP_MD_fetch(legacy, "MD4", NULL);
}

static bool digest(const EVP_MD *md, struct str s, unsigned char *out)
{
	unsigned n;

	return md && EVP_Digest(s.p, s.n, out, &n, md, NULL) == 1;
}

int scheme_md4_verify(const struct scheme *s, struct str raw, struct str plain)
{
	unsigned char want[MD4_OCTETS];

	(void)s;
	if (raw.n != sizeof want)
		return -PASSWORD_EDATA;
	return digest(md4, plain, want) ? mem_eq_ct(raw.p, want, sizeof want) : -PASSWORD_ESCHEME;
}

int scheme_md4_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	unsigned char out[MD4_OCTETS];

	(void)s;
	(void)rounds;
	if (!digest(md4, plain, out))
		return -PASSWORD_ECANNOT;
	buf_add(raw, out, sizeof out);
	return 0;
}

bool scheme_digest_md5(struct str user, struct str plain, unsigned char out[DIGEST_MD5_OCTETS])
{
	ptrdiff_t at = str_chr(user, '@');
	struct buf b = BUF_INIT(4096);
	bool done;

	buf_add_str(&b, at < 0 ? user : str_sub(user, 0, (size_t)at));
	buf_add_char(&b, ':');
	buf_add_str(&b, at < 0 ? STR("") : str_from(user, (size_t)at + 1));
	buf_add_char(&b, ':');
	done = buf_add_str(&b, plain) == 0 && digest(EVP_md5(), buf_str(&b), out);
	buf_wipe(&b);
	return done;
}

int scheme_trunc_verify(const struct scheme *s, struct str raw, struct str plain)
{
	ptrdiff_t dash = str_chr(raw, '-');
	struct str kept;
	uint64_t n;

	(void)s;
	if (dash < 0 || !str_u64(str_sub(raw, 0, (size_t)dash), &n) || n == 0)
		return -PASSWORD_EDATA;
	kept = str_from(raw, (size_t)dash + 1);
	/* A stored password that is shorter than N was never cut: then nothing may follow it. */
	plain = str_sub(plain, 0, n > SIZE_MAX ? SIZE_MAX : (size_t)n);
	return kept.n == plain.n && kept.n && mem_eq_ct(kept.p, plain.p, kept.n);
}

/* ---- OTP ---- */

/* RFC 2289 sec. 2: the digest folded to 64 bits; SHA-1's as appendix A has it, in the other order of octets. */
static bool fold(bool is_sha1, struct str s, unsigned char out[OTP_OCTETS])
{
	unsigned char d[EVP_MAX_MD_SIZE];

	if (!digest(is_sha1 ? EVP_sha1() : EVP_md5(), s, d))
		return false;
	for (size_t i = 0; i < OTP_OCTETS; i++)
		out[i] = is_sha1 ? d[i ^ 3] ^ d[(i + 8) ^ 3] : d[i] ^ d[i + 8];
	if (is_sha1)
		for (size_t i = 0; i < 4; i++)
			out[i] ^= d[16 + (i ^ 3)];
	return true;
}

/* RFC 2289 sec. 5: `rounds` times the fold of the seed, small, and the password. False: there is no such digest. */
static bool chain(bool is_sha1, struct str seed, struct str plain, uint64_t rounds, unsigned char out[OTP_OCTETS])
{
	struct buf first = BUF_INIT(1024);
	bool done;

	for (size_t i = 0; i < seed.n; i++)
		buf_add_char(&first, ascii_lower(seed.p[i]));
	done = buf_add_str(&first, plain) == 0 && fold(is_sha1, buf_str(&first), out);
	buf_wipe(&first);
	for (uint64_t i = 0; done && i < rounds; i++)
		done = fold(is_sha1, str_pn((const char *)out, OTP_OCTETS), out);
	return done;
}

int scheme_otp_verify(const struct scheme *s, struct str raw, struct str plain)
{
	struct str rest = raw, name, count, seed, hex, more;
	struct buf want = BUF_INIT(OTP_OCTETS);
	unsigned char have[OTP_OCTETS];
	bool is_sha1, same;
	uint64_t n;

	(void)s;
	if (!str_word(&rest, " ", &name) || !str_word(&rest, " ", &count) || !str_word(&rest, " ", &seed) ||
		!str_word(&rest, " ", &hex) || str_word(&rest, " ", &more) || !str_u64(count, &n) ||
		n > OTP_ROUNDS_MAX || seed.n > SEED_MAX || hex.n != 2 * OTP_OCTETS)
		return -PASSWORD_EDATA;
	is_sha1 = str_ieq(name, STR("sha1"));
	if ((!is_sha1 && !str_ieq(name, STR("md5"))) || hex_decode(&want, hex) < 0) {
		buf_wipe(&want);
		return -PASSWORD_EDATA;
	}
	same = chain(is_sha1, seed, plain, n, have) && mem_eq_ct(want.p, have, sizeof have);
	buf_wipe(&want);
	return same;
}
