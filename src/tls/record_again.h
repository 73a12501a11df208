/* record_again.h - names of which the record of before has what their files still say. */
#ifndef TLS_RECORD_AGAIN_H
#define TLS_RECORD_AGAIN_H

#include "map/mem_map.h"
#include "tls/held_impl.h"

struct record_place { /* of chains in a record of certificates, their number (u32) first */
	size_t at, n;
};

void record_again_begin(const struct tls_record *before); /* borrowed until record_again_end() */
void record_again_end(void);
/*
 * The chains of before, for as long as it is; p == NULL: there are none of that state. Keys that are not in `ids` are put.
 */
struct str record_again_find(
	const struct record_state *s, struct mem_map *ids, void (*put)(const struct key_id *id, struct str der));

#endif
