#include "base/window.h"
#include "base/counts_own.h"
#include "base/log.h"

#include <string.h>

static void clear(struct window *w, uint64_t part_ms, uint64_t latest)
{
	for (unsigned e = 0; e < WINDOW_EVENTS; e++)
		for (unsigned i = 0; i < WINDOW_PARTS; i++)
			w->count[e][i] = 0;
	w->part_ms = part_ms;
	w->latest = latest;
}

/* The slot was another client's before: what stands in the window is of that one. */
static void take_over(struct window *w, uint64_t key)
{
	w->key = 0;
	clear(w, 1, 0);
	for (unsigned i = 0; i < WINDOW_MATTERS; i++)
		w->told_ms[i] = 0;
	for (unsigned i = 0; i < WINDOW_ADDRESSES; i++)
		w->address[i].last_ms = 0;
	atomic_store_explicit(&w->key, key, memory_order_release);
}

static struct window *own(struct counts *c, const struct count_slot *s)
{
	struct window *w = &c->own_window[s - c->own];

	if (w->key != s->key)
		take_over(w, s->key);
	return w;
}

static uint64_t part_of_unit(uint64_t unit_ms)
{
	uint64_t ms = (unit_ms + WINDOW_PARTS - 2) / (WINDOW_PARTS - 1);

	return ms ? ms : 1;
}

/* What was counted in parts of another length is put where its part ended. */
static void change_parts(struct window *w, uint64_t part_ms, uint64_t now_ms)
{
	uint32_t before[WINDOW_EVENTS][WINDOW_PARTS];
	uint64_t was_ms = w->part_ms, was_latest = w->latest, latest = now_ms / part_ms;

	for (unsigned e = 0; e < WINDOW_EVENTS; e++)
		for (unsigned i = 0; i < WINDOW_PARTS; i++)
			before[e][i] = w->count[e][i];
	clear(w, part_ms, latest);
	for (uint64_t i = 0; i < WINDOW_PARTS && i <= was_latest; i++) {
		uint64_t n = was_latest - i, end_ms = (n + 1) * was_ms - 1;
		uint64_t to = (end_ms < now_ms ? end_ms : now_ms) / part_ms;

		for (unsigned e = 0; e < WINDOW_EVENTS && latest - to < WINDOW_PARTS; e++)
			w->count[e][to % WINDOW_PARTS] += before[e][n % WINDOW_PARTS];
	}
}

/* The part of now is the latest. Those between are empty before a reader counts them. */
static void go_on(struct window *w, uint64_t part_ms, uint64_t now_ms)
{
	uint64_t now = now_ms / part_ms, latest = w->latest;

	if (w->part_ms != part_ms) {
		change_parts(w, part_ms, now_ms);
		return;
	}
	if (now <= latest)
		return;
	for (uint64_t n = now - latest < WINDOW_PARTS ? latest + 1 : now - WINDOW_PARTS + 1; n <= now; n++)
		for (unsigned e = 0; e < WINDOW_EVENTS; e++)
			w->count[e][n % WINDOW_PARTS] = 0;
	w->latest = now;
}

/* Nobody else gets the slot while something in it counts. */
static void keep(struct count_slot *s, uint64_t until_ms)
{
	if (s->keep_ms < until_ms)
		s->keep_ms = until_ms;
}

void window_add(struct counts *c, struct count_slot *s, unsigned event, uint64_t now_ms, uint64_t unit_ms)
{
	struct window *w = own(c, s);
	uint64_t part_ms = part_of_unit(unit_ms);

	go_on(w, part_ms, now_ms);
	w->count[event][w->latest % WINDOW_PARTS]++;
	keep(s, now_ms + unit_ms + part_ms);
}

void window_add_past(struct counts *c, struct count_slot *s, unsigned event, uint32_t n, uint64_t end_ms,
	uint64_t now_ms, uint64_t unit_ms)
{
	struct window *w = own(c, s);
	uint64_t part_ms = part_of_unit(unit_ms), to = (end_ms < now_ms ? end_ms : now_ms) / part_ms;

	go_on(w, part_ms, now_ms);
	if (n == 0 || w->latest - to >= WINDOW_PARTS)
		return;
	w->count[event][to % WINDOW_PARTS] += n;
	keep(s, (to + 1) * part_ms + unit_ms);
}

void window_take_back(struct counts *c, struct count_slot *s, unsigned event)
{
	struct window *w = own(c, s);

	require(w->count[event][w->latest % WINDOW_PARTS] > 0);
	w->count[event][w->latest % WINDOW_PARTS]--;
}

