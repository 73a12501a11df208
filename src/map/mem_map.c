#include "map/mem_map.h"

#include <stdlib.h>

struct entry {
	struct str key, value;
	uint64_t hash;
};

struct mem_map {
	struct arena *mem;
	struct entry *entries;
	size_t n, cap;
	uint32_t *slots; /* index of the entry + 1; 0: free */
	size_t n_slots;	 /* power of two, at least twice n */
};

struct mem_map *mem_map_new(void)
{
	struct mem_map *m = xcalloc(1, sizeof *m);

	m->mem = arena_new(4096);
	m->n_slots = 16;
	m->slots = xcalloc(m->n_slots, sizeof *m->slots);
	return m;
}

void mem_map_free(struct mem_map **m)
{
	if (*m == NULL)
		return;
	arena_free(&(*m)->mem);
	free((*m)->entries);
	free((*m)->slots);
	free(*m);
	*m = NULL;
}

static size_t slot_of(const struct mem_map *m, struct str key, uint64_t hash)
{
	size_t i = hash & (m->n_slots - 1);

	while (m->slots[i]) {
		const struct entry *e = &m->entries[m->slots[i] - 1];

		if (e->hash == hash && str_eq(e->key, key))
			break;
		i = (i + 1) & (m->n_slots - 1);
	}
	return i;
}

static void grow(struct mem_map *m)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 8;
		m->entries = xrealloc(m->entries, m->cap * sizeof *m->entries);
	}
	if (m->n * 2 < m->n_slots)
		return;
	free(m->slots);
	m->n_slots *= 2;
	m->slots = xcalloc(m->n_slots, sizeof *m->slots);
	for (size_t k = 0; k < m->n; k++)
		m->slots[slot_of(m, m->entries[k].key, m->entries[k].hash)] = (uint32_t)(k + 1);
}

bool mem_map_add(struct mem_map *m, struct str key, struct str value)
{
	uint64_t hash = str_hash(key);
	size_t i;

	grow(m);
	i = slot_of(m, key, hash);
	if (m->slots[i])
		return false;
	m->entries[m->n] = (struct entry){ arena_dup(m->mem, key), arena_dup(m->mem, value), hash };
	m->slots[i] = (uint32_t)++m->n;
	return true;
}

struct str mem_map_find(const struct mem_map *m, struct str key)
{
	size_t i = slot_of(m, key, str_hash(key));

	return m->slots[i] ? m->entries[m->slots[i] - 1].value : (struct str){ NULL, 0 };
}

bool mem_map_at(const struct mem_map *m, size_t i, struct str *key, struct str *value)
{
	if (i >= m->n)
		return false;
	*key = m->entries[i].key;
	*value = m->entries[i].value;
	return true;
}
