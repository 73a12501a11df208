/*
 * submit.h - give one message to smtpd over queue_directory/public/submit, or leave it in queue_directory/maildrop.
 *
 * A submission is a text, the same on the socket and in the file: what an SMTP client says between the greeting and
 * QUIT. A MAIL line, RCPT lines, "DATA", each ended by CRLF; the content in wire form (CRLF lines, dot-stuffed); the
 * final dot. Who sends it is no part of it: the kernel tells smtpd (SO_PEERCRED), and pickup by the file's owner.
 */
#ifndef CTL_SUBMIT_H
#define CTL_SUBMIT_H

#include "base/buf.h"

enum submit_result {
	SUBMIT_DONE,
	SUBMIT_PARTLY,	/* some recipients were refused for good */
	SUBMIT_REFUSED, /* all of it, for good */
	SUBMIT_LATER,	/* not now */
	SUBMIT_DOWN	/* nobody is there */
};

/* Connect to public/submit below the current directory. A descriptor, or -1 (errno). */
int submit_connect(void);
/*
 * One reply of the server, its lines joined by LF, into *text. Returns its code, or -1: none came.
 */
int submit_reply(int fd, struct buf *in, struct buf *text);
/* Send `text` on a fresh connection. What was refused, or put off, is added to *said, a line each. Takes: fd. */
enum submit_result submit_send(int fd, struct str text, struct buf *said);
/* Is it a whole submission, with all its parts in their order? */
bool submit_is_whole(struct str text);
/* Is maildrop below the current directory root's, or our own? Nowhere else are others kept from what lies there. */
bool submit_can_keep(void);
/* Keep it in maildrop below the current directory, flushed. 0, or -1 (errno). */
int submit_keep(struct str text);

/* One line of SMTP, CRLF added, into the submission. -1: it has a control character in it. */
int submit_line(struct buf *text, struct str line);
/* Content as a file of text has it (lines end in LF or CRLF) becomes wire form with its final dot. */
void submit_content(struct buf *text, struct str content);

#endif
