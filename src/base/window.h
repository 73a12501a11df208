/*
 * window.h - what several processes count of the same users in a window of time that slides: nobody gets twice the limit by
 * going on when a unit of time begins anew.
 *
 * It stands in the memory of counts.h and follows its rules: each process writes its own table, reads those of all, and what
 * it has counted counts on when it dies. The window has parts, and an event counts for as long as its part is not wholly
 * over: for at least the unit of time, and for at most one fifteenth more.
 */
#ifndef BASE_WINDOW_H
#define BASE_WINDOW_H

#include "base/counts.h"

enum {
	WINDOW_EVENTS = 2,   /* kinds of events */
	WINDOW_MATTERS = 3,  /* what is told once in a unit of time */
	WINDOW_PARTS = 16,   /* of the window: one more than a unit of time has */
	WINDOW_ADDRESSES = 4 /* those seen last; of each process */
};

/* Over all tables. */
struct window_sum {
	unsigned open; /* of count_slot */
	unsigned count[WINDOW_EVENTS];
	uint64_t less_ms[WINDOW_EVENTS]; /* when it will be less; 0: it is 0 */
};

/* One more event of whom the slot, of the own table, stands for. */
void window_add(struct counts *c, struct count_slot *s, unsigned event, uint64_t now_ms, uint64_t unit_ms);
/* n of them that happened in a part of the window that ended at end_ms, before now_ms. */
void window_add_past(struct counts *c, struct count_slot *s, unsigned event, uint32_t n, uint64_t end_ms,
	uint64_t now_ms, uint64_t unit_ms);
/* The last window_add() of this turn of the loop, after all not. */
void window_take_back(struct counts *c, struct count_slot *s, unsigned event);
void window_sum(const struct counts *c, uint64_t key, uint64_t now_ms, uint64_t unit_ms, struct window_sum *sum);

/* It was told in the last unit of time, by any process; it is told now. */
bool window_was_told(const struct counts *c, uint64_t key, unsigned matter, uint64_t now_ms, uint64_t unit_ms);
void window_told(struct counts *c, struct count_slot *s, unsigned matter, uint64_t now_ms, uint64_t unit_ms);

/* Whom the slot stands for was seen at this address (16 octets). */
void window_seen(struct counts *c, struct count_slot *s, const unsigned char *address, uint64_t now_ms);
/* Different addresses of the last unit of time, over all tables, at most `max`. Returns their number. */
unsigned window_addresses(const struct counts *c, uint64_t key, uint64_t now_ms, uint64_t unit_ms,
	unsigned char (*address)[16], unsigned max);

#endif
