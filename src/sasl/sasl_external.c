/*
 * EXTERNAL (RFC 4422 app. A): who the client is was shown below, by a certificate; the message is the identity to act as,
 * or empty. ANONYMOUS (RFC 4505): nobody; the message is for the log.
 */
#include "sasl/sasl_mech.h"

#include "base/log.h"
#include "base/utf8.h"

enum phase { PHASE_START, PHASE_ASKED, PHASE_KEY, PHASE_END };

static enum sasl_step bad(struct sasl_xchg *x, const char *why)
{
	x->why = why;
	return SASL_BAD;
}

static enum sasl_step external_step(struct sasl_xchg *x, struct str in)
{
	unsigned char phase = x->state[0];

	require(phase != PHASE_END);
	x->state[0] = PHASE_END;
	if (phase == PHASE_KEY)
		return x->key.n ? SASL_OK : SASL_FAIL;
	if (in.p == NULL && phase == PHASE_START) {
		x->state[0] = PHASE_ASKED;
		return SASL_MORE;
	}
	if (in.n && sasl_take_name(x, in, &x->authzid) < 0)
		return SASL_BAD;
	if (x->external.n == 0)
		return bad(x, "nothing but the exchange itself says who the client is");
	if (sasl_take_name(x, x->external, &x->authcid) < 0)
		return SASL_BAD;
	x->state[0] = PHASE_KEY;
	return SASL_WANT_KEY;
}

static enum sasl_step anonymous_step(struct sasl_xchg *x, struct str in)
{
	unsigned char phase = x->state[0];

	require(phase != PHASE_END);
	x->state[0] = PHASE_END;
	if (in.p == NULL && phase == PHASE_START) {
		x->state[0] = PHASE_ASKED;
		return SASL_MORE;
	}
	if (in.n > SASL_NAME_MAX || str_chr(in, '\0') >= 0 || !utf8_is_valid(in))
		return bad(x, "the trace information is no text of up to 255 octets");
	x->authcid = arena_dup(x->mem, in);
	return SASL_OK;
}

const struct sasl_mech sasl_external = { "EXTERNAL", 0, 1, external_step, NULL };
const struct sasl_mech sasl_anonymous = { "ANONYMOUS", SASL_ANONYMOUS, 1, anonymous_step, NULL };
