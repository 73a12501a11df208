/* counts_own.h - the memory of counts.h and window.h; for these two alone. */
#ifndef BASE_COUNTS_OWN_H
#define BASE_COUNTS_OWN_H

#include "base/window.h"

enum { COUNTS_SLOTS = 1 << 15 }; /* of one table, of which only the pages that are used take memory */

/* An address at which somebody was seen: its 16 octets (IPv4 mapped into IPv6), the first ones highest. */
struct window_address {
	_Atomic uint64_t high, low, last_ms;
};

/* The window of the client that has the slot of the same number in the same table, if it has that client's key. */
struct window {
	_Alignas(64) _Atomic uint64_t key;
	_Atomic uint64_t part_ms; /* how long each part of the window is */
	_Atomic uint64_t latest;  /* number of its latest part: part n begins at n * part_ms */
	_Atomic uint64_t told_ms[WINDOW_MATTERS];
	_Atomic uint32_t count[WINDOW_EVENTS][WINDOW_PARTS]; /* of part n: at n % WINDOW_PARTS */
	struct window_address address[WINDOW_ADDRESSES];
};

struct counts_head {
	_Alignas(4096) _Atomic uint32_t n_tables; /* those from here on were never used */
	_Atomic uint32_t lease[COUNTS_TABLES];	  /* a new number for each process that has the table */
	_Atomic uint64_t ahead_ms;		  /* of CLOCK_MONOTONIC */
};

struct counts_memory {
	struct counts_head head;
	struct count_slot table[COUNTS_TABLES][COUNTS_SLOTS];
	struct window window[COUNTS_TABLES][COUNTS_SLOTS];
};

struct counts {
	struct counts_memory *shared; /* NULL: none */
	struct count_slot *own;	      /* NULL in the parent */
	struct window *own_window;
	uint32_t lease;
	bool is_private;	    /* `own` is not in `shared` */
	bool leased[COUNTS_TABLES]; /* the parent's: it believes nothing that stands in the memory */
	uint32_t last_lease;
	uint64_t ahead_ms; /* as it was when this process began */
};

/* The client's slot in that table, NULL: it has none. */
const struct count_slot *counts_find(struct count_slot *table, uint64_t key);

#endif
