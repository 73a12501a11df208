/*
 * untold.h - what happened while other nodes could not be told (share.h): kept in order, the oldest dropped when it is full.
 */
#ifndef AUTHD_UNTOLD_H
#define AUTHD_UNTOLD_H

#include "authd/defence.h"

enum {
	UNTOLD_MAX = 1024,
	UNTOLD_USER_MAX = 255 /* octets; of an event with a longer name only the network is kept */
};

struct untold {
	struct untold_event *ring; /* UNTOLD_MAX of them while any is kept, else NULL */
	size_t first, n;
};

/* Copies *e. */
void untold_add(struct untold *u, const struct defence_event *e);
/* The oldest, which is kept no longer; its user is borrowed of *user. false: there is none. */
bool untold_take(struct untold *u, struct defence_event *e, char user[UNTOLD_USER_MAX]);

#endif
