/*
 * SCRAM-SHA-1, -256 and -512, each with and without -PLUS: RFC 5802, RFC 7677, draft-melnikov-scram-sha-512.
 *
 *	client-first   gs2 header, name, nonce	WANT_BINDING when it binds the channel; WANT_KEY
 *	server-first   nonce, salt, iterations	MORE
 *	client-final   binding, nonce, proof	OK, out is server-final; FAIL; BAD
 *
 * An unknown user (no key) goes the same way to its end: the caller's key of nobody, or here random ones. A user with several
 * passwords has several keys of one salt, and the proof is looked at with each.
 */
#include "sasl/sasl_mech.h"

#include "base/log.h"
#include "base/random.h"
#include "sasl/base64.h"
#include "sasl/scram.h"

enum { MESSAGE_MAX = 16384, CLIENT_NONCE_MAX = 512 };
enum phase { PHASE_START, PHASE_ASKED, PHASE_BINDING, PHASE_KEY, PHASE_PROOF, PHASE_END };

struct scram {
	enum phase phase;
	bool is_bound; /* "p=": the client bound the channel */
	struct str gs2, client_first_bare, client_nonce, nonce, server_first;
	struct scram_keys keys;
};

static struct scram *scram_of(struct sasl_xchg *x)
{
	return (struct scram *)(void *)x->state;
}

/* sec. 5.1, attribute e: what the client may be told. */
static enum sasl_step end(struct sasl_xchg *x, enum sasl_step how, const char *error, const char *why)
{
	scram_of(x)->phase = PHASE_END;
	buf_reset(x->out);
	buf_addf(x->out, "e=%s", error);
	x->why = why;
	return how;
}

static enum sasl_step bad(struct sasl_xchg *x, const char *error, const char *why)
{
	return end(x, SASL_BAD, error, why);
}

/* ---- client-first ---- */

static bool is_binding_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-')
			return false;
	return s.n && s.n <= 64;
}

/* sec. 7, gs2-cbind-flag. NULL, or what is wrong. */
static const char *take_flag(struct sasl_xchg *x, struct str flag)
{
	struct scram *st = scram_of(x);
	bool is_plus = x->mech->flags & SASL_CHANNEL_BIND;

	st->is_bound = str_has_prefix(flag, STR("p="));
	if (st->is_bound && !is_plus)
		return "channel binding without a -PLUS mechanism";
	if (!st->is_bound && is_plus)
		return "a -PLUS mechanism without channel binding";
	if (st->is_bound) {
		x->binding_type = arena_dup(x->mem, str_from(flag, 2));
		return is_binding_name(x->binding_type) ? NULL : "the name of the channel binding is none";
	}
	if (str_eq(flag, STR("n")) || str_eq(flag, STR("y")))
		return NULL;
	return "the message does not begin with n, y or p=";
}

static bool take_saslname(struct sasl_xchg *x, struct str in, struct str *name)
{
	struct buf raw = BUF_INIT(SASL_NAME_MAX);
	bool good = scram_take_name(in, &raw) == 0;

	if (!good)
		x->why = "the user name is too long, or = in it escapes nothing";
	else
		good = sasl_take_name(x, buf_str(&raw), name) == 0;
	buf_free(&raw);
	return good;
}

/* sec. 5.1: printable ASCII but the comma. */
static bool is_nonce(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_graph(s.p[i]) || s.p[i] == ',')
			return false;
	return s.n && s.n <= CLIENT_NONCE_MAX;
}

static enum sasl_step client_first(struct sasl_xchg *x, struct str in)
{
	struct scram *st = scram_of(x);
	struct str rest = in, flag, authzid, name, nonce;
	const char *why;

