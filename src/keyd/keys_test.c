/* Whole handshakes with keys that only this side holds: what master records is what smtpd and keyd get. */
#include "keyd/keyd.h"
#include "tls/held.h"
#include "tls/test_rig.h"

#include <openssl/rsa.h>
#include <sys/mman.h>
#include <sys/stat.h>

static struct keys held;
static unsigned asked;
static bool away;

/* As keyd answers. */
static const char *sign(const struct key_id *id, uint16_t scheme, struct str text, unsigned char *out, size_t *n)
{
	struct key_question q = { .request = 7, .key = *id, .scheme = scheme, .text = text };
	const struct signature_scheme *s = signature_scheme_find(scheme);
	char room[KEY_SIGNATURE_MAX];
	struct key_answer a;

	asked++;
	if (away)
		return "it is away";
	check(s != NULL && handshake_is_tls(s, text));
	keys_answer(&held, &q, room, &a);
	if (a.status != KEY_SIGNED)
		return "refused";
	check_int(a.request, 7);
	memcpy(out, a.signature.p, a.signature.n);
	*n = a.signature.n;
	return NULL;
}

static EVP_PKEY *rsa_pss(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *key = NULL;

	check(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) == 1 &&
		EVP_PKEY_generate(ctx, &key) == 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* Their certificates sign themselves: Ed25519 and Ed448 have a digest of their own. */
static void make(const char *name, EVP_PKEY *key, const EVP_MD *digest)
{
	X509 *cert = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const void *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	check(X509_sign(cert, key, digest) > 0);
	write_pem(name, "pem", NULL, cert);
	write_pem(name, "key", key, NULL);
	write_pem(name, "all", key, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void make_all(void)
{
	check(mkdtemp(dir) != NULL);
	make("rsa", EVP_RSA_gen(2048), EVP_sha256());
	make("pss", rsa_pss(), EVP_sha256());
	make("p256", EVP_EC_gen("P-256"), EVP_sha256());
	make("p384", EVP_EC_gen("P-384"), EVP_sha384());
	make("p521", EVP_EC_gen("P-521"), EVP_sha512());
	make("ed25519", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
	make("ed448", EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL);
	make("other", EVP_EC_gen("P-256"), EVP_sha256());
}

static void take_keys(int fd)
{
	struct buf error = BUF_INIT(4096);
	struct stat st;
	void *p;

	check_int(fstat(fd, &st), 0);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	check_int(keys_add(&held, str_pn(p, (size_t)st.st_size), &error), 0);
	munmap(p, (size_t)st.st_size);
}

/* A context of this configuration whose keys are in `held`. NULL: *error says why. */
static struct tls_ctx *held_server(const char *conf, size_t want_keys, struct buf *error)
{
	struct buf before = BUF_INIT(8192);
	struct tls_ctx *ctx;
	struct tls_record record;

	tls_record_begin(TLS_RECORD_MAX, NULL);
	ctx = server(conf, "smtp", &before);
	tls_ctx_free(&ctx);
	check_int(tls_record_end(&record, error), 0);
	check_int(record.n_keys, want_keys);
	keys_free(&held);
	take_keys(record.keys_fd);
	take_keys(record.keys_fd); /* two stores may have the same keys */
	keys_seal(&held);
	check_int(held.n, want_keys);
	tls_store_use(dup(record.certs_fd));
	tls_record_free(&record);
	ctx = server(conf, "smtp", error);
	tls_store_end();
	check_str(buf_str(error), before.n ? before.p : "");
	buf_free(&before);
	return ctx;
}

/* Name of the signature that the client gets; "": no handshake. Its public key is looked at by OpenSSL itself. */
static const char *shake_with(struct tls_ctx *ctx, int version, const char *sigalgs, const char *ciphers)
{
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	static char name[48];
	struct tls_info info;
	struct pair p;

	SSL_CTX_set_min_proto_version(client, version);
	SSL_CTX_set_max_proto_version(client, version);
	if (sigalgs)
		check_int(SSL_CTX_set1_sigalgs_list(client, sigalgs), 1);
	if (ciphers)
		check_int(SSL_CTX_set_cipher_list(client, ciphers), 1);
	pair_open(&p, ctx, client, NULL);
	*name = '\0';
	if (p.up) {
		tls_info(p.conn, &info);
		snprintf(name, sizeof name, "%s %s", info.server_signature, info.server_digest);
	}
	pair_close(&p);
	SSL_CTX_free(client);
	return name;
}

enum { V12 = TLS1_2_VERSION, V13 = TLS1_3_VERSION };

static void test_every_kind_of_key_signs(void **state)
{
	static const struct {
		const char *conf;
		size_t n_keys;
		int version;
		const char *sigalgs, *ciphers, *want;
	} cases[] = {
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V13, NULL, NULL, "RSA-PSS (2048 bits) SHA256" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V13, "RSA-PSS+SHA384", NULL, "RSA-PSS (2048 bits) SHA384" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V13, "RSA-PSS+SHA512", NULL, "RSA-PSS (2048 bits) SHA512" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V12, "RSA+SHA256", NULL, "RSA (2048 bits) SHA256" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V12, "RSA+SHA384", NULL, "RSA (2048 bits) SHA384" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V12, "RSA+SHA512", NULL, "RSA (2048 bits) SHA512" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V12, "RSA-PSS+SHA256", NULL, "RSA-PSS (2048 bits) SHA256" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V12, "RSA+SHA224:RSA+SHA256", NULL,
			"RSA (2048 bits) SHA256" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V12, "RSA+SHA1", NULL, "" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V12, NULL, "DHE-RSA-AES256-GCM-SHA384",
			"RSA-PSS (2048 bits) SHA256" },
		{ "smtpd_tls_cert_file = @/rsa.all\n", 1, V12, NULL, "AES256-GCM-SHA384", "" },
		{ "smtpd_tls_cert_file = @/rsa.all\nsmtpd_tls_ciphers = low\n", 1, V12, NULL, "AES256-GCM-SHA384", "" },
		{ "smtpd_tls_cert_file = @/pss.all\n", 1, V13, NULL, NULL, "RSA-PSS (2048 bits) SHA256" },
		{ "smtpd_tls_cert_file = @/pss.all\n", 1, V12, NULL, NULL, "RSA-PSS (2048 bits) SHA256" },
		{ "smtpd_tls_cert_file = @/p256.pem\nsmtpd_tls_key_file = @/p256.key\n", 1, V13, NULL, NULL,
			"ECDSA (P-256) SHA256" },
		{ "smtpd_tls_cert_file = @/p256.pem\nsmtpd_tls_key_file = @/p256.key\n", 1, V12, NULL, NULL,
			"ECDSA (P-256) SHA256" },
		{ "smtpd_tls_eccert_file = @/p384.all\n", 1, V13, NULL, NULL, "ECDSA (secp384r1) SHA384" },
		{ "smtpd_tls_eccert_file = @/p384.all\n", 1, V12, "ECDSA+SHA256", NULL, "ECDSA (secp384r1) SHA256" },
		{ "smtpd_tls_eccert_file = @/p521.all\n", 1, V13, NULL, NULL, "ECDSA (secp521r1) SHA512" },
		{ "smtpd_tls_chain_files = @/ed25519.all\n", 1, V13, NULL, NULL, "ED25519 " },
		{ "smtpd_tls_chain_files = @/ed25519.all\n", 1, V12, NULL, NULL, "ED25519 " },
		{ "smtpd_tls_chain_files = @/ed448.all\n", 1, V13, NULL, NULL, "ED448 " },
		{ "smtpd_tls_chain_files = @/rsa.all, @/p256.all @/ed25519.all\n", 3, V13, "ed25519", NULL,
			"ED25519 " },
		{ "smtpd_tls_chain_files = @/rsa.all, @/p256.all @/ed25519.all\n", 3, V13, "RSA-PSS+SHA256", NULL,
			"RSA-PSS (2048 bits) SHA256" },
		{ "smtpd_tls_chain_files = @/rsa.all, @/p256.all @/ed25519.all\n", 3, V12, "RSA+SHA256", NULL,
			"RSA (2048 bits) SHA256" },
		{ "smtpd_tls_cert_file = @/rsa.all\nsmtpd_tls_eccert_file = @/p256.all\n", 2, V13, NULL, NULL,
			"ECDSA (P-256) SHA256" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf error = BUF_INIT(8192);
		struct tls_ctx *ctx = held_server(cases[i].conf, cases[i].n_keys, &error);
		unsigned before = asked;

		printf("%zu: %s", i, cases[i].conf);
		check(ctx != NULL);
		check_str(str_c(shake_with(ctx, cases[i].version, cases[i].sigalgs, cases[i].ciphers)), cases[i].want);
		check_int(asked - before, *cases[i].want != '\0'); /* once a handshake */
		tls_ctx_free(&ctx);
	}
}

static void test_names_have_held_keys(void **state)
{
	static const char conf[] =
		"smtpd_tls_cert_file = @/rsa.all\n"
		"tls_server_sni_maps = inline:{ { a.example = @/p256.all }, { b.example = @/p256.all },"
		" { c.example = @/nonexistent } }\n";
	struct buf error = BUF_INIT(8192), expect = BUF_INIT(8192);
	struct tls_ctx *ctx = held_server(conf, 2, &error);
	const struct tls_chains *c = tls_sni_find(ctx->names, "a.example");

	(void)state;
	check(c && c->n == 1 && X509_check_private_key(c->item[0].leaf, c->item[0].key) == 1);
	check(tls_sni_find(ctx->names, "b.example") != NULL);
	check(tls_sni_find(ctx->names, "c.example") == NULL);
	check(memmem(error.p, error.n, "has no certificate for c.example", 32) != NULL);
	tls_ctx_free(&ctx);
	buf_free(&error);
	buf_free(&expect);
}

static void test_the_private_half_cannot_be_had(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = held_server("smtpd_tls_cert_file = @/p256.all\n", 1, &error);
	EVP_PKEY *key = SSL_CTX_get0_privatekey(ctx->ssl);
	BIGNUM *private = NULL;
	unsigned char *der = NULL;

	(void)state;
	check(key != NULL);
	check_int(EVP_PKEY_get_bn_param(key, "priv", &private), 0);
	check(i2d_PrivateKey(key, &der) <= 0);
	tls_openssl_why();
	tls_ctx_free(&ctx);
}

static void test_files_that_are_faulty_are_told_as_before(void **state)
{
	static const char *const confs[] = { "smtpd_tls_cert_file = @/nonexistent\n",
		"smtpd_tls_cert_file = @/p256.pem\nsmtpd_tls_key_file = @/other.key\n", "smtpd_tls_cert_file =\n" };

	(void)state;
	for (size_t i = 0; i < sizeof confs / sizeof *confs; i++) {
		struct buf error = BUF_INIT(8192);

		check(held_server(confs[i], 0, &error) == NULL);
		check(error.n > 0);
		buf_free(&error);
	}
}

static void test_without_a_signature_the_handshake_fails_and_says_why(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = held_server("smtpd_tls_cert_file = @/p256.all\n", 1, &error);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	struct pair p;

	(void)state;
	away = true;
	pair_open(&p, ctx, client, NULL);
	check(!p.up);
	check_str(str_c(tls_error_text(p.conn)), "no signature by the private key: it is away");
	pair_close(&p);
	away = false;
	pair_open(&p, ctx, client, NULL);
	check(p.up);
	pair_close(&p);
	keys_free(&held); /* another keyd, with other keys */
	pair_open(&p, ctx, client, NULL);
	check_str(str_c(tls_error_text(p.conn)), "no signature by the private key: refused");
	pair_close(&p);
	SSL_CTX_free(client);
	tls_ctx_free(&ctx);
}

static void test_a_broken_store_is_refused(void **state)
{
	static const char truncated[KEY_ID_OCTETS + 8] = { [KEY_ID_OCTETS] = 9 },
						    garbage[KEY_ID_OCTETS + 5] = { [KEY_ID_OCTETS] = 1 };
	struct buf error = BUF_INIT(8192);
	struct keys k = { .n = 0 };

	(void)state;
	check_int(keys_add(&k, str_pn(truncated, sizeof truncated), &error), -1);
	check_int(keys_add(&k, str_pn(garbage, sizeof garbage), &error), -1);
	check_int(keys_add(&k, STR(""), &error), 0);
	check_int(k.n, 0);
	keys_seal(&k);
	keys_free(&k);
	buf_free(&error);
}

static void test_a_scheme_of_another_key_fails(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = held_server("smtpd_tls_cert_file = @/p256.all\n", 1, &error);
	struct key_question q = { .scheme = 0x0804, .text = STR("x") };
	char room[KEY_SIGNATURE_MAX];
	struct key_answer a;

	(void)state;
	q.key = *(const struct key_id *)(const void *)held.item; /* its id stands first */
	keys_answer(&held, &q, room, &a);
	check_int(a.status, KEY_FAILED);
	q.scheme = 0x0403;
	keys_answer(&held, &q, room, &a);
	check_int(a.status, KEY_SIGNED);
	q.key.octets[0] ^= 1;
	keys_answer(&held, &q, room, &a);
	check_int(a.status, KEY_UNKNOWN);
	tls_ctx_free(&ctx);
}

/* As libssl would not: behind a prime that is longer than the key a client's certificate has room. */
static void test_a_prime_that_is_too_long_for_the_key_fails(void **state)
{
	static const struct {
		BIGNUM *(*get)(BIGNUM *);
		enum key_status want;
	} cases[] = { { BN_get_rfc3526_prime_2048, KEY_SIGNED }, { BN_get_rfc3526_prime_3072, KEY_FAILED },
		{ BN_get_rfc3526_prime_8192, KEY_FAILED } };
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = held_server("smtpd_tls_cert_file = @/rsa.all\n", 1, &error);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned char text[64 + 2 + 1024 + 3 + 2 + 1] = { 0 }, *p = text + 64;
		BIGNUM *prime = cases[i].get(NULL);
		int n = BN_num_bytes(prime);
		struct key_question q = { .scheme = 0x0401, .text = str_pn(text, 64 + 2 + (size_t)n + 3 + 2 + 1) };
		char room[KEY_SIGNATURE_MAX];
		struct key_answer a;

		p[0] = (unsigned char)(n >> 8);
		p[1] = (unsigned char)n;
		BN_bn2bin(prime, p + 2);
		memcpy(p + 2 + n, "\0\1\2\0\1x", 6);
		BN_free(prime);
		q.key = *(const struct key_id *)(const void *)held.item;
		check(handshake_is_tls(signature_scheme_find(q.scheme), q.text));
		keys_answer(&held, &q, room, &a);
		check_int(a.status, cases[i].want);
	}
	tls_ctx_free(&ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_kind_of_key_signs),
		cmocka_unit_test(test_names_have_held_keys), cmocka_unit_test(test_the_private_half_cannot_be_had),
		cmocka_unit_test(test_files_that_are_faulty_are_told_as_before),
		cmocka_unit_test(test_without_a_signature_the_handshake_fails_and_says_why),
		cmocka_unit_test(test_a_broken_store_is_refused), cmocka_unit_test(test_a_scheme_of_another_key_fails),
		cmocka_unit_test(test_a_prime_that_is_too_long_for_the_key_fails) };
	int failed;

	make_all();
	tls_held_keys_sign_by(sign);
	failed = test_run(tests);
	keys_free(&held);
	rig_end();
	return failed;
}
