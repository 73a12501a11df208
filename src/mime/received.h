/*
 * received.h - trace and other header fields that a server writes (RFC 5321 sec. 4.4, RFC 5322).
 */
#ifndef MIME_RECEIVED_H
#define MIME_RECEIVED_H

#include "base/buf.h"
#include <time.h>

struct received {
	struct str helo, client_name, client_addr; /* "unknown" and "1.2.3.4" or "IPv6:…" */
	struct str myhostname, mail_name;	   /* "Postfix" in Postfix; $mail_name */
	struct str id;				   /* queue id */
	const char *with;		       /* SMTP ESMTP ESMTPS ESMTPA ESMTPSA UTF8SMTP… (RFC 3848, RFC 6531) */
	const char *tls_protocol, *tls_cipher; /* NULL: no TLS */
	int tls_bits, tls_cipher_bits;
	const char *key_exchange, *server_signature, *server_digest; /* "" or NULL: left out */
	bool cert_asked, cert_shown, cert_trusted;		     /* of the client */
	struct str cert_subject, cert_issuer;			     /* common names */
	struct str sasl_username; /* "" : left out (smtpd_sasl_authenticated_header) */
	struct str only_rcpt;	  /* "for <x>" when there is one recipient; ""; UTF-8 stands as it is in it alone */
	const char *clause; /* more of RFC 5321's Additional-Registered-Clauses: "PRIORITY 3" (RFC 6710); NULL: none */
	time_t when;
};
/* The field as Postfix writes it, folded, each line ending in CRLF. */
int received_put(struct buf *out, const struct received *r);
/* The same for mail of a local user: "Received: by mail.example1.com (Postfix, from userid 1000) id …; …". */
int received_local_put(struct buf *out, const struct received *r, unsigned uid);
/* "Sun, 22 Nov 2026 10:00:00 +0000 (UTC)", in local time as Postfix does. `text` has 64 octets. Returns text. */
const char *rfc5322_date(time_t when, char *text);

#endif
