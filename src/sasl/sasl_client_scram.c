/* SCRAM, client side: RFC 5802 sec. 5, RFC 7677. */
#include "sasl/sasl_client.h"

#include "sasl/base64.h"
#include "sasl/saslprep.h"

enum { MESSAGE_MAX = 8192 };

static const struct scram_hash *hash_of(const struct sasl_client *c)
{
	switch (c->mech) {
	case SASL_CLIENT_SCRAM_SHA512_PLUS:
	case SASL_CLIENT_SCRAM_SHA512:
		return &scram_sha512;
	case SASL_CLIENT_SCRAM_SHA256_PLUS:
	case SASL_CLIENT_SCRAM_SHA256:
		return &scram_sha256;
	default:
		return &scram_sha1;
	}
}

static bool is_bound(const struct sasl_client *c)
{
	return c->mech <= SASL_CLIENT_SCRAM_SHA1_PLUS;
}

/* sec. 6: "y" says that we could bind, had the server offered it. */
static int add_gs2(const struct sasl_client *c, struct buf *out)
{
	if (is_bound(c))
		return buf_addf(out, "p=%s,,", c->binding_type);
	return buf_add_c(out, c->binding_type && !c->is_plus_offered ? "y,," : "n,,");
}

static int add_bare(const struct sasl_client *c, struct buf *out)
{
	struct buf name = BUF_INIT(SASL_CLIENT_NAME_MAX);
	int r = -1;

	if (saslprep(c->user, &name) < 0)
		buf_add_str(&name, c->user);
	if (name.n && buf_add_c(out, "n=") == 0 && scram_add_name(out, buf_str(&name)) == 0)
		r = buf_addf(out, ",r=%.*s", (int)c->nonce_n, c->nonce);
	buf_free(&name);
	return r;
}

int sasl_client_scram_first(struct sasl_client *c, struct buf *out)
{
	struct buf nonce = BUF_INIT(64), bare = BUF_INIT(sizeof c->bare);
	int r = -1;

	if (is_bound(c) && c->binding_type == NULL)
		return -1;
	if (c->nonce_n == 0) { /* a test has set one */
		scram_add_nonce(&nonce);
		c->nonce_n = nonce.n;
		memcpy(c->nonce, nonce.p, nonce.n);
	}
	if (add_bare(c, &bare) == 0 && add_gs2(c, out) == 0) {
		memcpy(c->bare, bare.p, bare.n);
		c->bare_n = bare.n;
		r = buf_add_str(out, buf_str(&bare));
	}
	buf_free(&nonce);
	buf_free(&bare);
	return r;
}

static int wrong(struct sasl_client *c, const char *why)
{
	c->why = why;
	return -1;
}

/* r=, s=, i= of server-first. */
static int take_first(struct sasl_client *c, struct str message, struct str *nonce, struct scram_keys *k)
{
	struct str rest = message, salt, count;
	struct buf raw = BUF_INIT(SCRAM_SALT_MAX);
	uint64_t n;

	if (!scram_attribute(&rest, 'r', nonce) || !scram_attribute(&rest, 's', &salt) ||
		!scram_attribute(&rest, 'i', &count) || !str_u64(count, &n) || base64_decode(&raw, salt) < 0 ||
		raw.n == 0) {
		buf_free(&raw);
		return wrong(c, "sent a SCRAM challenge that is not in the form of RFC 5802");
	}
	memcpy(k->salt, raw.p, raw.n);
	k->salt_n = raw.n;
	buf_free(&raw);
	if (nonce->n <= c->nonce_n || !str_has_prefix(*nonce, str_pn(c->nonce, c->nonce_n)))
		return wrong(c, "sent a SCRAM nonce that does not begin with ours");
	if (n < SCRAM_ITERATIONS_MIN)
		return wrong(c, "asked for fewer than 4096 iterations of SCRAM, which would give the password away");
	if (n > SCRAM_ITERATIONS_MAX_CLIENT)
		return wrong(c, "asked for more iterations of SCRAM than are done for a login");
	k->iterations = (uint32_t)n;
	return 0;
}

static int add_binding(const struct sasl_client *c, struct buf *out)
{
	struct buf raw = BUF_INIT(512);
	int r = add_gs2(c, &raw);

	if (r == 0 && is_bound(c))
		r = buf_add(&raw, c->binding, c->binding_n);
	if (r == 0)
		r = base64_encode(out, buf_str(&raw));
	buf_wipe(&raw);
	return r;
}

/* The proof is over all that was said before it. */
static int add_proof(struct sasl_client *c, struct str server_first, const struct scram_keys *k, struct buf *final)
{
	const struct scram_hash *h = hash_of(c);
	unsigned char proof[SCRAM_HASH_MAX];
	struct buf message = BUF_INIT(2 * MESSAGE_MAX);
	int r = -1;

	if (buf_addf(&message, "%.*s,%.*s,%.*s", (int)c->bare_n, c->bare, STR_ARG(server_first),
		    STR_ARG(buf_str(final))) == 0)
		r = scram_client_proof(h, c->pass, k, buf_str(&message), proof, c->signature);
	if (r == 0 && (buf_add_c(final, ",p=") < 0 || base64_encode(final, str_pn(proof, h->n)) < 0))
		r = -1;
	mem_wipe(proof, sizeof proof);
	buf_wipe(&message);
	return r;
}

static int answer_first(struct sasl_client *c, struct str challenge, struct buf *out)
{
	struct scram_keys k = { 0 };
	struct buf final = BUF_INIT(MESSAGE_MAX);
	struct str nonce;
	int r = challenge.n > MESSAGE_MAX ? wrong(c, "sent too long a SCRAM challenge")
					  : take_first(c, challenge, &nonce, &k);

	if (r == 0)
		r = buf_add_c(&final, "c=") < 0 || add_binding(c, &final) < 0 ||
				    buf_addf(&final, ",r=%.*s", STR_ARG(nonce)) < 0
			    ? -1
			    : add_proof(c, challenge, &k, &final);
	if (r == 0)
		r = buf_add_str(out, buf_str(&final));
	buf_wipe(&final);
	return r;
}

/* v=: only whoever knows the password, or its keys, can have made it. */
static int take_final(struct sasl_client *c, struct str challenge)
{
	const struct scram_hash *h = hash_of(c);
	struct buf raw = BUF_INIT(SCRAM_HASH_MAX + 8);
	struct str rest = challenge, value;
	bool good = scram_attribute(&rest, 'v', &value) && base64_decode(&raw, value) == 0 && raw.n == h->n &&
		    mem_eq_ct(raw.p, c->signature, h->n);

	buf_wipe(&raw);
	if (str_has_prefix(challenge, STR("e=")))
		return -1; /* its reply will say so too */
	if (!good)
		return wrong(c, "does not prove that it knows the password: it may be another server");
	c->is_proven = true;
	return 0;
}

int sasl_client_scram_answer(struct sasl_client *c, struct str challenge, struct buf *out)
{
	if (c->turn == 2)
		return answer_first(c, challenge, out);
	return c->turn == 3 ? take_final(c, challenge) : -1;
}
