/*
 * queue_fsck.h - what the files of `gatepost queue fsck` share: queue_fsck_read.c reads the log and judges it,
 * queue_fsck_repair.c puts right what can be put right, queue_fsck.c is the command and its output.
 */
#ifndef CTL_QUEUE_FSCK_H
#define CTL_QUEUE_FSCK_H

#include "base/arena.h"
#include "log/envelope.h"
#include "log/record.h"

enum fsck_header { FSCK_GOOD, FSCK_ONE_COPY, FSCK_REBUILT, FSCK_LOST, FSCK_BLANK };

/* A stretch of a segment where no good record was. */
struct fsck_damage {
	uint64_t from, to;
	bool mended;	  /* one bit was wrong: the record is known */
	const char *what; /* name of the record's type, "" when nobody knows */
	const char *lost; /* what is known of what it held, "" */
};

/* Octets that a repair writes. */
struct fsck_patch {
	uint64_t at;
	char *p; /* NULL: records that say nothing */
	size_t n;
};

struct fsck_data {
	uint64_t offset;
	uint32_t octets;
};

struct fsck_segment {
	char name[16];
	int fd;
	uint64_t file_octets;
	struct segment_head head;
	enum fsck_header header;
	int error;	     /* negative errno: its header could not be read */
	uint64_t unreadable; /* octets that the disk did not give */
	size_t records, waiting, done, lost, damaged_copies;
	struct fsck_data *data; /* good ones, by offset */
	size_t n_data, cap_data;
	struct fsck_damage *damage;
	size_t n_damage;
	struct fsck_patch *patch;
	size_t n_patch;
};

enum fsck_state {
	FSCK_WAITING,
	FSCK_DONE,
	FSCK_OLDER_COPY,
	FSCK_DAMAGED,
	FSCK_DAMAGED_COPY, /* the one that it was copied from is whole */
	FSCK_GIVEN_UP	   /* its sender will be told */
};
struct fsck_message {
	struct fsck_message *next;
	struct fsck_segment *segment;
	uint64_t offset; /* of its COMMIT */
	struct envelope env;
	enum fsck_state state;
	bool *rcpt_done; /* by place in env.rcpt */
	size_t damaged_octets;
};

struct fsck_result {
	struct fsck_result *next;
	uint64_t id, generation;
	bool all;
	uint32_t *index;
	size_t n;
};

enum { FSCK_HASH = 1 << 16 };
struct fsck {
	struct arena *mem;
	int spool, log;						    /* directories */
	void (*progress)(const char *what, size_t done, size_t of); /* of segments; NULL: nobody looks */
	bool running; /* a queued is at work: nothing is written, the ends of segments are still moving */
	struct fsck_segment **segment; /* by generation */
	size_t n_segment;
	struct fsck_message *message[FSCK_HASH]; /* by id */
	struct fsck_result *result[FSCK_HASH];
	size_t n_waiting, n_lost, n_given_up, n_damaged_copies, n_damage, n_mended;
};

/* Read everything below spool/log and judge it. 0; -1: errno. */
int fsck_read(struct fsck *f);
void fsck_clear(struct fsck *f);
/* Is the content of this message whole? Sets damaged_octets. */
bool fsck_message_is_whole(const struct fsck *f, struct fsck_message *m);
struct fsck_segment *fsck_segment_find(const struct fsck *f, uint64_t generation);
/* Repair; each action is told by `say`. 0; -1: not all of it could be done. */
int fsck_repair(struct fsck *f, void (*say)(const char *segment, const char *what));
bool fsck_is_clean(const struct fsck *f);
const char *fsck_type_name(unsigned type);

#endif
