/*
 * sendmail_envelope.h - the envelopes of one message that sendmail(1) takes: what its options say, in the words of SMTP. There
 * are several when each recipient has a sender of his own (-XV), or when one would be larger than the log takes.
 */
#ifndef CTL_SENDMAIL_ENVELOPE_H
#define CTL_SENDMAIL_ENVELOPE_H

#include "base/buf.h"

enum { ENVELOPE_RCPTS_MAX = 10000, ENVELOPE_ADDRESS_OCTETS_MAX = 2 * 1024 * 1024 };

struct envelope_options {
	const char *body;	 /* -B; NULL: not given, as are the others */
	const char *notify;	 /* -N: as envelope_notify() gives it */
	const char *ret, *envid; /* -R, -V */
	const char *verp;	 /* -XV: two delimiters (postconf(5), default_verp_delimiters) */
	struct str origin;	 /* $myorigin: the domain of a recipient without one, for -XV */
};

/* The value of -N ("delay, failure" too) in the words of RFC 3461. Static. NULL: it is none. */
const char *envelope_notify(const char *value);
/* Can that be the value of this option (one of "BNRV")? NULL, or what to write instead. */
const char *envelope_option_fault(int letter, const char *value);
/* Two octets, each in `allowed` (verp_delimiter_filter)? */
bool envelope_verp_is_valid(const char *delimiters, const char *allowed);
/*
 * The sender for one recipient: "list@o" and "user@d" give "list+user=d@o". Added to *out.
 */
void envelope_verp(const struct envelope_options *o, struct str sender, struct str rcpt, struct buf *out);
/* Is there a recipient (an address a line) of whom envelope_next() would make nothing? That one is in *bad then. */
bool envelope_has_fault(const struct envelope_options *o, struct str sender, struct str rcpts, struct str *bad);
/*
 * The next envelope: MAIL and RCPT lines, added to *text, for as many of *rcpts (an address a line) as share one; they are cut
 * off it. Not to be called when there are none. -1: an address or option has a control character.
 */
int envelope_next(const struct envelope_options *o, struct str sender, struct str *rcpts, struct buf *text);

#endif
