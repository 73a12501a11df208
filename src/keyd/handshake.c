/*
 * An smtpd that was taken over may ask for anything. A signature over a digest could be one over a certificate, a request
 * for one, a token, or a message of another protocol, and would be of use for ever; so keyd hashes itself, and looks at
 * the shape of what it hashes. What is left to an intruder is to be this server as long as he is in smtpd.
 *
 * Lengths are no shape: between them a certificate fits, or the messages that a client signs in TLS 1.2 (RFC 5246 sec. 7.4.8),
 * of which he is free to choose most octets. So what he is not free to choose is looked at, too: the prime, and that a point
 * is on its curve.
 */
#include "keyd/keyd.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

enum { SPACES = 64, RANDOMS = 64, NAMED_CURVE = 3, DH_MAX_OCTETS = 8192 / 8 };

/* The groups of src/tls/ctx.c, and X448, with the octets of a public key (RFC 8422 sec. 5.4, RFC 8446 sec. 4.2.8.2). */
static const struct {
	unsigned group, octets;
	int curve; /* OpenSSL's number; 0: any octets are a public key of it */
} groups[] = { { 23, 65, NID_X9_62_prime256v1 }, { 24, 97, NID_secp384r1 }, { 25, 133, NID_secp521r1 }, { 29, 32, 0 },
	{ 30, 56, 0 } };

/* What libssl takes by itself (src/tls/server.c). */
static const struct {
	size_t octets;
	BIGNUM *(*get)(BIGNUM *p);
} primes[] = { { 2048 / 8, BN_get_rfc3526_prime_2048 }, { 3072 / 8, BN_get_rfc3526_prime_3072 },
	{ 4096 / 8, BN_get_rfc3526_prime_4096 }, { DH_MAX_OCTETS, BN_get_rfc3526_prime_8192 } };

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

static bool is_on_curve(int curve, struct str octets)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(curve);
	EC_POINT *point = group ? EC_POINT_new(group) : NULL;
	bool is = point && octets.p[0] == POINT_CONVERSION_UNCOMPRESSED &&
		  EC_POINT_oct2point(group, point, (const unsigned char *)octets.p, octets.n, NULL) == 1;

	EC_POINT_free(point);
	EC_GROUP_free(group);
	ERR_clear_error();
	return is;
}

static bool is_ecdhe(struct str params)
{
	const unsigned char *p = (const unsigned char *)params.p;

	if (params.n < 4 || p[0] != NAMED_CURVE)
		return false;
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i].group == (unsigned)(p[1] << 8 | p[2]))
			return p[3] == groups[i].octets && params.n == 4 + groups[i].octets &&
			       (groups[i].curve == 0 || is_on_curve(groups[i].curve, str_from(params, 4)));
	return false;
}

/* Cut an opaque<1..2^16-1> off. n == 0: there is none. */
static struct str cut_opaque(struct str *rest)
{
	const unsigned char *p = (const unsigned char *)rest->p;
	size_t n = rest->n < 2 ? 0 : (size_t)(p[0] << 8 | p[1]);
	struct str cut;

	if (n == 0 || rest->n - 2 < n)
		return (struct str){ "", 0 };
	cut = str_sub(*rest, 2, n);
	*rest = str_from(*rest, 2 + n);
	return cut;
}

static bool is_known_prime(struct str prime)
{
	unsigned char octets[DH_MAX_OCTETS];

	for (size_t i = 0; i < sizeof primes / sizeof *primes; i++)
		if (primes[i].octets == prime.n) {
			BIGNUM *p = primes[i].get(NULL);
			bool is = p && BN_bn2binpad(p, octets, (int)prime.n) == (int)prime.n &&
				  str_eq(prime, str_pn(octets, prime.n));

			BN_free(p);
			return is;
		}
	return false;
}

static bool is_dhe(struct str params)
{
	struct str prime = cut_opaque(&params), generator = cut_opaque(&params), public = cut_opaque(&params);

	return is_known_prime(prime) && str_eq(generator, STR("\2")) && public.n > 0 && public.n <= prime.n &&
	       params.n == 0;
}

size_t handshake_dh_octets(struct str text)
{
	struct str params = str_from(text, RANDOMS);

	return !is_certificate_verify(text) && is_dhe(params) ? cut_opaque(&params).n : 0;
}

bool handshake_is_tls(const struct signature_scheme *s, struct str text)
{
	struct str params = str_from(text, RANDOMS);

	if (is_certificate_verify(text))
		return !s->is_old;
	return text.n > RANDOMS && (is_ecdhe(params) || (strncmp(s->key_type, "RSA", 3) == 0 && is_dhe(params)));
}
