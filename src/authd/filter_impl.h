/* filter_impl.h - what the files of filters share: each has a list of its own, and filter.c looks through all. */
#ifndef AUTHD_FILTER_IMPL_H
#define AUTHD_FILTER_IMPL_H

#include "authd/filter.h"

enum { VALUE_MAX = 65536 }; /* octets that a filter makes */

struct filter_list {
	const struct filter *row;
	size_t n;
};
extern const struct filter_list filters_of_text, filters_of_numbers, filters_of_codes, filters_of_digests,
	filters_of_patterns;

/* A decimal number, perhaps with a minus. 0, or -1: it is none. */
int filter_number(struct str s, int64_t *out);
/* What was made becomes the value. Takes: b. True. */
bool filter_take(struct filter_state *st, struct buf *b);
/* Does a regular expression match somewhere in the value? 1, 0; -1: it is none, or would take too long. */
int filter_matches(struct str pattern, struct str value);
/* The filter "base64", which digests of 2.3 have as format=. */
bool filter_base64(const struct step *s, struct filter_state *st);

#endif
