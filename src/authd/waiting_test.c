#include "authd/login.h"
#include "base/test.h"

enum { N = 3000 };

/* In whatever order they come and go, they leave by their time. */
static void test_order(void **state)
{
	static struct login l[N];
	struct waiting w = { 0 };
	uint64_t last = 0, random = 1;
	size_t left = 0;

	(void)state;
	check(waiting_first(&w) == NULL);
	for (size_t i = 0; i < N; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		l[i].due_ms = random >> 52;
		waiting_add(&w, &l[i]);
	}
	for (size_t i = 0; i < N; i += 3)
		waiting_remove(&w, &l[i]);
	for (struct login *first; (first = waiting_first(&w)) != NULL; left++) {
		check(first->due_ms >= last);
		last = first->due_ms;
		waiting_remove(&w, first);
	}
	check_int(left, N - N / 3);
	waiting_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order) };

	return test_run(tests);
}
