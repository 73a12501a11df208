#include "authd/tally.h"
#include "base/test.h"

enum { HALF = 1000 };

static void test_fading(void **state)
{
	const struct {
		uint64_t after_ms;
		unsigned left; /* of 8 failures, in hundredths */
	} cases[] = { { 0, 800 }, { 500, 600 }, { 1000, 400 }, { 1500, 300 }, { 3000, 100 }, { 40000, 0 } };
	struct tally t;

	(void)state;
	tally_init(&t, 64, HALF);
	for (int i = 0; i < 8; i++)
		tally_add(&t, tally_get(&t, 7, 5000), 5000, 5000);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_int(
			tally_score(&t, tally_find(&t, 7), 5000 + cases[i].after_ms) * 100 / TALLY_UNIT, cases[i].left);
	/* A clock that goes back: nothing fades, nothing grows. */
	check_int(tally_score(&t, tally_find(&t, 7), 1), 8 * TALLY_UNIT);
	check_int(tally_add(&t, tally_find(&t, 7), 1, 1), 9 * TALLY_UNIT);
	/* By more than a day: a clock that was wrong keeps nobody out until that time comes. */
	tally_add(&t, tally_get(&t, 9, 90000000), 90000000, 90000000);
	check_int(tally_score(&t, tally_find(&t, 9), 3600000), TALLY_UNIT);
	check_int(tally_score(&t, tally_find(&t, 9), 3500000), 0);
	/* One that happened a half-life ago. */
	check_int(tally_add(&t, tally_get(&t, 8, 9000), 8000, 9000), TALLY_UNIT / 2);
	tally_free(&t);
}

static void test_bounded(void **state)
{
	struct tally t;
	struct tally_entry *e;

	(void)state;
	tally_init(&t, 64, HALF);
	e = tally_get(&t, 7, 0);
	for (int i = 0; i < 2 * TALLY_MAX_OF; i++)
		tally_add(&t, e, 0, 0);
	check_int(e->score, TALLY_MAX_OF * TALLY_UNIT);
	tally_free(&t);
}

static void test_time_above(void **state)
{
	const struct {
		unsigned score, limit; /* failures */
	} cases[] = { { 8, 4 }, { 8, 3 }, { 20, 19 }, { 1000, 20 }, { 20, 20 } };
	struct tally t;
	uint64_t ms;

	(void)state;
	tally_init(&t, 64, HALF);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tally_entry e = { .score = cases[i].score * TALLY_UNIT };

		ms = tally_time_above(&t, e.score, cases[i].limit * TALLY_UNIT);
		check(ms > 0);
		check(tally_score(&t, &e, ms + 2) < cases[i].limit * TALLY_UNIT);
		check(ms < 3 || tally_score(&t, &e, ms - 3) >= cases[i].limit * TALLY_UNIT);
	}
	check_int(tally_time_above(&t, 3 * TALLY_UNIT, 4 * TALLY_UNIT), 0);
	check_int(tally_time_above(&t, 3 * TALLY_UNIT, 0), 0);
	tally_free(&t);
}

/* Keys that share all their places. */
static uint64_t same_place(unsigned i)
{
	return 1 + 64ull * i;
}

/* What an attacker has counted against him outlives any number of others with less. */
static void test_cannot_be_flushed(void **state)
{
	struct tally t;

	(void)state;
	tally_init(&t, 64, HALF);
	for (int i = 0; i < 50; i++)
		tally_add(&t, tally_get(&t, same_place(0), 0), 0, 0);
	for (unsigned i = 1; i < 300; i++)
		tally_add(&t, tally_get(&t, same_place(i), 0), 0, 0);
	check(tally_find(&t, same_place(0)) != NULL);
	check(tally_score(&t, tally_find(&t, same_place(0)), 0) >= 50 * TALLY_UNIT);
	/* Nobody is counted for less than he did. */
	for (int i = 0; i < 3; i++)
		tally_add(&t, tally_get(&t, same_place(1000), 0), 0, 0);
	check(tally_score(&t, tally_find(&t, same_place(1000)), 0) >= 3 * TALLY_UNIT);
	/* … also when there are more of them than places, and each pushes out another again and again. */
	for (unsigned round = 1; round <= 20; round++)
		for (unsigned i = 0; i <= TALLY_WAYS; i++)
			check(tally_add(&t, tally_get(&t, same_place(3000 + i), 0), 0, 0) >= round * TALLY_UNIT);
	/* When it has faded, a newcomer starts from nothing. */
	check_int(tally_add(&t, tally_get(&t, same_place(2000), 100 * HALF), 100 * HALF, 100 * HALF), TALLY_UNIT);
	tally_free(&t);
}

static void test_held_stays(void **state)
{
	struct tally t;

	(void)state;
	tally_init(&t, 64, HALF);
	tally_get(&t, same_place(0), 0)->held = 1;
	for (unsigned i = 1; i < 50; i++)
		tally_add(&t, tally_get(&t, same_place(i), 0), 0, 0);
	check(tally_find(&t, same_place(0)) != NULL);
	tally_free(&t);
}

static void test_marks(void **state)
{
	struct tally_entry e = { 0 };

	(void)state;
	for (uint32_t m = 1; m <= TALLY_MARKS; m++)
		check(!tally_mark(&e, m));
	for (uint32_t m = 1; m <= TALLY_MARKS; m++)
		check(tally_mark(&e, m));
	check(!tally_mark(&e, 100)); /* in the place of 1 */
	check(!tally_mark(&e, 1));
	check(tally_mark(&e, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fading), cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_time_above), cmocka_unit_test(test_cannot_be_flushed),
		cmocka_unit_test(test_held_stays), cmocka_unit_test(test_marks) };

	return test_run(tests);
}
