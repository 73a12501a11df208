#include "auth/password.h"
#include "auth/scheme.h"
#include "base/hex.h"
#include "base/random.h"

#include <openssl/evp.h>

enum { SALT_OCTETS = 16, KEY_OCTETS = 20, ROUNDS = 5000, ROUNDS_MAX = 10 * 1000 * 1000 };

static int derive(struct str plain, struct str salt, uint64_t rounds, unsigned char key[KEY_OCTETS])
{
	if (rounds == 0)
		return -PASSWORD_EDATA;
	if (rounds > ROUNDS_MAX)
		return -PASSWORD_ECOST;
	if (PKCS5_PBKDF2_HMAC(plain.p, (int)plain.n, (const unsigned char *)salt.p, (int)salt.n, (int)rounds,
		    EVP_sha1(), KEY_OCTETS, key) != 1)
		return -PASSWORD_ECANNOT;
	return 0;
}

int scheme_pbkdf2_verify(const struct scheme *s, struct str raw, struct str plain)
{
	struct str rest = raw, empty, one, salt, rounds, hex;
	unsigned char want[KEY_OCTETS];
	struct buf have = BUF_INIT(64);
	uint64_t n;
	int r;

	(void)s;
	if (!str_field(&rest, "$", &empty) || empty.n || !str_field(&rest, "$", &one) || !str_eq(one, STR("1")) ||
		!str_field(&rest, "$", &salt) || !str_field(&rest, "$", &rounds) || !str_u64(rounds, &n) ||
		!str_field(&rest, "$", &hex) || rest.p != NULL)
		return -PASSWORD_EDATA;
	if (hex_decode(&have, hex) < 0 || have.n != KEY_OCTETS)
		r = -PASSWORD_EDATA;
	else
		r = derive(plain, salt, n, want);
	if (r == 0)
		r = mem_eq_ct(have.p, want, sizeof want);
	buf_wipe(&have);
	mem_wipe(want, sizeof want);
	return r;
}

int scheme_pbkdf2_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz./";
	unsigned n = rounds ? rounds : ROUNDS;
	unsigned char key[KEY_OCTETS];
	char salt[SALT_OCTETS];
	int r;

	(void)s;
	if (n > ROUNDS_MAX)
		return -PASSWORD_EROUNDS;
	random_octets(salt, sizeof salt);
	for (size_t i = 0; i < sizeof salt; i++)
		salt[i] = set[salt[i] & 63];
	r = derive(plain, str_pn(salt, sizeof salt), n, key);
	if (r == 0) {
		buf_addf(raw, "$1$%.*s$%u$", (int)sizeof salt, salt, n);
		hex_add(raw, key, sizeof key);
	}
	mem_wipe(key, sizeof key);
	return r;
}
