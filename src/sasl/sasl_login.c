/*
 * LOGIN, draft-murchison-sasl-login-00: the server asks for the user name, then for the password. The draft wants
 * clients to ignore the text of the prompts; they do not, so these are the ones that clients look for. An initial
 * response is the user name.
 */
#include "sasl/sasl_mech.h"
#include "base/log.h"

enum turn { TURN_START, TURN_NAME, TURN_PASS, TURN_END };

static enum sasl_step prompt(struct sasl_xchg *x, const char *text, unsigned char turn)
{
	x->state[0] = turn;
	buf_add_c(x->out, text);
	return SASL_MORE;
}

static enum sasl_step login_step(struct sasl_xchg *x, struct str in)
{
	unsigned char turn = x->state[0];

	require(turn != TURN_END);
	x->state[0] = TURN_END;
	if (turn == TURN_START && in.n == 0)
		return prompt(x, "Username:", TURN_NAME);
	if (turn != TURN_PASS)
		return sasl_take_name(x, in, &x->authcid) < 0 ? SASL_BAD : prompt(x, "Password:", TURN_PASS);
	return sasl_take_pass(x, in) < 0 ? SASL_BAD : SASL_CHECK_PASS;
}

const struct sasl_mech sasl_login = { "LOGIN", SASL_PLAINTEXT, 1, login_step, NULL };
