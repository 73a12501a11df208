#include "auth/password.h"

#include "auth/scheme.h"
#include "base/hex.h"
#include "base/random.h"
#include "sasl/base64.h"
#include "sasl/saslprep.h"

#include <openssl/evp.h>

enum { DATA_MAX = 8192 };

/* "SSHA256.b64" to the scheme and its encoding. */
static const struct scheme *scheme_parse(struct str text, enum scheme_encoding *encoding)
{
	ptrdiff_t dot = str_chr(text, '.');
	struct str suffix = dot < 0 ? STR("") : str_from(text, (size_t)dot + 1);
	const struct scheme *s = scheme_find(dot < 0 ? text : str_sub(text, 0, (size_t)dot));

	if (s == NULL)
		return NULL;
	*encoding = s->encoding;
	if (dot < 0)
		return s;
	if (str_ieq(suffix, STR("hex")))
		*encoding = ENC_HEX;
	else if (str_ieq(suffix, STR("b64")) || str_ieq(suffix, STR("base64")))
		*encoding = ENC_BASE64;
	else
		return NULL;
	return s;
}

static int decode(const struct scheme *s, enum scheme_encoding encoding, struct str data, struct buf *raw)
{
	if (encoding == ENC_AUTO || encoding == ENC_AUTO_HEX) {
		const EVP_MD *md = EVP_get_digestbyname(s->detail);

		encoding = md && data.n == (size_t)EVP_MD_get_size(md) * 2 ? ENC_HEX : ENC_BASE64;
	}
	if (encoding == ENC_HEX)
		return hex_decode(raw, data);
	if (encoding == ENC_BASE64)
		return base64_decode_loose(raw, data);
	return buf_add_str(raw, data);
}

static bool is_plain_good(struct str plain)
{
	return plain.n && plain.n <= PASSWORD_MAX && str_chr(plain, '\0') < 0;
}

/* "{SCHEME}data", or data of the default scheme. */
static struct str split_stored(struct str stored, struct str default_scheme, struct str *data)
{
	ptrdiff_t end = stored.n && stored.p[0] == '{' ? str_chr(stored, '}') : -1;

	*data = end > 0 ? str_from(stored, (size_t)end + 1) : stored;
	return end > 0 ? str_sub(stored, 1, (size_t)end - 1) : default_scheme;
}

int password_like(struct str stored, struct str default_scheme, struct buf *out)
{
	struct str data, name = split_stored(stored, default_scheme, &data);
	enum scheme_encoding encoding;
	const struct scheme *s = scheme_parse(name, &encoding);
	unsigned char random;

	if (s == NULL)
		return -PASSWORD_ESCHEME;
	if (data.n == 0 || data.n > DATA_MAX)
		return -PASSWORD_EDATA;
	if (!(s->flags & SCHEME_CLEAR)) {
		buf_addf(out, "{%.*s}%.*s", STR_ARG(name), STR_ARG(data));
		return 0;
	}
	buf_add_c(out, "{PLAIN.hex}");
	for (size_t i = 0; i < data.n; i++) {
		random_octets(&random, 1);
		hex_add(out, &random, 1);
	}
	return 0;
}

/*
 * RFC 4616 sec. 2: both sides are compared prepared (SASLprep). What is stored may have been made of the octets as they were
 * typed, so that those are tried first; they are the same for nearly everybody.
 */
static int verify_prepared(const struct scheme *s, struct str raw, struct str plain)
{
	struct buf prepared = BUF_INIT(PASSWORD_MAX);
	int r = 0;

	if (saslprep(plain, &prepared) == 0 && !str_eq(buf_str(&prepared), plain))
		r = s->verify(s, raw, buf_str(&prepared));
	buf_wipe(&prepared);
	return r;
}

int password_verify(struct str stored, struct str default_scheme, struct str plain, bool allow_weak)
{
	struct str data, name = split_stored(stored, default_scheme, &data);
	struct buf raw = BUF_INIT(DATA_MAX);
	const struct scheme *s;
	enum scheme_encoding encoding;
	int r;

	if (!is_plain_good(plain))
		return -PASSWORD_ETOOLONG;
	s = scheme_parse(name, &encoding);
	if (s == NULL)
		return -PASSWORD_ESCHEME;
	if ((s->flags & SCHEME_WEAK) && !allow_weak)
		return -PASSWORD_EWEAK;
	r = str_chr(data, '\0') >= 0 || decode(s, encoding, data, &raw) < 0 ? -PASSWORD_EDATA
									    : s->verify(s, buf_str(&raw), plain);
	if (r == 0)
		r = verify_prepared(s, buf_str(&raw), plain);
	buf_wipe(&raw);
	return r;
}

enum password_use password_raw(struct str stored, struct str default_scheme, const char *scheme, struct buf *out)
{
	struct str data, name = split_stored(stored, default_scheme, &data);
	enum scheme_encoding encoding;
	const struct scheme *s = scheme_parse(name, &encoding);

