#include "base/buf.h"
#include "base/arena.h"
#include "base/test.h"

static void test_grows_to_its_maximum(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	check_int(buf_add(&b, "12345", 5), 0);
	check_int(buf_add(&b, "123456", 6), -1);
	check_str(buf_str(&b), "12345");
	check_int(buf_add_c(&b, "67890"), 0);
	check_int(buf_add_char(&b, 'x'), -1);
	check_int(b.p[b.n], 0);
	buf_free(&b);
	check_int(b.max, 10);
	check_int(buf_add_c(&b, "again"), 0);
	buf_wipe(&b);
	check(b.p == NULL && b.n == 0);
}

static void test_consume(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	check_int(buf_addf(&b, "%d-%s", 42, "abc"), 0);
	buf_consume(&b, 3);
	check_str(buf_str(&b), "abc");
	buf_cut(&b, 99);
	check_str(buf_str(&b), "abc");
	buf_cut(&b, 2);
	check_str(buf_str(&b), "ab");
	check_str(str_c(b.p), "ab");
	buf_consume(&b, 99);
	check_int(b.n, 0);
	buf_cut(&b, 0);
	check_int(buf_addf(&b, "%0999d", 1), 0);
	check_int(buf_addf(&b, "%s", "xx"), -1);
	check_int(b.n, 999);
	buf_free(&b);
}

/* What it held before, and has no more, is nowhere in its memory. */
static void test_secrets_leave_nothing(void **state)
{
	struct buf b = BUF_SECRET(100000);

	(void)state;
	for (int i = 0; i < 3000; i++)
		buf_add_c(&b, "Secret");
	check_int(b.n, 3000 * 6);
	check(memcmp(b.p + b.n - 6, "Secret", 7) == 0);
	buf_consume(&b, 3);
	check_int(b.n, 3000 * 6 - 3);
	check(memcmp(b.p + b.n, "\0\0\0", 4) == 0);
	buf_consume(&b, b.n - 3);
	check_str(buf_str(&b), "ret");
	check(memmem(b.p + 3, b.cap - 3, "ret", 3) == NULL);
	buf_cut(&b, 1);
	check(memmem(b.p, b.cap, "et", 2) == NULL);
	buf_reset(&b);
	check(memmem(b.p, b.cap, "ret", 3) == NULL);
	buf_add_c(&b, "Secret");
	buf_free(&b);
	check(b.p == NULL && b.n == 0 && b.wipes);
}

static void test_arena(void **state)
{
	struct arena *a = arena_new(64);
	char *first = arena_alloc(a, 16);
	size_t before = arena_octets(a);

	(void)state;
	memset(first, 'x', 16);
	for (int i = 0; i < 100; i++) {
		char *p = arena_alloc(a, 40);

		check(p[0] == 0 && p[39] == 0 && ((uintptr_t)p & 15) == 0);
		memset(p, 'y', 40);
	}
	check(arena_octets(a) > before);
	check_str(arena_dup(a, STR("a\0b")).n == 3 ? STR("three") : STR("other"), "three");
	check_str(str_c(arena_printf(a, "%s-%d", "n", 5)), "n-5");
	arena_reset(a);
	check_int(arena_octets(a), before);
	first = arena_alloc(a, 16);
	check(first[0] == 0);
	arena_wipe(&a);
	check(a == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_grows_to_its_maximum), cmocka_unit_test(test_consume),
		cmocka_unit_test(test_secrets_leave_nothing), cmocka_unit_test(test_arena) };

	return test_run(tests);
}
