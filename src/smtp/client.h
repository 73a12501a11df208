/*
 * client.h - one connection to an SMTP or LMTP server, client side (RFC 5321, 2033, 2920, 3207, 4954).
 *
 * A pure engine: octets in, octets out, no socket, no clock. The caller moves octets and does what the event says:
 *
 *	smtp_client_init(&c, &options);			// the server speaks first
 *	loop:
 *		while (smtp_client_output(&c, &octets) == 1)
 *			n = write octets; smtp_client_wrote(&c, n);
 *		event = smtp_client_input(&c, what was read);
 *		end of file, error, time-out: smtp_client_lost(&c); then it is over
 *	event CLIENT_STARTTLS: TLS handshake; good: smtp_client_secured(&c)
 *	event CLIENT_LOGIN: smtp_client_auth(&c, mechanism, …) or give up
 *	event CLIENT_READY: smtp_client_send(&c, &message) or smtp_client_quit(&c)
 *	event CLIENT_SENT: message.rcpt[].outcome are there; when smtp_client_is_reusable(&c), as CLIENT_READY; else quit
 *	event CLIENT_FAILED: c.failure says at which step and what the server said; quit or close
 *
 * What the server sends is bounded and never trusted: a reply of another class than the step expects fails that step;
 * octets that nobody asked for make the connection unusable; octets behind the 220 of STARTTLS fail the session (RFC
 * 3207 sec. 4.2, response injection). All texts are one line of printable ASCII or UTF-8.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "smtp/attribute.h"
#include "smtp/reply.h"
#include "smtp/wire_check.h"
#include <sys/types.h>

enum client_event {
	CLIENT_MORE,	  /* go on: write what smtp_client_output() gives, read */
	CLIENT_STARTTLS,  /* the server is ready for the handshake; nothing is left to write */
	CLIENT_LOGIN,	  /* `login` was asked for and the server offers c.mechanisms: smtp_client_auth() */
	CLIENT_CHALLENGE, /* c.challenge is the server's: smtp_client_auth_answer() or smtp_client_auth_cancel() */
	CLIENT_READY,	  /* the session is up */
	CLIENT_SENT,	  /* the message is done, every recipient has its outcome */
	CLIENT_FAILED,	  /* no session: c.failure */
	CLIENT_ENDED	  /* after QUIT, or octets while nothing was asked: close */
};

/* What the other side is to answer now: the time-out and the words of a log line depend on it. */
enum client_step {
	CLIENT_STEP_GREETING,
	CLIENT_STEP_EHLO,
	CLIENT_STEP_HELO,
	CLIENT_STEP_LHLO,
	CLIENT_STEP_STARTTLS,
	CLIENT_STEP_TLS,
	CLIENT_STEP_AUTH,
	CLIENT_STEP_IDLE,
	CLIENT_STEP_XFORWARD,
	CLIENT_STEP_MAIL,
	CLIENT_STEP_RCPT,
	CLIENT_STEP_DATA,
	CLIENT_STEP_BODY,
	CLIENT_STEP_DOT,
	CLIENT_STEP_RSET,
	CLIENT_STEP_QUIT,
	CLIENT_STEP_OVER
};
/* "RCPT TO command", as it stands in "(in reply to …)". */
const char *client_step_command(enum client_step s);
/* "sending RCPT TO", as it stands in "lost connection with h while …". */
const char *client_step_doing(enum client_step s);

enum { CLIENT_DOMAINS = 64 }; /* of recipients that are counted: RCPTDOMAINMAX over that is as if it were that */

enum client_tls { CLIENT_TLS_NONE, CLIENT_TLS_MAY, CLIENT_TLS_MUST };

struct client_options {
	bool lmtp;	     /* LHLO, and one reply per recipient after the dot (RFC 2033) */
	const char *helo;    /* our name; must live as long as the engine */
	enum client_tls tls; /* MAY: STARTTLS where it is offered; MUST: or fail */
	bool secured;	     /* the connection is under TLS from its start */
	bool login;	     /* give CLIENT_LOGIN before CLIENT_READY where AUTH is offered */
	unsigned ignore;     /* EXT_BIT() of extensions that are taken as not offered (smtp_discard_ehlo_keywords) */
	bool no_conversion;  /* 8-bit content goes as it is to every server (disable_mime_output_conversion) */
	unsigned mime_depth; /* levels that the conversion looks into; 0: MIME_DEPTH_MAX of mime/convert.h */
};

