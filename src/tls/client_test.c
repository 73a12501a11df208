#include "base/log.h"
#include "tls/test_rig.h"

/* Whom a client's context trusts. */
static int trusted(const char *text, bool mandatory)
{
	struct buf main_cf = BUF_INIT(8192), errors = BUF_INIT(8192), error = BUF_INIT(8192);
	struct tls_ctx *ctx;
	struct conf *conf;
	int n;

	for (const char *p = text; *p; p++)
		buf_add(&main_cf, *p == '@' ? dir : p, *p == '@' ? strlen(dir) : 1);
	conf = conf_parse("/nonexistent", buf_str(&main_cf), STR(""), &errors, NULL);
	require(conf != NULL);
	ctx = tls_client_ctx_for(conf_main(conf), mandatory, &error);
	require(ctx != NULL);
	n = sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx->ssl)));
	tls_ctx_free(&ctx);
	conf_free(&conf);
	buf_free(&main_cf);
	buf_free(&errors);
	buf_free(&error);
	return n;
}

static void test_trust(void **state)
{
	static const struct {
		const char *text;
		bool mandatory;
		int trusted;
	} cases[] = {
		{ "", true, 1 }, /* nobody else is named: the system's */
		{ "", false, 0 },
		{ "tls_append_default_CA = yes\n", false, 1 },
		{ "smtp_tls_CAfile = @/two.pem\n", true, 1 },
		{ "smtp_tls_CAfile = @/two.pem\n", false, 1 },
		{ "smtp_tls_CAfile = @/two.pem\ntls_append_default_CA = yes\n", true, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(trusted(cases[i].text, cases[i].mandatory), cases[i].trusted);
	/* A system that has a directory alone. */
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	check_int(trusted("", true), 2);
	/* … and one that has none. */
	setenv("SSL_CERT_DIR", "/nonexistent", 1);
	check_int(trusted("", true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_trust) };
	EVP_PKEY *one, *two;
	int r;

	if (mkdtemp(dir) == NULL)
		return 1;
	one = EVP_EC_gen("P-256");
	two = EVP_EC_gen("P-256");
	make_cert("one", "one.example", one);
	make_cert("two", "two.example", two);
	unlink(in_dir("one.all")); /* a directory with each of them once */
	unlink(in_dir("two.all"));
	EVP_PKEY_free(one);
	EVP_PKEY_free(two);
	setenv("SSL_CERT_FILE", in_dir("one.pem"), 1);
	setenv("SSL_CERT_DIR", dir, 1);
	r = test_run(tests);
	rig_end();
	return r;
}
