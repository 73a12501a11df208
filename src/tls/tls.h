/*
 * tls.h - TLS over a nonblocking descriptor, both sides: a thin layer over OpenSSL 3 (no memory BIOs).
 *
 * TLS 1.2 and newer, no renegotiation, no compression, no early data. After TLS_END or TLS_ERROR the connection is dead:
 * the caller closes the descriptor and never reads it bare again (CVE-2026-45185).
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/buf.h"
#include "conf/conf.h"

struct tls_ctx;	 /* certificates, keys, policy; shared by sessions */
struct tls_conn; /* one connection */

enum tls_result { TLS_DONE = 1, TLS_WANT_READ, TLS_WANT_WRITE, TLS_END, TLS_ERROR };

/* Large short-lived blocks of the library come from a range of their own. Call it before anything else of TLS. */
void tls_memory_init(void);

/*
 * Server context from smtpd_tls_* of this service (certificates and keys are read now; call before the jail).
 * Tickets are good for the service of that name alone, in all processes that have the same secrets (tls_tickets_secrets).
 * On failure NULL and one sentence in *error: which file, what is wrong with it, what to do. A context with lines in
 * *error does without the entries of tls_server_sni_maps that they are about.
 */
struct tls_ctx *tls_server_ctx(const struct conf_view *v, const char *service, struct buf *error);
/* Is this line of *error about one name of tls_server_sni_maps, and all other names are served? */
bool tls_is_about_name(struct str line);
/* Client context from smtp_tls_* of this service. */
struct tls_ctx *tls_client_ctx(const struct conf_view *v, struct buf *error);
/* The same; `mandatory`: with smtp_tls_mandatory_protocols and _ciphers, for a destination that must have TLS. */
struct tls_ctx *tls_client_ctx_for(const struct conf_view *v, bool mandatory, struct buf *error);
void tls_ctx_free(struct tls_ctx **ctx);

/* Does an smtpd with these parameters offer or need TLS? */
bool tls_server_is_wanted(const struct conf_view *v);
/* From now on each file or directory that a context is made from is told, also one that cannot be read. NULL: no more. */
void tls_watch_files(void (*note)(const char *path));

/* The connection keeps a reference to ctx. fd stays the caller's. */
struct tls_conn *tls_accept(struct tls_ctx *ctx, int fd);

/*
 * What is demanded of a server. `match` and `digest` are borrowed until the handshake is over, the rest for the call.
 * What cannot be demanded fails the handshake.
 */
enum tls_demand {
	TLS_DEMAND_NOTHING,
	TLS_DEMAND_NAME,       /* a certificate that is trusted, for one of `match` (".x": any host below x) */
	TLS_DEMAND_FINGERPRINT /* a certificate or public key with one of the fingerprints `match` */
};
struct tls_peer {
	const char *sni; /* NULL: none is sent */
	enum tls_demand demand;
	const struct str *match;
	size_t n_match;
	const char *digest;		       /* of fingerprints: "sha256" */
	const char *protocols;		       /* NULL: the context's */
	const char *ciphers, *exclude_ciphers; /* grade; NULL: the context's, both */
};
struct tls_conn *tls_connect(struct tls_ctx *ctx, int fd, const struct tls_peer *peer);
/* Could tls_connect() do that with this context? 0, or -1 and a sentence in *error. */
int tls_peer_check(struct tls_ctx *ctx, const struct tls_peer *peer, struct buf *error);
void tls_free(struct tls_conn **t); /* sends close_notify if the socket takes it */

enum tls_result tls_handshake(struct tls_conn *t);
/* *n octets read (written); TLS_DONE with *n > 0, or why not. */
enum tls_result tls_read(struct tls_conn *t, void *p, size_t size, size_t *n);
enum tls_result tls_write(struct tls_conn *t, const void *p, size_t size, size_t *n);
/* Octets decrypted and not read yet (poll will not tell of them). */
bool tls_has_pending(const struct tls_conn *t);
/* It ended or failed: nothing comes any more, and nothing can be sent. */
bool tls_is_over(const struct tls_conn *t);
/* It ended by what is no TLS, which tls_error_text() says, and not because the peer went away. */
bool tls_has_failed(const struct tls_conn *t);

struct tls_info {
	const char *protocol; /* "TLSv1.3" */
	const char *cipher;   /* "TLS_AES_256_GCM_SHA384" */
	int bits, cipher_bits;
	const char *key_exchange;  /* "X25519"; "" if not known */
	char server_signature[40]; /* "ECDSA (P-256)", "RSA-PSS (2048 bits)"; "" */
	const char *server_digest; /* "SHA256"; "" */
	const char *sni;	   /* "" none */
	bool verified, resumed;
};
enum { TLS_FINGERPRINT_MAX = 64 * 3 + 1, TLS_NAME_MAX = 256 };
/* A certificate that a client has shown. No control character is in any text. */
struct tls_client_cert {
	bool trusted;
	char subject[TLS_NAME_MAX], issuer[TLS_NAME_MAX];			     /* common names */
	char fingerprint[TLS_FINGERPRINT_MAX], key_fingerprint[TLS_FINGERPRINT_MAX]; /* "AB:CD:…" */
	char login[TLS_NAME_MAX]; /* its last common name, as the most specific one; "": none, or no fit name */
};
/* `digest`: "sha256". False: there is none. */
bool tls_client_cert(const struct tls_conn *t, const char *digest, struct tls_client_cert *out);

/* Valid while the connection lives. */
void tls_info(const struct tls_conn *t, struct tls_info *info);
/* Why the last call gave TLS_ERROR: one line. */
const char *tls_error_text(const struct tls_conn *t);

/*
 * Append the raw data of this channel for a login that binds itself to it: "tls-exporter" (RFC 9266), "tls-unique" (RFC 5929
 * sec. 3; up to TLS 1.2) or "tls-server-end-point" (sec. 4). Both sides get the same octets. Returns 0, or -1: it has none of
 * that type.
 */
int tls_channel_binding(const struct tls_conn *t, struct str type, struct buf *out);

/*
 * Secrets of session tickets, as master hands them out to all processes, the newest first: 1 to TICKET_SECRETS_MAX of
 * TICKET_SECRET_OCTETS random octets each, copied. Those of before are forgotten, where they are not among them.
 */
enum { TICKET_SECRETS_MAX = 8, TICKET_SECRET_OCTETS = 32 };
void tls_tickets_secrets(struct str octets);
/* Make the keys of this context those of the secrets of now, and forget others; else its next ticket does. */
void tls_tickets_refresh(struct tls_ctx *ctx);

#endif
