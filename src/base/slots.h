/*
 * slots.h - memory for large blocks that live shortly (a TLS library's record buffers): in a range of its own, so that they leave no
 * holes between what lives long, and given back to the kernel when many are free at once.
 *
 * Any thread. Blocks are aligned to a page and not zeroed.
 */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>

enum { SLOT_OCTETS = 32 * 1024 };

/* A block of SLOT_OCTETS; NULL when the range is full (or in a build that watches memory): take malloc() then. */
void *slot_alloc(void);
bool slot_owns(const void *p);
void slot_free(void *p);

#endif
