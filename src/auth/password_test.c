#include "auth/password.h"
#include "base/test.h"

#include <stdlib.h>

static void test_known(void **state)
{
	static const struct {
		const char *stored, *scheme, *plain;
		int want;
	} cases[] = {
		{ "{PLAIN}SecurePass", "CRYPT", "SecurePass", 1 },
		{ "{plain}SecurePass", "CRYPT", "SecurePass", 1 },
		{ "{PLAIN}SecurePass", "CRYPT", "SecurePas", 0 },
		{ "{PLAIN}SecurePass", "CRYPT", "SecurePassX", 0 },
		{ "{PLAIN}", "CRYPT", "x", 0 },
		{ "SecurePass", "PLAIN", "SecurePass", 1 },
		{ "{PLAIN.b64}U2VjdXJlUGFzcw==", "CRYPT", "SecurePass", 1 },
		{ "{PLAIN.HEX}536563757265", "CRYPT", "Secure", 1 },
		{ "{PLAIN.rot13}x", "CRYPT", "x", -PASSWORD_ESCHEME },
		{ "{INVALID}x", "CRYPT", "x", -PASSWORD_ESCHEME },
		{ "{SHA1}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "CRYPT", "test", 1 },
		{ "{SHA}a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", "CRYPT", "test", 1 },
		{ "{SHA256.hex}9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "CRYPT", "test", 1 },
		{ "{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "CRYPT", "test2", 0 },
		{ "{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO", "CRYPT", "test", 1 },
		{ "{SSHA}AAAA", "CRYPT", "test", -PASSWORD_EDATA },
		{ "{SHA256}!!", "CRYPT", "test", -PASSWORD_EDATA },
		{ "{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW", "CRYPT", "test", 1 },
		{ "$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW", "CRYPT", "test", 1 },
		{ "{SHA512-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW", "CRYPT", "test", 1 },
		{ "{SHA512-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW", "CRYPT", "test2", 0 },
		{ "$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/", "SHA256-CRYPT", "test", 1 },
		{ "$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/", "BLF-CRYPT", "test", -PASSWORD_EDATA },
		{ "{CRYPT}", "CRYPT", "test", 0 },
		{ "{CRYPT}*", "CRYPT", "test", -PASSWORD_EDATA },
		{ "{MD5-CRYPT}$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/", "CRYPT", "test", -PASSWORD_EWEAK },
		{ "{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$50a83cafdc517b9f46519415e53c6a858908680a", "CRYPT", "test", 1 },
		{ "{PBKDF2}$1$bUnT4Pl7yFtYX0KU$99999999$50a83cafdc517b9f46519415e53c6a858908680a", "CRYPT", "test",
			-PASSWORD_ECOST },
		{ "{PBKDF2}$1$x", "CRYPT", "test", -PASSWORD_EDATA },
		{ "{ARGON2ID}$argon2id$v=19$m=99999999,t=3,p=1$vBb99oJ12p3WAdYlaMHz1A$jtFOtbo", "CRYPT", "test",
			-PASSWORD_ECOST },
		{ "{ARGON2ID}x", "CRYPT", "test", -PASSWORD_EDATA },
		{ "{PLAIN}x", "CRYPT", "", -PASSWORD_ETOOLONG },
		{ "$argon2id$v=19$m=64,t=1,p=4$c2FsdHNhbHRzYWx0c2FsdA$8Rr813E9JOHp9XcaNeqFcQ9oaafuZXgu4MPP2QTgPc4",
			"CRYPT", "SecurePass", 1 },
		{ "{CRYPT}$argon2id$v=19$m=64,t=1,p=4$c2FsdHNhbHRzYWx0c2FsdA$"
		  "8Rr813E9JOHp9XcaNeqFcQ9oaafuZXgu4MPP2QTgPc4",
			"PLAIN", "SecurePast", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int got = password_verify(str_c(cases[i].stored), str_c(cases[i].scheme), str_c(cases[i].plain), false);

		if (got != cases[i].want)
			print_message("case %zu: %s\n", i, cases[i].stored);
		check_int(got, cases[i].want);
	}
	check_int(
		password_verify(STR("{MD5-CRYPT}$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/"), STR("PLAIN"), STR("test"), true),
		1);
	check_int(password_verify(STR("{MD5}$1$wmyrgRuV$kImF6.9MAFQNHe23kq5vI/"), STR("PLAIN"), STR("test"), true), 1);
	check_int(password_verify(STR("{LDAP-MD5}CY9rzUYh03PK3k6DJie09g=="), STR("PLAIN"), STR("test"), true), 1);
}

static void test_like(void **state)
{
	static const struct {
		const char *stored, *scheme, *want;
	} cases[] = {
		{ "$6$rounds=9000$salt$hash", "CRYPT", "{CRYPT}$6$rounds=9000$salt$hash" },
		{ "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=4$a$b", "CRYPT", "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=4$a$b" },
		{ "6162", "SHA256.hex", "{SHA256.hex}6162" },
		{ "{NONE}x", "CRYPT", NULL },
		{ "{CRYPT}", "CRYPT", NULL },
		{ "", "PLAIN", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1024);

		check_int(password_like(str_c(cases[i].stored), str_c(cases[i].scheme), &out) == 0,
			cases[i].want != NULL);
		check_str(buf_str(&out), cases[i].want ? cases[i].want : "");
		buf_wipe(&out);
	}
}

/* Plain text is not kept, and what stands for it has its length and matches nobody's. */
static void test_like_plain(void **state)
{
	struct buf out = BUF_INIT(1024);

	(void)state;
	check_int(password_like(STR("{PLAIN}SecurePass"), STR("CRYPT"), &out), 0);
	check(str_has_prefix(buf_str(&out), STR("{PLAIN.hex}")));
	check_int((int)out.n, 11 + 2 * 10);
	check_int(password_verify(buf_str(&out), STR("CRYPT"), STR("SecurePass"), false), 0);
	buf_wipe(&out);
}

static void test_length(void **state)
{
	char long_one[PASSWORD_MAX + 1];

	(void)state;
	memset(long_one, 'x', sizeof long_one);
	check_int(password_verify(STR("{PLAIN}x"), STR("PLAIN"), str_pn(long_one, PASSWORD_MAX), false), 0);
	check_int(password_verify(STR("{PLAIN}x"), STR("PLAIN"), str_pn(long_one, PASSWORD_MAX + 1), false),
		-PASSWORD_ETOOLONG);
	check_int(password_verify(STR("{PLAIN}x"), STR("PLAIN"), STR("x\0y"), false), -PASSWORD_ETOOLONG);
}

/* Two ways to type a password (RFC 4013); one that cannot be prepared is compared as it is. */
static void test_prepared(void **state)
{
	(void)state;
	check_int(password_verify(STR("{PLAIN}IX"), STR(""), STR("\xe2\x85\xa8"), false), 1);
	check_int(password_verify(STR("{PLAIN}\xe2\x85\xa8"), STR(""), STR("\xe2\x85\xa8"), false), 1);
	check_int(password_verify(STR("{PLAIN}a\tb"), STR(""), STR("a\tb"), false), 1);
	check_int(password_verify(STR("{PLAIN}\xff"), STR(""), STR("\xff"), false), 1);
	check_int(password_verify(STR("{PLAIN}IX"), STR(""), STR("\xe2\x85\xa9"), false), 0);
}

static void test_raw(void **state)
{
	static const struct {
		const char *stored, *scheme, *want;
		enum password_use use;
	} cases[] = {
		{ "{SCRAM-SHA-256}1,a,b,c", "SCRAM-SHA-256", "1,a,b,c", PASSWORD_RAW_SCHEME },
		{ "{scram-sha-256}1,a,b,c", "SCRAM-SHA-256", "1,a,b,c", PASSWORD_RAW_SCHEME },
		{ "{SCRAM-SHA-256}1,a,b,c", "SCRAM-SHA-1", "", PASSWORD_RAW_NONE },
		{ "{PLAIN}pass", "SCRAM-SHA-1", "pass", PASSWORD_RAW_PLAIN },
		{ "{CLEARTEXT.b64}cGFzcw==", "SCRAM-SHA-1", "pass", PASSWORD_RAW_PLAIN },
		{ "{PLAIN.hex}706", "SCRAM-SHA-1", "", PASSWORD_RAW_NONE },
		{ "{SHA512-CRYPT}$6$a$b", "SCRAM-SHA-1", "", PASSWORD_RAW_NONE },
		{ "pass", "SCRAM-SHA-1", "pass", PASSWORD_RAW_PLAIN }, /* by the default scheme */
		{ "{NONE}pass", "SCRAM-SHA-1", "", PASSWORD_RAW_NONE },
		{ "{PLAIN}", "SCRAM-SHA-1", "", PASSWORD_RAW_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(256);
		enum password_use use = password_raw(str_c(cases[i].stored), STR("PLAIN"), cases[i].scheme, &out);

		check_int(use, cases[i].use);
		if (use != PASSWORD_RAW_NONE)
			check_str(buf_str(&out), cases[i].want);
		buf_wipe(&out);
	}
}

static void test_make(void **state)
{
	static const char *const schemes[] = { "ARGON2ID", "ARGON2I", "BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT",
		"CRYPT", "PBKDF2", "SSHA", "SSHA256", "SSHA512", "SHA", "SHA1", "SHA256", "SHA512", "PLAIN",
		"CLEARTEXT", "SSHA256.HEX", "PLAIN.b64", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "CRAM-MD5",
		"CRAM-MD5.b64" };

	(void)state;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		struct buf a = BUF_INIT(8192);

		check_int(password_make(str_c(schemes[i]), STR("SecurePass"), &a), 0);
		check_int(password_verify(buf_str(&a), STR("nothing"), STR("SecurePass"), false), 1);
		check_int(password_verify(buf_str(&a), STR("nothing"), STR("SecurePasT"), false), 0);
		buf_wipe(&a);
		check_int(password_scheme_check(str_c(schemes[i]), false), 0);
	}
	check_int(password_scheme_check(STR("MD5"), false), -PASSWORD_EWEAK);
	check_int(password_scheme_check(STR("MD5"), true), 0);
	check_int(password_scheme_check(STR("ROT13"), true), -PASSWORD_ESCHEME);
}

/* Schemes of that list which are no stored form of a password here. */
static bool is_out(struct str scheme)
{
	(void)scheme;
	return false;
}

static void test_corpus(void **state)
{
	const char *dir = getenv("GATEPOST_SHARED");
	char path[4096], line[4096], stored[4096];
	FILE *f;

	(void)state;
	password_load();
	snprintf(path, sizeof path, "%s/corpora/passwd/dovecot-schemes.tsv", dir ? dir : "../shared");
	f = fopen(path, "r");
	if (f == NULL) {
		printf("skipped: no %s\n", path);
		check(true);
		return;
	}
	while (fgets(line, sizeof line, f)) {
		struct str rest = str_c(line), scheme, data, plain;
		int want;

		if (*line == '#' || !str_field(&rest, "\t", &scheme) || !str_field(&rest, "\t", &data) ||
			!str_field(&rest, "\t", &plain))
			continue;
		snprintf(stored, sizeof stored, "{%.*s}%.*s", STR_ARG(scheme), STR_ARG(data));
		want = is_out(scheme) ? -PASSWORD_ESCHEME : 1;
		if (password_verify_user(str_c(stored), STR("PLAIN"), STR("testuser1"), plain, true) != want)
			print_message("%s\n", stored);
		check_int(password_verify_user(str_c(stored), STR("PLAIN"), STR("testuser1"), plain, true), want);
		check(password_verify(str_c(stored), STR("PLAIN"), STR("another"), true) != 1);
	}
	fclose(f);
}

/* Stored passwords that Dovecot's own tests have. */
static void test_dovecot(void **state)
{
	static const char *const stored[] = { "{PLAIN}test", "{CRYPT}//EsnG9FLTKjo",
		"{PLAIN-MD4}db346d691d7acc4dc2625db19f9e3f52", "{MD5}$1$wmyrgRuV$kImF6.9MAFQNHe23kq5vI/",
		"{SHA1}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "{SMD5}JTu1KRwptKZJg/RLd+6Vn5GUd0M=",
		"{LDAP-MD5}CY9rzUYh03PK3k6DJie09g==", "{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
		"{SHA512}7iaw3Ur350mqGo7jwQrpkj9hiYB3Lkc/iBml1JQODbJ6wYX4oOHV+E+IvIh/1nsUNzLDBMxfqa2Ob1f1ACio/w==",
		"{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO", "{MD5-CRYPT}$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/",
		"{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$50a83cafdc517b9f46519415e53c6a858908680a",
		"{DIGEST-MD5}77c1a8c437c9b08ba2f460fe5d58db5d", "{DIGEST-MD5.b64}d8GoxDfJsIui9GD+XVjbXQ==",
		"{SCRAM-SHA-1}4096,GetyLXdBuHzf1FWf8SLz2Q==,NA/OqmF4hhrsrB9KR7po+dliTGM=,QBiURvQaE6H6qYTmeghDHLANBFQ=",
		"{SCRAM-SHA-256}4096,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CII7cMz3XjRy/Oh3Ae2LHApoDyNw74d3YtFws=,"
		"AQH0j7Hf8J12g8eNBadvzlNB2am3PxgNwFCFd3RxEaw=",
		"{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW",
		"{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$f2iuP4aUeNMrgu34fhOkkg$1XSZZMWlIs0zmE+snlUIcLADO3GXbA2O/"
		"hsQmmc317k",
		"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$vBb99oJ12p3WAdYlaMHz1A$jtFOtbo/sYV9OSlTxDo/"
		"nVNq3uArHd5GJSEx0ty85Cc",
		"{PLAIN-TRUNC}4-test", "{PLAIN-TRUNC}2-te", "{PLAIN-TRUNC}9-test",
		"{OTP}sha1 1024 4ca30adc4469f58f 59ff493599df6f43", "{PLAIN-MD5}098f6bcd4621d373cade4e832627b4f6",
		"{PLAIN-MD5}CY9rzUYh03PK3k6DJie09g==" };
	/* Not in 2.4's list of weak ones. */
	static const char weak[] = "MD5 MD5-CRYPT SMD5 HMAC-MD5 PLAIN-MD4 PLAIN-MD5 LDAP-MD5 DES-CRYPT ";

	(void)state;
	password_load();
	for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
		struct str s = str_c(stored[i]);
		const char *name = strndup(s.p + 1, (size_t)(strpbrk(s.p, ".}") - s.p) - 1), *at = strstr(weak, name);
		bool is_weak = at && at[strlen(name)] == ' ' && (at == weak || at[-1] == ' ');

		if (password_verify_user(s, STR("CRYPT"), STR("testuser1"), STR("test"), true) != 1)
			fail_msg("%s", stored[i]);
		check_int(password_verify_user(s, STR("CRYPT"), STR("testuser1"), STR("Test"), true), 0);
		check_int(password_verify_user(s, STR("CRYPT"), STR("testuser1"), STR("test"), false),
			is_weak ? -PASSWORD_EWEAK : 1);
		free((void *)(uintptr_t)name);
	}
	check_int(password_verify_user(stored[0] ? STR("{DIGEST-MD5}77c1a8c437c9b08ba2f460fe5d58db5d") : STR(""),
			  STR("CRYPT"), STR("testuser2"), STR("test"), false),
		0);
	check_int(
		password_verify(STR("{DIGEST-MD5}77c1a8c437c9b08ba2f460fe5d58db5d"), STR("CRYPT"), STR("test"), false),
		-PASSWORD_ENAME);
	check_int(password_verify(STR("{PLAIN-TRUNC}test"), STR("CRYPT"), STR("test"), false), -PASSWORD_EDATA);
	check_int(password_verify(STR("{PLAIN-TRUNC}4-test"), STR("CRYPT"), STR("testxyz"), false), 1);
	check_int(password_verify(STR("{PLAIN-TRUNC}9-test"), STR("CRYPT"), STR("testx"), false), 0);
	check_int(password_verify(
			  STR("{OTP}sha1 99999 4ca30adc4469f58f 59ff493599df6f43"), STR("CRYPT"), STR("test"), false),
		-PASSWORD_EDATA);
	check_int(password_verify(STR("{OTP}md4 1 a 59ff493599df6f43"), STR("CRYPT"), STR("test"), false),
		-PASSWORD_EDATA);
}

/* No hash is made that no check would take, and the reason is not that of a scheme that cannot be made at all. */
static void test_rounds(void **state)
{
	static const struct {
		const char *scheme;
		unsigned rounds;
		int result;
	} cases[] = {
		{ "BLF-CRYPT", 3, -PASSWORD_EROUNDS },
		{ "BLF-CRYPT", 4, 0 },
		{ "BLF-CRYPT", 32, -PASSWORD_EROUNDS },
		{ "ARGON2ID", 1, 0 },
		{ "ARGON2ID", 65, -PASSWORD_EROUNDS },
		{ "ARGON2I", 1000000, -PASSWORD_EROUNDS },
		{ "PBKDF2", 999999999, -PASSWORD_EROUNDS },
		{ "SHA512-CRYPT", 6000, 0 },
	};

	(void)state;
	password_load();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf made = BUF_INIT(4096);

		check_int(
			password_make_for(str_c(cases[i].scheme), STR("user@realm"), STR("x"), cases[i].rounds, &made),
			cases[i].result);
		check((made.n > 0) == (cases[i].result == 0));
		buf_wipe(&made);
	}
	check(strcmp(password_err_text(-PASSWORD_EROUNDS), "no error") != 0);
}

static void test_make_all(void **state)
{
	static const unsigned rounds[] = { 0, 5 };

	(void)state;
	for (size_t i = 0; password_scheme_name(i); i++)
		for (size_t k = 0; k < 2; k++) {
			struct buf made = BUF_INIT(4096);
			int r = password_make_for(
				str_c(password_scheme_name(i)), STR("user@realm"), STR("SecurePass"), rounds[k], &made);

			if (r == 0) {
				check_int(password_verify_user(buf_str(&made), STR("PLAIN"), STR("user@realm"),
						  STR("SecurePass"), true),
					1);
				check_int(password_verify_user(buf_str(&made), STR("PLAIN"), STR("user@realm"),
						  STR("SecurePast"), true),
					strcmp(password_scheme_name(i), "DES-CRYPT") == 0);
			} else {
				check(r == -PASSWORD_ECANNOT || rounds[k]);
			}
			buf_wipe(&made);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_dovecot), cmocka_unit_test(test_make_all),
		cmocka_unit_test(test_rounds), cmocka_unit_test(test_known), cmocka_unit_test(test_like),
		cmocka_unit_test(test_like_plain), cmocka_unit_test(test_length), cmocka_unit_test(test_make),
		cmocka_unit_test(test_prepared), cmocka_unit_test(test_raw), cmocka_unit_test(test_corpus) };

	return test_run(tests);
}
