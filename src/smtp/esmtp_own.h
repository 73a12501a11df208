/* esmtp_own.h - what the files esmtp*.c share; for nobody else. */
#ifndef SMTP_ESMTP_OWN_H
#define SMTP_ESMTP_OWN_H

#include "smtp/esmtp.h"

/* What the parameters of both commands are read into. */
struct params {
	struct mail_params *mail;
	struct rcpt_params *rcpt;
	struct arena *mem;
	unsigned offered;
	unsigned seen; /* bit i: row i of the table was there */
};

struct param_rule {
	const char *key;
	unsigned ext; /* bits: known when one of these was offered */
	bool has_value;
	int (*take)(struct params *p, struct str value); /* 0 or -enum param_error */
	/* Its value behind " KEY=" for a server that announced one of `ext`; false: there is nothing to say. */
	bool (*put)(struct buf *out, const struct params *p);
};
extern const struct param_rule esmtp_mail_rules[], esmtp_rcpt_rules[]; /* each ends with a key NULL */

/* xtext that decodes to printable US-ASCII and spaces (RFC 3461 sec. 4.2 and 4.4) */
bool esmtp_is_printable_xtext(struct str x);

#endif