	if (s == NULL || (!(s->flags & SCHEME_CLEAR) && strcmp(s->name, scheme) != 0) || str_chr(data, '\0') >= 0 ||
		decode(s, encoding, data, out) < 0 || out->n == 0)
		return PASSWORD_RAW_NONE;
	return s->flags & SCHEME_CLEAR ? PASSWORD_RAW_PLAIN : PASSWORD_RAW_SCHEME;
}

static void encode(enum scheme_encoding encoding, struct str raw, struct buf *out)
{
	if (encoding == ENC_NONE)
		buf_add_str(out, raw);
	else if (encoding == ENC_HEX || encoding == ENC_AUTO_HEX)
		hex_add(out, raw.p, raw.n);
	else
		base64_encode(out, raw);
}

/* `user` NULL: a scheme that wants the name cannot be made. */
static int make_raw(const struct scheme *s, const struct str *user, struct str plain, unsigned rounds, struct buf *raw)
{
	unsigned char key[DIGEST_MD5_OCTETS];
	bool is_named = user && (s->flags & SCHEME_NAMED);

	if (s->make == NULL && !is_named)
		return s->flags & SCHEME_WEAK ? -PASSWORD_EWEAK : -PASSWORD_ECANNOT;
	if (!is_plain_good(plain))
		return -PASSWORD_ETOOLONG;
	if (!is_named)
		return s->make(s, plain, rounds, raw);
	if (user->n == 0)
		return -PASSWORD_ENAME;
	if (!scheme_digest_md5(*user, plain, key))
		return -PASSWORD_ECANNOT;
	buf_add(raw, key, sizeof key);
	mem_wipe(key, sizeof key);
	return 0;
}

static int make(struct str scheme, const struct str *user, struct str plain, unsigned rounds, struct buf *out)
{
	struct buf raw = BUF_INIT(DATA_MAX);
	enum scheme_encoding encoding;
	const struct scheme *s = scheme_parse(scheme, &encoding);
	int r = s ? make_raw(s, user, plain, rounds, &raw) : -PASSWORD_ESCHEME;

	if (r == 0) {
		buf_addf(out, "{%.*s}", STR_ARG(scheme));
		encode(encoding, buf_str(&raw), out);
	}
	buf_wipe(&raw);
	return r;
}

int password_make(struct str scheme, struct str plain, struct buf *out)
{
	return make(scheme, NULL, plain, 0, out);
}

int password_make_for(struct str scheme, struct str user, struct str plain, unsigned rounds, struct buf *out)
{
	return make(scheme, &user, plain, rounds, out);
}

int password_verify_user(
	struct str stored, struct str default_scheme, struct str user, struct str plain, bool allow_weak)
{
	struct str data, name = split_stored(stored, default_scheme, &data);
	unsigned char want[DIGEST_MD5_OCTETS];
	struct buf raw = BUF_INIT(DATA_MAX);
	enum scheme_encoding encoding;
	const struct scheme *s = scheme_parse(name, &encoding);
	int r = -PASSWORD_EDATA;

	if (s == NULL || !(s->flags & SCHEME_NAMED) || user.n == 0)
		return password_verify(stored, default_scheme, plain, allow_weak);
	if (!is_plain_good(plain))
		return -PASSWORD_ETOOLONG;
	if (decode(s, encoding, data, &raw) == 0 && raw.n == sizeof want && scheme_digest_md5(user, plain, want))
		r = mem_eq_ct(raw.p, want, sizeof want);
	buf_wipe(&raw);
	return r;
}

const char *password_scheme_name(size_t i)
{
	const struct scheme *s = scheme_at(i);

	return s ? s->name : NULL;
}

int password_scheme_check(struct str scheme, bool allow_weak)
{
	enum scheme_encoding encoding;
	const struct scheme *s = scheme_parse(scheme, &encoding);

	if (s == NULL)
		return -PASSWORD_ESCHEME;
	return (s->flags & SCHEME_WEAK) && !allow_weak ? -PASSWORD_EWEAK : 0;
}

void password_load(void)
{
	scheme_argon2_load();
	scheme_old_load();
}

const char *password_err_text(int err)
{
	switch (-err) {
	case PASSWORD_ESCHEME:
		return "unknown password scheme";
	case PASSWORD_EWEAK:
		return "the password scheme is broken; auth_allow_weak_schemes = yes permits it";
	case PASSWORD_EDATA:
		return "the stored password is not in the form of its scheme";
	case PASSWORD_ECOST:
		return "the stored password asks for too much memory or time";
	case PASSWORD_ETOOLONG:
		return "the password is empty, longer than 512 octets, or has a NUL";
	case PASSWORD_ECANNOT:
		return "this password scheme can be checked, but not made";
	case PASSWORD_ENAME:
		return "this password scheme wants the name of the user too";
	case PASSWORD_EROUNDS:
		return "this password scheme does not have so many rounds (BLF-CRYPT: 4 to 31, Argon2: up to 64)";
	}
	return "no error";
}
