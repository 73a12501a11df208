#include "authd/untold.h"
#include "base/test.h"

#include <stdio.h>
#include <string.h>

static struct defence_event event(unsigned i, char name[16])
{
	snprintf(name, 16, "user%u", i);
	return (struct defence_event){ .news = NEWS_FAILED, .at_ms = i, .user = str_c(name) };
}

static void check_taken(struct untold *u, unsigned i)
{
	char user[UNTOLD_USER_MAX], name[16];
	struct defence_event e, want = event(i, name);

	check(untold_take(u, &e, user));
	check_int(e.at_ms, want.at_ms);
	check_str(e.user, name);
}

static void test_order_is_kept(void **state)
{
	char user[UNTOLD_USER_MAX], name[16];
	struct untold u = { 0 };
	struct defence_event e;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 5; i++) {
			e = event(i, name);
			untold_add(&u, &e);
			memset(name, 'x', sizeof name);
		}
		for (unsigned i = 0; i < 5; i++)
			check_taken(&u, i);
		check(!untold_take(&u, &e, user));
		check(u.ring == NULL);
	}
}

static void test_oldest_are_dropped(void **state)
{
	struct untold u = { 0 };
	struct defence_event e;
	char user[UNTOLD_USER_MAX], name[16];

	(void)state;
	for (unsigned i = 0; i < UNTOLD_MAX + 7; i++) {
		e = event(i, name);
		untold_add(&u, &e);
	}
	for (unsigned i = 7; i < UNTOLD_MAX + 7; i++)
		check_taken(&u, i);
	check(!untold_take(&u, &e, user));
}

static void test_long_names(void **state)
{
	static const struct {
		size_t length, kept;
	} cases[] = { { 0, 0 }, { UNTOLD_USER_MAX, UNTOLD_USER_MAX }, { UNTOLD_USER_MAX + 1, 0 } };
	char user[UNTOLD_USER_MAX], name[UNTOLD_USER_MAX + 1];
	struct untold u = { 0 };

	(void)state;
	memset(name, 'n', sizeof name);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct defence_event e = { .user = str_pn(name, cases[i].length) };

		untold_add(&u, &e);
		check(untold_take(&u, &e, user));
		check_int(e.user.n, cases[i].kept);
		check(str_eq(e.user, str_pn(name, cases[i].kept)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_oldest_are_dropped),
		cmocka_unit_test(test_long_names),
	};

	return test_run(tests);
}
