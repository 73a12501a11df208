/*
 * OAUTHBEARER (RFC 7628) and XOAUTH2, what Google and Microsoft had before it: the client shows an access token. The caller
 * judges it: x->pass is the token, authcid who the client says that he is; the key is the name that the token gives, or
 * empty. A token that is not good is told to the client in JSON, who has to answer before it fails (sec. 3.2.3).
 */
#include "sasl/sasl_mech.h"

#include "base/log.h"
#include "sasl/scram.h"

enum phase { PHASE_START, PHASE_ASKED, PHASE_TOKEN, PHASE_TOLD, PHASE_END };

static enum sasl_step bad(struct sasl_xchg *x, const char *why)
{
	x->why = why;
	return SASL_BAD;
}

/* "auth=Bearer TOKEN" out of fields that end in 0x01, the last one in two of them. */
static bool take_fields(struct sasl_xchg *x, struct str rest)
{
	struct str field, token = { 0 };

	if (rest.n < 2 || rest.p[rest.n - 1] != '\001' || rest.p[rest.n - 2] != '\001')
		return false;
	rest = str_sub(rest, 0, rest.n - 2);
	while (str_field(&rest, "\001", &field))
		if (str_has_iprefix(field, STR("auth=Bearer ")) && token.n == 0)
			token = str_from(field, sizeof "auth=Bearer " - 1);
	for (size_t i = 0; i < token.n; i++)
		if (!ascii_is_graph(token.p[i]))
			return false;
	if (token.n == 0 || token.n > SASL_TOKEN_MAX)
		return false;
	x->pass = arena_dup(x->mem, token);
	return true;
}

/* sec. 3.1: gs2 header, whose authzid is the user here, and fields. */
static enum sasl_step bearer_first(struct sasl_xchg *x, struct str in)
{
	struct buf name = BUF_INIT(SASL_NAME_MAX);
	struct str rest = in, flag, who;
	bool good = str_field(&rest, ",", &flag) && (str_eq(flag, STR("n")) || str_eq(flag, STR("y"))) &&
		    str_field(&rest, ",", &who) && rest.n && rest.p[0] == '\001' &&
		    (who.n == 0 || (str_has_prefix(who, STR("a=")) && scram_take_name(str_from(who, 2), &name) == 0));

	if (good && name.n)
		good = sasl_take_name(x, buf_str(&name), &x->authcid) == 0;
	buf_free(&name);
	if (!good || !take_fields(x, str_from(rest, 1)))
		return bad(x, x->why ? x->why : "the message is not in the form of RFC 7628");
	return SASL_WANT_KEY;
}

static enum sasl_step xoauth2_first(struct sasl_xchg *x, struct str in)
{
	struct str rest = in, user;

	if (!str_field(&rest, "\001", &user) || !str_has_prefix(user, STR("user=")) || rest.p == NULL)
		return bad(x, "the message does not begin with user=");
	if (sasl_take_name(x, str_from(user, 5), &x->authcid) < 0)
		return SASL_BAD;
	return take_fields(x, rest) ? SASL_WANT_KEY : bad(x, "no auth=Bearer in the message");
}

/* sec. 3.2.2; the configuration is where a client can learn how to get a better one. */
static void add_error(struct sasl_xchg *x, const char *status)
{
	buf_addf(x->out, "{%s", status);
	if (x->token_scope.n)
		buf_addf(x->out, ",\"scope\":\"%.*s\"", STR_ARG(x->token_scope));
	if (x->token_openid.n)
		buf_addf(x->out, ",\"openid-configuration\":\"%.*s\"", STR_ARG(x->token_openid));
	buf_add_c(x->out, "}");
}

static enum sasl_step step_by(
	struct sasl_xchg *x, struct str in, enum sasl_step (*first)(struct sasl_xchg *, struct str), const char *error)
{
	unsigned char phase = x->state[0];
	enum sasl_step s;

	require(phase != PHASE_END);
	x->state[0] = PHASE_END;
	if (phase == PHASE_TOLD)
		return SASL_FAIL;
	if (phase == PHASE_TOKEN && x->key.n)
		return SASL_OK;
	if (phase == PHASE_TOKEN) {
		add_error(x, error);
		x->state[0] = PHASE_TOLD;
		return SASL_MORE;
	}
	if (in.p == NULL && phase == PHASE_START) {
		x->state[0] = PHASE_ASKED;
		return SASL_MORE;
	}
	s = first(x, in);
	if (s == SASL_WANT_KEY)
		x->state[0] = PHASE_TOKEN;
	return s;
}

static enum sasl_step bearer_step(struct sasl_xchg *x, struct str in)
{
	return step_by(x, in, bearer_first, "\"status\":\"invalid_token\"");
}

static enum sasl_step xoauth2_step(struct sasl_xchg *x, struct str in)
{
	return step_by(x, in, xoauth2_first, "\"status\":\"401\",\"schemes\":\"bearer\"");
}

const struct sasl_mech sasl_oauthbearer = { "OAUTHBEARER", SASL_PLAINTEXT | SASL_TOKEN, 1, bearer_step, NULL };
const struct sasl_mech sasl_xoauth2 = { "XOAUTH2", SASL_PLAINTEXT | SASL_TOKEN, 1, xoauth2_step, NULL };
