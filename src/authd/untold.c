#include "authd/untold.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct untold_event {
	struct defence_event event;
	char user[UNTOLD_USER_MAX]; /* of event.user */
};

void untold_add(struct untold *u, const struct defence_event *e)
{
	struct untold_event *to;

	if (u->ring == NULL)
		u->ring = calloc(UNTOLD_MAX, sizeof *u->ring);
	if (u->ring == NULL)
		panic("out of memory: events for other nodes");
	to = &u->ring[(u->first + u->n) % UNTOLD_MAX];
	if (u->n < UNTOLD_MAX)
		u->n++;
	else
		u->first = (u->first + 1) % UNTOLD_MAX;
	to->event = *e;
	to->event.user = STR("");
	if (e->user.n == 0 || e->user.n > UNTOLD_USER_MAX)
		return;
	memcpy(to->user, e->user.p, e->user.n);
	to->event.user = str_pn(to->user, e->user.n);
}

/* Somebody may have typed a password where the name stands. */
static void forget(struct untold *u)
{
	explicit_bzero(u->ring, UNTOLD_MAX * sizeof *u->ring);
	free(u->ring);
	*u = (struct untold){ 0 };
}

bool untold_take(struct untold *u, struct defence_event *e, char user[UNTOLD_USER_MAX])
{
	const struct untold_event *from;

	if (u->n == 0)
		return false;
	from = &u->ring[u->first];
	*e = from->event;
	memcpy(user, from->user, UNTOLD_USER_MAX);
	e->user = str_pn(user, from->event.user.n);
	u->first = (u->first + 1) % UNTOLD_MAX;
	if (--u->n == 0)
		forget(u);
	return true;
}
