/*
 * queued.h - the state of queued: segments, messages, destinations, agents. One of it per process.
 *
 * A message is waiting (in the timing wheel), ready (fresh or due, in a FIFO), active (its envelope is in memory, its
 * recipients are routed and in the FIFOs of their destinations or with an agent), parked (its only destination has more
 * than enough of them in its FIFO) or held. What an idle message costs is struct message; all else is read from the log
 * when it is needed.
 */
#ifndef QUEUED_QUEUED_H
#define QUEUED_QUEUED_H

#include "base/ipc.h"
#include "child/child.h"
#include "log/envelope.h"
#include "log/record.h"
#include "log/spool_reader.h"
#include "log/spool_writer.h"
#include "map/map_client.h"
#include "msg/job_msg.h"

enum {
	PRIORITY_MAX = 9,
	DEST_SLOTS = 16384,
	WHEEL_SLOTS = 4096,	 /* seconds; what is due later goes round again */
	RCPTS_PER_JOB_MAX = 100, /* a result must fit into one message of ipc.h */
	SEGMENT_OCTETS = 64 * 1024 * 1024,
	SMALL_SEGMENT_OCTETS = 16 * 1024 * 1024,
	SMALL_SEGMENTS = 8, /* the first ones, so that a small instance stays small; and all of results */
	SPARES_KEPT = 2,
	SPARES_MAX = 8,
	AGENTS_MAX = 256
};

struct queued;
struct message;
struct active;
struct dest;
struct agent;
struct damaged_copy;

/* segment.c */
enum segment_state {
	SEG_FREE,    /* spare */
	SEG_LENT,    /* to an smtpd or to our own writer: read as far as it says */
	SEG_FOREIGN, /* found at start, and somebody still writes to it */
	SEG_CLOSED,  /* nobody writes any more; to be read to known, or to its end */
	SEG_CURRENT, /* where our own results go */
	SEG_BAD	     /* cannot be read or written any more: left alone */
};
struct segment {
	struct segment *next;
	unsigned number; /* of its file */
	int fd;		 /* ours, read-write */
	int agent_fd;	 /* read-only, holds the readers' lock; -1: not open */
	struct segment_head head;
	enum segment_state state;
	struct log_scan scan;
	uint64_t known;	   /* committed up to here; size: read to the end */
	bool in_recovery;  /* what it holds may have been ended by an earlier result */
	bool was_read;	   /* closed, and read to its end */
	uint64_t borrower; /* smtpd.serial; 0: our own writer */
	unsigned live;	   /* messages that are not done with COMMIT or content in it */
	uint64_t live_octets;
	uint64_t last_result; /* generation of the last result segment that says something about it */
	uint64_t *about;      /* result segment: the generations that it says something about */
	size_t n_about, cap_about;
	uint64_t closed_ms;
	uint64_t closed_at;	/* by queued.log_turn */
	uint64_t mark, mark_at; /* what was known at that turn … */
	uint64_t read_to;	/* all that was known at this turn has been read */
	uint64_t owed;		/* a COMMIT before this may speak of content elsewhere, though no notice came yet */
	unsigned damaged;	/* messages in it that cannot be read: kept for `gatepost queue fsck` */
	bool no_file;		/* unlinked */
	bool failed;		/* a write or flush of it failed: its place on the disk is not trusted any more */
	bool carried;		/* … and its results are elsewhere, but for what cannot be read */
	bool sparse;		/* what is left in it should move */
	bool header_waits;	/* found, and its header could not be read yet */
	bool may_be_blank;	/* found, and its first record is none: nobody may ever have written there */
	bool is_looked_at;	/* … which a thread finds out */
	uint64_t again_ms;	/* reading it failed: not before that; 0: go on */
	unsigned failures;	/* of reading it, in a row */
};

