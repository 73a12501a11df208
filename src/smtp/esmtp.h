/*
 * esmtp.h - the table of service extensions: keyword, RFC, when it is offered, its MAIL and RCPT parameters, how it is
 * passed on. EHLO, the parser of parameters, the client and the manual page esmtp(5) read it.
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
	EXT_XCLIENT,
	EXT_XFORWARD,
	EXT_ENHANCEDSTATUSCODES,
	EXT_8BITMIME,
	EXT_DSN,
	EXT_SMTPUTF8,
	EXT_BINARYMIME,
	EXT_LIMITS,
	EXT_HELP,
	EXT_EXPN,
	EXT_NO_SOLICITING,
	EXT_RRVS,
	EXT_MT_PRIORITY,
	EXT_DELIVERBY,
	EXT_FUTURERELEASE,
	EXT_REQUIRETLS,
	EXT_CHUNKING, /* last, as in Postfix: tools of old look for it */
	EXT_COUNT
};
#define EXT_BIT(e) (1u << (e))

/* To whom EHLO shows a keyword, unless a parameter hides it. */
enum esmtp_when {
	WHEN_ALWAYS,
	WHEN_CLEAR,	 /* not under TLS */
	WHEN_TLS,	 /* under TLS only, whatever smtpd_clear_ehlo_keywords says */
	WHEN_SUBMISSION, /* on services that take no mail of strangers */
	WHEN_OURS	 /* logged in, or in mynetworks */
};
/* What becomes of it on the way to the next hop. */
enum esmtp_pass {
	PASS_NOT,	/* it concerns this one session */
	PASS_KNOWN,	/* its parameters go to a next hop that announces it; to another the mail goes without them */
	PASS_CONVERTED, /* for a next hop that does not announce it the message is converted, else returned */
	PASS_RETURNED	/* mail that needs it never goes to a next hop that does not announce it: it is returned */
};
struct esmtp_keyword {
	const char *keyword;
	enum esmtp_ext ext;
	const char *rfc; /* "RFC 2920" */
	enum esmtp_when when;
	enum esmtp_pass pass;
	const char *mail, *rcpt; /* its parameters, as the manual shows them; "" none */
	const char *about;	 /* a sentence or two for the manual */
};
/* The row of that keyword (any case), or NULL. */
const struct esmtp_keyword *esmtp_find(struct str keyword);
const struct esmtp_keyword *esmtp_row(enum esmtp_ext e);
/* Bits of the keywords in a list ("silent-discard, dsn"): smtpd_discard_ehlo_keywords. Unknown words are skipped. */
unsigned esmtp_mask(struct str list);
/* What depends on `have`: of these bits those whose extension may be offered (BINARYMIME needs CHUNKING, RFC 3030 sec. 3). */
unsigned esmtp_consistent(unsigned have);
/* Is the row's `when` so in a session that is under TLS, of a submission service, ours (logged in or in mynetworks)? */
bool esmtp_is_for(const struct esmtp_keyword *k, bool tls, bool submission, bool ours);
/* The table as sections of a manual page (man macros). */
void esmtp_manual(struct buf *out);

struct mail_params { /* MAIL FROM:<…> … */
	bool has_size;
	uint64_t size;
	uint32_t flags;	  /* ENV_8BIT, ENV_SMTPUTF8, ENV_RET_… */
	struct str envid; /* xtext as sent, checked */
	bool has_auth;
	struct str auth;    /* decoded into the arena; "" for <> */
	struct str solicit; /* keywords separated by commas (RFC 3865) */
	bool has_priority;
	int priority; /* MT-PRIORITY (RFC 6710): -9 … 9 */
	bool has_by;
	int64_t by_s;			   /* BY (RFC 2852): seconds from now on; the mode is in flags, ENV_BY_… */
	uint64_t hold_for_s, hold_until_s; /* HOLDFOR, HOLDUNTIL (RFC 4865), seconds, since 1970; 0: not given */
};
struct rcpt_params {
	uint8_t notify;	      /* enum notify_flag */
	struct str orcpt;     /* "rfc822;…" as sent, checked */
	uint64_t valid_since; /* RRVS (RFC 7293): seconds since 1970; 0: not given */
	bool since_may_end;   /* ";C": a next hop without RRVS gets it as a header field; else it is returned */
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
/* Solicitation-keywords of RFC 3865 sec. 2.2? */
bool solicit_is_valid(struct str words);
/*
 * The reverse, for a server that announced `offered`: " SIZE=1000 BODY=8BITMIME" behind MAIL FROM:<…>, and the same for
 * RCPT. What that server does not know is left out; the caller has decided whether the mail may go there without it.
 */
void mail_params_put(struct buf *out, const struct mail_params *p, unsigned offered);
void rcpt_params_put(struct buf *out, const struct rcpt_params *p, unsigned offered);

#endif
