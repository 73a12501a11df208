/*
 * waiting.h - logins that wait for their time: answers to failures, and those that are held (LOGIN_DELAY, LOGIN_HOLD). A
 * heap, by login.due_ms: under an attack there are thousands, of all lengths.
 */
#ifndef AUTHD_WAITING_H
#define AUTHD_WAITING_H

#include <stddef.h>

struct login;
struct waiting {
	struct login **heap;
	size_t n, cap;
};

/* l->due_ms is set; l->waits_at is ours. */
void waiting_add(struct waiting *w, struct login *l);
void waiting_remove(struct waiting *w, struct login *l);
/* The one whose time comes first; NULL: none waits. */
struct login *waiting_first(const struct waiting *w);
void waiting_free(struct waiting *w);

#endif
