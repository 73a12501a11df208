#include "sasl/sasl_mech.h"

#include "base/utf8.h"
#include "sasl/saslprep.h"

const struct sasl_mech *const sasl_mechs[] = { &sasl_scram_sha512_plus, &sasl_scram_sha256_plus, &sasl_scram_sha1_plus,
	&sasl_scram_sha512, &sasl_scram_sha256, &sasl_scram_sha1, &sasl_external, &sasl_plain, &sasl_login,
	&sasl_cram_md5, &sasl_oauthbearer, &sasl_xoauth2, &sasl_anonymous, NULL };

const struct sasl_mech *sasl_mech_find(struct str name)
{
	for (size_t i = 0; sasl_mechs[i]; i++)
		if (str_ieq(name, str_c(sasl_mechs[i]->name)))
			return sasl_mechs[i];
	return NULL;
}

struct sasl_xchg *sasl_xchg_new(const struct sasl_mech *m, struct arena *mem, struct buf *out)
{
	struct sasl_xchg *x = arena_alloc(mem, sizeof *x);

	x->mech = m;
	x->mem = mem;
	x->out = out;
	x->state = arena_alloc(mem, m->state_size ? m->state_size : 1);
	return x;
}

/* RFC 4616 sec. 2, RFC 5802 sec. 5.1: the server prepares what the client sent. */
static void prepare_name(struct sasl_xchg *x, struct str in, struct str *name)
{
	struct buf prepared = BUF_INIT(SASL_NAME_MAX);

	if (saslprep(in, &prepared) < 0)
		x->why = "the user name has what SASLprep (RFC 4013) prohibits";
	else
		*name = arena_dup(x->mem, buf_str(&prepared));
	buf_free(&prepared);
}

int sasl_take_name(struct sasl_xchg *x, struct str in, struct str *name)
{
	if (in.n == 0)
		x->why = "the user name is empty";
	else if (in.n > SASL_NAME_MAX)
		x->why = "the user name is longer than 255 octets";
	else if (str_chr(in, '\0') >= 0)
		x->why = "the user name has a NUL";
	else if (!utf8_is_valid(in))
		x->why = "the user name is not UTF-8";
	else
		prepare_name(x, in, name);
	return x->why ? -1 : 0;
}

int sasl_take_pass(struct sasl_xchg *x, struct str in)
{
	if (in.n == 0)
		x->why = "the password is empty";
	else if (in.n > SASL_PASS_MAX)
		x->why = "the password is longer than 512 octets";
	else if (str_chr(in, '\0') >= 0)
		x->why = "the password has a NUL";
	if (x->why)
		return -1;
	x->pass = arena_dup(x->mem, in);
	return 0;
}
