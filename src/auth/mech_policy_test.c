#include "auth/mech_policy.h"
#include "base/test.h"

#include <stdlib.h>

/* "NAME:flags NAME:flags", flags p (plaintext), m (mutual), d (dictionary), b (channel binding), a (anonymous). */
static size_t read_mechs(const char *text, struct auth_mech *mech)
{
	static const struct {
		char letter;
		unsigned flag;
	} letters[] = { { 'p', AUTH_MECH_PLAINTEXT }, { 'm', AUTH_MECH_MUTUAL }, { 'd', AUTH_MECH_DICTIONARY },
		{ 'b', AUTH_MECH_CHANNEL_BINDING }, { 'a', AUTH_MECH_ANONYMOUS }, { 'x', AUTH_MECH_PRIVATE } };
	struct str rest = str_c(text), word;
	size_t n = 0;

	while (str_word(&rest, " ", &word)) {
		ptrdiff_t colon = str_chr(word, ':');

		mech[n] = (struct auth_mech){ .name = str_sub(word, 0, (size_t)colon) };
		for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
			if (str_chr(str_from(word, (size_t)colon), letters[i].letter) >= 0)
				mech[n].flags |= letters[i].flag;
		n++;
	}
	return n;
}

#define CLEAR  true, false, false
#define TLS    false, true, false
#define EITHER true, true, false
#define CERT   false, true, true

static const struct {
	bool in_clear, under_tls, asks_cert;
	const char *options, *tls_options, *mechs;
	const char *fault; /* a part of it; NULL: none */
} cases[] = {
	{ EITHER, "noanonymous", "noanonymous", "PLAIN:p LOGIN:p", NULL },
	{ EITHER, "noanonymous, noplaintext", "noanonymous", "PLAIN:p LOGIN:p", NULL }, /* on purpose */
	{ EITHER, "noanonymous", "noanonymous,noplaintext", "PLAIN:p LOGIN:p",
		"A offers PLAIN LOGIN, of which smtpd_sasl_tls_security_options = noanonymous,noplaintext permits "
		"none, so "
		"nobody can log in; take noplaintext out of it, or add scram-sha-256 to auth_mechanisms there" },
	{ TLS, "", "noplaintext noanonymous", "PLAIN:p", "take noplaintext out of it" },
	{ TLS, "", "noplaintext nodictionary", "PLAIN:p CRAM-MD5:d", "take noplaintext, nodictionary out of it" },
	{ TLS, "", "NoPlainText", "PLAIN:p SCRAM-SHA-256:m", NULL },
	{ CLEAR, "noplaintext", "", "PLAIN:p", "smtpd_sasl_security_options = noplaintext permits none" },
	{ CLEAR, "", "noplaintext", "PLAIN:p", NULL },
	{ CLEAR, "", "", "SCRAM-SHA-256-PLUS:mb", "of which clients of this service can use none" },
	{ TLS, "", "", "SCRAM-SHA-256-PLUS:mb", NULL },
	{ TLS, "", "", "EXTERNAL:", "of which clients of this service can use none" },
	{ CERT, "", "", "EXTERNAL:", NULL }, { TLS, "", "", "APOP:x", "of which clients of this service can use none" },
	{ TLS, "", "mutual_auth", "PLAIN:p CRAM-MD5:d",
		"take mutual_auth out of it, or add a mechanism that has what it asks for to" },
	{ TLS, "", "mutual_auth", "SCRAM-SHA-1:m", NULL },
	{ TLS, "", "forward_secrecy", "SCRAM-SHA-1:m", "forward_secrecy" },
	{ TLS, "", "noanonymous", "ANONYMOUS:a", "take noanonymous out of it" },
	{ TLS, "", "", "", "A offers no mechanism, so nobody can log in; set auth_mechanisms there" },
	{ false, false, false, "noplaintext", "noplaintext", "PLAIN:p", NULL }, /* nobody is to log in */
};

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mech_session s = { cases[i].in_clear, cases[i].under_tls, cases[i].asks_cert, cases[i].options,
			cases[i].tls_options };
		struct buf out = BUF_INIT(4096);
		struct auth_mech mech[8] = { { { 0 }, 0 } };
		bool is_fault = mech_policy_fault(&s, "A", mech, read_mechs(cases[i].mechs, mech), &out);

		if (is_fault != (cases[i].fault != NULL) || (is_fault && strstr(out.p, cases[i].fault) == NULL))
			printf("case %zu: %s\n", i, out.n ? out.p : "");
		check(is_fault == (cases[i].fault != NULL));
		check(!is_fault || strstr(out.p, cases[i].fault));
		check(is_fault || out.n == 0);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_faults) };

	return test_run(tests);
}
