/* CRAM-MD5, RFC 2195, server side. The key is the 32 octets of sasl/cram_md5.h. */
#include "sasl/sasl_mech.h"

#include "base/log.h"
#include "base/random.h"
#include "sasl/cram_md5.h"

#include <stdio.h>
#include <time.h>

enum phase { PHASE_START, PHASE_ANSWER, PHASE_KEY, PHASE_END };

struct cram {
	enum phase phase;
	struct str challenge, digest;
};

static enum sasl_step bad(struct sasl_xchg *x, const char *why)
{
	x->why = why;
	return SASL_BAD;
}

/* sec. 2: a time stamp of this host in the form of a message id. */
static enum sasl_step challenge(struct sasl_xchg *x, struct cram *st)
{
	unsigned char random[16];
	char text[96], hex[2 * sizeof random + 1];

	random_octets(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(hex + 2 * i, 3, "%02x", random[i]);
	snprintf(text, sizeof text, "<%s.%llu@auth.invalid>", hex, (unsigned long long)time(NULL));
	st->challenge = arena_dup(x->mem, x->nonce.p ? x->nonce : str_c(text));
	buf_add_str(x->out, st->challenge);
	st->phase = PHASE_ANSWER;
	return SASL_MORE;
}

/* The name may have blanks; the digest has none. */
static enum sasl_step answer(struct sasl_xchg *x, struct cram *st, struct str in)
{
	ptrdiff_t blank = str_rchr(in, ' ');

	if (blank < 0)
		return bad(x, "no blank before the digest");
	if (sasl_take_name(x, str_sub(in, 0, (size_t)blank), &x->authcid) < 0)
		return SASL_BAD;
	st->digest = arena_dup(x->mem, str_from(in, (size_t)blank + 1));
	if (st->digest.n != CRAM_MD5_DIGEST)
		return bad(x, "the digest has not 32 digits");
	st->phase = PHASE_KEY;
	return SASL_WANT_KEY;
}

static enum sasl_step compare(struct sasl_xchg *x, const struct cram *st)
{
	unsigned char states[CRAM_MD5_STATES] = { 0 };
	char want[CRAM_MD5_DIGEST + 1];
	bool known = x->key.n == sizeof states, same;

	if (known)
		memcpy(states, x->key.p, sizeof states);
	cram_md5_digest(states, st->challenge, want);
	same = mem_eq_ct(want, st->digest.p, CRAM_MD5_DIGEST);
	mem_wipe(states, sizeof states);
	mem_wipe(want, sizeof want);
	return same && known ? SASL_OK : SASL_FAIL;
}

static enum sasl_step cram_step(struct sasl_xchg *x, struct str in)
{
	struct cram *st = (struct cram *)(void *)x->state;
	enum phase phase = st->phase;

	require(phase != PHASE_END);
	st->phase = PHASE_END;
	if (phase == PHASE_START)
		return in.n ? bad(x, "an initial response, before there was a challenge") : challenge(x, st);
	if (phase == PHASE_ANSWER)
		return answer(x, st, in);
	return compare(x, st);
}

const struct sasl_mech sasl_cram_md5 = { "CRAM-MD5", SASL_DICTIONARY | SASL_ACTIVE, sizeof(struct cram), cram_step,
	NULL };
