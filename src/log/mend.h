/*
 * mend.h - what can still be known of damaged parts of the log; `gatepost queue fsck` uses it, no daemon does.
 * docs/protocol/log.md has the format.
 */
#ifndef LOG_MEND_H
#define LOG_MEND_H

#include "log/record.h"

/*
 * Of the record of `room` octets at most that begins at p one bit is wrong, anywhere but in its padding: put it right.
 * Returns its octets, 0: that was not all. One bit is found by the checksum; more are left alone, so that nothing is
 * taken for mail that is none.
 */
size_t record_mend(const struct segment_head *h, unsigned char *p, size_t room);

/*
 * The header of a segment where both copies are lost, from its records: a record says its generation, two of one generation
 * the salt. `size`: octets of the file. 1; 0: there are no two records; negative errno. A spare is known by the blank place
 * of its first record.
 */
int segment_head_rebuild(int fd, uint64_t size, struct segment_head *h);

#endif
