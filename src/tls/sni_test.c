#include "tls/test_rig.h"

#include "base/log.h"
#include "sasl/base64.h"

/* Which certificate a client gets that asks for this name; "" when the handshake fails. NULL: it asks for none. */
static const char *served(struct tls_ctx *ctx, SSL_CTX *client_ctx, const char *name)
{
	static char cn[128];
	struct pair p;

	cn[0] = '\0';
	check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd), 0);
	p.conn = tls_accept(ctx, p.fd[0]);
	p.client = SSL_new(client_ctx);
	SSL_set_fd(p.client, p.fd[1]);
	SSL_set_connect_state(p.client);
	if (name)
		SSL_set_tlsext_host_name(p.client, name);
	if (shake(p.conn, p.client))
		X509_NAME_get_text_by_NID(
			X509_get_subject_name(SSL_get0_peer_certificate(p.client)), NID_commonName, cn, sizeof cn);
	pair_close(&p);
	return cn;
}

static void write_file(const char *name, struct str text)
{
	FILE *f = fopen(in_dir(name), "we");

	fwrite(text.p, 1, text.n, f);
	fclose(f);
}

static void make_files(void)
{
	static const char *const names[] = { "default", "one", "two", "wild", "other" };
	struct buf pem = BUF_INIT(65536), text = BUF_INIT(65536);
	FILE *f;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		EVP_PKEY *key = i == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

		make_cert(names[i], names[i], key);
		EVP_PKEY_free(key);
	}
	f = fopen(in_dir("two.all"), "re");
	buf_commit(&pem, fread(buf_reserve(&pem, 32768), 1, 32768, f));
	fclose(f);
	buf_add_c(&text, "Two.Example ");
	base64_encode(&text, buf_str(&pem));
	buf_addf(&text, "\n.wild.example %s/wild.all\nbroken.example %s/one.key, %s/two.pem\nnone.example %s/none\n",
		dir, dir, dir, dir);
	write_file("table", buf_str(&text));
	buf_free(&pem);
	buf_free(&text);
}

#define DEFAULT "smtpd_tls_chain_files = @/default.all\n"
#define TABLES                                                                                                        \
	"tls_server_sni_maps = inline:{ { one.example = @/one.key @/one.pem }, { x.wild.example = @/other.all } },\n" \
	"  texthash:@/table\n"

static void test_names(void **state)
{
	static const struct {
		const char *name, *served;
	} cases[] = {
		{ NULL, "default" },
		{ "one.example", "one" },
		{ "ONE.example", "one" },
		{ "one.example.", "one" },
		{ "two.example", "two" },
		{ "sub.one.example", "default" },
		{ "a.wild.example", "wild" },
		{ "a.b.wild.example", "wild" },
		{ "x.wild.example", "other" },
		{ "wild.example", "default" },
		{ "broken.example", "default" },
		{ "none.example", "default" },
		{ "nobody.example", "default" },
		{ "example", "default" },
		{ ".", "default" },
		{ "..", "default" },
		{ ".wild.example", "default" },
		{ "one.example\\", "default" },
		{ "../one.example", "default" },
		{ "/etc/passwd", "default" },
		{ "one.example\t", "default" },
		{ "\x80\xff.example", "default" },
		{ "a\r\nb.example", "default" },
	};
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = server(DEFAULT TABLES, "smtp", &error), *second;
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	char longest[256];

	(void)state;
	check(ctx != NULL);
	check(strstr(error.p, "no certificate for broken.example") != NULL);
	check(strstr(error.p, "no certificate for none.example") != NULL);
	check(strstr(error.p, "two.example") == NULL);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX_set_max_proto_version(client, version);
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			check_str(str_c(served(ctx, client, cases[i].name)), cases[i].served);
	}
	memset(longest, 'a', 255);
	longest[255] = '\0';
	check_str(str_c(served(ctx, client, longest)), "default");
	memset(longest, '.', 255);
	check_str(str_c(served(ctx, client, longest)), "default");
	memcpy(longest + 255 - 13, ".wild.example", 13);
	check_str(str_c(served(ctx, client, longest)), "default");
	/* Another service has the same table, read once. */
	second = server(DEFAULT TABLES, "submission", &error);
	check(second->names == ctx->names);
	tls_ctx_free(&ctx);
	check_str(str_c(served(second, client, "one.example")), "one");
	tls_ctx_free(&second);
	SSL_CTX_free(client);
	buf_free(&error);
}

/* A name that is not known leaves nothing behind: OpenSSL keeps it for as long as the session, and we nowhere. */
static void test_many_names(void **state)
{
	enum { NAMES = 300 };
	struct buf error = BUF_INIT(8192);
	struct tls_ctx *ctx = server("smtpd_tls_chain_files = @/one.all\n" TABLES, "smtp", &error);
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	size_t before = ctx->names->n;
	char name[64];

	(void)state;
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "%u.%u.random.example", i * 2654435761u, i);
		check_str(str_c(served(ctx, client, name)), "one");
	}
	check_int(ctx->names->n, before);
	check_int(SSL_CTX_sess_number(ctx->ssl), 0);
	tls_ctx_free(&ctx);
	SSL_CTX_free(client);
	buf_free(&error);
}

static void test_tables_that_cannot_be_listed(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ DEFAULT "tls_server_sni_maps = static:{ @/one.all }\n", "cannot be listed" },
		{ DEFAULT "tls_server_sni_maps = texthash:@/nowhere\n", "cannot read" },
		{ DEFAULT "tls_server_sni_maps = inline:{ { x = @/one.pem } }\n", "in front of its own" },
		{ DEFAULT "tls_server_sni_maps = inline:{ { x = AAAA } }\n", "cannot read the TLS chain file" },
	};
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf error = BUF_INIT(8192);
		struct tls_ctx *ctx = server(cases[i].text, "smtp", &error);

		check(ctx != NULL && error.p != NULL && strstr(error.p, cases[i].said));
		check_str(str_c(served(ctx, client, "x")), "default");
		tls_ctx_free(&ctx);
		buf_free(&error);
	}
	SSL_CTX_free(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_tables_that_cannot_be_listed) };
	int r;

	if (mkdtemp(dir) == NULL)
		return 1;
	make_files();
	r = test_run(tests);
	rig_end();
	return r;
}
