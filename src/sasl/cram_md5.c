#define OPENSSL_SUPPRESS_DEPRECATED /* of MD5 the states are needed, which EVP does not give */
#include "sasl/cram_md5.h"

#include "base/log.h"

#include <openssl/md5.h>
#include <stdio.h>

enum { BLOCK = 64 };

static void put_word(unsigned char *p, MD5_LONG w)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(w >> (8 * i));
}

static MD5_LONG get_word(const unsigned char *p)
{
	return p[0] | (MD5_LONG)p[1] << 8 | (MD5_LONG)p[2] << 16 | (MD5_LONG)p[3] << 24;
}

static void padded(const unsigned char *key, size_t n, unsigned char pad, unsigned char out[16])
{
	unsigned char block[BLOCK];
	MD5_CTX md;

	memset(block, pad, sizeof block);
	for (size_t i = 0; i < n; i++)
		block[i] ^= key[i];
	if (MD5_Init(&md) != 1 || MD5_Update(&md, block, sizeof block) != 1)
		panic("no MD5 in libcrypto");
	put_word(out, md.A);
	put_word(out + 4, md.B);
	put_word(out + 8, md.C);
	put_word(out + 12, md.D);
	mem_wipe(block, sizeof block);
	mem_wipe(&md, sizeof md);
}

void cram_md5_states(struct str pass, unsigned char out[CRAM_MD5_STATES])
{
	unsigned char shorter[MD5_DIGEST_LENGTH];
	const unsigned char *key = (const unsigned char *)pass.p;
	size_t n = pass.n;

	if (n > BLOCK) {
		MD5(key, n, shorter);
		key = shorter;
		n = sizeof shorter;
	}
	padded(key, n, 0x5c, out);
	padded(key, n, 0x36, out + 16);
	mem_wipe(shorter, sizeof shorter);
}

/* Go on from a state that has seen one block. */
static void finish(const unsigned char state[16], const void *data, size_t n, unsigned char out[MD5_DIGEST_LENGTH])
{
	MD5_CTX md;

	if (MD5_Init(&md) != 1)
		panic("no MD5 in libcrypto");
	md.A = get_word(state);
	md.B = get_word(state + 4);
	md.C = get_word(state + 8);
	md.D = get_word(state + 12);
	md.Nl = BLOCK * 8;
	if (MD5_Update(&md, data, n) != 1 || MD5_Final(out, &md) != 1)
		panic("no MD5 in libcrypto");
	mem_wipe(&md, sizeof md);
}

void cram_md5_digest(const unsigned char states[CRAM_MD5_STATES], struct str challenge, char out[CRAM_MD5_DIGEST + 1])
{
	unsigned char inner[MD5_DIGEST_LENGTH], outer[MD5_DIGEST_LENGTH];

	finish(states + 16, challenge.p, challenge.n, inner);
	finish(states, inner, sizeof inner, outer);
	for (size_t i = 0; i < sizeof outer; i++)
		snprintf(out + 2 * i, 3, "%02x", outer[i]);
}