/* index.c */
struct rcpt_ref {
	uint32_t index;	 /* envelope_rcpt.index */
	uint32_t domain; /* hash of its domain, for ETRN */
	uint32_t reason; /* why it was deferred: reason.c */
};
enum message_state { MSG_WAITING, MSG_READY, MSG_ACTIVE, MSG_HELD, MSG_PARKED };
enum message_flag {
	MF_WARNED = 1,	 /* a delay report was sent: delay_warning_time */
	MF_MOVED = 2,	 /* has been copied forward */
	MF_SPANS = 4,	 /* has content in other segments than its COMMIT's */
	MF_HELD = 8,	 /* hold it when its round ends */
	MF_DELETED = 16, /* forget it when its round ends */
	MF_FRESH = 32,	 /* never tried in this process */
	MF_MOVING = 64,
	MF_EXPIRE = 128 /* return it at its next turn (postsuper -e) */
};
struct message {
	uint64_t id;
	uint64_t arrival_us; /* by queue_now_us() */
	struct message *hash_next;
	struct message *next, **prev; /* in the list that its state says */
	struct segment *seg;	      /* where its COMMIT is */
	struct active *active;
	union {
		struct rcpt_ref one;
		struct rcpt_ref *many;
	};
	uint32_t n_rcpt;    /* not done */
	uint32_t commit_at; /* offset of the COMMIT record, divided by 8 */
	uint32_t size;	    /* octets, at most UINT32_MAX */
	uint32_t due_s;	    /* on the loop's clock */
	uint32_t dest;	    /* dest.number of the only destination of the last round, or 0 */
	uint8_t flags, attempts;
	uint8_t state : 4;
	uint8_t is_tried : 1;		/* in this process, and deferred */
	uint8_t is_timed : 1;		/* DELIVERBY: its envelope says when something is due */
	uint8_t content_is_damaged : 1; /* not delivered, unless it checks one day */
	uint8_t by_told : 1;		/* a delay report was sent: DELIVERBY=…;N */
	int8_t priority;		/* MT-PRIORITY: -9 … 9 */
};
struct message_list {
	struct message *first, **last;
	size_t n;
};

/* dest.c */
enum service_kind { SERVICE_RELAY, SERVICE_DELIVER, SERVICE_ERROR, SERVICE_RETRY, SERVICE_DISCARD };
struct service {
	struct service *next;
	char *name;
	enum service_kind kind;
	char *fault; /* why its mail waits: it is no service; else NULL */
	unsigned window_first, window_limit, rcpts_limit, cohort_limit;
	uint64_t pause_ms; /* after each delivery to a destination; 0: none */
};
/* Who is served first: fresh mail of a few recipients for a destination that works, or the rest. */
enum lane { LANE_PROMPT, LANE_REST, LANES };
struct unit { /* recipients of one message for one destination: one job */
	struct unit *next;
	struct unit *more; /* of the same message for the same destination: queued when this one has gone */
	enum lane lane;	   /* in which it went to the agent */
	int64_t rank;	   /* units of a destination go in this order: when it came, less a minute for each priority */
	struct active *active;
	struct dest *dest;
	struct agent *agent; /* while it is a job */
	struct unit *agent_next, **agent_prev;
	uint32_t job;
	uint64_t *generation; /* segments that it reads */
	size_t n_generation;
	struct active_rcpt **rcpt;
	size_t n;
	size_t octets; /* of these in a job */
};
struct fifo { /* units of one priority, the lowest rank first */
	struct unit *first, **last;
};
struct dest {
	struct dest *hash_next;
	struct dest *ring_next;
	struct service *service;
	struct str nexthop;
	uint32_t number; /* hash of its key; never 0, and no other destination's */
	bool in_ring;
	bool is_pausing; /* among queued.pausing */
	struct dest *pausing_next;
	uint64_t pause_until_ms;
	struct fifo plain;	       /* of priority 0 */
	struct fifo *others;	       /* of the priorities -9 … 9 in this order; NULL: none came yet */
	struct unit *filling;	       /* the unit that dispatch() adds to */
	struct message_list parked[2]; /* urgent ones or such with DELIVERBY; the others */
	unsigned queued;	       /* units in all its FIFOs */
	unsigned busy;
	double window;		/* how many jobs at a time */
	double failures;	/* cohorts that failed in a row */
	uint64_t dead_until_ms; /* 0: alive */
	unsigned refused;	/* mail that was tried again and deferred again, in a row */
	uint64_t retry_at_ms;	/* no deferred mail is tried before; 0: no such limit */
	char *why;		/* what it said last when it died */
	char why_dsn[16];
	uint64_t used_ms;
	uint32_t minute;		   /* of the loop's clock, that counted[0] is of */
	uint32_t counted[2][RCPT_BOUNCED]; /* this minute, the one before: by enum rcpt_status - 1 */
	char key[];
};

