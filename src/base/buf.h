/*
 * buf.h - a growing run of octets with a maximum that is given at birth.
 *
 * p[n] is always NUL, so that p may be shown as text; the NUL is not part of the content. An empty struct buf owns no
 * memory: sessions keep one while octets are pending and give it back with buf_free(). Out of memory panics.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"
#include <stdarg.h>

struct buf {
	char *p;
	size_t n;   /* octets of content */
	size_t cap; /* octets allocated, without the NUL */
	size_t max; /* content never grows over this */
	bool wipes; /* octets that it lets go of are overwritten, wherever it grew from */
};

/* An empty buffer of at most `max` octets. */
#define BUF_INIT(max_octets) ((struct buf){ NULL, 0, 0, (max_octets), false })
/* The same for octets among which a password may be. */
#define BUF_SECRET(max_octets) ((struct buf){ NULL, 0, 0, (max_octets), true })

/* Each add returns 0, or -1 when the maximum would be passed: then nothing was added. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_str(struct buf *b, struct str s);
int buf_add_c(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Room for at least n more octets at the returned place, to be confirmed by buf_commit(); NULL over the maximum. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Drop n octets from the front (all, when n is larger). */
void buf_consume(struct buf *b, size_t n);
/* Keep the first n octets (all, when there are fewer). */
void buf_cut(struct buf *b, size_t n);
/* Keep the memory, drop the content. */
void buf_reset(struct buf *b);
/* Give the memory back; the buffer stays usable and keeps its maximum. */
void buf_free(struct buf *b);
/* As buf_free, after overwriting what it held. For secrets. */
void buf_wipe(struct buf *b);

/* The content as a slice; dies at the next change. */
struct str buf_str(const struct buf *b);

#endif
