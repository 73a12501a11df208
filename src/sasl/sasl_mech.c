#include "sasl/sasl_mech.h"

#include "base/utf8.h"

static const struct sasl_mech *const mechs[] = { &sasl_plain, &sasl_login };

const struct sasl_mech *sasl_mech_find(struct str name)
{
	for (size_t i = 0; i < sizeof mechs / sizeof *mechs; i++)
		if (str_ieq(name, str_c(mechs[i]->name)))
			return mechs[i];
	return NULL;
}

struct sasl_xchg *sasl_xchg_new(const struct sasl_mech *m, struct arena *mem, struct buf *out)
{
	struct sasl_xchg *x = arena_alloc(mem, sizeof *x);

	x->mem = mem;
	x->out = out;
	x->state = arena_alloc(mem, m->state_size ? m->state_size : 1);
	return x;
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
	if (x->why)
		return -1;
	*name = arena_dup(x->mem, in);
	return 0;
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
