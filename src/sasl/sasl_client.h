/*
 * sasl_client.h - the client side of PLAIN (RFC 4616) and LOGIN, for the login to a smarthost. Pure: the caller does
 * the SMTP part (RFC 4954: AUTH, 334, base64 by sasl/base64.h).
 */
#ifndef SASL_SASL_CLIENT_H
#define SASL_SASL_CLIENT_H

#include "base/buf.h"

enum sasl_client_mech { SASL_CLIENT_NONE, SASL_CLIENT_PLAIN, SASL_CLIENT_LOGIN };

struct sasl_client {
	enum sasl_client_mech mech;
	struct str user, pass; /* borrowed until the exchange ends; no NUL */
	unsigned turn;
};

/*
 * The best mechanism that both sides know. `offered` is the server's list ("PLAIN LOGIN CRAM-MD5": what follows "AUTH"
 * or "AUTH=" in EHLO's answer). `filter` is smtp_sasl_mechanism_filter: words separated by blank or comma, "!x" forbids
 * x, "static:rest" as last word allows the rest; empty allows all; the first word that fits decides. `options` is
 * smtp_sasl_security_options or smtp_sasl_tls_security_options: with "noplaintext" neither PLAIN nor LOGIN is allowed,
 * so that nothing is left (SASL_CLIENT_NONE).
 */
enum sasl_client_mech sasl_client_choose(struct str offered, struct str filter, struct str options);
/* "PLAIN"; static. */
const char *sasl_client_name(enum sasl_client_mech m);
/* Begin. `user` and `pass` are borrowed until the end of the exchange. */
void sasl_client_init(struct sasl_client *c, enum sasl_client_mech m, struct str user, struct str pass);
/*
 * The initial response, raw octets appended to *out (a secret: buf_wipe). Returns 1: send it with the AUTH command;
 * 0: the mechanism sends none; -1: user or password cannot be sent (NUL, empty user, over the buffer's maximum).
 */
int sasl_client_initial(struct sasl_client *c, struct buf *out);
/*
 * Answer one challenge (raw octets), appended to *out. Returns 0, or -1: there is nothing more to say; cancel with "*"
 * (RFC 4954 sec. 4).
 */
int sasl_client_answer(struct sasl_client *c, struct str challenge, struct buf *out);

#endif
