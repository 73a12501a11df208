/*
 * arena.h - memory that is freed by ending a thing (a session, a transaction, an exchange), not piece by piece.
 *
 * arena_new() panics when memory is out; nothing in here returns NULL. Memory is zeroed.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena;

/* A new arena; `first` is the size in octets of its first block (0: 1 KiB). */
struct arena *arena_new(size_t first);
/* n zeroed octets, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);
/* Array of `count` elements; an overflow of the product panics. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A copy with a NUL behind it (which is not counted in n). */
struct str arena_dup(struct arena *a, struct str s);
char *arena_cdup(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Octets held in all. */
size_t arena_octets(const struct arena *a);
/* Drop all content, keep the first block. */
void arena_reset(struct arena *a);
/* Free everything; *a is NULL afterwards. NULL is allowed. */
void arena_free(struct arena **a);
/* As arena_free, after overwriting all. For secrets. */
void arena_wipe(struct arena **a);

/* calloc, realloc, strdup that panic instead of returning NULL; freed with free(). */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(struct str s);

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
