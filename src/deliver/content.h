/*
 * content.h - the content of a message on its way into a mailbox: out of the log's wire form (CRLF, dot-stuffed), into
 * the form of files (LF), which would change binary content (RFC 3030): that is converted first (mime/convert.h). Blocking
 * reads of the segments.
 */
#ifndef DELIVER_CONTENT_H
#define DELIVER_CONTENT_H

#include "log/spool_reader.h"
#include "mime/convert.h"

enum { CONTENT_CHUNK = 128 * 1024 };

struct content { /* zeroed, then the first three set */
	const struct segment_set *segments;
	const struct envelope *env;
	unsigned mime_depth; /* levels that the conversion looks into; 0: MIME_DEPTH_MAX */
	uint64_t from;	     /* octets of the wire form read */
	bool begun, at_line_start, held_cr;
	struct mime_convert *convert; /* NULL: lines as they are */
	struct buf converted;	      /* what it has ready, dot-stuffed */
	bool convert_ended, converted_line_start;
};
/* Before the first content_next(). 0, or a negative errno; -ENOMSG: it has to be converted, and cannot be. */
int content_begin(struct content *c);
/* Free what it holds; also after a failure. */
void content_end(struct content *c);
/*
 * The next octets into p, which has CONTENT_CHUNK + 1 octets. Returns their number (0: the end), or a negative errno.
 * A chunk may end anywhere, but never between CR and LF.
 */
ssize_t content_next(struct content *c, char *p);
/* CRLF becomes LF in place; `held_cr` carries a CR at the end of a chunk over (zeroed at first; p has room for one
 * octet more). A CR without LF stays. New length. */
size_t content_to_lf(char *p, size_t n, bool *held_cr);
/* Has the header a Delivered-To field with this address (case ignored)? 1, 0, or a negative errno. */
int content_was_delivered_to(const struct segment_set *segments, const struct envelope *env, struct str address);

#endif
