#include "base/window_keep.h"
#include "base/counts_own.h"

#include <string.h>
#include <unistd.h>

enum { PARTS_OF_UNIT = WINDOW_PARTS - 1 };

/* ---- out ---- */

static bool still_counts(const struct window_record *r, uint64_t now_ms)
{
	uint64_t unit_ms = r->part_ms * PARTS_OF_UNIT;

	for (unsigned i = 0; i < WINDOW_MATTERS; i++)
		if (r->told_ms[i] && r->told_ms[i] + unit_ms > now_ms)
			return true;
	for (uint64_t i = 0; i < WINDOW_PARTS && i <= r->latest; i++)
		for (unsigned e = 0; e < WINDOW_EVENTS; e++)
			if (r->count[e][(r->latest - i) % WINDOW_PARTS] &&
				(r->latest - i + 1) * r->part_ms + unit_ms > now_ms)
				return true;
	return false;
}

static void take(const struct window *w, struct window_record *r)
{
	memset(r, 0, sizeof *r);
	r->key = atomic_load_explicit(&w->key, memory_order_acquire);
	r->part_ms = w->part_ms;
	r->latest = w->latest;
	for (unsigned i = 0; i < WINDOW_MATTERS; i++)
		r->told_ms[i] = w->told_ms[i];
	for (unsigned e = 0; e < WINDOW_EVENTS; e++)
		for (unsigned i = 0; i < WINDOW_PARTS; i++)
			r->count[e][i] = w->count[e][i];
	for (unsigned i = 0; i < WINDOW_ADDRESSES; i++) {
		r->address[i].high = w->address[i].high;
		r->address[i].low = w->address[i].low;
		r->address[i].last_ms = w->address[i].last_ms;
	}
}

/* Only pages that were touched: to read the others would make them. */
void windows_keep(const struct counts *c, int fd, uint64_t now_ms, struct buf *out)
{
	const off_t first = offsetof(struct counts_memory, window), end = sizeof(struct counts_memory);
	const struct window *all = c->shared->window[0];
	size_t next = 0;
	off_t at = first;

	while (at < end && (at = lseek(fd, at, SEEK_DATA)) >= 0 && at < end) {
		off_t hole = lseek(fd, at, SEEK_HOLE);
		size_t i = (size_t)(at - first) / sizeof *all, past;

		if (hole < 0)
			return;
		past = ((size_t)(hole - first) + sizeof *all - 1) / sizeof *all;
		for (i = i > next ? i : next; i < past && i < (size_t)COUNTS_TABLES * COUNTS_SLOTS; i++) {
			struct window_record r;

			take(&all[i], &r);
			if (r.key && still_counts(&r, now_ms) && buf_add(out, &r, sizeof r) < 0)
				return;
		}
		next = past;
		at = hole;
	}
}

/* ---- in ---- */

static uint64_t before(uint64_t ms, uint64_t back_ms)
{
	return ms > back_ms ? ms - back_ms : 0;
}

/* An address whose octets stand in two numbers, the first ones highest. */
static void add_address(struct counts *c, struct count_slot *s, uint64_t high, uint64_t low, uint64_t last_ms)
{
	unsigned char octets[16];

	for (unsigned i = 0; i < 8; i++) {
		octets[i] = (unsigned char)(high >> (56 - 8 * i));
		octets[8 + i] = (unsigned char)(low >> (56 - 8 * i));
	}
	window_seen(c, s, octets, last_ms);
}

static void restore(struct counts *c, const struct window_record *r, uint64_t back_ms, uint64_t now_ms)
{
	struct count_slot *s = counts_of(c, r->key, now_ms);
	uint64_t unit_ms = r->part_ms * PARTS_OF_UNIT;

	if (s == NULL)
		return;
	for (uint64_t i = 0; i < WINDOW_PARTS && i <= r->latest; i++) {
		uint64_t n = r->latest - i, end_ms = before((n + 1) * r->part_ms - 1, back_ms);

		for (unsigned e = 0; e < WINDOW_EVENTS; e++)
			window_add_past(c, s, e, r->count[e][n % WINDOW_PARTS], end_ms, now_ms, unit_ms);
	}
	for (unsigned i = 0; i < WINDOW_MATTERS; i++)
		if (r->told_ms[i] && !window_was_told(c, r->key, i, before(r->told_ms[i], back_ms), 0))
			window_told(c, s, i, before(r->told_ms[i], back_ms), unit_ms);
	for (unsigned i = 0; i < WINDOW_ADDRESSES; i++)
		if (r->address[i].last_ms)
			add_address(
				c, s, r->address[i].high, r->address[i].low, before(r->address[i].last_ms, back_ms));
}

void windows_restore(struct counts *c, int fd, struct str records, uint64_t back_ms, uint64_t now_ms)
{
	struct window_record r;
	struct counts *past = counts_open(dup(fd), counts_lease(c));

	for (; records.n >= sizeof r; records = str_from(records, sizeof r)) {
		memcpy(&r, records.p, sizeof r);
		if (r.key && r.part_ms && still_counts(&r, now_ms))
			restore(past, &r, back_ms, now_ms);
	}
	counts_free(&past);
}
