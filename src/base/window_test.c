#include "base/window.h"
#include "base/test.h"

#include <sys/mman.h>
#include <unistd.h>

enum { UNIT = 15000, PART = 1000, SENT = 1, LATE = 3600000 };

/* Two processes, each with a table of its own. */
struct pair {
	struct counts *parent, *a, *b;
	unsigned table_a;
	int fd;
};

static void pair_open(struct pair *p)
{
	p->parent = counts_new(&p->fd);
	check(p->parent != NULL);
	p->table_a = counts_lease(p->parent);
	p->a = counts_open(dup(p->fd), p->table_a);
	p->b = counts_open(dup(p->fd), counts_lease(p->parent));
}

static void pair_close(struct pair *p)
{
	counts_free(&p->a);
	counts_free(&p->b);
	counts_free(&p->parent);
	close(p->fd);
}

static void add(struct counts *c, uint64_t key, uint64_t now)
{
	window_add(c, counts_of(c, key, now), SENT, now, UNIT);
}

static unsigned count(const struct counts *c, uint64_t key, uint64_t now)
{
	struct window_sum sum;

	window_sum(c, key, now, UNIT, &sum);
	return sum.count[SENT];
}

static uint64_t less(const struct counts *c, uint64_t key, uint64_t now)
{
	struct window_sum sum;

	window_sum(c, key, now, UNIT, &sum);
	return sum.less_ms[SENT];
}

/* What was counted at `at` counts at `now`, or does not. */
static const struct {
	uint64_t at, now;
	bool counts;
} slides[] = {
	{ 0, 0, true }, { 0, UNIT - 1, true }, { 0, UNIT, true }, /* its part is not over */
	{ 0, UNIT + PART - 1, true }, { 0, UNIT + PART, false }, { 999, UNIT + PART - 1, true },
	{ 999, UNIT + PART, false }, { 1000, UNIT + PART, true }, { LATE + 500, LATE + 500 + UNIT, true },
	{ LATE + 500, LATE + UNIT + PART, false }, { LATE, LATE * 5, false },
	{ LATE + 500, LATE - 10, true }, /* the reader's clock is behind */
};

static void test_slides(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof slides / sizeof *slides; i++) {
		struct counts *c = counts_open(-1, COUNTS_NO_TABLE);

		add(c, 7, slides[i].at);
		check_int(count(c, 7, slides[i].now), slides[i].counts);
		add(c, 7, slides[i].at > slides[i].now ? slides[i].at : slides[i].now); /* the writer agrees */
		check_int(count(c, 7, slides[i].at > slides[i].now ? slides[i].at : slides[i].now),
			slides[i].counts ? 2 : 1);
		counts_free(&c);
	}
}

/* In no span of a unit of time may there be more than the limit, wherever it begins. */
static void test_never_double(void **state)
{
	struct counts *c = counts_open(-1, COUNTS_NO_TABLE);
	enum { LIMIT = 50, STEPS = 4000, STEP_MS = 17 };
	static unsigned sent[STEPS];
	unsigned in_unit = 0, most = 0, all = 0;

	(void)state;
	for (unsigned i = 0; i < STEPS; i++) {
		/* In bursts, each before the limit of the one before is over. */
		while (i % 300 > 150 && count(c, 7, LATE + i * STEP_MS) < LIMIT) {
			add(c, 7, LATE + i * STEP_MS);
			sent[i]++;
			all++;
		}
		in_unit += sent[i];
		if (i >= UNIT / STEP_MS)
			in_unit -= sent[i - UNIT / STEP_MS];
		most = in_unit > most ? in_unit : most;
	}
	check_int(most, LIMIT);
	check(all > 3 * LIMIT);
	counts_free(&c);
}

static void test_processes(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	add(p.a, 7, LATE);
	add(p.a, 7, LATE);
	add(p.b, 7, LATE + 5000);
	add(p.b, 8, LATE + 5000);
	check_int(count(p.a, 7, LATE + 5000), 3);
	check_int(count(p.b, 7, LATE + 5000), 3);
	check_int(count(p.b, 8, LATE + 5000), 1);
	check_int(count(p.b, 9, LATE + 5000), 0);
	check_int(less(p.b, 7, LATE + 5000), LATE + PART + UNIT);
	check_int(count(p.b, 7, LATE + PART + UNIT), 1);
	check_int(less(p.b, 7, LATE + PART + UNIT), LATE + 5000 + PART + UNIT);
	check_int(less(p.b, 9, LATE), 0);
	add(p.b, 7, LATE + PART + UNIT);
	window_take_back(p.b, counts_of(p.b, 7, LATE + PART + UNIT), SENT);
	check_int(count(p.a, 7, LATE + PART + UNIT), 1);
	pair_close(&p);
}