/* active.c */
struct active_rcpt {
	struct map_request route;
	struct active *active;
	const struct envelope_rcpt *rcpt;
	struct dest *dest; /* while units are made */
	struct rcpt_ref ref;
	bool is_routing, is_recorded, diagnostic_is_smtp, by_passed;
	uint8_t relayed; /* enum rcpt_relayed */
	uint8_t outcome; /* enum rcpt_status; 0: none yet */
	struct str dsn, remote_mta, diagnostic, text;
};
struct active {
	struct message *message;
	struct arena *mem;
	struct envelope env;
	struct active_rcpt *rcpt;
	size_t n;
	size_t routing;
	size_t units; /* queued or with an agent */
	uint64_t active_us;
};

/* finish.c: Is the time of its DELIVERBY over (RFC 2852)? Only when both clocks say so: see there. */
bool by_is_past(const struct queued *q, const struct active *a);
/* … and it is to be returned then (R). */
bool by_is_over(const struct queued *q, const struct active *a);

/*
 * leave.c: end; unless STOP_NOW, when the agents have told the results of their jobs and the reports on them are kept, or
 * when that takes too long.
 */
void queued_leave(struct queued *q, enum stop_how how);
/* A job has ended, or the reports of a round. */
void queued_leave_if_idle(struct queued *q);

/* agent.c */
struct agent {
	struct ipc ipc;
	struct queued *q;
	enum role role;
	unsigned index;
	uint32_t capacity, busy;
	struct unit *jobs;
	uint64_t *open; /* generations that it has, and how many of its jobs need each */
	unsigned *open_jobs;
	size_t n_open, cap_open;
	bool gone;
};

/* smtpd.c */
struct smtpd {
	struct ipc ipc;
	struct queued *q;
	uint64_t serial; /* of the channel: a successor has another one */
	unsigned index;
	unsigned wants;
};

/* segment.c: a file whose creation was interrupted; so far it has zeros. */
struct unfinished {
	bool is_there;
	unsigned number;
	int fd;
	uint64_t octets;
};

struct queued {
	struct child child;
	uv_timer_t tick; /* each second; more often while a segment is foreign */
	uint32_t ticked_s;
	uv_check_t check;
	uv_prepare_t prepare;
	bool leaving; /* no more jobs: it ends when the agents have told their results, or soon */
	uv_timer_t leave_timer;
	uv_idle_t busy;	   /* runs while there is reading or recovery to be done */
	uint64_t start_us; /* wall clock and loop clock at the start: see queue_now_us() */
	uint64_t start_ms;
	int64_t wall_ahead_us; /* what the wall clock shows more than queue_now_us() */

	/* parameters */
	uint64_t min_backoff_s, max_backoff_s, lifetime_s, bounce_lifetime_s, delay_warning_s;
	uint64_t min_free, message_limit, bounce_size_limit;
	size_t active_limit;
	struct str myhostname, mail_name;
	struct match_list *flush_domains;

	/* segments */
	int dir; /* of the log */
	struct segment *segments;
	uint64_t next_generation;
	unsigned next_number;
	struct segment *current; /* for results */
	struct buf results;
	bool results_dirty, flushing_results;
	unsigned result_failures; /* writes and flushes of results that failed */
	struct buf backlog; /* results that no segment was at hand for: u16 type, u64 generation, str payload each */
	bool in_backlog, carrying;
	uint64_t carried; /* octets that went forward, in all */
	unsigned
		compacted_from; /* segments of results there were when most of the oldest one still counted; 0: it did not */
	uv_work_t results_flush;
	uv_sem_t results_flush_over; /* posted by its thread */
	bool results_flush_seen;     /* how it ended is known */
	int results_flush_fd, results_flush_error;
	uint64_t results_flush_generation;
	struct create *creating;
	struct unfinished unfinished; /* the next to be created */
	uint64_t create_again_ms;     /* not before */
	bool create_failed;
	unsigned own_wants;
	bool recycle_due;
	uint8_t intake;
	uint64_t unread;
	uint64_t log_turn;   /* counts what take.c has read and what was closed, to tell which came first */
	bool header_is_lost; /* of some segment: nobody knows what the results say about it */

