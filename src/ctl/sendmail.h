/*
 * sendmail.h - the modes of sendmail(1) that talk with the caller. Each returns an exit code of sysexits.h. `fd` is a fresh
 * connection to public/submit.
 */
#ifndef CTL_SENDMAIL_H
#define CTL_SENDMAIL_H

#include "ctl/sendmail_envelope.h"

#include <stdint.h>

/*
 * Give `content` (wire form, with its final dot) to the recipients, an address a line, of which envelope_has_fault() found
 * none: to smtpd, or into maildrop, in as many submissions as they need. EX_OK: all have it; EX_NOUSER: some have, for the
 * others it was refused or could not be kept; EX_UNAVAILABLE: refused for all; EX_TEMPFAIL: nobody has it, and it may be tried
 * again. Who does not have it, and why, is said on stderr.
 */
int sendmail_hand_over(
	const char *program, const struct envelope_options *o, struct str sender, struct str rcpts, struct str content);

/* -bs: what comes on standard input goes there, the replies to standard output. */
int sendmail_session(int fd);
/*
 * The same while nobody answers there: the session is held here, below the queue directory, and its mail is kept in
 * maildrop. `limit` is message_size_limit (octets; 0: none). EX_TEMPFAIL, and nothing said, where maildrop is not safe.
 */
int sendmail_away(const char *hostname, uint64_t limit);
/* -bv: can these be reached? A line for each. */
int sendmail_verify(int fd, int n, char **rcpt);

#endif
