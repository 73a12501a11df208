/*
 * job_msg.h - queued and its delivery agents (relay, deliver): a job is some recipients of one message for one nexthop.
 */
#ifndef MSG_JOB_MSG_H
#define MSG_JOB_MSG_H

#include "base/arena.h"
#include "base/ipc.h"
#include "log/envelope.h"

enum job_msg {
	/* queued -> agent */
	MSG_JOB = 1,	   /* see job_encode() */
	MSG_SEG_OPEN = 2,  /* u64 generation; 1 fd read-only: jobs that follow have extents in it */
	MSG_SEG_CLOSE = 3, /* u64 generation: no job of yours needs it any more; close it */
	/* agent -> queued */
	MSG_RESULT = 32,  /* see result_encode(): the end of one job, all its recipients */
	MSG_CAPACITY = 33 /* u32: jobs that I take at a time (sent once, at the beginning) */
};

struct job {
	uint32_t job;	     /* queued's number of it; comes back in the result */
	uint64_t id;	     /* of the message */
	struct str service;  /* master.cf service: "smtp", "relay", "lmtp", "virtual", "local", a clone of one … */
	struct str nexthop;  /* "example.org", "[127.0.0.1]:2526", "unix:private/dovecot-lmtp" */
	struct envelope env; /* recipients: only those of this job; rcpt.index says which of the message's */
	uint64_t active_us;  /* when it became active, microseconds since 1970: the "delays=" of the log line */
};

enum rcpt_status { RCPT_SENT = 1, RCPT_DEFERRED = 2, RCPT_BOUNCED = 3 };
/* Where SENT went, and so who reports when NOTIFY=SUCCESS (RFC 3461 sec. 5.2 and 5.3). */
enum rcpt_relayed {
	RELAYED_NOT = 0,   /* delivered for good: we report "delivered" */
	RELAYED_PLAIN = 1, /* to a server that does not speak DSN: we report "relayed" */
	RELAYED_DSN = 2	   /* to one that does: it is its duty, and we say nothing */
};

struct rcpt_result {
	uint32_t index;	       /* rcpt.index of the job */
	uint8_t status;	       /* enum rcpt_status */
	uint8_t nexthop_dead;  /* DEFERRED: nothing can be delivered there now (no connection, no greeting …) */
	uint8_t relayed;       /* SENT: enum rcpt_relayed */
	bool by_passed;	       /* SENT: the next hop keeps DELIVERBY now (RFC 2852) */
	struct str dsn;	       /* RFC 3463 status: "2.0.0" */
	struct str remote_mta; /* Remote-MTA of the report (name), "" if there was none */
	struct str
		diagnostic; /* what the other side said, one line without CR, LF: "550 5.1.1 no such user"; or ours */
	struct str text;    /* for the human part and the log: "host x[1.2.3.4] said: 550 …" */
};

/* Payload of MSG_JOB. */
void job_encode(struct buf *out, const struct job *j);
/* Slices point into the arena. Returns 0, or -1: malformed. */
int job_decode(struct ipc_in *in, struct arena *mem, struct job *j);
/* Payload of MSG_RESULT. */
void result_encode(struct buf *out, uint32_t job, const struct rcpt_result *r, size_t n);
int result_decode(struct ipc_in *in, struct arena *mem, uint32_t *job, struct rcpt_result **r, size_t *n);

#endif
