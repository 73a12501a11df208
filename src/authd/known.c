#include "authd/known.h"

#include "base/arena.h"
#include "base/log.h"

#include <stdlib.h>

void known_init(struct known *k, size_t n, uint32_t days)
{
	require(n >= KNOWN_WAYS && (n & (n - 1)) == 0);
	*k = (struct known){ xcalloc(n, sizeof *k->key), xcalloc(n, sizeof *k->user), n, days };
}

void known_free(struct known *k)
{
	free(k->key);
	free(k->user);
	*k = (struct known){ 0 };
}

const struct known_user *known_at(const struct known *k, size_t place)
{
	return k->key[place] ? &k->user[place] : NULL;
}

/* The first of the near places. */
static size_t set_of(const struct known *k, uint64_t user)
{
	return (size_t)(user & (k->n / KNOWN_WAYS - 1)) * KNOWN_WAYS;
}

static struct known_user *find(const struct known *k, uint64_t user)
{
	size_t set = set_of(k, user);

	for (size_t i = set; i < set + KNOWN_WAYS; i++)
		if (k->key[i] == user)
			return &k->user[i];
	return NULL;
}

enum known_is known_find(const struct known *k, uint64_t user, uint64_t network, uint64_t mark, uint32_t today)
{
	const struct known_user *u = find(k, user);

	for (size_t i = 0; u && i < KNOWN_NETWORKS; i++) {
		const struct known_network *n = &u->at[i];

		if (n->network != network || (uint64_t)n->day + k->days < today || k->days == 0)
			continue;
		if (mark == 0 || n->mark == 0)
			return KNOWN_NETWORK;
		return n->mark == mark ? KNOWN_SAME : KNOWN_OTHER;
	}
	return KNOWN_NOT;
}

static uint32_t last_day(const struct known_user *u)
{
	uint32_t day = 0;

	for (size_t i = 0; i < KNOWN_NETWORKS; i++)
		if (u->at[i].network && u->at[i].day > day)
			day = u->at[i].day;
	return day;
}

static struct known_user *make_room(const struct known *k, uint64_t user)
{
	size_t set = set_of(k, user), best = set;

	for (size_t i = set; i < set + KNOWN_WAYS && k->key[best]; i++)
		if (k->key[i] == 0 || last_day(&k->user[i]) < last_day(&k->user[best]))
			best = i;
	k->key[best] = user;
	k->user[best] = (struct known_user){ 0 };
	return &k->user[best];
}

/* Where the network stands, or may stand. */
static struct known_network *place_of(struct known_user *u, uint64_t network)
{
	struct known_network *best = u->at;

	for (size_t i = 0; i < KNOWN_NETWORKS; i++) {
		if (u->at[i].network == network)
			return &u->at[i];
		if (best->network && (u->at[i].network == 0 || u->at[i].day < best->day))
			best = &u->at[i];
	}
	return best;
}

bool known_put(struct known *k, uint64_t user, uint64_t network, uint64_t mark, uint32_t day)
{
	struct known_user *u = find(k, user);
	struct known_network *n;
	bool is_news;

	if (k->days == 0)
		return false;
	n = place_of(u ? u : make_room(k, user), network);
	is_news = n->network != network || n->day < day;
	if (n->network != network)
		*n = (struct known_network){ .network = network };
	if (n->day < day)
		n->day = day;
	if (mark)
		n->mark = mark;
	return is_news;
}

void known_forget(struct known *k, uint64_t user)
{
	struct known_user *u = find(k, user);

	if (u) {
		k->key[u - k->user] = 0;
		*u = (struct known_user){ 0 };
	}
}