	if (in.n > MESSAGE_MAX || str_chr(in, '\0') >= 0 || !str_field(&rest, ",", &flag) ||
		!str_field(&rest, ",", &authzid) || rest.p == NULL)
		return bad(x, "other-error", "the first message is not in the form of RFC 5802");
	why = take_flag(x, flag);
	if (why)
		return bad(x, "other-error", why);
	if (authzid.n && (!str_has_prefix(authzid, STR("a=")) || !take_saslname(x, str_from(authzid, 2), &x->authzid)))
		return bad(x, "other-error", x->why ? x->why : "the authorization identity does not begin with a=");
	st->gs2 = arena_dup(x->mem, str_sub(in, 0, in.n - rest.n));
	st->client_first_bare = arena_dup(x->mem, rest);
	if (str_has_prefix(rest, STR("m=")))
		return bad(x, "extensions-not-supported", "a mandatory extension");
	if (!scram_attribute(&rest, 'n', &name) || !scram_attribute(&rest, 'r', &nonce) || !is_nonce(nonce))
		return bad(x, "other-error", "name or nonce is missing in the first message");
	if (!take_saslname(x, name, &x->authcid))
		return bad(x, "invalid-username-encoding", x->why);
	/* sec. 6: a client that could bind, and was told that we cannot. */
	if (str_eq(flag, STR("y")) && x->is_plus_offered)
		return bad(x, "server-does-support-channel-binding",
			"the client was not shown the -PLUS mechanisms: somebody may be in between");
	st->client_nonce = arena_dup(x->mem, nonce);
	st->phase = st->is_bound ? PHASE_BINDING : PHASE_KEY;
	return st->is_bound ? SASL_WANT_BINDING : SASL_WANT_KEY;
}

static enum sasl_step take_binding(struct sasl_xchg *x)
{
	if (x->binding.n == 0)
		return bad(
			x, "unsupported-channel-binding-type", "this connection has no channel binding of that type");
	scram_of(x)->phase = PHASE_KEY;
	return SASL_WANT_KEY;
}

/* ---- server-first ---- */

static void nobodys_keys(struct scram *st)
{
	st->keys = (struct scram_keys){ .iterations = SCRAM_ITERATIONS, .salt_n = SCRAM_SALT };
	random_octets(st->keys.salt, SCRAM_SALT);
	random_octets(st->keys.stored, sizeof st->keys.stored);
}

static enum sasl_step server_first(struct sasl_xchg *x)
{
	struct scram *st = scram_of(x);
	struct buf nonce = BUF_INIT(CLIENT_NONCE_MAX + 256);

	struct str rest = x->key, first = { 0 };

	if (!str_word(&rest, " ", &first) || scram_keys_parse(x->mech->scram, first, &st->keys) < 0)
		nobodys_keys(st);
	buf_add_str(&nonce, st->client_nonce);
	if (x->nonce.p)
		buf_add_str(&nonce, x->nonce);
	else
		scram_add_nonce(&nonce);
	st->nonce = arena_dup(x->mem, buf_str(&nonce));
	buf_free(&nonce);
	buf_addf(x->out, "r=%.*s,s=", STR_ARG(st->nonce));
	base64_encode(x->out, str_pn(st->keys.salt, st->keys.salt_n));
	buf_addf(x->out, ",i=%u", (unsigned)st->keys.iterations);
	st->server_first = arena_dup(x->mem, buf_str(x->out));
	st->phase = PHASE_PROOF;
	return SASL_MORE;
}

/* ---- client-final ---- */

/* c= is the base64 of the gs2 header as it came, and of the channel's data behind it. */
static bool is_binding_right(struct sasl_xchg *x, struct str got)
{
	struct scram *st = scram_of(x);
	struct buf want = BUF_INIT(MESSAGE_MAX), base64 = BUF_INIT(2 * MESSAGE_MAX);
	bool right;

	buf_add_str(&want, st->gs2);
	if (st->is_bound)
		buf_add_str(&want, x->binding);
	right = base64_encode(&base64, buf_str(&want)) == 0 && base64.n == got.n && mem_eq_ct(base64.p, got.p, got.n);
	buf_wipe(&want);
	buf_wipe(&base64);
	return right;
}

/* The client was shown the salt of the first key: that of another one can have made no proof. */
static bool is_of_same_salt(const struct scram_keys *a, const struct scram_keys *b)
{
	return a->iterations == b->iterations && a->salt_n == b->salt_n && memcmp(a->salt, b->salt, a->salt_n) == 0;
}

