#include "conf/dict.h"
#include "base/log.h"

/* Position of the name's slot, or of the free one where it belongs. */
static size_t slot_of(const struct dict *d, struct str name)
{
	size_t i = str_hash(name) & (d->n_slots - 1);

	while (d->slots[i] && !str_eq(d->entries[d->slots[i] - 1].name, name))
		i = (i + 1) & (d->n_slots - 1);
	return i;
}

struct dict_entry *dict_find(const struct dict *d, struct str name)
{
	uint32_t at = d->n_slots ? d->slots[slot_of(d, name)] : 0;

	return at ? &d->entries[at - 1] : NULL;
}

/* Of all entries. */
static void fill_slots(struct dict *d)
{
	memset(d->slots, 0, d->n_slots * sizeof(*d->slots));
	for (size_t i = 0; i < d->n; i++)
		d->slots[slot_of(d, d->entries[i].name)] = (uint32_t)(i + 1);
}

static void grow(struct dict *d)
{
	struct dict_entry *old = d->entries;

	d->cap = d->cap ? d->cap * 2 : 16;
	d->entries = arena_array(d->mem, d->cap, sizeof(*d->entries));
	if (d->n)
		memcpy(d->entries, old, d->n * sizeof(*old));
	d->n_slots = d->cap * 2;
	d->slots = arena_array(d->mem, d->n_slots, sizeof(*d->slots));
	fill_slots(d);
}

void dict_set(struct dict *d, struct str name, struct str value, unsigned line)
{
	struct dict_entry *e = dict_find(d, name);

	if (!e) {
		require(d->n < UINT32_MAX / 4);
		if (d->n == d->cap)
			grow(d);
		e = &d->entries[d->n++];
		e->name = name;
		d->slots[slot_of(d, name)] = (uint32_t)d->n;
	}
	e->value = value;
	e->line = line;
}

void dict_remove(struct dict *d, struct str name)
{
	struct dict_entry *e = dict_find(d, name);

	if (!e)
		return;
	d->n--;
	memmove(e, e + 1, (size_t)(d->entries + d->n - e) * sizeof(*e));
	fill_slots(d);
}
