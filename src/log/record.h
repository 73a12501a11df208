/*
 * record.h - the records of the log and the headers of its segments: octets in, struct out.
 *
 * A segment is a file: a header of SEG_HEADER_OCTETS, then records, each at a multiple of 8. A record belongs to the
 * generation of its segment, so that what an earlier use of the file left behind is never taken for mail. Its checksum
 * starts from the segment's salt, which nobody outside knows: octets inside a message can not pass for a record.
 * Format to the octet: docs/protocol/log.md.
 */
#ifndef LOG_RECORD_H
#define LOG_RECORD_H

#include "base/buf.h"

enum {
	SEG_HEADER_OCTETS = 4096,
	RECORD_HEADER_OCTETS = 24,
	RECORD_MAX_OCTETS = 16 * 1024 * 1024 /* of a payload */
};

enum segment_class {
	SEG_SPARE = 1, /* nothing in it counts */
	SEG_MAIL = 2,  /* DATA, COMMIT */
	SEG_RESULT = 3 /* DONE, DEFER, HOLD: queued's own */
};

enum record_type {
	RECORD_DATA = 1,
	RECORD_COMMIT = 2,
	RECORD_DONE = 3,
	RECORD_DEFER = 4,
	RECORD_HOLD = 5,
	RECORD_VOID = 6 /* nothing: behind each batch, and by `gatepost queue fsck` in the place of damage */
};

struct segment_head {
	uint64_t generation;
	uint64_t size;	/* octets of the file */
	uint32_t class; /* enum segment_class */
	uint32_t salt;	/* where checksums start */
};

/* Write the header (both copies) and flush it; of a spare also zeros in the place of its first record. 0 or negative errno. */
int segment_head_write(int fd, const struct segment_head *h);
/* Read it. 1: there it is; 0: the place is blank (zeros); negative errno (-EBADMSG: damaged). */
int segment_head_read(int fd, struct segment_head *h);

struct record {
	uint16_t type;	 /* enum record_type, or one of a later version */
	uint64_t offset; /* of its header */
	struct str payload;
};

/* Octets that a record with such a payload takes: header, payload, padding. */
size_t record_octets(size_t payload);
/* Append a whole record. The buffer must have room (panics). */
void record_put(struct buf *out, const struct segment_head *h, enum record_type type, struct str payload);
/* The header alone, for a payload that is written from elsewhere. */
void record_head_put(unsigned char head[RECORD_HEADER_OCTETS], const struct segment_head *h, enum record_type type,
	struct str payload);

/*
 * Read records forward. At a bad one it goes on at the next good one of the same generation and counts the octets that
 * were skipped. The same code follows a segment that is being written and recovers one after a crash.
 */
struct log_scan {
	int fd; /* borrowed */
	struct segment_head head;
	uint64_t offset;		    /* of the next record */
	uint64_t skipped;		    /* octets that were no record, with a good record behind them */
	unsigned commits_lost;		    /* among them, what seems to be a COMMIT but does not check */
	unsigned suspects;		    /* such a COMMIT: is there a good record behind it? */
	uint64_t unreadable, unreadable_to; /* octets that the disk did not give; counted up to here */
	struct buf window;		    /* octets of the file from window_at on */
	uint64_t window_at;
	bool no_skip;	       /* stop at a bad record: its writer may still be at it */
	bool passes_errors;    /* what the disk does not give is damage, not an error */
	bool trusts_data;      /* its writer lives and says that it is written: the content is not read again */
	bool in_large;	       /* the last record was content that was passed over: so may be the next */
	struct log_data *data; /* DATA records seen, in order */
	size_t n_data, cap_data;
};
void log_scan_begin(struct log_scan *s, int fd, const struct segment_head *h);
/*
 * The next record that ends at or before `limit`. 1: here it is (the payload is valid until the next call; of DATA that
 * is trusted there is only the length);
 * 0: there is none, offset is at the end of the last good one; negative errno: the disk, and the same call may be made
 * again.
 */
int log_scan_next(struct log_scan *s, uint64_t limit, struct record *r);
/* The file may have grown since it was read ahead: what is behind the position is read anew. */
void log_scan_anew(struct log_scan *s);
/* Has a good DATA record with exactly these octets been seen? */
bool log_scan_has_data(const struct log_scan *s, uint64_t offset, uint32_t octets);
/* Give the memory back; the position stays. */
void log_scan_rest(struct log_scan *s);

/* Is there a good DATA record whose payload is `octets` long and starts at `offset`? 1, 0 or negative errno. */
int record_check_data(int fd, const struct segment_head *h, uint64_t offset, uint32_t octets);
/* The payload of the record whose header is at `offset`, appended to out. 0, -EBADMSG or another negative errno. */
int record_read(int fd, const struct segment_head *h, uint64_t offset, enum record_type type, struct buf *out);

/* pwrite, pread of all octets. 0 or negative errno (a file that ends early: -EIO). */
int pwrite_all(int fd, const void *p, size_t n, uint64_t at, bool flush);
int pread_all(int fd, void *p, size_t n, uint64_t at);
/*
 * pread of all octets that can be read; a block that cannot has zeros in p. Returns how many octets those are, without
 * any before *counted_to, which becomes the end of the last such block: so that none is counted twice.
 */
uint64_t pread_passing(int fd, void *p, size_t n, uint64_t at, uint64_t *counted_to);

#endif
