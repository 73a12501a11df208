/*
 * authpam.h - the process that asks PAM for authd.
 *
 *	main.c   jail, channels to authd
 *	asks.c   what is asked: its turn, its process, its time
 *	pam.c    in that process: PAM's functions
 */
#ifndef AUTHPAM_AUTHPAM_H
#define AUTHPAM_AUTHPAM_H

#include "child/child.h"
#include "msg/pam_msg.h"

enum {
	ASKS_RUNNING = 16, /* processes at a time */
	ASKS_WAITING = 512,
	ASK_WAIT_MS = 10 * 1000, /* for its turn: a client has given up by then */
	ASK_LIMIT_MS = 30 * 1000 /* for PAM; then the process is killed */
};

struct asks {
	uv_loop_t *loop;
	struct ask *waiting, **last, *running;
	unsigned n_waiting, n_running;
	uint64_t n_ok, n_no, n_failed, n_killed;
};

struct authd_link { /* a channel to authd */
	struct ipc ipc;
	struct authpam *authpam;
	struct authd_link *next;
	unsigned index;
};

struct authpam {
	struct child child;
	struct asks asks;
	struct authd_link *links;
	bool is_leaving; /* a successor is there: go when nobody asks any more */
};

void asks_init(struct asks *a, uv_loop_t *loop);
/* A copy is made. The answer goes to `from`, not from within. */
void asks_add(struct asks *a, struct authd_link *from, const struct pam_ask *ask);
/* `from` is gone: what it asked is dropped, and its processes are killed. */
void asks_drop(struct asks *a, const struct authd_link *from);

/*
 * Ask PAM; blocks for as long as its modules like. In a process of its own, as they leave behind what they like. The texts of
 * *answer are in the arena.
 */
void pam_run(const struct pam_ask *ask, struct arena *mem, struct pam_answer *answer);

#endif
