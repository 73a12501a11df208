/* PLAIN, RFC 4616: message = [authzid] NUL authcid NUL passwd, in one message. */
#include "sasl/sasl_mech.h"
#include "base/log.h"

struct plain {
	bool asked, ended;
};

static enum sasl_step refuse(struct sasl_xchg *x, const char *why)
{
	x->why = why;
	return SASL_BAD;
}

static enum sasl_step plain_step(struct sasl_xchg *x, struct str in)
{
	struct plain *st = (struct plain *)(void *)x->state;
	struct str rest = in, authzid;
	ptrdiff_t nul;

	require(!st->ended);
	if (in.p == NULL && !st->asked) {
		st->asked = true; /* an empty challenge (RFC 4422 sec. 3, RFC 4954 sec. 4) */
		return SASL_MORE;
	}
	st->ended = true;
	nul = str_chr(rest, '\0');
	if (nul < 0)
		return refuse(x, "no NUL after the authorization identity");
	authzid = str_sub(rest, 0, (size_t)nul);
	rest = str_from(rest, (size_t)nul + 1);
	nul = str_chr(rest, '\0');
	if (nul < 0)
		return refuse(x, "no NUL after the user name");
	if (authzid.n && sasl_take_name(x, authzid, &x->authzid) < 0)
		return SASL_BAD;
	if (sasl_take_name(x, str_sub(rest, 0, (size_t)nul), &x->authcid) < 0 ||
		sasl_take_pass(x, str_from(rest, (size_t)nul + 1)) < 0)
		return SASL_BAD;
	return SASL_CHECK_PASS;
}

const struct sasl_mech sasl_plain = { "PLAIN", SASL_PLAINTEXT, sizeof(struct plain), plain_step, NULL };