	/* recovery */
	struct past *past;
	bool recovering;
	uint64_t recovered, damaged;
	struct damaged_copy *damaged_copies;
	uint64_t recovery_began_ms;

	/* messages */
	struct message **hash;
	size_t n_hash, n_messages;
	struct message_chunk **chunks;
	size_t n_chunks;
	struct message *unused;
	struct message_list wheel[WHEEL_SLOTS], fresh, due, held;
	struct message_list urgent[PRIORITY_MAX]; /* ready ones of priority 1 … 9, fresh and due */
	size_t n_urgent;
	uint32_t wheel_at;
	size_t n_active, n_rcpts, n_waiting;
	unsigned pump_turn; /* fresh and due take turns */
	uint64_t n_overdue; /* found at the start */

	/* destinations */
	struct service *services;
	size_t n_dests;
	struct dest *dest_hash[DEST_SLOTS]; /* by number */
	struct ring {
		struct dest *first, **last;
	} ring[2][LANES]; /* by service_kind: relay, deliver */
	unsigned ring_turn;
	struct dest *pausing;
	uv_timer_t pace;
	bool has_pace;
	unsigned busy_rest[2]; /* jobs of LANE_REST that agents have */
	struct unit **jobs;
	uint32_t *job_serial;
	uint32_t n_jobs, cap_jobs, unused_job;
	uint64_t n_peers;

	/* peers */
	struct agent *agent[AGENTS_MAX];
	unsigned n_agents; /* places that have been used */
	struct smtpd *smtpd[AGENTS_MAX];
	struct map_client *map;
	struct spool_writer *writer;
	struct control *control;
	size_t n_reports;
	size_t reports_under_way; /* rounds whose reports are not all kept yet */
	struct active_report *reports_waiting;

	/* counted since the start */
	uint64_t n_accepted, n_sent, n_deferred, n_bounced;
};

/*
 * Microseconds since 1970 by a clock that never jumps: the wall clock at our start and what has gone by since. Ages of
 * messages are measured by it, so that a changed wall clock makes no mail expire.
 */
uint64_t queue_now_us(const struct queued *q);
/* Look how far the wall clock has gone from it; each second. */
void wall_clock_look(struct queued *q);
/*
 * When it is by queue_now_us() that the wall clock, as it goes now, shows that many microseconds since 1970: for times that
 * a client gave. 0: long ago.
 */
uint64_t wall_to_queue_us(const struct queued *q, uint64_t wall_us);
/* Seconds of the loop's clock. */
uint32_t loop_now_s(const struct queued *q);

/* found.c: the files that are there. */
void segments_open(struct queued *q); /* before the jail */
/* Are all its octets from there on zeros? Any thread. False also when they cannot be read. */
bool file_is_blank(int fd, uint64_t from, uint64_t size);
/* Try again those headers that could not be read. True: some still have to wait; nothing of before the start may be read. */
bool segments_wait_for_header(struct queued *q);

/* segment.c: the files. */
void segments_start(struct queued *q); /* create what is missing; take up the results */
/* A file joins the others. Takes: fd. */
struct segment *segment_add(struct queued *q, unsigned number, int fd);
struct segment *segment_find(const struct queued *q, uint64_t generation);
/* A spare becomes a segment of that class. NULL: none at hand (more are being made). */
struct segment *segment_take(struct queued *q, enum segment_class class);
/* A descriptor for its writer, holding the writer's lock. -1: see errno. */
int segment_writer_fd(struct queued *q, const struct segment *s);
/* The read-only descriptor for agents; stays ours. -1: see errno. */
int segment_agent_fd(struct queued *q, struct segment *s);
/* Does a writer still have it open? */
bool segment_has_writer(const struct segment *s);
void segment_close(struct queued *q, struct segment *s, uint64_t known);
void segment_unref(struct queued *q, struct segment *s, uint64_t octets);
bool segment_is_locked(const struct segment *s); /* by a writer, or by readers other than ourselves */
void segment_unlink(struct queued *q, struct segment *s);
/* Its header could not be written. */
void segment_head_failed(struct segment *s, int err);
unsigned segments_count(const struct queued *q, enum segment_state state);
/* Give spares to those who wait for one; make new ones where that is due. */
void segments_serve(struct queued *q);

