/*
 * envelope.h - the envelope of a message: what a COMMIT record holds and what a job carries.
 *
 * Unknown attributes of an encoded envelope are kept and passed on, so that an older reader does no harm.
 * Format: docs/protocol/log.md.
 */
#ifndef LOG_ENVELOPE_H
#define LOG_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"

enum envelope_flag {
	ENV_8BIT = 1,	  /* BODY=8BITMIME, or the content has octets over 127 */
	ENV_SMTPUTF8 = 2, /* SMTPUTF8 was given (RFC 6531) */
	ENV_RET_FULL = 4, /* RET=FULL, RET=HDRS (RFC 3461 sec. 4.3) */
	ENV_RET_HDRS = 8,
	ENV_REPORT = 16, /* a delivery report of ours: no report on it is made */
	ENV_BINARY = 32, /* BODY=BINARYMIME (RFC 3030): the content is any octets, its wire form is for BDAT alone */
	ENV_REQUIRETLS = 64,	/* REQUIRETLS (RFC 8689): never on without verified TLS */
	ENV_TLS_OPTIONAL = 128, /* the field TLS-Required: No: what DNS alone demands of a next hop may be given up */
	ENV_BY_RETURN = 256,	/* DELIVERBY (RFC 2852): R, N, T */
	ENV_BY_NOTIFY = 512,
	ENV_BY_TRACE = 1024,
	ENV_LONG_LINE = 2048, /* the content has a line over 998 octets (RFC 5322 sec. 2.1.1): it leaves converted */
	ENV_HELD = 4096,      /* on hold from the beginning, until a HOLD record says more */
	ENV_LOST = 32768 /* its content was damaged and given up (`gatepost queue fsck --repair`): to be returned */
};

enum notify_flag { /* 0: not given */
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
	NOTIFY_EXPANDED = 16 /* an alias whose targets are recipients of their own: reported so, never delivered */
};

struct envelope_rcpt {
	uint32_t index;	      /* 0 … n-1 in the message */
	uint8_t notify;	      /* enum notify_flag */
	struct str address;   /* local@domain, without <> */
	struct str original;  /* the address as the client gave it, where an alias or a rewriting changed it; else "" */
	struct str orcpt;     /* ORCPT, "rfc822;x+2Bw@y" still in xtext (RFC 3461 sec. 4.2); "" */
	uint64_t valid_since; /* RRVS (RFC 7293), of recipients elsewhere: seconds since 1970; 0: none */
	bool since_may_end;   /* RRVS=…;C */
};

struct extent {
	uint64_t generation; /* of its segment */
	uint64_t offset;     /* of the octets themselves, not of their record's header */
	uint32_t octets;
};

struct envelope {
	uint64_t id;	     /* shown as envelope_id_text() */
	uint64_t arrival_us; /* microseconds since 1970 */
	uint64_t size;	     /* octets of the content, CRLF lines, without dot-stuffing and final dot */
	uint32_t flags;	     /* enum envelope_flag */
	struct str sender;   /* "" is <> */
	struct str envid;    /* ENVID, still in xtext; "" */
	struct str auth;     /* MAIL AUTH=, decoded; "" */
	struct str solicit;  /* SOLICIT= (RFC 3865); "" */
	struct str sasl_username, sasl_method, client_name, client_addr, helo, proto; /* for log, filters, reports */
	uint64_t deliver_by_us; /* DELIVERBY: microseconds since 1970; 0: none */
	uint64_t hold_until_us; /* FUTURERELEASE (RFC 4865): not tried before; 0: none */
	uint64_t hold_for_s;	/* it was asked for as HOLDFOR, with so many seconds; 0: it was not */
	int priority;		/* MT-PRIORITY (RFC 6710): -9 … 9; 0 also when it was not given */
	struct envelope_rcpt *rcpt;
	size_t n_rcpt;
	struct extent
		*extent; /* in order; the content in its wire form: CRLF lines, dot-stuffed, without the final dot */
	size_t n_extent;
	struct str unknown; /* attributes that this version does not know, as they were */
};

/* No fewer octets than envelope_encode() makes of it. */
size_t envelope_octets(const struct envelope *e);
void envelope_encode(struct buf *out, const struct envelope *e);
/* Slices point into `octets`, arrays into the arena. 0, or -1: malformed. */
int envelope_decode(struct str octets, struct arena *mem, struct envelope *e);

enum { ENVELOPE_ID_TEXT = 17 };
/* The queue id as people see it: at least 10 capital hex digits. `text` has ENVELOPE_ID_TEXT octets. Returns text. */
const char *envelope_id_text(uint64_t id, char *text);
/* The reverse; false when it is none. */
bool envelope_id_parse(struct str text, uint64_t *id);

#endif
