/* random.h - octets that nobody can foretell, from the kernel (getrandom(2)). */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

/* Fill p with n of them, at most 256 (so that a signal cannot cut it short). A kernel that gives none is a panic. */
void random_octets(void *p, size_t n);

#endif
