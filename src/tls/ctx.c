#include "tls/impl.h"
#include <stdlib.h>

#include <openssl/err.h>

const char *tls_openssl_why(void)
{
	static char text[256];
	unsigned long code = ERR_peek_last_error();

	if (code == 0)
		return "no reason given";
	ERR_error_string_n(code, text, sizeof text);
	ERR_clear_error();
	return text;
}

static void (*noted)(const char *path);

void tls_watch_files(void (*note)(const char *path))
{
	noted = note;
}

void tls_note_file(const char *path)
{
	if (noted)
		noted(path);
}

static void set_common(SSL_CTX *ssl)
{
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* An end without close_notify must show as the end (TLS_END) all the same: the caller closes either way. */
	SSL_CTX_set_mode(
		ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384:P-521");
	SSL_CTX_set_max_early_data(ssl, 0);
}

struct tls_ctx *tls_ctx_new(bool client, struct buf *error)
{
	struct tls_ctx *ctx = xcalloc(1, sizeof *ctx);

	ctx->ssl = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
	ctx->refs = 1;
	ctx->client = client;
	if (ctx->ssl == NULL) {
		buf_addf(error, "TLS library does not start: %s", tls_openssl_why());
		free(ctx);
		return NULL;
	}
	set_common(ctx->ssl);
	return ctx;
}

void tls_ctx_free(struct tls_ctx **ctx)
{
	if (*ctx && --(*ctx)->refs == 0) {
		SSL_CTX_free((*ctx)->ssl);
		tls_sni_free(&(*ctx)->names);
		mem_wipe(*ctx, sizeof **ctx);
		free(*ctx);
	}
	*ctx = NULL;
}
