#include "auth/password.h"
#include "auth/scheme.h"
#include "base/arena.h"
#include "base/random.h"

#include <crypt.h>
#include <stdlib.h>

enum { SEED_OCTETS = 16, BLF_COST = 10 };

/* The hash of `plain` by this setting, or by the hash that begins with it. False: crypt(3) has no such method. */
static bool hash(const char *setting, struct str plain, char out[CRYPT_OUTPUT_SIZE])
{
	struct crypt_data *data = xcalloc(1, sizeof *data);
	char *key = xstrndup(plain);
	const char *got = crypt_r(key, setting, data);
	bool done = got != NULL && got[0] != '*';

	if (done)
		memcpy(out, got, strlen(got) + 1);
	mem_wipe(key, plain.n);
	mem_wipe(data, sizeof *data);
	free(key);
	free(data);
	return done;
}

/*
 * As in Dovecot, SHA512-CRYPT and SHA256-CRYPT take every hash of crypt(3), too: where one is the default scheme, older users
 * still have what they were given.
 */
static bool fits(const struct scheme *s, struct str raw)
{
	return s->detail == NULL || str_has_prefix(raw, str_c(s->detail)) || strcmp(s->detail, "$5$") == 0 ||
	       strcmp(s->detail, "$6$") == 0;
}

int scheme_crypt_verify(const struct scheme *s, struct str raw, struct str plain)
{
	char got[CRYPT_OUTPUT_SIZE], *setting;
	bool done;

	/* CRYPT is a column of whatever "$id$" there is: libxcrypt has all of them but this one. */
	if (s->detail == NULL && str_has_prefix(raw, STR("$argon2")))
		return scheme_argon2_verify(s, raw, plain);
	if (!fits(s, raw))
		return -PASSWORD_EDATA;
	if (raw.n == 0)
		return 0;
	setting = xstrndup(raw);
	done = hash(setting, plain, got);
	free(setting);
	if (!done)
		return -PASSWORD_EDATA;
	return strlen(got) == raw.n && mem_eq_ct(got, raw.p, raw.n);
}

static unsigned long rounds_for(const char *prefix, unsigned wanted)
{
	bool has_rounds = prefix && strcmp(prefix, "$1$") != 0;

	if (has_rounds && wanted)
		return wanted;
	return prefix && strcmp(prefix, "$2") == 0 ? BLF_COST : 0;
}

int scheme_crypt_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	const char *prefix = s->detail ? strcmp(s->detail, "$2") == 0 ? "$2y$" : s->detail : "$6$";
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], seed[SEED_OCTETS], got[CRYPT_OUTPUT_SIZE];

	random_octets(seed, sizeof seed);
	if (crypt_gensalt_rn(prefix, rounds_for(s->detail, rounds), seed, sizeof seed, setting, (int)sizeof setting) ==
			NULL ||
		!hash(setting, plain, got))
		return rounds ? -PASSWORD_EROUNDS : -PASSWORD_ECANNOT;
	buf_add_c(raw, got);
	return 0;
}

/* Two characters of salt, and no more than eight of the password. */
int scheme_des_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	static const char set[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char salt[3] = "", got[CRYPT_OUTPUT_SIZE];

	(void)s;
	(void)rounds;
	random_octets(salt, 2);
	for (size_t i = 0; i < 2; i++)
		salt[i] = set[salt[i] & 63];
	if (!hash(salt, plain, got))
		return -PASSWORD_ECANNOT;
	buf_add_c(raw, got);
	return 0;
}
