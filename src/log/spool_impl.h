/*
 * spool_impl.h - what the files of the writer share: spool_segs.c (the segments at hand), spool_msg.c (messages that come
 * in), spool_flush.c (batches), spool_writer.c (the whole).
 */
#ifndef LOG_SPOOL_IMPL_H
#define LOG_SPOOL_IMPL_H

#include "log/record.h"
#include "log/spool_writer.h"

enum {
	CHUNK_OCTETS = 64 * 1024,	 /* a body streams into the log in pieces of this size */
	LARGE_CHUNK_OCTETS = 256 * 1024, /* … and of this one, when it has many: the list of extents stays short */
	MANY_EXTENTS = 128,
	MAX_EXTENTS = 5000,	     /* a job must fit into one message of ipc.h */
	WAITING_OCTETS = 448 * 1024, /* of one message, kept in memory while no segment is at hand */
	BATCH_OCTETS = 1024 * 1024,  /* of one flush, roughly */
	BATCH_MAX_OCTETS = BATCH_OCTETS + 2 * RECORD_MAX_OCTETS,
	ENVELOPE_MAX_OCTETS = 8 * 1024 * 1024,
	EXTENTS_MAX_OCTETS = 5 + MAX_EXTENTS * 20, /* … of which for where the content is */
	SPARES = 1,
	WAIT_FOR_SEGMENT_MS = 5000,
	GATHER_MIN_NS = 1000000, /* work that is at hand is done before the flush for as long … */
	GATHER_MAX_NS = 2000000, /* … as the last one took, within these bounds */
	QUICK_FLUSH_NS = 1000000
};

struct wseg {
	struct wseg *next;
	struct segment_head head;
	int fd;
	uint64_t offset;   /* where the next record goes */
	uint32_t sequence; /* of message ids */
	unsigned refs;	   /* messages that are open or pending and have extents in it, and the flush under way */
	bool closed;	   /* nothing more is begun in it: full, or failed */
	bool failed;
	bool orphan; /* its queued is gone */
	bool dirty;  /* has chunks that were never flushed */
};

struct flight { /* one flush */
	uv_work_t work;
	struct wseg *seg;
	uint64_t at;
	struct buf octets;
	bool whole_file;    /* flush more than these octets */
	struct wseg **also; /* other segments with chunks of these messages */
	size_t n_also, cap_also;
	struct spool_msg *first, **last;
	size_t n;
	struct spool_msg *refused; /* can not be stored; told after the batch has its place in the segment */
	int err;
	uint64_t took_ns;
};

struct spool_writer {
	uv_loop_t *loop;
	const struct spool_writer_ops *ops;
	uv_check_t check;
	uv_prepare_t prepare;
	uv_timer_t no_segment;
	unsigned handles;
	struct wseg *segs;		 /* in the order they came */
	struct spool_msg *first, **last; /* to be committed */
	struct flight flight;
	bool flying, peer_lost;
	bool gathering;		     /* commits wait for those that are being read */
	bool stirred;		     /* somebody had something to say in this turn of the loop */
	uint64_t since_ns, flush_ns; /* since when it gathers; how long the last flush took */
	uv_idle_t turning;	     /* runs while gathering: the loop does not sleep */
	unsigned wanted;
};

bool wseg_is_usable(const struct wseg *s);
struct wseg *wseg_find(const struct spool_writer *w, uint64_t generation);
/* Ask for segments ahead of need. */
void wseg_ask_ahead(struct spool_writer *w);
/* Close and forget it. */
void wseg_drop(struct spool_writer *w, struct wseg *s);
void wseg_end_if_idle(struct spool_writer *w, struct wseg *s);
/* Nothing more is begun in it. */
void wseg_close(struct spool_writer *w, struct wseg *s, bool failed);
struct wseg *wseg_for(struct spool_writer *w, size_t need);

void spool_msg_add_extent(struct spool_msg *m, struct wseg *s, uint64_t offset, size_t octets);
/* It is over: nothing of it is held any more. */
void spool_msg_release(struct spool_msg *m);
bool spool_msg_has_failed(const struct spool_msg *m);
int spool_msg_write_chunk(struct spool_msg *m, size_t n);

/* At the end of a turn of the loop: read on for a while, or … */
void spool_end_turn(struct spool_writer *w);
/* … write and flush what is to be committed, unless a flush is under way. */
void spool_flush(struct spool_writer *w);

#endif
