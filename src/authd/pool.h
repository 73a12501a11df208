/*
 * pool.h - work that must not block the event loop: on threads of its own, with a bound on what runs at a time, a bound on
 * what waits, and fairness.
 *
 * Not libuv's threads: its loop spins while one of them tells that it is done, and one that yields to the loop (is_background) is
 * interrupted by it just then. Here a thread takes the next job itself, and leaves what is done on a list without a lock.
 *
 * Fairness is by start tags: a job's tag is one more than the last tag of its user and of its address, and the lowest
 * tag runs next. Whoever has many jobs waiting, by one name or from one address, waits behind himself only.
 */
#ifndef AUTHD_POOL_H
#define AUTHD_POOL_H

#include "base/str.h"
#include <uv.h>

enum { POOL_LANES = 1024 };

struct pool;
struct pool_threads;
struct watch;
struct job { /* embedded; zeroed, run and done set, before pool_submit() */
	/* In a thread. Touches nothing but the job's own. Not called when the job was dropped. */
	void (*run)(struct job *j);
	/* In the loop, always, never from within pool_submit(). `dropped`: it did not run, having waited too long. */
	void (*done)(struct job *j, bool dropped);
	_Atomic bool cancelled; /* by the owner: no need to run any more; done is still called */
	/* pool.c's */
	struct pool *pool;
	struct job *next;
	uint64_t tag, since_ms;
	bool dropped;
};

struct pool {
	uv_loop_t *loop;
	unsigned max_running, max_waiting;
	uint64_t max_wait_ms;
	bool is_background;	      /* set before the first job: its threads yield to everything else */
	unsigned running, waiting;    /* as the loop knows it: what is done was told it */
	struct pool_threads *threads; /* made at the first job; they stay */
	struct watch *watch;
	uint64_t lane[2][POOL_LANES]; /* last tag by hash of user, of address */
	uint64_t n_run, n_refused, n_dropped;
};

void pool_init(struct pool *p, uv_loop_t *loop, unsigned max_running, unsigned max_waiting, uint64_t max_wait_ms);
/* Returns 0, or -1: too many wait already; done is not called. */
int pool_submit(struct pool *p, struct job *j, struct str user, struct str address);
/*
 * Somebody was served just now without a job. For a second, jobs that take long (10 ms and more) leave the place of one free, where
 * there are several: yielding is not enough for those who are served. Whoever of loop and client wakes the other on a processor
 * that both share with such a job waits behind it then, up to the next tick of the kernel, some milliseconds.
 */
void pool_leave_room(struct pool *p);

#endif
