/*
 * names.h - the accounts of this system, for deliver under root: a process of its own, with mail_owner's rights, reads
 * /etc/passwd and asks the name services, so that the one with root's rights reads nothing in /etc.
 */
#ifndef DELIVER_NAMES_H
#define DELIVER_NAMES_H

#include "base/arena.h"
#include "child/child.h"

struct account {
	const char *name, *home; /* in the arena */
	uid_t uid;
	gid_t gid;
};

/* Start the process, before the jail. Returns what it gave up (static). Without root: nothing is started, and "". */
const char *names_start(const struct child *c);
/* 1: found; 0: there is no such account; -1 (errno): it cannot be said now. Blocks as getpwnam() does. */
int names_find(const char *name, struct arena *mem, struct account *a);

#endif
