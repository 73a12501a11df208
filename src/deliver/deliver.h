/*
 * deliver.h - the state of process deliver: final delivery for queued (services virtual, local, lmtp and their clones).
 *
 * A job (msg/job_msg.h) becomes a run; each of its recipients ends exactly once by rcpt_end(), which writes the log
 * line; after the last one the result goes to queued and the run is freed.
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include "child/child.h"
#include "deliver/worker.h"
#include "map/map_client.h"
#include "msg/job_msg.h"

enum { JOBS_MAX = 100 }; /* told to queued as our capacity */

struct channel { /* to one life of queued */
	struct ipc ipc;
	struct deliver *deliver;
	struct segment_set *segments; /* its jobs read from these, even when it is gone */
	unsigned jobs;
	bool gone, closed;
	struct ipc half; /* half.c; open unless half_closed */
	unsigned half_jobs;
	bool half_closed;
};

struct deliver {
	struct child child;
	struct map_client *map;
	struct channel *channel; /* NULL: queued is away */
	struct lmtp_conn *lmtp;	 /* lmtp.c: all connections */
	char host[256];		 /* for Maildir names: "/" and ":" replaced */
	char program[256];	 /* our own name in log lines: syslog_name/deliver */
	struct ipc half;	 /* half.c: to the LMTP process; in that one: to deliver */
	bool has_half, is_half;
	char half_jail[256];	/* what the LMTP process gave up */
	const char *names_jail; /* and the one that looks up users; "": there is none */
	unsigned jobs;
	bool stopping;
	uint64_t sent, deferred, bounced; /* recipients since the start */
};

struct rcpt_run {
	struct run *run;
	const struct envelope_rcpt *rcpt;
	struct rcpt_result result;
	struct map_request ask; /* virtual.c */
	unsigned step;
	struct worker worker;
	bool ended;
};

struct run {
	struct deliver *deliver;
	struct channel *channel;
	struct arena *mem;
	struct job job;
	const struct conf_view *view;
	const char *command;		 /* "virtual", "local", "lmtp" */
	char program[256];		 /* for log lines: syslog_name/command */
	uint64_t begun_us, connected_us; /* connected: lmtp only; 0: none was made */
	struct rcpt_run *rcpt;		 /* job.env.n_rcpt */
	size_t open;			 /* recipients that have not ended */
	struct run *next;		 /* in lmtp.c's list of waiting ones */
};

/* peer.c */
/* The channel to queued is there; it is told how many jobs we take. Takes: fd. */
void queued_open(struct deliver *d, int fd);
/* A job of this channel has ended. */
void channel_release(struct channel *c);
/* Free one that is closed, on both of its sides, and has no job any more. */
void channel_free_if_unused(struct channel *c);

/* job.c */
/* Begin a job; each recipient ends by rcpt_end(). Takes: mem, which holds the job. */
void run_begin(struct channel *c, struct arena *mem, const struct job *job);
/* The wall clock, microseconds since 1970. */
uint64_t now_us(void);
/* Command of the job's service: "virtual", "local", "lmtp"; "" for a service that master.cf lacks. */
const char *job_command(const struct deliver *d, const struct job *job);
/* One recipient more, for the status. */
void deliver_count(struct deliver *d, enum rcpt_status status);
/* One job less; the last one ends a process that is to stop. */
void deliver_job_ended(struct deliver *d);

struct rcpt_end {
	enum rcpt_status status;
	bool nexthop_dead;
	enum rcpt_relayed relayed;
	const char *dsn;
	const char *relay;			 /* "relay=" of the log line */
	struct str remote_mta, diagnostic, text; /* copied */
};
/* After the last recipient's the run is gone. */
void rcpt_end(struct rcpt_run *q, const struct rcpt_end *e);
/* The same for a failure of ours: text is diagnostic and explanation. */
void rcpt_fail(struct rcpt_run *q, enum rcpt_status status, const char *dsn, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Fill in what every mailbox has, and start the worker; its end is the recipient's. */
void rcpt_to_mailbox(struct rcpt_run *q);

/* One service each. */
void virtual_begin(struct rcpt_run *q);
void local_begin(struct rcpt_run *q);
void lmtp_begin(struct run *r);
/* Close idle connections (stop). */
void lmtp_stop(struct deliver *d);
/* Open ones, idle or not. */
size_t lmtp_connections(const struct deliver *d);

#endif