struct mime_convert;

enum client_outcome {
	CLIENT_OPEN,	  /* nothing decided: the connection went before; c.failure says where */
	CLIENT_DELIVERED, /* the server took it (2xx after the dot) */
	CLIENT_DEFERRED,  /* 4xx, or an answer of a wrong class */
	CLIENT_BOUNCED	  /* 5xx, or it cannot be sent to this server at all */
};

struct client_rcpt {
	/* from the caller */
	struct str address;   /* local@domain */
	struct str orcpt;     /* "rfc822;…" in xtext; "" none */
	uint8_t notify;	      /* enum notify_flag of log/envelope.h */
	uint64_t valid_since; /* RRVS: seconds since 1970; 0: none */
	bool since_may_end;   /* RRVS=…;C: to a server without RRVS as a header field */
	/* from the engine; smtp_client_send() clears it first */
	bool held_back; /* over a limit of the server (LIMITS), or not to be seen with the others (RRVS): not sent, OPEN; send
			 * it in another message */
	enum client_outcome outcome;
	bool accepted;	       /* RCPT was answered with 2xx */
	enum client_step step; /* whose reply it is */
	bool own;	       /* the text is ours, not the server's: it was never sent */
	char dsn[12];	       /* "5.1.1" */
	struct str text;       /* the reply "550 5.1.1 no such user", or our sentence; in message.mem */
};

struct client_message {
	struct str sender;		       /* "" is <> */
	struct str envid;		       /* xtext; "" none */
	struct str solicit;		       /* SOLICIT=; "" none */
	int priority;			       /* MT-PRIORITY */
	bool has_by;			       /* DELIVERBY; its mode is in flags */
	int64_t by_s;			       /* seconds that are left; may be negative */
	const struct smtp_attributes *forward; /* whom it is from, for XFORWARD; NULL: not to be told */
	struct str auth;		       /* MAIL AUTH=, not encoded; "" none; said only where we are logged in */
	uint32_t flags;	  /* enum envelope_flag: ENV_8BIT, ENV_SMTPUTF8, ENV_RET_FULL, ENV_RET_HDRS */
	bool utf8_header; /* the header has UTF-8: it needs SMTPUTF8 even when all addresses are ASCII */
	uint64_t size;	  /* octets of the content; 0: not known */
	struct client_rcpt *rcpt;
	size_t n_rcpt;	   /* at least 1 */
	struct arena *mem; /* for the texts */
	/*
	 * The next octets of the content in its wire form (CRLF lines, dot-stuffed, no final dot) into p, at most n.
	 * Returns their number, 0 at the end, < 0: cannot be read (the message is never completed then). Never blocks on
	 * a peer.
	 */
	ssize_t (*read)(struct client_message *m, void *p, size_t n);
	/* The next read() begins at the first octet: content that has to be converted is read twice (mime/convert.h). */
	void (*rewind)(struct client_message *m);
	/* from the engine */
	bool passed_dsn; /* the server speaks DSN (RFC 3461): reports are its duty now */
	bool passed_by;	 /* it keeps DELIVERBY now */
};

struct client_failure {
	enum client_step step;
	int code; /* 0: no reply (the connection was lost, or the server talked nonsense) */
	char dsn[12];
	struct buf text; /* the reply as one line; with code 0: a sentence, or empty when the connection was lost */
};

struct smtp_client {
	struct client_options options;
	enum client_step step; /* what is awaited */
	/* what the server is; valid from CLIENT_READY on */
	unsigned offered;		       /* EXT_BIT() of smtp/esmtp.h */
	uint64_t size_limit;		       /* SIZE; 0: none given */
	uint64_t by_least_s;		       /* DELIVERBY: the least time that it takes with R */
	size_t mail_max, rcpt_max, domain_max; /* LIMITS (RFC 9422); 0: none */
	bool esmtp;			       /* EHLO or LHLO was taken */
	bool logged_in;
	unsigned forward_attributes;	/* ATTR_BIT() of those that XFORWARD takes */
	bool forward_due, forward_open; /* XFORWARD is to be sent; its answer is awaited */
	struct buf server_name;		/* the first word of its EHLO reply */
	struct buf mechanisms;		/* of AUTH: words separated by one space, in capitals */
	struct buf challenge;		/* CLIENT_CHALLENGE: still in base64 */
	struct client_failure failure;

