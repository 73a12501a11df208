/*
 * terms.h - what mail server and filter agree on at the beginning of a milter connection: the version of the protocol,
 * what the filter may change, what it is told and what of that it answers, and the macros that it wants.
 */
#ifndef MILTER_TERMS_H
#define MILTER_TERMS_H

#include "milter/packet.h"

enum { MILTER_VERSION_MIN = 2, MILTER_VERSION_MAX = 6 };

enum milter_action { /* SMFIF_: what a filter may ask for at the end of a message */
	MILTER_ADD_HEADERS = 0x1,
	MILTER_CHANGE_BODY = 0x2,
	MILTER_ADD_RCPT = 0x4,
	MILTER_DELETE_RCPT = 0x8,
	MILTER_CHANGE_HEADERS = 0x10,
	MILTER_QUARANTINE = 0x20,
	MILTER_CHANGE_SENDER = 0x40,
	MILTER_ADD_RCPT_ARGS = 0x80,
	MILTER_SET_MACROS = 0x100
};

enum milter_protocol { /* SMFIP_: NO_ an event is not told, NR_ it is not answered */
	MILTER_NO_CONNECT = 0x1,
	MILTER_NO_HELO = 0x2,
	MILTER_NO_MAIL = 0x4,
	MILTER_NO_RCPT = 0x8,
	MILTER_NO_BODY = 0x10,
	MILTER_NO_HEADER = 0x20,
	MILTER_NO_EOH = 0x40,
	MILTER_NR_HEADER = 0x80,
	MILTER_NO_UNKNOWN = 0x100,
	MILTER_NO_DATA = 0x200,
	MILTER_CAN_SKIP = 0x400,
	MILTER_NR_CONNECT = 0x1000,
	MILTER_NR_HELO = 0x2000,
	MILTER_NR_MAIL = 0x4000,
	MILTER_NR_RCPT = 0x8000,
	MILTER_NR_DATA = 0x10000,
	MILTER_NR_UNKNOWN = 0x20000,
	MILTER_NR_EOH = 0x40000,
	MILTER_NR_BODY = 0x80000,
	MILTER_LEADING_SPACE = 0x100000 /* the blank behind a field's colon is part of its value */
};

struct milter_terms {
	uint32_t version, actions, protocol;
	uint32_t untold;		  /* NO_ bits of what that version of the protocol does not know */
	struct str macros[MILTER_STAGES]; /* p NULL: the configured ones; else in the packet that was read */
};

/*
 * What we offer, by the value of milter_protocol: one version, and perhaps "no_header_reply" (a filter of an old version
 * that answers no header). 0; -1: that is no such value.
 */
int milter_terms_offer(struct str milter_protocol, struct milter_terms *offer);
/* The packet that offers it. */
void milter_terms_put(struct buf *out, const struct milter_terms *offer);
/*
 * The filter's answer to that offer, its data; *terms is what holds then. NULL: agreed; else what is wrong with it
 * (static text).
 */
const char *milter_terms_take(struct str data, const struct milter_terms *offer, struct milter_terms *terms);
/* Is the filter told of that event; does it answer? */
bool milter_terms_tells(const struct milter_terms *t, enum milter_event e);
bool milter_terms_answers(const struct milter_terms *t, enum milter_event e);

#endif
