/*
 * door.h - a listening UNIX or TCP socket in the loop. Who connects is taken; while there is no descriptor for him he waits in
 * the socket's queue, and so do we: a socket that stays readable would else be looked at in each turn of the loop. Some
 * descriptors are left over, for files and threads and what else is needed to serve those who are in.
 */
#ifndef BASE_DOOR_H
#define BASE_DOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct door {
	uv_poll_t poll;
	uv_timer_t pause;
	int fd;		  /* -1: closed */
	int most;	  /* descriptors from this number on are for other things than connections */
	const char *name; /* for the log, borrowed */
	void (*take)(struct door *d, int fd);
	bool is_short;	 /* of descriptors, which the log knows */
	unsigned paused; /* how often, for tests */
};

/*
 * Take who connects to `fd`, which listens and is nonblocking. Takes: fd. `take` gets each connection, nonblocking and
 * close-on-exec, as its own; it may close the door.
 */
void door_open(struct door *d, uv_loop_t *loop, int fd, const char *name, void (*take)(struct door *d, int fd));
/* No more; also when it is closed already. The struct stays in the loop's hands, idle. */
void door_close(struct door *d);

#endif
