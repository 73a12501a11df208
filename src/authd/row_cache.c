#include "authd/row_cache.h"

#include "authd/mask.h"

#include <stdlib.h>

enum { BUCKETS = 4096 };

struct entry {
	struct entry *next_in_bucket;
	struct entry *older, *newer;
	struct arena *mem; /* the entry's content */
	struct str key, user;
	struct sql_row *rows;
	uint64_t expires_ms;
	size_t octets;
};

struct row_cache {
	uint64_t max_octets, octets, ttl_ms, negative_ttl_ms;
	size_t n;
	uint64_t hits, misses;
	struct entry *oldest, *newest;
	struct entry *bucket[BUCKETS];
};

struct row_cache *row_cache_new(uint64_t max_octets, uint64_t ttl_ms, uint64_t negative_ttl_ms)
{
	struct row_cache *c;

	if (max_octets == 0)
		return NULL;
	c = xcalloc(1, sizeof *c);
	c->max_octets = max_octets;
	c->ttl_ms = ttl_ms;
	c->negative_ttl_ms = negative_ttl_ms;
	return c;
}

static struct entry **find(struct row_cache *c, struct str key)
{
	struct entry **at = &c->bucket[str_hash(key) % BUCKETS];

	while (*at && !str_eq((*at)->key, key))
		at = &(*at)->next_in_bucket;
	return at;
}

static void drop(struct row_cache *c, struct entry *e)
{
	*find(c, e->key) = e->next_in_bucket;
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	c->octets -= e->octets;
	c->n--;
	arena_wipe(&e->mem); /* password hashes */
	free(e);
}

static struct sql_row *copy_rows(const struct sql_row *rows, struct arena *mem)
{
	struct sql_row *first = NULL, **last = &first;

	for (; rows; rows = rows->next) {
		struct sql_row *row = arena_alloc(mem, sizeof *row);

		row->n = rows->n;
		row->field = arena_array(mem, rows->n, sizeof *row->field);
		for (size_t i = 0; i < rows->n; i++) {
			row->field[i].name = arena_dup(mem, rows->field[i].name);
			row->field[i].value = arena_dup(mem, rows->field[i].value);
			row->field[i].is_null = rows->field[i].is_null;
		}
		*last = row;
		last = &row->next;
	}
	return first;
}

void row_cache_put(struct row_cache *c, struct str key, struct str user, const struct sql_row *rows, uint64_t now_ms)
{
	struct entry *e, **at;

	if (c == NULL)
		return;
	e = *find(c, key);
	if (e)
		drop(c, e);
	e = xcalloc(1, sizeof *e);
	e->mem = arena_new(512);
	e->key = arena_dup(e->mem, key);
	e->user = arena_dup(e->mem, user);
	e->rows = copy_rows(rows, e->mem);
	e->expires_ms = now_ms + (rows ? c->ttl_ms : c->negative_ttl_ms);
	e->octets = arena_octets(e->mem) + sizeof *e;
	at = find(c, key);
	e->next_in_bucket = *at;
	*at = e;
	e->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
	c->octets += e->octets;
	c->n++;
	while (c->oldest && c->octets > c->max_octets)
		drop(c, c->oldest);
}

bool row_cache_get(
	struct row_cache *c, struct str key, uint64_t now_ms, int64_t late_ms, struct arena *mem, struct sql_row **rows)
{
	struct entry *e;

	*rows = NULL;
	if (c == NULL)
		return false;
	e = *find(c, key);
	if (e == NULL || (late_ms >= 0 && e->expires_ms <= now_ms && now_ms - e->expires_ms >= (uint64_t)late_ms)) {
		c->misses += late_ms == 0;
		return false;
	}
	c->hits++;
	*rows = copy_rows(e->rows, mem);
	return true;
}

void row_cache_forget(struct row_cache *c, struct str key)
{
	struct entry *e = c ? *find(c, key) : NULL;

	if (e)
		drop(c, e);
}

size_t row_cache_flush(struct row_cache *c)
{
	size_t n = c ? c->n : 0;

	while (c && c->oldest)
		drop(c, c->oldest);
	return n;
}

static bool fits(const struct entry *e, const struct str *mask, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (mask_matches(mask[i], e->user))
			return true;
	return false;
}

size_t row_cache_flush_users(struct row_cache *c, const struct str *mask, size_t n)
{
	size_t gone = 0;

	for (struct entry *e = c ? c->oldest : NULL, *newer; e; e = newer) {
		newer = e->newer;
		if (fits(e, mask, n)) {
			drop(c, e);
			gone++;
		}
	}
	return gone;
}

void row_cache_status(const struct row_cache *c, struct row_cache_status *s)
{
	*s = (struct row_cache_status){ 0 };
	if (c == NULL)
		return;
	s->hits = c->hits;
	s->misses = c->misses;
	s->max_octets = c->max_octets;
	for (const struct entry *e = c->oldest; e; e = e->newer) {
		*(e->rows ? &s->positive : &s->negative) += 1;
		*(e->rows ? &s->positive_octets : &s->negative_octets) += e->octets;
	}
}

void row_cache_reset_counts(struct row_cache *c)
{
	if (c)
		c->hits = c->misses = 0;
}

void row_cache_free(struct row_cache **c)
{
	row_cache_flush(*c);
	free(*c);
	*c = NULL;
}
