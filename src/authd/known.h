/*
 * known.h - the networks from which a user has logged in: he is let in from there whatever others do.
 *
 * Of each user the KNOWN_NETWORKS that were used last, for so many days. Only a login with the right password makes an
 * entry, and only among that user's own: whoever has one account cannot push out what is known of others. When there are
 * more users than places, the one near its place who has been away for longest goes.
 */
#ifndef AUTHD_KNOWN_H
#define AUTHD_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KNOWN_NETWORKS = 16, KNOWN_WAYS = 16 };

struct known_user {
	struct known_network {
		uint64_t network; /* 0: free */
		uint64_t mark;	  /* of the password; of this process only. 0: not known */
		uint32_t day;	  /* since 1970, of the last login */
	} at[KNOWN_NETWORKS];
};
struct known {
	uint64_t *key; /* of the user at each place; 0: free. Apart, so that no memory is touched where nobody is. */
	struct known_user *user; /* at each place */
	size_t n;		 /* a power of two */
	uint32_t days;
};

enum known_is {
	KNOWN_NOT,
	KNOWN_NETWORK, /* what password the user had is not known */
	KNOWN_OTHER,   /* it was another one */
	KNOWN_SAME     /* it was this one */
};

/* days: how long a network is remembered; 0: none ever is. n: users, a power of two. */
void known_init(struct known *k, size_t n, uint32_t days);
void known_free(struct known *k);
/* The user at a place, below n; NULL: it is free. */
const struct known_user *known_at(const struct known *k, size_t place);
/* mark: of the password that is shown now; 0: none is. Keys are not 0. */
enum known_is known_find(const struct known *k, uint64_t user, uint64_t network, uint64_t mark, uint32_t today);
/* He logged in from there on that day, with the password of that mark (0: leave what is known). Was that news (a network, a
 * day)? */
bool known_put(struct known *k, uint64_t user, uint64_t network, uint64_t mark, uint32_t day);
void known_forget(struct known *k, uint64_t user);

#endif
