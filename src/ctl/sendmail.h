/*
 * sendmail.h - the modes of sendmail(1) that talk with the caller. Each gets a fresh connection to public/submit, and
 * returns an exit code of sysexits.h.
 */
#ifndef CTL_SENDMAIL_H
#define CTL_SENDMAIL_H

/* -bs: what comes on standard input goes there, the replies to standard output. */
int sendmail_session(int fd);
/* -bv: can these be reached? A line for each. */
int sendmail_verify(int fd, int n, char **rcpt);

#endif
