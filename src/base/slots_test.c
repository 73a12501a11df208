#include "base/slots.h"
#include "base/test.h"

#include <stdint.h>

enum { MANY = 100 };

static void test_blocks_are_apart_and_come_again(void **state)
{
	char *p[MANY];

	(void)state;
	p[0] = slot_alloc();
#ifdef ASAN
	check(p[0] == NULL && !slot_owns(&p));
	return;
#endif
	for (int i = 1; i < MANY; i++)
		p[i] = slot_alloc();
	for (int i = 0; i < MANY; i++) {
		check(p[i] != NULL && slot_owns(p[i]) && ((uintptr_t)p[i] & 4095) == 0);
		memset(p[i], i, SLOT_OCTETS);
	}
	for (int i = 0; i < MANY; i++)
		check(p[i][0] == (char)i && p[i][SLOT_OCTETS - 1] == (char)i);
	for (int i = 0; i < MANY; i++)
		slot_free(p[i]);
	for (int i = 0; i < MANY; i++) { /* no new ones: the range does not grow */
		char *again = slot_alloc();
		bool known = false;

		for (int k = 0; k < MANY; k++)
			known = known || again == p[k];
		check(known);
	}
	check(!slot_owns(&p) && !slot_owns(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_blocks_are_apart_and_come_again) };

	return test_run(tests);
}
