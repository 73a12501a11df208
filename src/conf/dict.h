/*
 * dict.h - names to values, for the readers of the configuration. Keeps the order of insertion; owned by an arena.
 */
#ifndef CONF_DICT_H
#define CONF_DICT_H

#include "base/arena.h"

struct dict_entry {
	struct str name, value;
	unsigned line; /* in its file; 0: none */
};

struct dict { /* all zero but mem: empty */
	struct arena *mem;
	struct dict_entry *entries; /* in order of the first insertion */
	size_t n, cap;
	uint32_t *slots; /* index + 1 into entries; 0: free */
	size_t n_slots;
};

/* The entry of that name, or NULL. It moves when something is added. */
struct dict_entry *dict_find(const struct dict *d, struct str name);
/* Add it, or give the existing one a new value and line. Both slices must outlive the dict. */
void dict_set(struct dict *d, struct str name, struct str value, unsigned line);
/* Take it away, where it is there; the order of the others stays. */
void dict_remove(struct dict *d, struct str name);

#endif
