/*
 * sendmail.h - the modes of sendmail(1) that talk with the caller. Each returns an exit code of sysexits.h. `fd` is a fresh
 * connection to public/submit.
 */
#ifndef CTL_SENDMAIL_H
#define CTL_SENDMAIL_H

#include <stdint.h>

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
