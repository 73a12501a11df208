/*
 * tally.h - counts of failed logins that fade: each halves in a half-life. A table of fixed size.
 *
 * Whoever fails can make up names and, with IPv6, networks, so the table will be full one day. A newcomer takes the place
 * of the smallest count near its own place, which the caller's keyed hash chooses; where even that is a whole failure or
 * more, it goes on from there. So a count is never forgotten in favour of smaller ones: to push his own out, an attacker
 * has to fail as often again for each of the places beside it. What a full table says of somebody may be too much by
 * little, and never too little.
 *
 * Times are milliseconds of one clock that the caller gives; when it goes back nothing fades meanwhile, and when it goes back
 * by more than a day what was counted ahead of that is gone.
 */
#ifndef AUTHD_TALLY_H
#define AUTHD_TALLY_H

#include "authd/network.h"

enum {
	TALLY_UNIT = 1024,  /* one failure */
	TALLY_WAYS = 8,	    /* near places */
	TALLY_MARKS = 8,    /* wrong passwords that are remembered of an entry */
	TALLY_NAME = 64,    /* octets of a name that is shown, with the NUL */
	TALLY_MAX_OF = 1000 /* failures; more are not counted */
};

struct tally_entry {
	uint64_t at_ms;
	uint32_t score; /* in TALLY_UNIT, as it was at at_ms */
	uint16_t held;	/* logins that wait; while there are any it is not given away */
	uint8_t next_mark;
	/* The caller's, zero in a new entry. */
	struct network network;
	char name[TALLY_NAME]; /* of the user, cut; "" none */
	uint64_t user;
	uint32_t mark[TALLY_MARKS];
};

struct tally {
	uint64_t *key;		   /* of each place; 0: free. Apart, so that no memory is touched where nobody is. */
	struct tally_entry *entry; /* at each place */
	size_t n;		   /* a power of two */
	uint64_t half_life_ms;
};

/* n: entries, a power of two. half_life_ms > 0. */
void tally_init(struct tally *t, size_t n, uint64_t half_life_ms);
void tally_free(struct tally *t);

/* The entry at a place, below n; NULL: it is free. */
struct tally_entry *tally_at(const struct tally *t, size_t place);
struct tally_entry *tally_find(const struct tally *t, uint64_t key);
/* The entry of `key`, made if it is not there (then maybe with a count). key != 0. */
struct tally_entry *tally_get(struct tally *t, uint64_t key, uint64_t now_ms);
/* What is left of its count, in TALLY_UNIT. NULL: 0. */
uint32_t tally_score(const struct tally *t, const struct tally_entry *e, uint64_t now_ms);
/* One more failure, that happened at at_ms, which may be past. Returns the count. */
uint32_t tally_add(const struct tally *t, struct tally_entry *e, uint64_t at_ms, uint64_t now_ms);
/* What was written down: the entry, when its count is not below the one that is here. NULL: it is. */
struct tally_entry *tally_restore(struct tally *t, uint64_t key, uint32_t score, uint64_t at_ms, uint64_t now_ms);
/* Milliseconds until `score` has faded below `limit`; 0: it is. */
uint64_t tally_time_above(const struct tally *t, uint32_t score, uint32_t limit);
/* Has this wrong password been seen? A new one is noted, in the place of the oldest. */
bool tally_mark(struct tally_entry *e, uint32_t mark);

#endif
