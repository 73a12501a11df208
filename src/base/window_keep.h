/*
 * window_keep.h - the windows of window.h as octets, so that what was counted of a user outlives the memory in which it stands.
 *
 * They are for the next process on this machine, of this version; whoever writes them down sees to it that they are whole when
 * they are read. Times are of the clock of counts.h.
 */
#ifndef BASE_WINDOW_KEEP_H
#define BASE_WINDOW_KEEP_H

#include "base/buf.h"
#include "base/window.h"

/* One window. */
struct window_record {
	uint64_t key, part_ms, latest;
	uint64_t told_ms[WINDOW_MATTERS];
	uint32_t count[WINDOW_EVENTS][WINDOW_PARTS];
	struct {
		uint64_t high, low, last_ms;
	} address[WINDOW_ADDRESSES];
};

/* By the parent, who has the memory: append a struct window_record for each window of any table in which something still counts
 * at now_ms. fd: of counts_new(). What has no more room in *out is left away. */
void windows_keep(const struct counts *c, int fd, uint64_t now_ms, struct buf *out);
/*
 * Add what such records say, in a table of its own that is given to no process. Those that counted last come first to their place.
 * back_ms: how far the clock has gone back since they were written; nothing fades for that time. fd as above.
 */
void windows_restore(struct counts *c, int fd, struct str records, uint64_t back_ms, uint64_t now_ms);

#endif
