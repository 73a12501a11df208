#include "msg/map_msg.h"
#include "base/test.h"

/* One message of n addresses of so many octets each. Returns what map_more_decode() does. */
static int take(struct arena *mem, struct str **all, size_t *n, uint32_t more, size_t octets, uint32_t first)
{
	static char text[100000];
	struct buf b = IPC_BUF;
	struct ipc_in in;
	int r;

	memset(text, 'x', sizeof text);
	ipc_put_u32(&b, more);
	for (uint32_t i = 0; i < more; i++) {
		uint32_t number = first + i;

		memcpy(text, &number, sizeof number);
		ipc_put_str(&b, str_pn(text, octets));
	}
	in = (struct ipc_in){ buf_str(&b), false };
	r = map_more_decode(&in, mem, all, n);
	buf_free(&b);
	return r;
}

static void test_more_joins(void **state)
{
	static const uint32_t parts[] = { 1, 62, 1, 1, 100, 3000, 1, 5000 };
	struct arena *mem = arena_new(0);
	struct str *all = NULL;
	size_t n = 0, wrong = 0;
	uint32_t first = 0;

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		check_int(take(mem, &all, &n, parts[i], 20, first), 0);
		first += parts[i];
		check_int(n, first);
	}
	for (uint32_t i = 0; i < first; i++)
		wrong += all[i].n != 20 || memcmp(all[i].p, &i, sizeof i) != 0;
	check_int(wrong, 0);
	arena_free(&mem);
}

/* A mapd that was taken over may send on and on: it is ended, before it has filled the memory of who asked. */
static void test_more_has_bounds(void **state)
{
	static const struct {
		uint32_t more;
		size_t octets, max;
	} cases[] = { { 0, 0, 1 }, { 1, 4, 65537 }, { 100, 4, 656 }, { 1, 100000, 300 }, { 100, 1500, 300 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct str *all = NULL;
		size_t n = 0, sent = 0;

		while (sent < cases[i].max && take(mem, &all, &n, cases[i].more, cases[i].octets, 0) == 0)
			sent++;
		check(sent < cases[i].max);
		check(cases[i].more == 0 || sent > cases[i].max / 2);
		check(arena_octets(mem) < 32 * 1024 * 1024);
		arena_free(&mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_more_joins), cmocka_unit_test(test_more_has_bounds) };

	return test_run(tests);
}
