#include "auth/password.h"
#include "auth/scheme.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/random.h"

#include <argon2.h>
#include <stdlib.h>

enum {
	SALT_OCTETS = 16,
	DIGEST_OCTETS = 32,
	PASSES = 2,
	MEMORY_KIB = 19 * 1024,
	MEMORY_MAX_KIB = 1024 * 1024,
	PASSES_MAX = 64
};

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

int scheme_argon2_verify(const struct scheme *s, struct str raw, struct str plain)
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
	if (argon2_number(raw, "$m=") > MEMORY_MAX_KIB || argon2_number(raw, ",t=") > PASSES_MAX)
		return -PASSWORD_ECOST;
	encoded = xstrndup(raw);
	r = argon2_verify(encoded, plain.p, plain.n, is_id ? Argon2_id : Argon2_i);
	free(encoded);
	return r == ARGON2_OK ? 1 : r == ARGON2_VERIFY_MISMATCH ? 0 : -PASSWORD_EDATA;
}

int scheme_argon2_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	char salt[SALT_OCTETS], encoded[256];
	argon2_type type = strcmp(s->name, "ARGON2I") == 0 ? Argon2_i : Argon2_id;
	uint32_t t = type == Argon2_i ? 4 : PASSES; /* RFC 9106 sec. 4: Argon2i needs more passes */

	if (rounds > PASSES_MAX)
		return -PASSWORD_EROUNDS;
	if (rounds)
		t = rounds;
	random_octets(salt, sizeof salt);
	if (argon2_hash(t, MEMORY_KIB, 1, plain.p, plain.n, salt, sizeof salt, NULL, DIGEST_OCTETS, encoded,
		    sizeof encoded, type, ARGON2_VERSION_NUMBER) != ARGON2_OK)
		return -PASSWORD_ECANNOT;
	buf_add_c(raw, encoded);
	return 0;
}

void scheme_argon2_load(void)
{
	char out[DIGEST_OCTETS];

	if (argon2id_hash_raw(1, 16, 2, "x", 1, "saltsalt", 8, out, sizeof out) != ARGON2_OK)
		panic("libargon2 makes no hash");
}