static void add_up(const struct window *w, uint64_t now_ms, uint64_t unit_ms, struct window_sum *sum)
{
	uint64_t part_ms = w->part_ms, latest = w->latest;

	for (uint64_t i = 0; i < WINDOW_PARTS && i <= latest; i++) {
		uint64_t n = latest - i, over_ms = (n + 1) * part_ms + unit_ms;

		if (over_ms <= now_ms)
			return;
		for (unsigned e = 0; e < WINDOW_EVENTS; e++) {
			unsigned count = w->count[e][n % WINDOW_PARTS];

			sum->count[e] += count;
			if (count && (sum->less_ms[e] == 0 || over_ms < sum->less_ms[e]))
				sum->less_ms[e] = over_ms;
		}
	}
}

static unsigned n_shared(const struct counts *c)
{
	uint32_t n = c->shared ? atomic_load(&c->shared->head.n_tables) : 0;

	return n < COUNTS_TABLES ? n : COUNTS_TABLES;
}

/* Those that are shared, and then the own one where it is not. */
static unsigned n_tables(const struct counts *c)
{
	return n_shared(c) + c->is_private;
}

struct found {
	const struct count_slot *slot; /* NULL: the client has none */
	const struct window *window;   /* NULL: nothing was counted in it */
	uint32_t lease;		       /* of the process that has the table */
};

static struct found look(const struct counts *c, unsigned t, uint64_t key)
{
	bool is_shared = t < n_shared(c);
	struct count_slot *table = is_shared ? c->shared->table[t] : c->own;
	const struct window *windows = is_shared ? c->shared->window[t] : c->own_window;
	struct found f = { .slot = counts_find(table, key), .lease = is_shared ? c->shared->head.lease[t] : c->lease };

	f.window = f.slot ? &windows[f.slot - table] : NULL;
	if (f.window && atomic_load_explicit(&f.window->key, memory_order_acquire) != key)
		f.window = NULL;
	return f;
}

void window_sum(const struct counts *c, uint64_t key, uint64_t now_ms, uint64_t unit_ms, struct window_sum *sum)
{
	memset(sum, 0, sizeof *sum);
	for (unsigned t = 0; t < n_tables(c); t++) {
		struct found f = look(c, t, key);

		if (f.slot && f.slot->lease == f.lease)
			sum->open += f.slot->open;
		if (f.window)
			add_up(f.window, now_ms, unit_ms, sum);
	}
}

bool window_was_told(const struct counts *c, uint64_t key, unsigned matter, uint64_t now_ms, uint64_t unit_ms)
{
	for (unsigned t = 0; t < n_tables(c); t++) {
		const struct window *w = look(c, t, key).window;

		if (w && w->told_ms[matter] && w->told_ms[matter] + unit_ms > now_ms)
			return true;
	}
	return false;
}

void window_told(struct counts *c, struct count_slot *s, unsigned matter, uint64_t now_ms, uint64_t unit_ms)
{
	own(c, s)->told_ms[matter] = now_ms ? now_ms : 1;
	keep(s, now_ms + unit_ms);
}

static uint64_t be64(const unsigned char *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void put_be64(unsigned char *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> (56 - 8 * i));
}

void window_seen(struct counts *c, struct count_slot *s, const unsigned char *address, uint64_t now_ms)
{
	struct window *w = own(c, s);
	struct window_address *to = &w->address[0];
	uint64_t high = be64(address), low = be64(address + 8);

	for (unsigned i = 0; i < WINDOW_ADDRESSES; i++) {
		struct window_address *a = &w->address[i];

		if (a->last_ms && a->high == high && a->low == low) {
			a->last_ms = now_ms;
			return;
		}
		if (a->last_ms < to->last_ms)
			to = a;
	}
	to->last_ms = 0; /* nobody reads half of it */
	to->high = high;
	to->low = low;
	to->last_ms = now_ms ? now_ms : 1;
}

static unsigned add_address(unsigned char (*address)[16], unsigned n, const struct window_address *a)
{
	unsigned char one[16];

	put_be64(one, a->high);
	put_be64(one + 8, a->low);
	for (unsigned i = 0; i < n; i++)
		if (memcmp(address[i], one, sizeof one) == 0)
			return n;
	memcpy(address[n], one, sizeof one);
	return n + 1;
}

unsigned window_addresses(const struct counts *c, uint64_t key, uint64_t now_ms, uint64_t unit_ms,
	unsigned char (*address)[16], unsigned max)
{
	unsigned n = 0;

	for (unsigned t = 0; t < n_tables(c); t++) {
		const struct window *w = look(c, t, key).window;

		for (unsigned i = 0; w && i < WINDOW_ADDRESSES && n < max; i++)
			if (w->address[i].last_ms && w->address[i].last_ms + unit_ms > now_ms)
				n = add_address(address, n, &w->address[i]);
	}
	return n;
}
