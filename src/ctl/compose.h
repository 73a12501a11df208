/*
 * compose.h - what sendmail(1) does to the header of a message before it is given to smtpd: find recipients in it,
 * complete addresses without a domain, add a From field that has the sender's name.
 */
#ifndef CTL_COMPOSE_H
#define CTL_COMPOSE_H

#include "base/buf.h"

struct compose {
	struct str origin;    /* $myorigin: the domain of an address without one */
	struct str sender;    /* of the envelope; for a From field, when there is none */
	struct str full_name; /* "": no From field is added here */
	bool extract;	      /* -t: recipients are in To, Cc, Bcc, or in the Resent- ones if there are any */
	bool leave;	      /* -G: the header stays as it is */
	struct buf rcpts;     /* found, an address a line */
};
/* `text` is the message as it was typed, `out` gets it with its header done. */
void compose(struct compose *c, struct str text, struct buf *out);

#endif
