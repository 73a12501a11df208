#include "authd/given.h"

#include <openssl/evp.h>

static size_t cut(size_t n, unsigned max)
{
	return max && n > max ? max : n;
}

const char *given_text(enum log_passwords how, unsigned n, struct str pass, struct arena *mem)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
	unsigned size = 0;

	if (how == LOG_PASSWORDS_NO || pass.n == 0)
		return "";
	if (how == LOG_PASSWORDS_PLAIN)
		return arena_printf(mem, " (given password: %.*s)", (int)cut(pass.n, n), pass.p);
	if (EVP_Digest(pass.p, pass.n, digest, &size, EVP_sha1(), NULL) != 1)
		return "";
	for (unsigned i = 0; i < size; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
	return arena_printf(mem, " (SHA1 of given password: %.*s)", (int)cut(strlen(hex), n), hex);
}

const char *given_password(const struct login *l)
{
	const struct settings *set = l->authd->set;

	/* What a mechanism of another kind has in vars.pass is a token, or what is stored. */
	if (l->wants_key || (l->mech->flags & (SASL_PLAINTEXT | SASL_TOKEN)) != SASL_PLAINTEXT)
		return "";
	return given_text(set->log_passwords, set->log_passwords_n, l->vars.pass, l->mem);
}
