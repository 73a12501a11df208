/*
 * row_cache.h - answers of databases, kept for a while (auth_cache_size, auth_cache_ttl, auth_cache_negative_ttl).
 */
#ifndef AUTHD_ROW_CACHE_H
#define AUTHD_ROW_CACHE_H

#include "sql/sql.h"

struct row_cache;

/* max_octets == 0 gives NULL: no cache; all functions take that. Times in milliseconds. */
struct row_cache *row_cache_new(uint64_t max_octets, uint64_t ttl_ms, uint64_t negative_ttl_ms);
void row_cache_free(struct row_cache **c);
/* Keep the rows (copied; NULL: nobody by that name). user: whom it is about, for row_cache_flush_users(). */
void row_cache_put(struct row_cache *c, struct str key, struct str user, const struct sql_row *rows, uint64_t now_ms);
enum { ROW_CACHE_ANY_AGE = -1 };
/*
 * Returns true when there is an answer; *rows is then a copy in mem. late_ms: one whose time was over that long ago will do as
 * well; 0: none, ROW_CACHE_ANY_AGE: every one.
 */
bool row_cache_get(struct row_cache *c, struct str key, uint64_t now_ms, int64_t late_ms, struct arena *mem,
	struct sql_row **rows);
/* Forget the answer to that, if there is one. */
void row_cache_forget(struct row_cache *c, struct str key);
/* Forget all. Returns how many there were. */
size_t row_cache_flush(struct row_cache *c);
/* Forget what is about users that one of the masks (mask.h) fits. Returns how many there were. */
size_t row_cache_flush_users(struct row_cache *c, const struct str *mask, size_t n);

struct row_cache_status {
	uint64_t hits, misses;
	size_t positive, negative; /* entries: somebody; nobody by that name */
	uint64_t positive_octets, negative_octets, max_octets;
};
/* All zero without a cache. */
void row_cache_status(const struct row_cache *c, struct row_cache_status *s);
/* Count hits and misses from zero. */
void row_cache_reset_counts(struct row_cache *c);

#endif
