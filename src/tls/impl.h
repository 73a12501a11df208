/*
 * impl.h - what the files of src/tls share, and nobody else includes.
 */
#ifndef TLS_IMPL_H
#define TLS_IMPL_H

#include "tls/tls.h"
#include <openssl/ssl.h>
#include <stdio.h>

enum { TICKET_NAME_OCTETS = 16, TICKET_KEY_OCTETS = 32, TICKET_SERVICE_OCTETS = 32 };

struct ticket_key {
	unsigned char name[TICKET_NAME_OCTETS], aes[TICKET_KEY_OCTETS], mac[TICKET_KEY_OCTETS];
};
struct ticket_keys {
	unsigned char service[TICKET_SERVICE_OCTETS]; /* digest of the name that they are for */
	unsigned changes;			      /* which secrets they are of */
	struct ticket_key key[TICKET_SECRETS_MAX];    /* the newest first */
	unsigned n;
};

struct tls_ctx {
	SSL_CTX *ssl;
	unsigned refs; /* the owner's and one of each connection */
	bool client;
	struct ticket_keys tickets; /* of a server */
	struct sni_table *names;    /* of a server; NULL: none but the default */
};

/* A context around a new SSL_CTX with all that both sides have in common; NULL and a sentence in *error. */
struct tls_ctx *tls_ctx_new(bool client, struct buf *error);

/*
 * Protocols, ciphers and exclusions in Postfix's syntax: ">=TLSv1.2, !SSLv3", grade "medium", list "aNULL, RC4".
 * TLS 1.2 stays the oldest, whatever the list says. 0, or -1 and a sentence in *error.
 */
int tls_apply_policy(SSL_CTX *ssl, const char *protocols, const char *grade, const char *exclude, struct buf *error);

/* The same for one connection, in the place of what its context says. */
int tls_apply_protocols(SSL *ssl, const char *protocols, struct buf *error);
int tls_apply_ciphers(SSL *ssl, const char *grade, const char *exclude, struct buf *error);

/*
 * Does the certificate, or its public key, have one of these fingerprints (hexadecimal, colons or not, in any case)
 * by the digest of that name?
 */
bool tls_has_fingerprint(const X509 *cert, const char *digest, const struct str *prints, size_t n);
/* "AB:CD:…" of the certificate, of its public key; "" when the digest is not known. */
void tls_cert_fingerprint(const X509 *cert, const char *digest, char out[TLS_FINGERPRINT_MAX]);
void tls_key_fingerprint(const X509 *cert, const char *digest, char out[TLS_FINGERPRINT_MAX]);

/*
 * Certificates and keys: `chain_files` (a list; key first, then its chain, in each) or the pairs cert_file, key_file,
 * eccert_file, eckey_file; "" is not there, "none" is no file at all. Returns how many chains were loaded, or -1 and a
 * sentence in *error.
 */
struct tls_cert_files {
	const char *chain_files;
	const char *cert_file, *key_file, *eccert_file, *eckey_file;
};
int tls_load_certs(SSL_CTX *ssl, const struct tls_cert_files *files, struct buf *error);
/* The same of a server: recorded, or from the store (held.h) where there is one. */
int tls_load_server_certs(SSL_CTX *ssl, const struct tls_cert_files *files, struct buf *error);

/* Keys with their chains, as they stand in PEM files: a private key, its certificate, those that vouch for it. */
struct tls_chain {
	EVP_PKEY *key;
	X509 *leaf;
	STACK_OF(X509) * rest; /* NULL: none */
};
struct tls_chains {
	struct tls_chain *item;
	size_t n;
};
/* What is in the file, behind what was read before. `where` names it in messages. 0, or -1 and a sentence in *error. */
int tls_chains_read(struct tls_chains *c, const char *path, struct buf *error);
int tls_chains_parse(struct tls_chains *c, FILE *f, const char *where, struct buf *error);
/* There is a key, and each has its own certificate behind it. 0, or -1 and a sentence in *error. */
int tls_chains_check(const struct tls_chains *c, const char *where, struct buf *error);
void tls_chains_free(struct tls_chains *c);

/*
 * tls_server_sni_maps: `tables` are read whole, now, and kept in memory; server contexts that live at the same time
 * share them. An entry that cannot be used is left out, with a line in *error. Sets ctx->names.
 */
enum { SNI_RECENT = 512, PEM_MAX = 256 * 1024 };
struct sni_recent {	    /* chains that were read from the store */
	const char *stored; /* where they stand; NULL: none */
	struct tls_chains chains;
};
struct sni_table {
	struct sni_table *next;
	unsigned refs;
	char *spec;
	struct mem_map *map; /* name, ".parent" → struct known */
	size_t n;
	struct store_text *stored; /* that names point into; NULL: chains are in memory */
	struct sni_recent recent[SNI_RECENT];
};
void tls_sni_load(struct tls_ctx *ctx, const char *tables, struct buf *error);
void tls_sni_free(struct sni_table **t);
/* The chains for the name that a client asked for, whatever octets it has; good until the next is found. NULL: none. */
const struct tls_chains *tls_sni_find(struct sni_table *t, const char *asked);
/* Is that value of a table the content of a PEM file in base64? Then it is in *pem, to be wiped in any case. */
bool tls_sni_pem(struct buf *pem, struct str value);

/* Tell whoever watches the files of contexts. */
void tls_note_file(const char *path);

struct tls_trust {
	const char *prefix;	      /* "smtp_tls", for messages */
	const char *file, *directory; /* "" none */
	bool system;
};
int tls_load_trust(SSL_CTX *ssl, const struct tls_trust *trust, struct buf *error);
/* smtpd_tls_ask_ccert, smtpd_tls_req_ccert (`must`: of a service that requires TLS). 0, or -1 and a sentence. */
int tls_ask_client_cert(SSL_CTX *ssl, const struct conf_view *v, bool must, struct buf *error);
/* What a certificate says, but whether it is trusted. */
void tls_describe_cert(const X509 *cert, const char *digest, struct tls_client_cert *out);
SSL *tls_conn_ssl(const struct tls_conn *t);

/* "; error:…" of OpenSSL's queue, its last entry, and empty the queue. Static. */
const char *tls_openssl_why(void);

/* Ticket keys of this service into a server context (RFC 5077, RFC 8446 sec. 4.6.1). lifetime_s 0: it gives none. */
void tls_tickets_use(struct tls_ctx *ctx, const char *service, int64_t lifetime_s);

#endif
