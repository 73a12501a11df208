#include "tls/impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Client contexts: smtp_tls_*. */

/* Certificates of a directory are loaded now: later, in the jail, it could not be read. */
static int load_directory(SSL_CTX *ssl, const char *path, struct buf *error)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	DIR *dir = opendir(path);
	struct dirent *e;
	char file[4096];

	tls_note_file(path);
	if (dir == NULL) {
		buf_addf(error, "smtp_tls_CApath: cannot read the directory %s: %s", path, strerror(errno));
		return -1;
	}
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		X509_STORE_load_file(store, file); /* a file that is none is skipped, as c_rehash does */
	}
	closedir(dir);
	tls_openssl_why(); /* empties the queue of what those files left */
	return 0;
}

static int load_trust(SSL_CTX *ssl, const struct conf_view *v, struct buf *error)
{
	const char *file = conf_str(v, "smtp_tls_CAfile"), *path = conf_str(v, "smtp_tls_CApath");

	if (*file)
		tls_note_file(file);
	if (*file && X509_STORE_load_file(SSL_CTX_get_cert_store(ssl), file) != 1) {
		buf_addf(error, "smtp_tls_CAfile: cannot load certificates from %s: %s", file, tls_openssl_why());
		return -1;
	}
	if (*path && load_directory(ssl, path, error) != 0)
		return -1;
	if (conf_bool(v, "tls_append_default_CA") && SSL_CTX_set_default_verify_paths(ssl) != 1) {
		buf_addf(error, "tls_append_default_CA: the system's certificates cannot be loaded: %s",
			tls_openssl_why());
		return -1;
	}
	return 0;
}

static int apply(SSL_CTX *ssl, const struct conf_view *v, bool mandatory, struct buf *error)
{
	struct tls_cert_files files = { conf_str(v, "smtp_tls_chain_files"), conf_str(v, "smtp_tls_cert_file"),
		conf_str(v, "smtp_tls_key_file"), conf_str(v, "smtp_tls_eccert_file"),
		conf_str(v, "smtp_tls_eckey_file") };
	struct buf exclude = BUF_INIT(8192);
	int r;

	buf_add_c(&exclude, conf_str(v, "smtp_tls_exclude_ciphers"));
	if (mandatory)
		buf_addf(&exclude, " %s", conf_str(v, "smtp_tls_mandatory_exclude_ciphers"));
	r = tls_apply_policy(ssl, conf_str(v, mandatory ? "smtp_tls_mandatory_protocols" : "smtp_tls_protocols"),
		conf_str(v, mandatory ? "smtp_tls_mandatory_ciphers" : "smtp_tls_ciphers"), exclude.p ? exclude.p : "",
		error);
	buf_free(&exclude);
	if (r != 0 || tls_load_certs(ssl, &files, error) < 0)
		return -1;
	return load_trust(ssl, v, error);
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
