/*
 * state_file.h - what is counted of failed logins, kept over a restart.
 *
 * Two files, pid/auth.counts.0 and .1 below queue_directory, opened before the jail: no path is needed afterwards. They are
 * written in turn, whole, each with a number and a checksum in front, so that one of them is whole whenever the process or
 * the machine ends. That happens in a thread, every few seconds when something has changed, and no login waits for it.
 *
 * Of two processes beside each other (a reload) the old one holds a lock; when it begins to leave it writes once more and
 * gives the lock up, and the new one takes in what stands there then.
 */
#ifndef AUTHD_STATE_FILE_H
#define AUTHD_STATE_FILE_H

#include "authd/defence_state.h"

#include <uv.h>

struct state_file;

/* Before the jail. Reads what is there into *d; what is damaged is said in the log. NULL: they cannot be opened (said). */
struct state_file *state_file_open(const char *queue_directory, struct defence *d);
/* Write from now on. NULL is allowed. */
void state_file_start(struct state_file *f, uv_loop_t *loop);
/* Write once more, now, and leave it to another process. NULL is allowed. */
void state_file_leave(struct state_file *f);

/* After state_file_leave(); *f is NULL afterwards. The loop has to run once more. */
void state_file_free(struct state_file **f);

/* The file that is in force of two contents; -1: none (`damaged`: there was something). For the fuzzer, too. */
int state_file_choose(const struct str text[2], struct str *body, uint64_t *number, bool *damaged);

#endif
