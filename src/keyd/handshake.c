/*
 * An smtpd that was taken over may ask for anything. A signature over a digest could be one over a certificate, a request
 * for one, a token, or a message of another protocol, and would be of use for ever; so keyd hashes itself, and looks at
 * the shape of what it hashes. What is left to an intruder is to be this server as long as he is in smtpd.
 */
#include "keyd/keyd.h"

enum { SPACES = 64, RANDOMS = 64, NAMED_CURVE = 3, DH_MIN_OCTETS = 2048 / 8, DH_MAX_OCTETS = 8192 / 8 };

/* The groups of src/tls/ctx.c, and X448, with the octets of a public key (RFC 8422 sec. 5.4, RFC 8446 sec. 4.2.8.2). */
static const struct {
	unsigned group, octets;
} groups[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 }, { 30, 56 } };

static bool is_certificate_verify(struct str text)
{
	static const char context[] = "TLS 1.3, server CertificateVerify"; /* with its NUL */
	struct str hash = str_from(text, SPACES + sizeof context);

	for (size_t i = 0; i < SPACES; i++)
		if (i >= text.n || text.p[i] != ' ')
			return false;
	return str_eq(str_sub(text, SPACES, sizeof context), str_pn(context, sizeof context)) &&
	       (hash.n == 256 / 8 || hash.n == 384 / 8);
}

static bool is_ecdhe(struct str params)
{
	const unsigned char *p = (const unsigned char *)params.p;

	if (params.n < 4 || p[0] != NAMED_CURVE)
		return false;
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i].group == (unsigned)(p[1] << 8 | p[2]))
			return p[3] == groups[i].octets && params.n == 4 + groups[i].octets;
	return false;
}

/* Cut an opaque<1..2^16-1> off. SIZE_MAX: there is none. */
static size_t cut_opaque(struct str *rest)
{
	const unsigned char *p = (const unsigned char *)rest->p;
	size_t n = rest->n < 2 ? 0 : (size_t)(p[0] << 8 | p[1]);

	if (n == 0 || rest->n - 2 < n)
		return SIZE_MAX;
	*rest = str_from(*rest, 2 + n);
	return n;
}

static bool is_dhe(struct str params)
{
	size_t prime = cut_opaque(&params), generator, public;

	if (prime < DH_MIN_OCTETS || prime > DH_MAX_OCTETS)
		return false;
	generator = cut_opaque(&params);
	public = generator > prime ? SIZE_MAX : cut_opaque(&params);
	return public <= prime && params.n == 0;
}

bool handshake_is_tls(const struct scheme *s, struct str text)
{
	struct str params = str_from(text, RANDOMS);

	if (is_certificate_verify(text))
		return !s->is_old;
	return text.n > RANDOMS && (is_ecdhe(params) || is_dhe(params));
}
