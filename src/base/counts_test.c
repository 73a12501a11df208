#include "base/counts.h"
#include "base/test.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { UNIT = 1000, SOME = 3 };

static struct count_sum sum_of(const struct counts *c, uint64_t key, uint64_t now)
{
	struct count_sum sum;

	counts_sum(c, key, now, UNIT, &sum);
	return sum;
}

/* Two processes, each with a table of its own. */
struct pair {
	struct counts *parent, *a, *b;
	unsigned table_a, table_b;
	int fd;
};

static void pair_open(struct pair *p)
{
	p->parent = counts_new(&p->fd);
	check(p->parent != NULL);
	p->table_a = counts_lease(p->parent);
	p->table_b = counts_lease(p->parent);
	p->a = counts_open(dup(p->fd), p->table_a);
	p->b = counts_open(dup(p->fd), p->table_b);
}

static void pair_close(struct pair *p)
{
	counts_free(&p->a);
	counts_free(&p->b);
	counts_free(&p->parent);
	close(p->fd);
}

static void test_sum(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	counts_of(p.a, 7, 1)->open = 2;
	counts_of(p.b, 7, 1)->open = 3;
	counts_of(p.b, 8, 1)->open = 1;
	check_int(sum_of(p.a, 7, 1).open, 5);
	check_int(sum_of(p.b, 7, 1).open, 5);
	check_int(sum_of(p.b, 8, 1).open, 1);
	check_int(sum_of(p.b, 9, 1).open, 0);
	counts_of(p.a, 7, 1)->known_until_ms = 50;
	check_int(sum_of(p.b, 7, 1).known_until_ms, 50);
	pair_close(&p);
}

static void test_units_end_together(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	counts_add(p.a, counts_of(p.a, 7, 100), SOME, 100, UNIT);
	counts_add(p.a, counts_of(p.a, 7, 100), SOME, 100, UNIT);
	counts_add(p.b, counts_of(p.b, 7, 900), SOME, 900, UNIT);
	check_int(sum_of(p.a, 7, 1099).count[SOME], 3);
	check_int(sum_of(p.a, 7, 1100).count[SOME], 0); /* b's began with a's, not at 900 */
	counts_add(p.b, counts_of(p.b, 7, 1200), SOME, 1200, UNIT);
	check_int(sum_of(p.a, 7, 1200).count[SOME], 1);
	check_int(sum_of(p.a, 7, 1200).since_ms, 1200);
	check_int(sum_of(p.a, 7, 1190).count[SOME], 1); /* the reader's clock is behind */
	pair_close(&p);
}

/* What a process had open is gone with it; what it counted is not. */
static void test_death(void **state)
{
	struct pair p;
	unsigned next;

	(void)state;
	pair_open(&p);
	counts_of(p.a, 7, 1)->open = 2;
	counts_of(p.b, 7, 1)->open = 1;
	counts_add(p.a, counts_of(p.a, 7, 1), SOME, 1, UNIT);
	counts_free(&p.a);
	counts_end_lease(p.parent, p.table_a);
	check_int(sum_of(p.b, 7, 2).open, 1);
	check_int(sum_of(p.b, 7, 2).count[SOME], 1);
	next = counts_lease(p.parent);
	check_int(next, p.table_a);
	p.a = counts_open(dup(p.fd), next);
	check_int(sum_of(p.a, 7, 3).open, 1);
	check_int(sum_of(p.a, 7, 3).count[SOME], 1);
	check_int(counts_of(p.a, 7, 3)->open, 0);
	counts_of(p.a, 7, 3)->open++;
	counts_add(p.a, counts_of(p.a, 7, 3), SOME, 3, UNIT);
	check_int(sum_of(p.b, 7, 3).open, 2);
	check_int(sum_of(p.b, 7, 3).count[SOME], 2);
	pair_close(&p);
}

/* Slots are taken over when nobody needs them; until then a crowd at one place takes those of whom it has been longest. */
static void test_room(void **state)
{
	struct counts *c = counts_open(-1, COUNTS_NO_TABLE);
	const uint64_t step = 1 << 15;
	unsigned n = 0;

	(void)state;
	for (; n < 64; n++)
		counts_add(c, counts_of(c, 5 + step * n, 1 + n), SOME, 1 + n, UNIT);
	check_int(sum_of(c, 5 + step * 63, 64).count[SOME], 1);
	counts_of(c, 5, 64)->open = 1;
	check(counts_of(c, 5 + step * n, 65) != NULL); /* in the place of the second, which ends first */
	check_int(sum_of(c, 5, 65).open, 1);	       /* not of this one: it is in use */
	check_int(sum_of(c, 5 + step, 65).count[SOME], 0);
	check_int(sum_of(c, 5 + step * 2, 65).count[SOME], 1);
	for (unsigned i = 0; i < 65; i++)
		if (i != 1)
			counts_of(c, 5 + step * i, 66)->open = 1;
	check(counts_of(c, 5 + step, 66) == NULL); /* all are in use */
	counts_free(&c);
}

static void test_leases(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	for (unsigned i = 2; i < COUNTS_TABLES; i++)
		check_int(counts_lease(p.parent), i);
	check_int(counts_lease(p.parent), COUNTS_NO_TABLE);
	counts_end_lease(p.parent, COUNTS_NO_TABLE);
	counts_end_lease(p.parent, 70);
	check_int(counts_lease(p.parent), 70);
	check(ftruncate(p.fd, 0) != 0); /* a process cannot take the memory away from the others */
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sum), cmocka_unit_test(test_units_end_together),
		cmocka_unit_test(test_death), cmocka_unit_test(test_room), cmocka_unit_test(test_leases) };

	return test_run(tests);
}
