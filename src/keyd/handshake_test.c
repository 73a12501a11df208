#include "keyd/keyd.h"
#include "base/test.h"

#include <openssl/bn.h>

/* 64 octets, with which the texts of both versions begin. */
#define SPACES	"                                                                "
#define RANDOMS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONTEXT "TLS 1.3, server CertificateVerify\0"
#define HASH	"0123456789abcdef0123456789abcdef" /* 32 octets */
#define KEY	HASH
/* Base point of P-256. */
#define POINT                                                                                                          \
	"\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1" \
	"\x39\x45"                                                                                                     \
	"\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e" \
	"\xce"                                                                                                         \
	"\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
#define Z16  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define Z256 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16

enum { PKCS1 = 0x0401, PSS = 0x0804, ECDSA = 0x0403 };

static void test_only_what_tls_signs_is_signed(void **state)
{
	const struct {
		struct str text;
		uint16_t scheme;
		bool want;
	} cases[] = {
		/* TLS 1.3 */
		{ STR(SPACES CONTEXT HASH), ECDSA, true },
		{ STR(SPACES CONTEXT HASH "0123456789abcdef"), ECDSA, true },
		{ STR(SPACES CONTEXT HASH), PSS, true },
		{ STR(SPACES CONTEXT HASH), PKCS1, false }, /* RFC 8446 sec. 4.4.3 */
		{ STR(SPACES CONTEXT HASH "0"), ECDSA, false },
		{ STR(SPACES CONTEXT), ECDSA, false },
		{ STR(" " SPACES CONTEXT HASH), ECDSA, false },
		{ STR(SPACES "TLS 1.3, client CertificateVerify\0" HASH), ECDSA, false },
		{ STR(SPACES "TLS 1.3, server CertificateVerifx\0" HASH), ECDSA, false },
		{ STR(SPACES "TLS 1.3, server CertificateVerify " HASH), ECDSA, false },
		/* TLS 1.2, ECDHE */
		{ STR(RANDOMS "\3\0\35\40" KEY), ECDSA, true },
		{ STR(RANDOMS "\3\0\35\40" KEY), PKCS1, true },
		{ STR(SPACES "\3\0\35\40" KEY), PKCS1, true },
		{ STR(RANDOMS "\3\0\35\40" KEY "x"), ECDSA, false },
		{ STR(RANDOMS "\3\0\35\37" KEY), ECDSA, false },
		{ STR(RANDOMS "\3\0\34\40" KEY), ECDSA, false },
		{ STR(RANDOMS "\1\0\35\40" KEY), ECDSA, false },
		{ STR(RANDOMS "\3\0\27\101" POINT), ECDSA, true },
		{ STR(RANDOMS "\3\0\27\101\4" KEY KEY), ECDSA, false }, /* not on the curve */
		{ STR(RANDOMS "\3\0\27\101\4" KEY), ECDSA, false },
		{ STR("x" RANDOMS "\3\0\35\40" KEY), ECDSA, false },
		{ STR(RANDOMS "\3\0\35"), ECDSA, false },
		{ STR(RANDOMS), ECDSA, false },
		/* anything else */
		{ STR(""), ECDSA, false },
		{ STR(HASH), ECDSA, false }, /* a digest */
		{ STR("0\202\1\12" RANDOMS RANDOMS RANDOMS RANDOMS), PKCS1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (handshake_is_tls(signature_scheme_find(cases[i].scheme), cases[i].text) != cases[i].want)
			fail_msg("case %zu", i);
		check(true);
	}
}

/* The text of a DHE key exchange, with a number of that many octets for the public key; in a buffer of its own. */
static struct str dhe(BIGNUM *prime, size_t more_prime, const char *generator, size_t public)
{
	static unsigned char text[8192];
	size_t n = (size_t)BN_num_bytes(prime) + more_prime, at = 64;

	memset(text, 'x', sizeof text);
	text[at++] = (unsigned char)(n >> 8);
	text[at++] = (unsigned char)n;
	BN_bn2binpad(prime, text + at, (int)n);
	at += n;
	text[at++] = 0;
	text[at++] = (unsigned char)strlen(generator);
	memcpy(text + at, generator, strlen(generator));
	at += strlen(generator);
	text[at++] = (unsigned char)(public >> 8);
	text[at++] = (unsigned char)public;
	BN_free(prime);
	return str_pn(text, at + public);
}

static void test_groups_of_dhe_are_known_ones(void **state)
{
	BIGNUM *(*const known[])(BIGNUM *) = { BN_get_rfc3526_prime_2048, BN_get_rfc3526_prime_3072,
		BN_get_rfc3526_prime_4096, BN_get_rfc3526_prime_8192 };
	const struct signature_scheme *rsa = signature_scheme_find(PKCS1);
	struct str text;
	BIGNUM *other;

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t n = (size_t[]){ 256, 384, 512, 1024 }[i];

		text = dhe(known[i](NULL), 0, "\2", n);
		check(handshake_is_tls(rsa, text) && handshake_is_tls(signature_scheme_find(PSS), text));
		check_int(handshake_dh_octets(text), n);
		check(!handshake_is_tls(signature_scheme_find(ECDSA), text)); /* there is no such cipher */
		check(!handshake_is_tls(rsa, str_pn(text.p, text.n - 1)));
		check(!handshake_is_tls(rsa, str_pn(text.p, text.n + 1)));
		check(handshake_is_tls(rsa, dhe(known[i](NULL), 0, "\2", n - 1)));
		check(!handshake_is_tls(rsa, dhe(known[i](NULL), 0, "\2", n + 1)));
		check(!handshake_is_tls(rsa, dhe(known[i](NULL), 0, "\2", 0)));
		check(!handshake_is_tls(rsa, dhe(known[i](NULL), 1, "\2", n)));
		check(!handshake_is_tls(rsa, dhe(known[i](NULL), 0, "\5", n)));
		check(!handshake_is_tls(rsa, dhe(known[i](NULL), 0, "", n)));
		check(!handshake_is_tls(rsa, dhe(known[i](NULL), 0, "\2\2", n)));
		other = known[i](NULL);
		BN_add_word(other, 2);
		check(!handshake_is_tls(rsa, dhe(other, 0, "\2", n)));
	}
	check(!handshake_is_tls(rsa, dhe(BN_get_rfc2409_prime_1024(NULL), 0, "\2", 128)));
}

