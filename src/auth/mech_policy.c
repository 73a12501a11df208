#include "auth/mech_policy.h"

/* What a mechanism must not, or must, be. */
static const struct option {
	const char *word;
	unsigned refused, required;
} options[] = {
	{ "noplaintext", AUTH_MECH_PLAINTEXT, 0 },
	{ "noactive", AUTH_MECH_ACTIVE, 0 },
	{ "nodictionary", AUTH_MECH_DICTIONARY, 0 },
	{ "noanonymous", AUTH_MECH_ANONYMOUS, 0 },
	{ "forward_secrecy", 0, AUTH_MECH_FORWARD_SECRECY },
	{ "mutual_auth", 0, AUTH_MECH_MUTUAL },
};

static const struct option *option_of(struct str word)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (str_ieq(word, str_c(options[i].word)))
			return &options[i];
	return NULL;
}

struct mech_policy mech_policy_read(const char *text)
{
	struct mech_policy p = { 0, 0 };
	struct str rest = str_c(text), word;

	while (str_word(&rest, ", \t\r\n", &word)) {
		const struct option *o = option_of(word);

		p.refused |= o ? o->refused : 0;
		p.required |= o ? o->required : 0;
	}
	return p;
}

bool mech_policy_permits(struct mech_policy p, unsigned flags)
{
	return !(flags & (p.refused | AUTH_MECH_PRIVATE)) && (flags & p.required) == p.required;
}

/* Apart from the options: can a session have it? */
static bool is_possible(const struct mech_session *s, const struct auth_mech *m)
{
	if ((m->flags & AUTH_MECH_PRIVATE) || ((m->flags & AUTH_MECH_CHANNEL_BINDING) && !s->under_tls))
		return false;
	return s->asks_cert || !str_ieq(m->name, STR("EXTERNAL"));
}

static bool refuses(const struct option *o, const struct auth_mech *m)
{
	return (m->flags & o->refused) || (m->flags & o->required) != o->required;
}

/* The words that stand in the way of a mechanism. */
static void put_words(
	const struct mech_session *s, const char *text, const struct auth_mech *mech, size_t n, struct buf *out)
{
	struct str rest = str_c(text), word;

	while (str_word(&rest, ", \t\r\n", &word)) {
		const struct option *o = option_of(word);
		bool is_one = false;

		for (size_t i = 0; o && i < n; i++)
			is_one = is_one || (is_possible(s, &mech[i]) && refuses(o, &mech[i]));
		if (is_one)
			buf_addf(out, "%s%s", out->n ? ", " : "", o->word);
	}
}

/* A session under TLS is what matters where there may be one: in clear text less may be allowed, on purpose. */
bool mech_policy_fault(
	const struct mech_session *s, const char *path, const struct auth_mech *mech, size_t n, struct buf *out)
{
	const char *text = s->under_tls ? s->tls_options : s->options;
	struct mech_policy p = mech_policy_read(text);
	struct buf names = BUF_INIT(1024), words = BUF_INIT(1024);

	if (!s->under_tls && !s->in_clear)
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_possible(s, &mech[i]) && mech_policy_permits(p, mech[i].flags))
			return false;
	for (size_t i = 0; i < n; i++)
		buf_addf(&names, "%s%.*s", i ? " " : "", STR_ARG(mech[i].name));
	put_words(s, text, mech, n, &words);
	if (n == 0)
		buf_addf(out, "%s offers no mechanism, so nobody can log in; set auth_mechanisms there", path);
	else if (words.n == 0)
		buf_addf(out,
			"%s offers %s, of which clients of this service can use none, so nobody can log in; add others "
			"to "
			"auth_mechanisms there (plain, scram-sha-256)",
			path, names.p);
	else
		buf_addf(out,
			"%s offers %s, of which %s = %s permits none, so nobody can log in; take %s out of it, or add "
			"%s to "
			"auth_mechanisms there",
			path, names.p, s->under_tls ? "smtpd_sasl_tls_security_options" : "smtpd_sasl_security_options",
			text, words.p, p.required ? "a mechanism that has what it asks for" : "scram-sha-256");
	buf_free(&names);
	buf_free(&words);
	return true;
}
