/*
 * spool_reader.h - read the content of a message from its extents.
 */
#ifndef LOG_SPOOL_READER_H
#define LOG_SPOOL_READER_H

#include "log/envelope.h"
#include <sys/types.h>

/* Open segments by generation: what MSG_SEG_OPEN brought. */
struct segment_set;
struct segment_set *segment_set_new(void);
/* Takes: fd. An older one of the same generation is closed. */
void segment_set_add(struct segment_set *s, uint64_t generation, int fd);
void segment_set_drop(struct segment_set *s, uint64_t generation);
/* -1: not there. */
int segment_set_fd(const struct segment_set *s, uint64_t generation);
void segment_set_free(struct segment_set **s);

/*
 * Octets `from` … of the content's wire form into p (at most n). Returns octets read, 0 at the end, or a negative errno
 * (-ESTALE: a segment is not open; -EIO: the disk, or fewer octets than the extent says).
 */
ssize_t extents_read(const struct segment_set *s, const struct envelope *e, uint64_t from, void *p, size_t n);
/* Octets of the wire form in all. */
uint64_t extents_octets(const struct envelope *e);

/* Undo the dot-stuffing of a stream in place, chunk by chunk: *at_line_start carries over (true at first). New length. */
size_t dot_unstuff(char *p, size_t n, bool *at_line_start);

#endif
