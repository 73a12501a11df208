#include "authd/tally.h"

#include "base/arena.h"
#include "base/log.h"

#include <stdlib.h>

enum { AHEAD_MAX_MS = 24 * 3600 * 1000 };

void tally_init(struct tally *t, size_t n, uint64_t half_life_ms)
{
	require(n >= TALLY_WAYS && (n & (n - 1)) == 0 && half_life_ms > 0);
	*t = (struct tally){ xcalloc(n, sizeof *t->key), xcalloc(n, sizeof *t->entry), n, half_life_ms };
}

void tally_free(struct tally *t)
{
	free(t->key);
	free(t->entry);
	*t = (struct tally){ 0 };
}

/* Straight between the halves: at the half-lives it is exact. */
static uint32_t faded(const struct tally *t, uint32_t score, uint64_t passed_ms)
{
	uint64_t halves = passed_ms / t->half_life_ms, rest = passed_ms % t->half_life_ms;

	if (halves >= 32)
		return 0;
	score >>= halves;
	return score - (uint32_t)((double)score / 2 * ((double)rest / (double)t->half_life_ms));
}

uint32_t tally_score(const struct tally *t, const struct tally_entry *e, uint64_t now_ms)
{
	if (e == NULL || e->at_ms > now_ms + AHEAD_MAX_MS)
		return 0;
	return faded(t, e->score, now_ms > e->at_ms ? now_ms - e->at_ms : 0);
}

struct tally_entry *tally_at(const struct tally *t, size_t place)
{
	return t->key[place] ? &t->entry[place] : NULL;
}

/* The first of the near places. */
static size_t set_of(const struct tally *t, uint64_t key)
{
	return (size_t)(key & (t->n / TALLY_WAYS - 1)) * TALLY_WAYS;
}

struct tally_entry *tally_find(const struct tally *t, uint64_t key)
{
	size_t set = set_of(t, key);

	for (size_t i = set; i < set + TALLY_WAYS; i++)
		if (t->key[i] == key)
			return &t->entry[i];
	return NULL;
}

/* The place to be given away: a free one, or that of the smallest. */
static size_t smallest(const struct tally *t, size_t set, uint64_t now_ms)
{
	size_t best = set;

	for (size_t i = set; i < set + TALLY_WAYS; i++) {
		const struct tally_entry *e = &t->entry[i], *b = &t->entry[best];

		if (t->key[i] == 0)
			return i;
		if (e->held < b->held || (e->held == b->held && tally_score(t, e, now_ms) < tally_score(t, b, now_ms)))
			best = i;
	}
	return best;
}

struct tally_entry *tally_get(struct tally *t, uint64_t key, uint64_t now_ms)
{
	struct tally_entry *e = tally_find(t, key);
	uint32_t left;
	size_t place;

	if (e)
		return e;
	place = smallest(t, set_of(t, key), now_ms);
	e = &t->entry[place];
	left = t->key[place] ? tally_score(t, e, now_ms) : 0;
	t->key[place] = key;
	*e = (struct tally_entry){ .at_ms = now_ms, .score = left >= TALLY_UNIT ? left : 0 };
	return e;
}

uint32_t tally_add(const struct tally *t, struct tally_entry *e, uint64_t at_ms, uint64_t now_ms)
{
	uint32_t score = tally_score(t, e, now_ms) + faded(t, TALLY_UNIT, now_ms > at_ms ? now_ms - at_ms : 0);

	e->score = score < TALLY_MAX_OF * TALLY_UNIT ? score : TALLY_MAX_OF * TALLY_UNIT;
	e->at_ms = now_ms;
	return e->score;
}

struct tally_entry *tally_restore(struct tally *t, uint64_t key, uint32_t score, uint64_t at_ms, uint64_t now_ms)
{
	uint32_t left = faded(t, score, now_ms > at_ms ? now_ms - at_ms : 0);
	struct tally_entry *e = tally_find(t, key);

	if (left == 0 || (e && tally_score(t, e, now_ms) > left))
		return NULL;
	e = e ? e : tally_get(t, key, now_ms);
	if (tally_score(t, e, now_ms) < left) {
		e->score = left < TALLY_MAX_OF * TALLY_UNIT ? left : TALLY_MAX_OF * TALLY_UNIT;
		e->at_ms = now_ms;
	}
	return e;
}

uint64_t tally_time_above(const struct tally *t, uint32_t score, uint32_t limit)
{
	uint64_t time = 0;

	if (limit == 0 || score < limit)
		return 0;
	for (; score / 2 >= limit; score /= 2)
		time += t->half_life_ms;
	return time + (uint64_t)((double)t->half_life_ms * 2 * ((double)(score - limit) / score)) + 1;
}

bool tally_mark(struct tally_entry *e, uint32_t mark)
{
	for (size_t i = 0; i < TALLY_MARKS; i++)
		if (e->mark[i] == mark)
			return true;
	e->mark[e->next_mark++ % TALLY_MARKS] = mark;
	return false;
}
