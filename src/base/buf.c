#include "base/buf.h"
#include "base/arena.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

/* realloc() leaves what was there where it was. */
static char *move_secret(struct buf *b, size_t size)
{
	char *p = xcalloc(1, size);

	if (b->n) {
		memcpy(p, b->p, b->n);
		mem_wipe(b->p, b->n);
	}
	free(b->p);
	return p;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t want, cap;
	char *p;

	if (__builtin_add_overflow(b->n, n, &want) || want > b->max)
		return NULL;
	if (want > b->cap || b->p == NULL) {
		cap = b->cap ? b->cap : 120;
		while (cap < want)
			cap = cap * 2 + 8;
		if (cap > b->max)
			cap = b->max > want ? b->max : want;
		p = b->wipes ? move_secret(b, cap + 1) : xrealloc(b->p, cap + 1);
		b->p = p;
		b->cap = cap;
		p[b->n] = '\0';
	}
	return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n)
{
	require(n <= b->cap - b->n);
	b->n += n;
	b->p[b->n] = '\0';
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	char *at = buf_reserve(b, n);

	if (at == NULL)
		return -1;
	if (n)
		memcpy(at, p, n);
	buf_commit(b, n);
	return 0;
}

int buf_add_str(struct buf *b, struct str s)
{
	return buf_add(b, s.p, s.n);
}

int buf_add_c(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || buf_reserve(b, (size_t)n) == NULL)
		return -1;
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	buf_commit(b, (size_t)n);
	return 0;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return r;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		buf_reset(b);
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	if (b->wipes)
		mem_wipe(b->p + b->n - n, n);
	b->n -= n;
	b->p[b->n] = '\0';
}

void buf_reset(struct buf *b)
{
	if (b->wipes && b->n)
		mem_wipe(b->p, b->n);
	b->n = 0;
	if (b->p)
		b->p[0] = '\0';
}

void buf_cut(struct buf *b, size_t n)
{
	if (n >= b->n)
		return;
	if (b->wipes)
		mem_wipe(b->p + n, b->n - n);
	b->n = n;
	b->p[n] = '\0';
}

void buf_free(struct buf *b)
{
	if (b->wipes)
		buf_reset(b);
	free(b->p);
	b->p = NULL;
	b->n = b->cap = 0;
}

void buf_wipe(struct buf *b)
{
	if (b->p)
		mem_wipe(b->p, b->cap);
	buf_free(b);
}

struct str buf_str(const struct buf *b)
{
	return (struct str){ b->p ? b->p : "", b->n };
}
