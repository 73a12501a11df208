#include "keyd/keyd.h"
#include "base/test.h"

/* 64 octets, with which the texts of both versions begin. */
#define SPACES	"                                                                "
#define RANDOMS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONTEXT "TLS 1.3, server CertificateVerify\0"
#define HASH	"0123456789abcdef0123456789abcdef" /* 32 octets */
#define KEY	HASH
#define Z16	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
#define Z256	Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16 Z16

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
		{ STR(RANDOMS "\3\0\27\101\4" KEY KEY), ECDSA, true },
		{ STR(RANDOMS "\3\0\27\101\4" KEY), ECDSA, false },
		{ STR("x" RANDOMS "\3\0\35\40" KEY), ECDSA, false },
		{ STR(RANDOMS "\3\0\35"), ECDSA, false },
		{ STR(RANDOMS), ECDSA, false },
		/* TLS 1.2, DHE */
		{ STR(RANDOMS "\1\0" Z256 "\0\1\2\1\0" Z256), PKCS1, true },
		{ STR(RANDOMS "\1\0" Z256 "\0\1\2\0\20" Z16), PKCS1, true },
		{ STR(RANDOMS "\0\20" Z16 "\0\1\2\0\20" Z16), PKCS1, false }, /* a short prime */
		{ STR(RANDOMS "\1\0" Z256 "\0\1\2\1\0" Z256 "x"), PKCS1, false },
		{ STR(RANDOMS "\1\0" Z256 "\0\1\2"), PKCS1, false },
		{ STR(RANDOMS "\1\0" Z256 "\0\0\0\20" Z16), PKCS1, false },
		{ STR(RANDOMS "\1\0" Z256 "\0\1\2\2\0" Z256 Z256), PKCS1, false },
		/* anything else */
		{ STR(""), ECDSA, false },
		{ STR(HASH), ECDSA, false }, /* a digest */
		{ STR("0\202\1\12" RANDOMS RANDOMS RANDOMS RANDOMS), PKCS1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (handshake_is_tls(scheme_find(cases[i].scheme), cases[i].text) != cases[i].want)
			fail_msg("case %zu", i);
		check(true);
	}
}

static void test_old_schemes_are_not_there(void **state)
{
	static const uint16_t none[] = { 0, 0x0201, 0x0203, 0x0202, 0x0301, 0x0303, 0x0101, 0x0708, 0xFFFF };

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		check(scheme_find(none[i]) == NULL);
	check(scheme_find(0x0807) != NULL && scheme_find(0x0807)->digest == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_only_what_tls_signs_is_signed),
		cmocka_unit_test(test_old_schemes_are_not_there) };

	return test_run(tests);
}
