/* mem_map.h - keys and values in memory: what texthash and inline tables are read into. */
#ifndef MAP_MEM_MAP_H
#define MAP_MEM_MAP_H

#include "base/arena.h"

struct mem_map;
struct mem_map *mem_map_new(void);
void mem_map_free(struct mem_map **m);
/* Copies both. False: the key is there already, and keeps its value. */
bool mem_map_add(struct mem_map *m, struct str key, struct str value);
/* The value, or p == NULL. Lives as long as the map. */
struct str mem_map_find(const struct mem_map *m, struct str key);
/* Entry number i in order of their coming; false behind the last. */
bool mem_map_at(const struct mem_map *m, size_t i, struct str *key, struct str *value);

#endif
