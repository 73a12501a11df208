#include "auth/password.h"
#include "auth/scheme.h"
#include "base/random.h"

#include <openssl/evp.h>

enum { SALT_OCTETS = 16, SMD5_SALT_OCTETS = 4 };

static size_t digest(const char *name, struct str a, struct str b, unsigned char out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
	unsigned n = 0;

	if (ctx == NULL || md == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
		EVP_DigestUpdate(ctx, a.p, a.n) != 1 || EVP_DigestUpdate(ctx, b.p, b.n) != 1 ||
		EVP_DigestFinal_ex(ctx, out, &n) != 1)
		n = 0;
	EVP_MD_free(md);
	EVP_MD_CTX_free(ctx);
	return n;
}

int scheme_digest_verify(const struct scheme *s, struct str raw, struct str plain)
{
	unsigned char want[EVP_MAX_MD_SIZE];
	bool salted = s->flags & SCHEME_SALTED;
	size_t n = digest(s->detail, plain, STR(""), want);

	if (n == 0 || raw.n < n || (!salted && raw.n != n))
		return -PASSWORD_EDATA;
	if (salted)
		digest(s->detail, plain, str_from(raw, n), want);
	return mem_eq_ct(raw.p, want, n);
}

int scheme_digest_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	char salt[SALT_OCTETS] = { 0 };
	struct str salted = s->flags & SCHEME_SALTED ? str_pn(salt, sizeof salt) : STR("");
	size_t n;

	(void)rounds;
	random_octets(salt, sizeof salt);
	n = digest(s->detail, plain, salted, out);
	if (n == 0)
		return -PASSWORD_ECANNOT;
	buf_add(raw, out, n);
	buf_add_str(raw, salted);
	return 0;
}

int scheme_smd5_make(const struct scheme *s, struct str plain, unsigned rounds, struct buf *raw)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	char salt[SMD5_SALT_OCTETS];
	size_t n;

	(void)rounds;
	random_octets(salt, sizeof salt);
	n = digest(s->detail, plain, str_pn(salt, sizeof salt), out);
	if (n == 0)
		return -PASSWORD_ECANNOT;
	buf_add(raw, out, n);
	buf_add(raw, salt, sizeof salt);
	return 0;
}