/* reread.c: a segment that could not be read. */
/* True: it is read again when segment.again_ms is over. False: that has been tried enough; it passes over errors now. */
bool reread_later(struct queued *q, struct segment *s, int err);
void reread_worked(struct segment *s);
void reread_tick(struct queued *q);
/* Octets of mail segments that were passed over because they could not be read. */
uint64_t reread_lost(const struct queued *q);

/* recycle.c: a segment in which nothing counts any more becomes a spare. */
void segments_recycle(struct queued *q);
/* True: somebody still writes to a segment that nobody was lent by us. */
bool segments_tick(struct queued *q);

/* take.c: COMMIT records become messages. */
/* Read what is there to be read, a bounded part of it. True: there is more. */
bool take_some(struct queued *q);
void take_wake(struct queued *q);

/* damaged_copy.c */
/* The COMMIT of a copied message whose content does not check: neither it nor what it speaks of is used again. */
void damaged_copy_keep(struct queued *q, struct segment *s, const struct record *commit, const struct envelope *e);
/*
 * One whose message is not there, when all is read: it is all that is left, and is no copy any more. Its COMMIT (without the
 * payload) and envelope, in `mem`. False: there is none.
 */
bool damaged_copy_take_orphan(
	struct queued *q, struct arena *mem, struct segment **s, struct record *commit, struct envelope *e);
/* That message is done, whole or not at all: so are its damaged copies. */
void damaged_copies_end(struct queued *q, uint64_t id);

/* past.c: what results of before the start say. */
enum past_progress {
	PAST_READ, /* all of them: now what is of before the start may be read */
	PAST_MORE,
	PAST_WAITS /* for a disk that did not give them: see reread.c */
};
/* Read a part of them. */
enum past_progress past_some(struct queued *q);
/* Is that recipient done, or the whole message (index UINT32_MAX)? */
struct past_entry *past_find(const struct queued *q, uint64_t id, uint64_t generation);
struct past_entry *past_of_earlier_copy(const struct queued *q, uint64_t id, uint64_t generation);
bool past_is_done(const struct queued *q, uint64_t id, uint64_t generation);
bool past_rcpt_is_done(const struct past_entry *e, uint32_t index);
/* Set attempts, flags, due time, reasons of a message that was just made. */
void past_apply(struct queued *q, const struct past_entry *e, struct message *m);
/* Does a HOLD record speak of it? */
bool past_tells_hold(const struct past_entry *e);
void past_end(struct queued *q);

/* result.c: DONE, DEFER, HOLD. */
enum defer_flag { DEFER_WARNED = MF_WARNED, DEFER_MOVED = MF_MOVED, DEFER_BY_TOLD = 4 };
enum hold_flag { HOLD_HELD = 1, HOLD_EXPIRE = 2 };
void result_done(struct queued *q, const struct message *m, const uint32_t *index, uint32_t n);
void result_done_commit(struct queued *q, uint64_t id, struct segment *s);
/* These two return false when there is no place for it. */
bool result_defer(struct queued *q, const struct message *m);
bool result_hold(struct queued *q, const struct message *m);
void result_write(struct queued *q);
/* There may be a segment now, for what had no place. */
void result_go_on(struct queued *q);
/* In a thread; or at once. 0; negative errno: what was written last may be lost in a crash of the machine. */
int result_flush(struct queued *q, bool now);
void result_compact(struct queued *q);

