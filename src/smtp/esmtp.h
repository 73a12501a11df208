/*
 * esmtp.h - the table of service extensions: keyword, RFC, when it is offered, its MAIL and RCPT parameters.
 */
#ifndef SMTP_ESMTP_H
#define SMTP_ESMTP_H

#include "base/arena.h"
#include "log/envelope.h"

enum esmtp_ext { /* bit numbers, in the order in which EHLO shows them (Postfix's order) */
	EXT_PIPELINING,
	EXT_SIZE,
	EXT_VRFY,
	EXT_ETRN,
	EXT_STARTTLS,
	EXT_AUTH,
	EXT_ENHANCEDSTATUSCODES,
	EXT_8BITMIME,
	EXT_DSN,
	EXT_SMTPUTF8,
	EXT_CHUNKING,
	EXT_COUNT
};
#define EXT_BIT(e) (1u << (e))

struct esmtp_keyword {
	const char *keyword;
	enum esmtp_ext ext;
	const char *rfc; /* "RFC 2920" */
};
/* The row of that keyword (any case), or NULL. */
const struct esmtp_keyword *esmtp_find(struct str keyword);
const struct esmtp_keyword *esmtp_row(enum esmtp_ext e);
/* Bits of the keywords in a list ("silent-discard, dsn"): smtpd_discard_ehlo_keywords. Unknown words are skipped. */
unsigned esmtp_mask(struct str list);

struct mail_params { /* MAIL FROM:<…> … */
	bool has_size;
	uint64_t size;
	uint32_t flags;	  /* ENV_8BIT, ENV_SMTPUTF8, ENV_RET_… */
	struct str envid; /* xtext as sent, checked */
	bool has_auth;
	struct str auth; /* decoded into the arena; "" for <> */
};
struct rcpt_params {
	uint8_t notify;	  /* enum notify_flag */
	struct str orcpt; /* "rfc822;…" as sent, checked */
};
enum param_error {	   /* returned negated */
	PARAM_ESYNTAX = 1, /* 501 5.5.4 bad value or given twice */
	PARAM_EUNKNOWN,	   /* 555 5.5.4 unsupported option */
	PARAM_ESIZE	   /* 552 5.3.4: a size that no number holds */
};
/* `offered`: bits of the extensions that were announced; a parameter of another one is unknown. *bad: the
 * parameter with its value, as sent, when one is refused; else empty. Slices point into `params`, auth into `mem`. */
int mail_params_parse(struct str params, unsigned offered, struct arena *mem, struct mail_params *out, struct str *bad);
int rcpt_params_parse(struct str params, unsigned offered, struct rcpt_params *out, struct str *bad);

#endif
