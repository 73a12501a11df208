/*
 * spool_writer.h - the side that writes mail: smtpd's end of the log, and queued's own for reports and moved survivors.
 *
 * One writer per process. It appends to the segment that queued lent it, and only it does. A message is begun, added
 * to, and then committed or aborted, exactly one of the two. Commits that are pending at the same time share one flush
 * (group commit): one alone is written with RWF_DSYNC inline, more go to a thread while the loop goes on. on_committed
 * runs after the flush returned, never before, and from the loop, never from within spool_msg_commit().
 * A failed flush fails the whole batch and ends the segment; it is never tried again (docs/protocol/log.md).
 */
#ifndef LOG_SPOOL_WRITER_H
#define LOG_SPOOL_WRITER_H

#include "log/envelope.h"
#include <uv.h>

struct spool_writer;
struct spool_writer_ops {
	/* One more segment is wanted (a spare is always kept at hand). */
	void (*want)(struct spool_writer *w);
	/* All octets of that segment before `offset` are flushed. */
	void (*committed)(struct spool_writer *w, uint64_t generation, uint64_t offset);
	/* It will not be written any more. */
	void (*end)(struct spool_writer *w, uint64_t generation, uint64_t offset, bool failed);
};

struct spool_writer *spool_writer_new(uv_loop_t *loop, const struct spool_writer_ops *ops);
/* No message may be open or pending. Segments at hand are closed. */
void spool_writer_free(struct spool_writer **w);
/*
 * A segment to append to (from its header's end on); its header was written by segment_head_write() (log/record.h) and
 * must say the same. Takes: fd. queued lends the first one unasked; from then on `want` asks ahead of need.
 */
void spool_writer_lend(struct spool_writer *w, uint64_t generation, uint64_t octets, int fd);
/*
 * queued is gone. Mail is still taken into the segments at hand; when its successor lends the first one they are ended
 * without a word, as soon as nothing is open in them. The successor reads them to their end: it sees by the writer's lock
 * (docs/protocol/log.md) how long there is somebody to wait for.
 */
void spool_writer_peer_lost(struct spool_writer *w);
/* End all segments up to that generation, as if they were full: what is begun and committed from now on is in later ones. */
void spool_writer_renew(struct spool_writer *w, uint64_t generation);
/*
 * A client was read. As long as that goes on turn by turn, commits are gathered, for no longer than a flush takes: those who
 * are being read share it. A turn without a word ends it at once; nothing waits for a clock.
 */
void spool_writer_stir(struct spool_writer *w);
/* Can a message be begun now? */
bool spool_writer_is_ready(const struct spool_writer *w);

struct spool_msg {		     /* embedded in the mail transaction */
	struct spool_writer *writer; /* NULL: none begun */
	uint64_t id;
	struct buf pending;  /* octets not yet in the log */
	struct buf envelope; /* as it will stand in the COMMIT, but for the extents */
	struct extent *extent;
	size_t n_extent, cap_extent;
	uint64_t octets; /* of the wire form so far */
	bool failed, committing;
	/* err 0: durable. else negative errno: answer 451 4.3.0 (-ENOSPC: 452 4.3.1). */
	void (*on_committed)(struct spool_msg *m, int err);
	struct spool_msg *next;
};

/*
 * Its content fills memory because no segment is at hand: nothing should be added until one is, or it will fail. True
 * no longer, when one was lent.
 */
bool spool_msg_waits(const struct spool_msg *m);
/* Begin: gives it its id. 0, or -1: no segment at hand (answer 451 4.3.0). *m is zeroed before by the caller. */
int spool_msg_begin(struct spool_msg *m, struct spool_writer *w);
/* The same for a message that has its id already (queued: a survivor that moves to another segment). */
int spool_msg_begin_as(struct spool_msg *m, struct spool_writer *w, uint64_t id);
/* Append octets in wire form (CRLF lines, dot-stuffed). 0, or -1: it can no longer be stored; commit will say why. */
int spool_msg_add(struct spool_msg *m, struct str octets);
/*
 * Commit with this envelope (copied; id, extent fields are filled in by the writer). on_committed follows; m must stay
 * until then. A client that is gone meanwhile changes nothing: the message is kept. An envelope over 8 MiB is an error as a
 * write that fails is.
 */
void spool_msg_commit(struct spool_msg *m, struct envelope *env, void (*on_committed)(struct spool_msg *m, int err));
/* Drop it: what was written becomes dead space. Not after commit. Safe on a message that was never begun. */
void spool_msg_abort(struct spool_msg *m);

/*
 * spool_edit.c: between its last octet and its commit. Read it again: zeroed to begin; octets into p (some of n), 0: that
 * was all, or negative errno. It was written a moment ago, so that the disk is seldom waited for.
 */
struct spool_cursor {
	size_t extent, at;
};
ssize_t spool_msg_read(const struct spool_msg *m, struct spool_cursor *c, char *p, size_t n);
/* Octets in front of all others, in wire form. 0, or -1: it can no longer be stored. */
int spool_msg_put_first(struct spool_msg *m, struct str octets);
/* Takes: the content of `with` (begun with the same writer, spool_msg_begin_as()) in the place of its own. */
void spool_msg_replace(struct spool_msg *m, struct spool_msg *with);

#endif
