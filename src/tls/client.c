#include "tls/impl.h"

/* Client contexts: smtp_tls_*. */

static int apply(SSL_CTX *ssl, const struct conf_view *v, bool mandatory, struct buf *error)
{
	struct tls_cert_files files = { conf_str(v, "smtp_tls_chain_files"), conf_str(v, "smtp_tls_cert_file"),
		conf_str(v, "smtp_tls_key_file"), conf_str(v, "smtp_tls_eccert_file"),
		conf_str(v, "smtp_tls_eckey_file") };
	struct tls_trust trust = { "smtp_tls", conf_str(v, "smtp_tls_CAfile"), conf_str(v, "smtp_tls_CApath"),
		conf_bool(v, "tls_append_default_CA") };
	struct buf exclude = BUF_INIT(8192);
	int r;

	/* A level that verifies, and trusts nobody, would deliver nothing. */
	trust.system |= mandatory && *trust.file == '\0' && *trust.directory == '\0';
	buf_add_c(&exclude, conf_str(v, "smtp_tls_exclude_ciphers"));
	if (mandatory)
		buf_addf(&exclude, " %s", conf_str(v, "smtp_tls_mandatory_exclude_ciphers"));
	r = tls_apply_policy(ssl, conf_str(v, mandatory ? "smtp_tls_mandatory_protocols" : "smtp_tls_protocols"),
		conf_str(v, mandatory ? "smtp_tls_mandatory_ciphers" : "smtp_tls_ciphers"), exclude.p ? exclude.p : "",
		error);
	buf_free(&exclude);
	if (r != 0 || tls_load_certs(ssl, &files, error) < 0)
		return -1;
	return tls_load_trust(ssl, &trust, error);
}

struct tls_ctx *tls_client_ctx_for(const struct conf_view *v, bool mandatory, struct buf *error)
{
	struct tls_ctx *ctx = tls_ctx_new(true, error);

	if (ctx && apply(ctx->ssl, v, mandatory, error) != 0)
		tls_ctx_free(&ctx);
	return ctx;
}

struct tls_ctx *tls_client_ctx(const struct conf_view *v, struct buf *error)
{
	struct str level = str_c(conf_str(v, "smtp_tls_security_level"));

	return tls_client_ctx_for(v, level.n > 0 && !str_eq(level, STR("may")) && !str_eq(level, STR("none")), error);
}