	/* its own */
	bool gone; /* the connection is dead or out of step: not even QUIT makes sense */
	bool secured, unusable, needs_rset, auth_line;
	bool tls_refused; /* STARTTLS was offered, and its answer no */
	struct reply_reader reply;
	struct buf out;
	size_t out_done; /* octets of out that were written */
	struct client_message *message;
	size_t sent, answered; /* commands of this transaction: 0 MAIL, 1 … n RCPT, n + 1 DATA */
	size_t accepted;       /* recipients that got 2xx */
	size_t lmtp_next;      /* LMTP: whose reply is next after the dot */
	bool mail_refused, aborting, body_ended;
	bool in_chunks;			 /* the content goes by BDAT */
	bool chunk_open;		 /* a chunk is sent, its reply is not there yet */
	size_t mails;			 /* transactions of this session */
	uint64_t domain[CLIENT_DOMAINS]; /* hashes of the domains of its recipients */
	size_t n_domain;
	bool at_line_start;	      /* of the content that is converted, for dot_unstuff() */
	bool chunk_line_start;	      /* of what goes by BDAT */
	char tail[2];		      /* the last two octets of the body */
	bool looking;		      /* smtp_client_is_looking() */
	struct mime_convert *convert; /* NULL: the content goes as it is */
	struct buf converted;	      /* what it has ready */
	bool read_ended;
	struct wire_check check;
};

void smtp_client_init(struct smtp_client *c, const struct client_options *o);
/* Gives back its memory (and wipes what may hold a secret). Any state. */
void smtp_client_free(struct smtp_client *c);

/* Octets from the server: all of them are taken. Never after CLIENT_FAILED or CLIENT_ENDED. */
enum client_event smtp_client_input(struct smtp_client *c, struct str in);
/*
 * 1: *octets are to be written (valid until the next call of any function here); 0: nothing now; -1: the content of the
 * message cannot be read: close the connection, the outcomes are there as after CLIENT_SENT.
 */
int smtp_client_output(struct smtp_client *c, struct str *octets);
void smtp_client_wrote(struct smtp_client *c, size_t n);

/* The handshake is done: EHLO again, all that was known is forgotten (RFC 3207 sec. 4.2). Then: output. */
void smtp_client_secured(struct smtp_client *c);

/* AUTH with that mechanism; `initial` in base64, p == NULL: none, n == 0: "=" (RFC 4954 sec. 4). Then: output. */
void smtp_client_auth(struct smtp_client *c, const char *mechanism, struct str initial);
void smtp_client_auth_answer(struct smtp_client *c, struct str base64);
void smtp_client_auth_cancel(struct smtp_client *c);
/* After CLIENT_FAILED by a 535: the session is as it was before AUTH (RFC 4954 sec. 6). Then: smtp_client_auth(). */
void smtp_client_auth_again(struct smtp_client *c);
/* Go on without a login; the next event would have been CLIENT_READY. */
void smtp_client_auth_skip(struct smtp_client *c);

/*
 * Begin a message; allowed at CLIENT_READY and after CLIENT_SENT on a reusable connection. It stays the caller's and
 * must live until CLIENT_SENT or smtp_client_lost(). Returns CLIENT_MORE, or CLIENT_SENT at once when nothing can be
 * sent to this server (too large, needs SMTPUTF8, cannot be converted): the outcomes are there.
 *
 * Content that may have to be converted is looked at before anything is sent. All of it at once could keep others waiting:
 * while smtp_client_is_looking(), give them their turn and call smtp_client_look(), which looks at a piece, and returns
 * as this function does. There is no output meanwhile, and what the server says ends the connection.
 */
enum client_event smtp_client_send(struct smtp_client *c, struct client_message *m);
bool smtp_client_is_looking(const struct smtp_client *c);
enum client_event smtp_client_look(struct smtp_client *c);
bool smtp_client_is_reusable(const struct smtp_client *c);
/* Say QUIT; then: output, and CLIENT_ENDED with its reply (for which nobody needs to wait). */
void smtp_client_quit(struct smtp_client *c);
/*
 * The connection is gone (or will be: time-out). Recipients of a message under way that have no outcome stay
 * CLIENT_OPEN; c.failure.step says where it was, c.failure.code is 0, unless a failure was there before.
 */
void smtp_client_lost(struct smtp_client *c);

/* Octets of a peer made fit for one line of text: control characters and what is no UTF-8 become "?"; at most `max`. */
void text_sanitise(struct buf *out, struct str in, size_t max);

#endif