/* index.c */
struct message *message_find(const struct queued *q, uint64_t id);
struct message *message_new(struct queued *q, uint64_t id);
/* It is done: forget it. Its segments may be recycled. */
void message_free(struct queued *q, struct message *m);
struct rcpt_ref *message_rcpts(struct message *m);
void message_set_rcpts(struct queued *q, struct message *m, const struct rcpt_ref *refs, uint32_t n);
void message_unlink(struct queued *q, struct message *m);
void message_wait(struct queued *q, struct message *m, uint64_t seconds);
void message_ready(struct queued *q, struct message *m);
/* How many are ready: fresh, due or urgent. */
size_t messages_ready(const struct queued *q);
void message_hold(struct queued *q, struct message *m);
void message_park(struct queued *q, struct message *m, struct dest *d);
void wheel_turn(struct queued *q);
/* The message at that place of a walk over all; *at starts with 0. NULL: the end. */
struct message *message_walk(const struct queued *q, size_t *at);
/* Does each octet of its content check? 1, 0, or negative errno: it cannot be read now. */
int message_content_is_whole(const struct queued *q, const struct envelope *e);
/* The envelope from the log, checked. 0, or negative errno. Slices point into the arena. */
int message_envelope(struct queued *q, const struct message *m, struct arena *mem, struct envelope *e);
/* domain.c: what is behind the last @; its hash, the same for its U-labels and its A-labels. */
struct str address_domain(struct str address);
uint32_t domain_hash(struct str address);
/* The same of a domain. */
uint32_t domain_key(struct str domain);
bool domain_is_same(struct str a, struct str b);
/* Is the address in a domain below this one, which is in A-labels? */
bool address_is_below(struct str address, struct str domain);
/* The segment of each extent loses or gains a message. */
void message_ref_segments(struct queued *q, const struct message *m, const struct envelope *e);

/* reason.c: texts that many messages share. */
uint32_t reason_get(struct str dsn, struct str text);
void reason_put(uint32_t reason);
struct str reason_dsn(uint32_t reason);
struct str reason_text(uint32_t reason);

/* active.c */
/* The envelope of a message is in memory. Takes: mem. */
struct active *active_new(struct queued *q, struct message *m, struct arena *mem, const struct envelope *e);
void active_pump(struct queued *q);
/* Its turn has come: its envelope is read, its recipients are routed. */
void activate(struct queued *q, struct message *m);
/* It was tried before, and is all of its message: back to waiting without another attempt. Frees the unit. */
bool unit_goes_back(struct queued *q, struct unit *u);
/* A unit came back with an outcome for each of its recipients. Frees the unit. */
void unit_done(struct queued *q, struct unit *u);
void active_rcpt_end(struct active_rcpt *r, enum rcpt_status status, const char *dsn, struct str text);

/* finish.c: the end of a round. */
void round_end(struct queued *q, struct active *a);
/* Write down those that were sent and owe no report: they are over whatever becomes of the round. */
void round_record_sent(struct queued *q, struct active *a);
/* An operator wants it returned: a round without an attempt (postsuper -e). */
void round_expire(struct queued *q, struct active *a);
/* Its content is damaged: so is this. It waits, or is returned when somebody has given the content up. */
void round_damaged(struct queued *q, struct active *a);
void active_free(struct queued *q, struct active *a);
void log_rcpt(struct queued *q, const struct active_rcpt *r, const char *status);

/* report.c: delivery reports. Calls reports_done() when all that are to be made are kept. */
void report_begin(struct queued *q, struct active *a);
void reports_done(struct queued *q, struct active *a);
/* Those that could not be kept, each second. */
void reports_retry(struct queued *q);
/* Is its sender to be told that this recipient was sent? */
bool wants_success(const struct active_rcpt *r);

/* report_original.c */
/*
 * What the report, of which the kind is set, returns of the message (RFC 3461 sec. 4.3, bounce_size_limit): sets its fields original*.
 * That is the content, unstuffed, or its header; of a damaged message its header if that checks; of one that cannot be read what
 * there is of its header; or it is lost. `whole`: empty; it has the octets, and stays as long as the report. Returns 0, or negative
 * errno: not all of it could be read now, which may be otherwise in a moment; nothing says that it is damaged.
 */
struct dsn_report;
int report_original(const struct queued *q, const struct active *a, struct dsn_report *r, struct buf *whole);

/* service.c */
struct service *service_get(struct queued *q, struct str name);

