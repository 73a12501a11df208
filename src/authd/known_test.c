#include "authd/known.h"
#include "base/test.h"

enum { DAYS = 60, TODAY = 20000 };

static void test_known_as(void **state)
{
	struct known k;

	(void)state;
	known_init(&k, 64, DAYS);
	check_int(known_find(&k, 1, 5, 9, TODAY), KNOWN_NOT);
	check(known_put(&k, 1, 5, 0, TODAY));
	check_int(known_find(&k, 1, 5, 9, TODAY), KNOWN_NETWORK);
	check(!known_put(&k, 1, 5, 9, TODAY)); /* no news, though its password is known now */
	check_int(known_find(&k, 1, 5, 9, TODAY), KNOWN_SAME);
	check_int(known_find(&k, 1, 5, 8, TODAY), KNOWN_OTHER);
	check_int(known_find(&k, 1, 5, 0, TODAY), KNOWN_NETWORK);
	check_int(known_find(&k, 1, 6, 9, TODAY), KNOWN_NOT);
	check_int(known_find(&k, 2, 5, 9, TODAY), KNOWN_NOT);
	check_int(known_find(&k, 1, 5, 9, TODAY + DAYS), KNOWN_SAME);
	check_int(known_find(&k, 1, 5, 9, TODAY + DAYS + 1), KNOWN_NOT);
	check(known_put(&k, 1, 5, 9, TODAY + 1));
	known_forget(&k, 1);
	check_int(known_find(&k, 1, 5, 9, TODAY), KNOWN_NOT);
	known_free(&k);
}

/* Whoever has an account and many networks pushes out his own only; of those the one that was used last stays. */
static void test_bounded(void **state)
{
	struct known k;

	(void)state;
	known_init(&k, 16, DAYS);
	for (uint64_t user = 1; user <= KNOWN_WAYS; user++)
		known_put(&k, user, 5, 9, TODAY + (uint32_t)user);
	for (uint64_t n = 100; n < 10000; n++)
		known_put(&k, 3, n, 9, TODAY + 20);
	check_int(known_find(&k, 3, 5, 9, TODAY + 20), KNOWN_NOT);
	check_int(known_find(&k, 3, 9999, 9, TODAY + 20), KNOWN_SAME);
	for (uint64_t user = 1; user <= KNOWN_WAYS; user++)
		check_int(known_find(&k, user, 5, 9, TODAY + 20), user == 3 ? KNOWN_NOT : KNOWN_SAME);
	/* One user too many: who has been away for longest goes. */
	known_put(&k, 100, 5, 9, TODAY + 21);
	check_int(known_find(&k, 1, 5, 9, TODAY + 21), KNOWN_NOT);
	check_int(known_find(&k, 2, 5, 9, TODAY + 21), KNOWN_SAME);
	check_int(known_find(&k, 100, 5, 9, TODAY + 21), KNOWN_SAME);
	known_free(&k);
}

/* No network, day or mark of his stays in memory. */
static void test_forgotten(void **state)
{
	struct known k;

	(void)state;
	known_init(&k, 16, DAYS);
	known_put(&k, 1, 5, 9, TODAY);
	known_forget(&k, 1);
	for (size_t i = 0; i < k.n; i++)
		for (size_t j = 0; j < KNOWN_NETWORKS; j++) {
			const struct known_network *n = &k.user[i].at[j];

			check(k.key[i] == 0 && n->network == 0 && n->day == 0 && n->mark == 0);
		}
	known_free(&k);
}

static void test_turned_off(void **state)
{
	struct known k;

	(void)state;
	known_init(&k, 16, 0);
	check(!known_put(&k, 1, 5, 9, TODAY));
	check_int(known_find(&k, 1, 5, 9, TODAY), KNOWN_NOT);
	known_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_known_as), cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_forgotten), cmocka_unit_test(test_turned_off) };

	return test_run(tests);
}
