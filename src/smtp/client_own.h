/* client_own.h - what the files client_*.c share; for nobody else. */
#ifndef SMTP_CLIENT_OWN_H
#define SMTP_CLIENT_OWN_H

#include "smtp/client.h"
#include "smtp/esmtp.h"

enum { CLIENT_TEXT_MAX = 900 }; /* octets of a server's text that are kept */

static inline bool client_is_offered(const struct smtp_client *c, enum esmtp_ext e)
{
	return (c->offered & EXT_BIT(e)) != 0;
}

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
/* Settled by us, with nothing sent for it. */
void client_settle_own(struct client_rcpt *r, enum client_outcome outcome, const char *dsn, const char *text);
/* All recipients that are still open. */
void client_settle_all_own(struct client_message *m, enum client_outcome outcome, const char *dsn, const char *text);

/* client_forward.c: XFORWARD. The attributes that a server names in its reply to EHLO; a message begins; is there a command to
 * be answered before MAIL may be sent? It is sent when it is due. */
void client_forward_offered(struct smtp_client *c, struct str list);
void client_forward_begin(struct smtp_client *c);
bool client_forward_holds(struct smtp_client *c);

/* client_need.c: before MAIL; what this server can never take is settled, addresses get the form that it can take. */
void client_settle_impossible(struct smtp_client *c, struct client_message *m);
/* What goes in another transaction (RFC 9422, RFC 7293 sec. 7) is held back. Returns how many recipients are sent. */
size_t client_hold_back(struct smtp_client *c, struct client_message *m);

/*
 * client_body.c: before MAIL. Has the content to be looked at? Then client_body_look() does that, a piece a call, and returns
 * true at the end; it may settle recipients. c->convert is there afterwards when the content is converted.
 */
bool client_body_begin(struct smtp_client *c, struct client_message *m);
bool client_body_look(struct smtp_client *c);
/*
 * Content as this server takes it, in its wire form: as client_message.read. Here, and nowhere else, it is seen to that
 * nothing leaves with a bare CR or LF or a line over 998 octets, but by BDAT to who takes that: < 0 then, the recipients are
 * settled.
 */
ssize_t client_body_read(struct smtp_client *c, void *p, size_t n);
/* The flags of the content as it is sent: binary content is so only to who takes it. */
uint32_t client_body_flags(const struct smtp_client *c, const struct client_message *m);
/* Give back what a message needed. */
void client_body_end(struct smtp_client *c);

#endif
