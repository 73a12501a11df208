/*
 * worker.h - one delivery into one mailbox, in a process of its own that becomes the recipient and ends.
 *
 * At most WORKERS_MAX run at a time; further ones wait their turn, first come first served. A worker that takes longer
 * than WORKER_LIMIT_S is killed: its recipient is deferred.
 */
#ifndef DELIVER_WORKER_H
#define DELIVER_WORKER_H

#include "deliver/mailbox.h"
#include <uv.h>

enum { WORKERS_MAX = 24, WORKER_LIMIT_S = 600 };

struct worker { /* embedded; zeroed, `mailbox` and on_end set by its owner */
	struct mailbox mailbox;
	/* Once, from the loop or from within worker_start(). The worker may be freed then. */
	void (*on_end)(struct worker *w, const struct mailbox_result *r);
	/* worker.c's */
	struct worker_process *process; /* NULL: waiting */
	struct worker *next;
};

void worker_start(uv_loop_t *loop, struct worker *w);
/* Processes that run now; deliveries that wait. */
unsigned workers_running(void);
unsigned workers_waiting(void);

#endif
