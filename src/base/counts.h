/*
 * counts.h - what several processes count of the same clients: one shared memory, in which each process writes a table of
 * its own and reads those of all.
 *
 * No lock, and nothing that a dead process leaves wrong: a table has one writer, and what it held open counts only while
 * it lives. Its counts of events count on until their time is over, so that neither a restart nor a reload forgives
 * anybody. The memory holds numbers only; whatever stands there, a reader reads nothing else. A client is a 64-bit key
 * that all processes compute alike and no client can choose (str_hash_keyed).
 */
#ifndef BASE_COUNTS_H
#define BASE_COUNTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { COUNTS_EVENTS = 7, COUNTS_TABLES = 128, COUNTS_NO_TABLE = COUNTS_TABLES };

/* A client in the table of one process. Milliseconds are those of counts_now(). */
struct count_slot {
	_Alignas(32) _Atomic uint64_t key; /* 0: never used */
	_Atomic uint64_t since_ms;	   /* count[] is of the unit of time that began then */
	_Atomic uint64_t known_until_ms;   /* set by the owner as it likes: see struct count_sum */
	_Atomic uint64_t keep_ms;	   /* until then it is not given to another client */
	_Atomic uint32_t lease;		   /* of the process that wrote `open` */
	_Atomic uint32_t open;		   /* what it has open now */
	_Atomic uint32_t count[COUNTS_EVENTS];
};

/* Of a client, over all tables. */
struct count_sum {
	unsigned open;
	unsigned count[COUNTS_EVENTS]; /* of units of time that are not over */
	uint64_t since_ms;	       /* when the latest of them began; 0: none */
	uint64_t known_until_ms;       /* the latest */
};

struct counts;
/* By the parent of the processes: make the memory. *fd is its descriptor, to be handed to each; it stays open. NULL with
 * errno. */
struct counts *counts_new(int *fd);
/*
 * By the parent, before any other process: the clock of all that is counted is CLOCK_MONOTONIC (uv_now) and so much more. With
 * the time since 1970 in it, it goes on when the machine starts again, and is never set while a process runs.
 */
void counts_set_clock(struct counts *c, uint64_t ahead_ms);
/* now_ms: of CLOCK_MONOTONIC. */
uint64_t counts_now(const struct counts *c, uint64_t now_ms);
/* A table for a new process, or COUNTS_NO_TABLE when all are in use (then it counts for itself). */
unsigned counts_lease(struct counts *c);
/* Its process has ended. */
void counts_end_lease(struct counts *c, unsigned table);

/* By such a process: fd as it was handed over (taken), its table. -1, COUNTS_NO_TABLE: memory of its own. Never NULL. */
struct counts *counts_open(int fd, unsigned table);
void counts_free(struct counts **c);
/* The client's place in the own table, made if it is not there. NULL: no room near its place (all are in use). */
struct count_slot *counts_of(struct counts *c, uint64_t key, uint64_t now_ms);
/* Of all tables. `unit_ms`: how long a unit of time is. */
void counts_sum(const struct counts *c, uint64_t key, uint64_t now_ms, uint64_t unit_ms, struct count_sum *sum);
/* One more event in the own table. A unit of time that begins with it ends when those of the other tables do. */
void counts_add(struct counts *c, struct count_slot *s, unsigned event, uint64_t now_ms, uint64_t unit_ms);

#endif
