#include "sasl/sasl_client.h"

/* Best first: PLAIN needs one round trip, LOGIN three. */
static const struct {
	enum sasl_client_mech mech;
	const char *name;
	bool plaintext;
} mechs[] = { { SASL_CLIENT_PLAIN, "PLAIN", true }, { SASL_CLIENT_LOGIN, "LOGIN", true } };

static bool has_word(struct str list, const char *word)
{
	struct str w;

	while (str_word(&list, " ,\t", &w))
		if (str_ieq(w, str_c(word)))
			return true;
	return false;
}

static bool passes(struct str filter, const char *name)
{
	struct str w;
	bool any = false;

	while (str_word(&filter, " ,\t", &w)) {
		bool no = w.n && w.p[0] == '!';

		any = true;
		if (no)
			w = str_from(w, 1);
		if (str_ieq(w, str_c(name)) || str_ieq(w, STR("static:rest")))
			return !no;
	}
	return !any;
}

enum sasl_client_mech sasl_client_choose(struct str offered, struct str filter, struct str options)
{
	for (size_t i = 0; i < sizeof mechs / sizeof *mechs; i++)
		if (has_word(offered, mechs[i].name) && passes(filter, mechs[i].name) &&
			!(mechs[i].plaintext && has_word(options, "noplaintext")))
			return mechs[i].mech;
	return SASL_CLIENT_NONE;
}

const char *sasl_client_name(enum sasl_client_mech m)
{
	for (size_t i = 0; i < sizeof mechs / sizeof *mechs; i++)
		if (mechs[i].mech == m)
			return mechs[i].name;
	return "none";
}

void sasl_client_init(struct sasl_client *c, enum sasl_client_mech m, struct str user, struct str pass)
{
	*c = (struct sasl_client){ .mech = m, .user = user, .pass = pass };
}

static int add_plain(const struct sasl_client *c, struct buf *out)
{
	/* RFC 4616 sec. 2, without authorization identity */
	if (buf_add_char(out, '\0') < 0 || buf_add_str(out, c->user) < 0 || buf_add_char(out, '\0') < 0 ||
		buf_add_str(out, c->pass) < 0)
		return -1;
	return 0;
}

int sasl_client_initial(struct sasl_client *c, struct buf *out)
{
	if (c->user.n == 0 || str_chr(c->user, '\0') >= 0 || str_chr(c->pass, '\0') >= 0)
		return -1;
	if (c->mech == SASL_CLIENT_LOGIN)
		return 0; /* servers differ in what an initial response of LOGIN means */
	if (c->mech != SASL_CLIENT_PLAIN)
		return -1;
	c->turn = 1;
	return add_plain(c, out) < 0 ? -1 : 1;
}

int sasl_client_answer(struct sasl_client *c, struct str challenge, struct buf *out)
{
	(void)challenge; /* LOGIN's prompts are told apart by their order only */
	c->turn++;
	if (c->mech == SASL_CLIENT_PLAIN && c->turn == 1)
		return add_plain(c, out);
	if (c->mech == SASL_CLIENT_LOGIN && c->turn == 1)
		return buf_add_str(out, c->user);
	if (c->mech == SASL_CLIENT_LOGIN && c->turn == 2)
		return buf_add_str(out, c->pass);
	return -1;
}
