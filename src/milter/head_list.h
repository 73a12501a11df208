/*
 * head_list.h - the fields of a header in their order, with names in any case as numbers: so that thousands of changes to
 * tens of thousands of fields do not move or compare all of them each time. For head.c alone.
 */
#ifndef MILTER_HEAD_LIST_H
#define MILTER_HEAD_LIST_H

#include "base/arena.h"

enum { HEAD_BLOCK = 256 };
struct head_block {
	struct head_block *next;
	uint64_t kinds; /* bit number % 64 of each name that is or was in it */
	size_t n;
	uint32_t name[HEAD_BLOCK]; /* number of the name; 0: of none that is asked for, also behind n */
	struct str text[HEAD_BLOCK];
};
struct head_list {
	struct arena *mem; /* holds all but the texts */
	struct head_block *first, *last;
	size_t n;
	struct str *names; /* sorted; number i + 1 */
	size_t n_names;
};
struct head_place {
	struct head_block *block; /* NULL: there is none */
	size_t at;
};

/* `names`: all that will come, n of them, in any order and more than once; they are sorted in place and stay borrowed. */
void head_list_init(struct head_list *l, struct arena *mem, struct str *names, size_t n);
/* The number of a name of head_list_init(), or 0. */
uint32_t head_list_name(const struct head_list *l, struct str name);
/* Before the field in that position; behind the last one when there are not so many. */
void head_list_insert(struct head_list *l, size_t position, uint32_t name, struct str text);
/* The index-th of that name, 1 is the first. */
struct head_place head_list_find(const struct head_list *l, uint32_t name, size_t index);
void head_list_delete(struct head_list *l, struct head_place p);

#endif