/* Which key proves it goes to st->keys and x->which. All are tried: which one it is shows in no time. */
static bool find_proven(struct sasl_xchg *x, struct str message, struct str proof)
{
	struct scram *st = scram_of(x);
	const struct scram_hash *h = x->mech->scram;
	struct scram_keys k, right = { 0 };
	struct str rest = x->key, record;
	bool found = false;

	if (x->key.n == 0)
		(void)scram_proof_is_good(h, &st->keys, message, proof); /* for the time that it takes */
	for (size_t i = 0; str_word(&rest, " ", &record); i++)
		if (scram_keys_parse(h, record, &k) == 0 && is_of_same_salt(&st->keys, &k) &&
			scram_proof_is_good(h, &k, message, proof)) {
			found = true;
			right = k;
			x->which = i;
		}
	if (found)
		st->keys = right;
	mem_wipe(&k, sizeof k);
	mem_wipe(&right, sizeof right);
	return found;
}

static enum sasl_step server_final(struct sasl_xchg *x, struct str without_proof, struct str proof)
{
	struct scram *st = scram_of(x);
	const struct scram_hash *h = x->mech->scram;
	unsigned char signature[SCRAM_HASH_MAX];
	struct str message = str_c(arena_printf(x->mem, "%.*s,%.*s,%.*s", STR_ARG(st->client_first_bare),
		STR_ARG(st->server_first), STR_ARG(without_proof)));

	if (!find_proven(x, message, proof))
		return end(x, SASL_FAIL, "invalid-proof", NULL);
	st->phase = PHASE_END;
	scram_server_signature(h, &st->keys, message, signature);
	buf_add_c(x->out, "v=");
	base64_encode(x->out, str_pn(signature, h->n));
	mem_wipe(signature, sizeof signature);
	return SASL_OK;
}

static enum sasl_step client_final(struct sasl_xchg *x, struct str in)
{
	struct scram *st = scram_of(x);
	struct buf proof = BUF_INIT(SCRAM_HASH_MAX + 8);
	struct str rest = in, binding, nonce, base64 = { 0 };
	enum sasl_step r = SASL_BAD;
	size_t at = 0;

	/* The proof is the last attribute, and all before it is what it proves. */
	for (size_t i = 0; i + 3 <= in.n; i++)
		if (memcmp(in.p + i, ",p=", 3) == 0)
			at = i;
	if (in.n > MESSAGE_MAX || str_chr(in, '\0') >= 0 || at == 0 || !scram_attribute(&rest, 'c', &binding) ||
		!scram_attribute(&rest, 'r', &nonce) || rest.n == 0)
		return bad(x, "other-error", "the last message is not in the form of RFC 5802");
	base64 = str_from(in, at + 3);
	if (!str_eq(nonce, st->nonce))
		return bad(x, "other-error", "the nonce is not the one of this exchange");
	if (!is_binding_right(x, binding))
		return bad(x, "channel-bindings-dont-match", "the channel binding does not match");
	if (base64_decode(&proof, base64) < 0 || proof.n != x->mech->scram->n)
		r = bad(x, "invalid-encoding", "the proof is not base64 of the hash's length");
	else
		r = server_final(x, str_sub(in, 0, at), buf_str(&proof));
	buf_wipe(&proof);
	return r;
}

static enum sasl_step scram_step(struct sasl_xchg *x, struct str in)
{
	struct scram *st = scram_of(x);

	switch (st->phase) {
	case PHASE_START:
		if (in.p == NULL) {
			st->phase = PHASE_ASKED;
			return SASL_MORE;
		}
		return client_first(x, in);
	case PHASE_ASKED:
		return client_first(x, in);
	case PHASE_BINDING:
		return take_binding(x);
	case PHASE_KEY:
		return server_first(x);
	case PHASE_PROOF:
		return client_final(x, in);
	case PHASE_END:
		break;
	}
	panic("a step after the end of a SCRAM exchange");
}

#define SCRAM(symbol, text)                                                                                           \
	const struct sasl_mech sasl_scram_##symbol = { "SCRAM-" text, SASL_MUTUAL, sizeof(struct scram), scram_step,  \
		&scram_##symbol };                                                                                    \
	const struct sasl_mech sasl_scram_##symbol##_plus = { "SCRAM-" text "-PLUS", SASL_MUTUAL | SASL_CHANNEL_BIND, \
		sizeof(struct scram), scram_step, &scram_##symbol }

SCRAM(sha1, "SHA-1");
SCRAM(sha256, "SHA-256");
SCRAM(sha512, "SHA-512");
