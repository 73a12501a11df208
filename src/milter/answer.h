/*
 * answer.h - what a filter answers: a verdict, or, at the end of a message, what it wants to have changed before that.
 */
#ifndef MILTER_ANSWER_H
#define MILTER_ANSWER_H

#include "milter/packet.h"

enum milter_answer_kind {
	ANSWER_CONTINUE,
	ANSWER_ACCEPT, /* this message is fine, whatever else it has; at connect or HELO: so is the whole session */
	ANSWER_REJECT,
	ANSWER_TEMPFAIL,
	ANSWER_DISCARD,	   /* take it and drop it */
	ANSWER_SHUTDOWN,   /* 421, and close */
	ANSWER_CONNECTION, /* SMFIR_CONN_FAIL: as SHUTDOWN */
	ANSWER_REPLY,	   /* name: lines of an SMTP reply */
	ANSWER_SKIP,	   /* no more of these */
	ANSWER_PROGRESS,   /* still at work */
	/* only before the verdict on a whole message */
	ANSWER_ADD_HEADER,    /* name, value */
	ANSWER_INSERT_HEADER, /* index (0: the first place), name, value */
	ANSWER_CHANGE_HEADER, /* index (1: the first of that name), name, value; an empty value deletes it */
	ANSWER_CHANGE_SENDER, /* name: address; value: ESMTP parameters */
	ANSWER_ADD_RCPT,      /* the same */
	ANSWER_DELETE_RCPT,   /* name: address */
	ANSWER_BODY,	      /* value: octets of the new body, the next ones */
	ANSWER_QUARANTINE     /* name: why */
};

struct milter_answer {
	enum milter_answer_kind kind;
	uint32_t index;
	struct str name, value; /* in the packet; "" where a kind has none. No NUL but in a body */
};
/* 0; -1: no such answer, or its data is not what it must be. */
int milter_answer_parse(const struct milter_packet *p, struct milter_answer *a);
/* Is it a change, which may come before a verdict on a whole message and nowhere else? */
bool milter_answer_is_change(const struct milter_answer *a);
/* The actions (enum milter_action) of which the filter must have asked for one; 0: none is needed. */
uint32_t milter_answer_needs(const struct milter_answer *a);

enum { MILTER_REPLY_LINES = 32, MILTER_REPLY_OCTETS = 16 * 1024 };
struct milter_reply {
	int code;	   /* 400 … 599 */
	char enhanced[12]; /* "" none */
};
/*
 * ANSWER_REPLY taken apart: "550 5.7.1 text", or lines of it ("550-5.7.1 a", CRLF, "550 5.7.1 b"), each with the same
 * code. Their texts are added to `lines`, each ended by LF; control characters become '?', and of the two '%' that
 * libmilter's format needs one is left. 0; -1: no such reply (nothing is added).
 */
int milter_reply_parse(struct str text, struct milter_reply *r, struct buf *lines);

#endif