/* dest.c */
struct dest *dest_get(struct queued *q, struct service *s, struct str nexthop);
struct dest *dest_by_number(const struct queued *q, uint32_t number);
void dest_push(struct queued *q, struct unit *u, bool front);
/* How a job ended for its destination. */
enum job_end {
	JOB_SERVED,  /* it took or bounced a recipient: it works */
	JOB_REFUSED, /* all were deferred */
	JOB_DEAD     /* nothing can be delivered there */
};
void dest_result(struct queued *q, struct unit *u, enum job_end end, struct str dsn, struct str why);
bool dest_is_dead(const struct queued *q, const struct dest *d);
/* It defers all that is tried again: no use to try more for now. */
bool dest_refuses(const struct queued *q, const struct dest *d);
/* Forget what destinations did: an operator wants all to be tried. */
void dests_revive(struct queued *q);
void dests_tick(struct queued *q);
/* It has something to be delivered, and may have it now: its turn will come. */
void dest_enter_ring(struct queued *q, struct dest *d);
/* park.c */
/* So much is queued for it, and for it alone, that more would keep others out. */
bool dest_is_crowded(const struct queued *q, const struct dest *d);
/* How many are parked. */
size_t dest_parked(const struct dest *d);
/* NULL: none. */
struct message *dest_first_parked(const struct dest *d);
/* One of its units went: take some of what is parked, if there is room. */
void dest_unpark(struct queued *q, struct dest *d);
/* Now and then: make those ready that dest_unpark() will not be called for. */
void dest_free_stranded(struct queued *q, struct dest *d);

/* pace.c: a delivery has ended; the next one has to wait, if its service has a pause. */
void dest_pause(struct queued *q, struct dest *d);
bool dest_pauses(const struct queued *q, const struct dest *d);
void schedule(struct queued *q);

/* agent.c */
void agent_peer(struct queued *q, enum role role, unsigned index, int fd);
/* Jobs that all agents of that role take at a time. */
unsigned agents_capacity(const struct queued *q, enum role role);
/* Jobs that agents have. */
unsigned agents_busy(const struct queued *q);
struct agent *agent_pick(struct queued *q, enum role role, const struct dest *d);
/* -1: the job could not be made (its message's segments are gone). */
int agent_send(struct queued *q, struct agent *g, struct unit *u);
void agents_drop_segment(struct queued *q, uint64_t generation);
struct unit *job_find(const struct queued *q, uint32_t job);

/* smtpd.c */
void smtpd_peer(struct queued *q, unsigned index, int fd);
void smtpds_serve(struct queued *q);
void smtpds_intake(struct queued *q);

/* own.c: our own writer, for reports and survivors. */
void own_open(struct queued *q);
void own_serve(struct queued *q);
void survivors_move(struct queued *q);

/* space.c */
void space_check(struct queued *q);

/* operate.c: what operators ask for. Each returns whether it changed the message. */
bool operate_flush(struct queued *q, struct message *m);
bool operate_delete(struct queued *q, struct message *m);
bool operate_hold(struct queued *q, struct message *m);
bool operate_release(struct queued *q, struct message *m);
bool operate_requeue(struct queued *q, struct message *m);
bool operate_expire(struct queued *q, struct message *m);
bool operate_expire_release(struct queued *q, struct message *m);

/* site.c */
/*
 * Have all tried that waits for the domain; with an @ before it for those below it too (RFC 1985 sec. 5.2). The answer of
 * RFC 1985 sec. 5.3: 250 begun, 251 nothing waits, 252 some waits, 253 *n messages wait, 458 not now, 459 the domain is not
 * covered.
 */
uint16_t site_flush(struct queued *q, struct str domain, uint32_t *n);
/* The log is read: what was asked for meanwhile begins. */
void site_recovered(void);

/* rate.c: results of a destination, by the minute. */
void dest_count(const struct queued *q, struct dest *d, const struct unit *u);
/* Per minute, of the last one to two minutes. */
double dest_rate(const struct queued *q, const struct dest *d, enum rcpt_status status);

/* control.c: public/queue. */
void control_open(struct queued *q); /* before the jail */
void control_start(struct queued *q);
/* The whole queue is known: who waited for that goes on. */
void control_recovered(struct queued *q);

#endif
