/* client_own.h - what the files client_*.c share; for nobody else. */
#ifndef SMTP_CLIENT_OWN_H
#define SMTP_CLIENT_OWN_H

#include "smtp/client.h"

enum { CLIENT_TEXT_MAX = 900 }; /* octets of a server's text that are kept */

/* The reply that is complete now, as one line "550 5.1.1 text". */
void client_reply_text(const struct smtp_client *c, struct buf *out);
/* The session ends here with that reply. `wanted`: it was of an expected class (4xx, 5xx). */
enum client_event client_fail_reply(struct smtp_client *c);
/* The session ends here with a sentence of ours and a status. */
enum client_event client_fail_own(struct smtp_client *c, const char *dsn, const char *text);
void client_command(struct smtp_client *c, const char *line, enum client_step next);

/* One whole reply during the session's beginning (greeting … AUTH); during a transaction. */
enum client_event client_session_reply(struct smtp_client *c, bool more_octets);
enum client_event client_mail_reply(struct smtp_client *c);
/* Next piece of the body into c->out. 0, or -1: cannot be read. */
int client_mail_fill(struct smtp_client *c);
/* The next chunk (RFC 3030) into c->out, with its BDAT line; the same results. */
int client_chunk_fill(struct smtp_client *c);
/* The content of the message cannot be read: it is deferred, and the connection cannot go on. Returns -1. */
int client_unreadable(struct smtp_client *c);

#endif
