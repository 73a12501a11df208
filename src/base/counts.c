#include "base/counts.h"
#include "base/arena.h"
#include "base/counts_own.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	SLOTS = COUNTS_SLOTS,
	NEAR = 64 /* a client stands in one of so many slots from its place on */
};

static struct counts_memory *map(int fd)
{
	void *p = mmap(NULL, sizeof(struct counts_memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct counts *counts_new(int *fd)
{
	struct counts *c = xcalloc(1, sizeof *c);

	*fd = memfd_create("counts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* Sealed: one that shrinks it would kill all who read it. */
	if (*fd >= 0 && ftruncate(*fd, sizeof(struct counts_memory)) == 0 &&
		fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		c->shared = map(*fd);
	if (c->shared)
		return c;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	free(c);
	return NULL;
}

void counts_set_clock(struct counts *c, uint64_t ahead_ms)
{
	c->ahead_ms = ahead_ms;
	atomic_store(&c->shared->head.ahead_ms, ahead_ms);
}

uint64_t counts_now(const struct counts *c, uint64_t now_ms)
{
	return now_ms + c->ahead_ms;
}

unsigned counts_lease(struct counts *c)
{
	unsigned t = 0;

	while (t < COUNTS_TABLES && c->leased[t])
		t++;
	if (t == COUNTS_TABLES)
		return COUNTS_NO_TABLE;
	c->leased[t] = true;
	atomic_store(&c->shared->head.lease[t], ++c->last_lease);
	if (atomic_load(&c->shared->head.n_tables) <= t)
		atomic_store(&c->shared->head.n_tables, t + 1);
	return t;
}

void counts_end_lease(struct counts *c, unsigned table)
{
	if (table >= COUNTS_TABLES)
		return;
	c->leased[table] = false;
	atomic_store(&c->shared->head.lease[table], ++c->last_lease);
}

static void *own_memory(size_t octets)
{
	void *p = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fatal("no memory for the counts of clients: %s", strerror(errno));
	return p;
}

struct counts *counts_open(int fd, unsigned table)
{
	struct counts *c = xcalloc(1, sizeof *c);

	c->shared = fd >= 0 ? map(fd) : NULL;
	if (fd >= 0)
		close(fd);
	c->ahead_ms = c->shared ? atomic_load(&c->shared->head.ahead_ms) : 0;
	if (c->shared && table < COUNTS_TABLES) {
		c->own = c->shared->table[table];
		c->own_window = c->shared->window[table];
		c->lease = atomic_load(&c->shared->head.lease[table]);
		return c;
	}
	c->own = own_memory(sizeof c->shared->table[0]);
	c->own_window = own_memory(sizeof c->shared->window[0]);
	c->is_private = true;
	return c;
}

void counts_free(struct counts **c)
{
	if (*c == NULL)
		return;
	if ((*c)->is_private) {
		munmap((*c)->own, sizeof(*c)->shared->table[0]);
		munmap((*c)->own_window, sizeof(*c)->shared->window[0]);
	}
	if ((*c)->shared)
		munmap((*c)->shared, sizeof *(*c)->shared);
	free(*c);
	*c = NULL;
}

static struct count_slot *place(struct count_slot *table, uint64_t key, unsigned i)
{
	return &table[(key + i) % SLOTS];
}

/* The clocks of two processes differ by a turn of their loops: what begins "later" than now has not ended. */
static bool is_past(uint64_t end_ms, uint64_t now_ms)
{
	return end_ms <= now_ms;
}

const struct count_slot *counts_find(struct count_slot *table, uint64_t key)
{
	for (unsigned i = 0; i < NEAR; i++) {
		const struct count_slot *s = place(table, key, i);
		uint64_t k = atomic_load_explicit(&s->key, memory_order_acquire);

		if (k == key)
			return s;
		if (k == 0)
			return NULL; /* slots are taken over and never emptied: nothing stands behind this one */
	}
	return NULL;
}

/* Nobody needs what it holds any more. */
static bool is_free(const struct counts *c, const struct count_slot *s, uint64_t now_ms)
{
	if (s->key == 0)
		return true;
	return (s->open == 0 || s->lease != c->lease) && is_past(s->keep_ms, now_ms);
}

static void take_over(const struct counts *c, struct count_slot *s, uint64_t key)
{
	s->open = 0;
	s->lease = c->lease;
	s->since_ms = s->known_until_ms = s->keep_ms = 0;
	for (unsigned i = 0; i < COUNTS_EVENTS; i++)
		s->count[i] = 0;
	atomic_store_explicit(&s->key, key, memory_order_release);
}

/* Where all near places are kept, who is here now counts more than what will not be needed for the shortest time. */
static struct count_slot *least_needed(const struct counts *c, uint64_t key)
{
	struct count_slot *best = NULL;

	for (unsigned i = 0; i < NEAR; i++) {
		struct count_slot *s = place(c->own, key, i);

		if ((s->open == 0 || s->lease != c->lease) && (best == NULL || s->keep_ms < best->keep_ms))
			best = s;
	}
	return best;
}

struct count_slot *counts_of(struct counts *c, uint64_t key, uint64_t now_ms)
{
	struct count_slot *s = (struct count_slot *)(uintptr_t)counts_find(c->own, key);

	if (s && s->lease != c->lease) { /* a process before us wrote it: its events count on */
		s->open = 0;
		s->lease = c->lease;
	}
	if (s)
		return s;
	for (unsigned i = 0; s == NULL && i < NEAR; i++)
		if (is_free(c, place(c->own, key, i), now_ms))
			s = place(c->own, key, i);
	if (s == NULL)
		s = least_needed(c, key);
	if (s)
		take_over(c, s, key);
	return s;
}

static void add_up(const struct count_slot *s, uint32_t lease, uint64_t now_ms, uint64_t unit_ms, struct count_sum *sum)
{
	if (s->lease == lease)
		sum->open += s->open;
	if (s->known_until_ms > sum->known_until_ms)
		sum->known_until_ms = s->known_until_ms;
	if (s->since_ms == 0 || is_past(s->since_ms + unit_ms, now_ms))
		return;
	if (s->since_ms > sum->since_ms)
		sum->since_ms = s->since_ms;
	for (unsigned i = 0; i < COUNTS_EVENTS; i++)
		sum->count[i] += s->count[i];
}

void counts_sum(const struct counts *c, uint64_t key, uint64_t now_ms, uint64_t unit_ms, struct count_sum *sum)
{
	uint32_t n = c->shared ? atomic_load(&c->shared->head.n_tables) : 0;
	const struct count_slot *s = c->is_private ? counts_find(c->own, key) : NULL;

	memset(sum, 0, sizeof *sum);
	if (s)
		add_up(s, c->lease, now_ms, unit_ms, sum);
	for (uint32_t t = 0; t < n && t < COUNTS_TABLES; t++) {
		s = counts_find(c->shared->table[t], key);
		if (s)
			add_up(s, c->shared->head.lease[t], now_ms, unit_ms, sum);
	}
}

void counts_add(struct counts *c, struct count_slot *s, unsigned event, uint64_t now_ms, uint64_t unit_ms)
{
	struct count_sum sum;

	if (s->since_ms == 0 || is_past(s->since_ms + unit_ms, now_ms)) {
		for (unsigned i = 0; i < COUNTS_EVENTS; i++)
			s->count[i] = 0;
		counts_sum(c, s->key, now_ms, unit_ms, &sum);
		s->since_ms = sum.since_ms ? sum.since_ms : now_ms;
		if (s->keep_ms < s->since_ms + unit_ms)
			s->keep_ms = s->since_ms + unit_ms;
	}
	s->count[event]++;
}