/* What is open goes with its process; what it counted stays, also with the process that has its table then. */
static void test_death(void **state)
{
	struct window_sum sum;
	struct pair p;

	(void)state;
	pair_open(&p);
	add(p.a, 7, LATE);
	counts_of(p.a, 7, LATE)->open = 2;
	counts_of(p.b, 7, LATE)->open = 1;
	window_sum(p.b, 7, LATE, UNIT, &sum);
	check_int(sum.open, 3);
	counts_free(&p.a);
	counts_end_lease(p.parent, p.table_a);
	window_sum(p.b, 7, LATE, UNIT, &sum);
	check_int(sum.open, 1);
	check_int(sum.count[SENT], 1);
	check_int(counts_lease(p.parent), p.table_a);
	p.a = counts_open(dup(p.fd), p.table_a);
	add(p.a, 7, LATE + 1);
	check_int(count(p.b, 7, LATE + 1), 2);
	pair_close(&p);
}

static void test_other_unit(void **state)
{
	struct counts *c = counts_open(-1, COUNTS_NO_TABLE);
	struct window_sum sum;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		add(c, 7, LATE + i * PART);
	window_sum(c, 7, LATE + 10 * PART, 5 * PART, &sum);
	check_int(sum.count[SENT], 5);
	window_sum(c, 7, LATE + 10 * PART, 100 * UNIT, &sum);
	check_int(sum.count[SENT], 10);
	window_add(c, counts_of(c, 7, LATE), SENT, LATE + 10 * PART, 100 * UNIT);
	window_sum(c, 7, LATE + 50 * UNIT, 100 * UNIT, &sum);
	check_int(sum.count[SENT], 11);
	window_add(c, counts_of(c, 7, LATE), SENT, LATE + 50 * UNIT, UNIT);
	check_int(count(c, 7, LATE + 50 * UNIT), 1);
	counts_free(&c);
}

/* The slot of a user is another's when nobody needs it any more, and then nothing is left of the first. */
static void test_taken_over(void **state)
{
	struct counts *c = counts_open(-1, COUNTS_NO_TABLE);
	const uint64_t step = 1 << 15;
	unsigned char address[1][16] = { { 1 } };

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		add(c, 5 + step * i, LATE);
	window_told(c, counts_of(c, 5, LATE), 0, LATE, UNIT);
	window_seen(c, counts_of(c, 5, LATE), address[0], LATE);
	check_int(count(c, 5, LATE + UNIT), 1);
	check(counts_of(c, 5 + step * 64, LATE + UNIT + PART) != NULL);
	check_int(count(c, 5 + step * 64, LATE + UNIT + PART), 0);
	check(!window_was_told(c, 5 + step * 64, 0, LATE + UNIT + PART, 10 * UNIT));
	add(c, 5 + step * 64, LATE + UNIT + PART);
	check_int(count(c, 5 + step * 64, LATE + UNIT + PART), 1);
	check(!window_was_told(c, 5 + step * 64, 0, LATE + UNIT + PART, 10 * UNIT));
	check_int(window_addresses(c, 5 + step * 64, LATE + UNIT + PART, 10 * UNIT, address, 1), 0);
	counts_free(&c);
}

static void test_told(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	check(!window_was_told(p.a, 7, 0, LATE, UNIT));
	window_told(p.a, counts_of(p.a, 7, LATE), 0, LATE, UNIT);
	check(window_was_told(p.a, 7, 0, LATE, UNIT));
	check(window_was_told(p.b, 7, 0, LATE + UNIT - 1, UNIT));
	check(!window_was_told(p.b, 7, 1, LATE, UNIT));
	check(!window_was_told(p.b, 8, 0, LATE, UNIT));
	check(!window_was_told(p.b, 7, 0, LATE + UNIT, UNIT));
	pair_close(&p);
}

static void test_addresses(void **state)
{
	unsigned char address[16] = { 0x20, 1, 0x0d, 0xb8 }, got[8][16];
	struct pair p;

	(void)state;
	pair_open(&p);
	for (unsigned i = 0; i < 6; i++) {
		address[15] = (unsigned char)i;
		window_seen(p.a, counts_of(p.a, 7, LATE), address, LATE + i);
		window_seen(p.a, counts_of(p.a, 7, LATE), address, LATE + i);
	}
	check_int(window_addresses(p.a, 7, LATE + 6, UNIT, got, 8), 4);
	window_seen(p.b, counts_of(p.b, 7, LATE), address, LATE + 6);
	check_int(window_addresses(p.a, 7, LATE + 6, UNIT, got, 8), 4);
	address[14] = 1;
	window_seen(p.b, counts_of(p.b, 7, LATE), address, LATE + 7);
	check_int(window_addresses(p.a, 7, LATE + 7, UNIT, got, 8), 5);
	check(memcmp(got[4], address, 16) == 0);
	check_int(window_addresses(p.a, 7, LATE + 7, UNIT, got, 3), 3);
	check_int(window_addresses(p.a, 7, LATE + 7 + UNIT, UNIT, got, 8), 0);
	check_int(window_addresses(p.a, 8, LATE, UNIT, got, 8), 0);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_slides), cmocka_unit_test(test_never_double),
		cmocka_unit_test(test_processes), cmocka_unit_test(test_death), cmocka_unit_test(test_other_unit),
		cmocka_unit_test(test_taken_over), cmocka_unit_test(test_told), cmocka_unit_test(test_addresses) };

	return test_run(tests);
}
