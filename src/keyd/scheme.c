#include "keyd/keyd.h"

static const struct signature_scheme schemes[] = {
	{ 0x0401, "RSA", "SHA256", false, true }, /* rsa_pkcs1_sha256 … */
	{ 0x0501, "RSA", "SHA384", false, true },
	{ 0x0601, "RSA", "SHA512", false, true },
	{ 0x0804, "RSA", "SHA256", true, false }, /* rsa_pss_rsae_sha256 … */
	{ 0x0805, "RSA", "SHA384", true, false },
	{ 0x0806, "RSA", "SHA512", true, false },
	{ 0x0809, "RSA-PSS", "SHA256", true, false }, /* rsa_pss_pss_sha256 … */
	{ 0x080A, "RSA-PSS", "SHA384", true, false },
	{ 0x080B, "RSA-PSS", "SHA512", true, false },
	{ 0x0403, "EC", "SHA256", false, false }, /* ecdsa_secp256r1_sha256 … */
	{ 0x0503, "EC", "SHA384", false, false },
	{ 0x0603, "EC", "SHA512", false, false },
	{ 0x0807, "ED25519", NULL, false, false },
	{ 0x0808, "ED448", NULL, false, false },
};

const struct signature_scheme *signature_scheme_find(uint16_t number)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (schemes[i].number == number)
			return &schemes[i];
	return NULL;
}
