#include "base/arena.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(16) char data[];
};

struct arena {
	struct block *head; /* the block that allocations come from; the first one is last in the chain */
};

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (p == NULL)
		panic("out of memory: %zu octets", count * size);
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (p == NULL)
		panic("out of memory: %zu octets", size);
	return p;
}

char *xstrndup(struct str s)
{
	char *p = xcalloc(1, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(str_c(s));
}

static struct block *block_new(size_t size, struct block *next)
{
	struct block *b = xcalloc(1, sizeof *b + size);

	b->size = size;
	b->next = next;
	return b;
}

struct arena *arena_new(size_t first)
{
	struct arena *a = xcalloc(1, sizeof *a);

	a->head = block_new(first ? first : 1024, NULL);
	return a;
}

static size_t aligned(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->head;
	size_t need;
	void *p;

	if (n > SIZE_MAX - 15)
		panic("arena: %zu octets", n);
	need = aligned(n);
	if (need > b->size - b->used) {
		size_t size = b->size < 65536 ? b->size * 2 : b->size;

		b = a->head = block_new(size > need ? size : need, b);
	}
	p = b->data + b->used;
	b->used += need;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		panic("arena: %zu times %zu octets", count, size);
	return arena_alloc(a, n);
}

char *arena_cdup(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

struct str arena_dup(struct arena *a, struct str s)
{
	return (struct str){ arena_cdup(a, s), s.n };
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	struct block *b = a->head;
	size_t room = b->size - b->used;
	char *p = b->data + b->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p, room, fmt, ap);
	va_end(ap);
	require(n >= 0);
	if (aligned((size_t)n + 1) <= room) {
		b->used += aligned((size_t)n + 1);
		return p;
	}
	memset(p, 0, room);
	p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

size_t arena_octets(const struct arena *a)
{
	size_t n = sizeof *a;

	for (const struct block *b = a->head; b; b = b->next)
		n += sizeof *b + b->size;
	return n;
}

static void drop_all_but_first(struct arena *a, bool wipe)
{
	while (a->head->next) {
		struct block *b = a->head;

		a->head = b->next;
		if (wipe)
			mem_wipe(b->data, b->size);
		free(b);
	}
}

void arena_reset(struct arena *a)
{
	drop_all_but_first(a, false);
	memset(a->head->data, 0, a->head->used);
	a->head->used = 0;
}

static void arena_end(struct arena **a, bool wipe)
{
	if (*a == NULL)
		return;
	drop_all_but_first(*a, wipe);
	if (wipe)
		mem_wipe((*a)->head->data, (*a)->head->size);
	free((*a)->head);
	free(*a);
	*a = NULL;
}

void arena_free(struct arena **a)
{
	arena_end(a, false);
}

void arena_wipe(struct arena **a)
{
	arena_end(a, true);
}
