/*
 * sasl_client.h - the client side of SASL, for the login to a smarthost: SCRAM-SHA-512, -256 and -1, each with and without
 * channel binding (RFC 5802, 7677), CRAM-MD5 (RFC 2195), PLAIN (RFC 4616), LOGIN, OAUTHBEARER (RFC 7628) and XOAUTH2; and
 * for who tries out a service, EXTERNAL (RFC 4422 app. A) and ANONYMOUS (RFC 4505: `user` is the trace information). Pure:
 * the caller does the SMTP part (RFC 4954: AUTH, 334, base64 by sasl/base64.h).
 */
#ifndef SASL_SASL_CLIENT_H
#define SASL_SASL_CLIENT_H

#include "base/buf.h"
#include "sasl/scram.h"

enum sasl_client_mech {
	SASL_CLIENT_NONE,
	SASL_CLIENT_SCRAM_SHA512_PLUS,
	SASL_CLIENT_SCRAM_SHA256_PLUS,
	SASL_CLIENT_SCRAM_SHA1_PLUS,
	SASL_CLIENT_SCRAM_SHA512,
	SASL_CLIENT_SCRAM_SHA256,
	SASL_CLIENT_SCRAM_SHA1,
	SASL_CLIENT_CRAM_MD5,
	SASL_CLIENT_PLAIN,
	SASL_CLIENT_LOGIN,
	SASL_CLIENT_OAUTHBEARER,
	SASL_CLIENT_XOAUTH2,
	/* Without a password; chosen by nobody but a caller who wants them. */
	SASL_CLIENT_EXTERNAL,
	SASL_CLIENT_ANONYMOUS,
	SASL_CLIENT_MECHS
};

enum { SASL_CLIENT_BINDING_MAX = 64, SASL_CLIENT_NAME_MAX = 255 };

struct sasl_client { /* mem_wipe at the end */
	enum sasl_client_mech mech;
	struct str user,
		pass;	 /* borrowed until the exchange ends; no NUL. pass: of OAUTHBEARER and XOAUTH2, the token */
	const char *why; /* what the server did wrong, static English: "sent …"; NULL: nothing */
	unsigned turn;
	bool is_proven; /* the server has shown that it knows the password; mechanisms that cannot show it: true */
	/* of SCRAM */
	const char *binding_type; /* static; NULL: this connection has no data to bind to */
	bool is_plus_offered;
	size_t binding_n, nonce_n, bare_n;
	unsigned char binding[SASL_CLIENT_BINDING_MAX], signature[SCRAM_HASH_MAX];
	char nonce[32], bare[3 * SASL_CLIENT_NAME_MAX + 64]; /* bare: client-first-message-bare */
};

struct sasl_client_choice {
	struct str offered, filter, options;
	bool can_bind, is_tls;
};
/*
 * The best mechanism that both sides know. `offered` is the server's list ("PLAIN LOGIN CRAM-MD5": what follows "AUTH"
 * or "AUTH=" in EHLO's answer). `filter` is smtp_sasl_mechanism_filter: words separated by blank or comma, "!x" forbids
 * x, "static:rest" as last word allows the rest; empty allows all; the first word that fits decides. A token is not a
 * password: OAUTHBEARER and XOAUTH2 are taken only when the filter names them. `options` is smtp_sasl_security_options or
 * smtp_sasl_tls_security_options: "noplaintext", "noactive", "nodictionary", "mutual_auth". can_bind: the connection has
 * data for channel binding. is_tls: it is under TLS. EXTERNAL and ANONYMOUS are never taken.
 */
enum sasl_client_mech sasl_client_choose(const struct sasl_client_choice *o);
/*
 * The server has refused that mechanism, and may do so because it has another kind of hash for this user: what else to
 * try, with the same password; once. NONE: nothing; the password itself was refused, or there is no other mechanism.
 */
enum sasl_client_mech sasl_client_choose_again(const struct sasl_client_choice *o, enum sasl_client_mech refused);
/* "PLAIN"; static. */
const char *sasl_client_name(enum sasl_client_mech m);
/* Has it a password, or a token? */
bool sasl_client_needs_password(enum sasl_client_mech m);
/* Begin. `user` and `pass` are borrowed until the end of the exchange. */
void sasl_client_init(struct sasl_client *c, enum sasl_client_mech m, struct str user, struct str pass);
/*
 * This connection's data for channel binding (type: "tls-exporter", static; data: copied), and what the server offered:
 * with data, and no -PLUS in the offer, SCRAM tells the server so, which may know better (RFC 5802 sec. 6).
 */
void sasl_client_bind(struct sasl_client *c, const char *type, struct str data, struct str offered);
/*
 * The initial response, raw octets appended to *out (a secret: buf_wipe). Returns 1: send it with the AUTH command;
 * 0: the mechanism sends none; -1: user or password cannot be sent (NUL, empty user, over the buffer's maximum).
 */
int sasl_client_initial(struct sasl_client *c, struct buf *out);
/*
 * Answer one challenge (raw octets), appended to *out. Returns 0, or -1: there is nothing more to say; cancel with "*"
 * (RFC 4954 sec. 4), or, when c->why is set, end the connection.
 */
int sasl_client_answer(struct sasl_client *c, struct str challenge, struct buf *out);

/* sasl_client_scram.c, for sasl_client.c. */
int sasl_client_scram_first(struct sasl_client *c, struct buf *out);
int sasl_client_scram_answer(struct sasl_client *c, struct str challenge, struct buf *out);

#endif