/*
 * A client's signature in TLS 1.2 is over all messages since its ClientHello, whose 25 octets of a session id bring its
 * list of ciphers to where a prime would be; two lengths more stand where the client pleases. With it an intruder could be
 * this host for others, and for longer than he is here.
 */
static void test_what_a_client_signs_is_not(void **state)
{
	static unsigned char text[64 + 2 + 1024 + 2 + 1024 + 2 + 1024] = { 1, 0, 4, 200, 3, 3, [38] = 25 };

	(void)state;
	for (size_t at = 64; at < sizeof text; at += 2 + 1024) {
		text[at] = 1024 >> 8;
		text[at + 1] = 1024 & 255;
	}
	for (size_t i = 0; i < 2; i++)
		check(!handshake_is_tls(
			signature_scheme_find((uint16_t[]){ PKCS1, ECDSA }[i]), str_pn(text, sizeof text)));
}

/* Nor is a certificate, whose serial number is as long as one likes. Those that sign themselves are often trusted as a CA. */
static void test_a_certificate_is_none(void **state)
{
	static unsigned char text[64 + 2 + 256 + 2 + 16 + 2 + 200] = { 0x30, 0x82, 2, 26, 0xa0, 3, 2, 1, 2, 2, 0x82, 1,
		60 },
							      p521[64 + 4 + 133] = { 0x30, 0x81, 198, 0xa0, 3, 2, 1, 2,
								      2, 80 };
	static const unsigned char curve[] = { 3, 0, 25, 133, 4 };

	(void)state;
	text[64] = 1;			   /* "prime": the serial's rest and the issuer */
	text[66 + 257] = 16;		   /* "generator": the dates */
	text[66 + 256 + 2 + 16 + 1] = 200; /* "public": the subject, its key, extensions */
	check(!handshake_is_tls(signature_scheme_find(PKCS1), str_pn(text, sizeof text)));
	memcpy(p521 + 64, curve, sizeof curve);
	check(!handshake_is_tls(signature_scheme_find(ECDSA), str_pn(p521, sizeof p521)));
}

static void test_old_schemes_are_not_there(void **state)
{
	static const uint16_t none[] = { 0, 0x0201, 0x0203, 0x0202, 0x0301, 0x0303, 0x0101, 0x0708, 0xFFFF };

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		check(signature_scheme_find(none[i]) == NULL);
	check(signature_scheme_find(0x0807) != NULL && signature_scheme_find(0x0807)->digest == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_only_what_tls_signs_is_signed),
		cmocka_unit_test(test_groups_of_dhe_are_known_ones), cmocka_unit_test(test_what_a_client_signs_is_not),
		cmocka_unit_test(test_a_certificate_is_none), cmocka_unit_test(test_old_schemes_are_not_there) };

	return test_run(tests);
}
