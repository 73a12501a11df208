#include "authd/waiting.h"

#include "authd/login.h"
#include "base/log.h"

#include <stdlib.h>

static void put(struct waiting *w, size_t at, struct login *l)
{
	w->heap[at] = l;
	l->waits_at = at;
}

static void rise(struct waiting *w, size_t at, struct login *l)
{
	while (at > 0 && w->heap[(at - 1) / 2]->due_ms > l->due_ms) {
		put(w, at, w->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(w, at, l);
}

static void sink(struct waiting *w, size_t at, struct login *l)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < w->n && w->heap[child + 1]->due_ms < w->heap[child]->due_ms)
			child++;
		if (child >= w->n || w->heap[child]->due_ms >= l->due_ms)
			break;
		put(w, at, w->heap[child]);
		at = child;
	}
	put(w, at, l);
}

void waiting_add(struct waiting *w, struct login *l)
{
	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->heap = realloc(w->heap, w->cap * sizeof(struct login *));
		if (w->heap == NULL)
			panic("no memory for logins that wait");
	}
	rise(w, w->n++, l);
}

void waiting_remove(struct waiting *w, struct login *l)
{
	size_t at = l->waits_at;
	struct login *last = w->heap[--w->n];

	require(at <= w->n && w->heap[at] == l);
	if (last == l)
		return;
	if (at > 0 && w->heap[(at - 1) / 2]->due_ms > last->due_ms)
		rise(w, at, last);
	else
		sink(w, at, last);
}

struct login *waiting_first(const struct waiting *w)
{
	return w->n ? w->heap[0] : NULL;
}

void waiting_free(struct waiting *w)
{
	free(w->heap);
	*w = (struct waiting){ 0 };
}
