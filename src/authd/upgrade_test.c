#include "authd/upgrade.h"
#include "base/test.h"

static void test_worth(void **state)
{
	static const struct {
		const char *stored, *scheme, *to;
		bool want;
	} cases[] = {
		{ "{PLAIN}x", "CRYPT", "ARGON2ID", true },
		{ "x", "PLAIN", "SHA512-CRYPT", true },
		{ "{SSHA256.hex}00", "CRYPT", "BLF-CRYPT", true },
		{ "{SHA512-CRYPT}$6$a$b", "CRYPT", "ARGON2ID", true },
		{ "$6$a$b", "CRYPT", "ARGON2ID", true },
		{ "$6$a$b", "CRYPT", "SHA512-CRYPT", false },
		{ "$2y$05$x", "CRYPT", "ARGON2ID", true },
		{ "$2y$05$x", "CRYPT", "SHA512-CRYPT", false },
		{ "{CRYPT}$1$a$b", "PLAIN", "PBKDF2", false },
		{ "{CRYPT}$1$a$b", "PLAIN", "BLF-CRYPT", true },
		{ "$argon2id$v=19$m=64,t=1,p=4$x", "CRYPT", "ARGON2ID", false },
		{ "{ARGON2I}x", "CRYPT", "BLF-CRYPT", false },
		/* Only the beginning of these is known to be right; a SCRAM record is of use as it is. */
		{ "{DES-CRYPT}x", "CRYPT", "ARGON2ID", false },
		{ "{SHA512-CRYPT}xxYYxxYYxxYYx", "CRYPT", "ARGON2ID", false },
		{ "{SHA512-CRYPT}$2y$05$x", "CRYPT", "BLF-CRYPT", false },
		{ "xxYYxxYYxxYYx", "CRYPT", "ARGON2ID", false },
		{ "{PLAIN-TRUNC}4-test", "CRYPT", "ARGON2ID", false },
		{ "{SCRAM-SHA-256}4096,a,b,c", "CRYPT", "ARGON2ID", false },
		{ "{NONSENSE}x", "CRYPT", "ARGON2ID", false },
		{ "", "CRYPT", "ARGON2ID", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(
			upgrade_is_weaker(str_c(cases[i].stored), str_c(cases[i].scheme), cases[i].to), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_worth) };

	return test_run(tests);
}
