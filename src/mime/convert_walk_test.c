#include "base/test.h"
#include "mime/convert.h"

#include <stdio.h>
#include <time.h>

/* As many multiparts in each other, with boundaries that begin with `same`. */
static void add_nested(struct buf *out, int depth, const char *same)
{
	for (int i = 0; i < depth; i++)
		buf_addf(out, "Content-Type: multipart/mixed; boundary=\"%s%d\"\r\n\r\n--%s%d\r\n", same, i, same, i);
	buf_add_c(out, "\r\n");
}

/* Of 100000 lines that are nearly boundaries. */
static clock_t time_of(int depth, const char *same)
{
	struct mime_convert *c = mime_convert_new(MIME_TO_7BIT, false);
	struct mime_refusal why;
	struct buf in = BUF_INIT(SIZE_MAX / 4);
	clock_t start;

	add_nested(&in, depth, same);
	mime_convert_look(c, buf_str(&in));
	buf_reset(&in);
	for (int i = 0; i < 1000; i++)
		buf_addf(&in, "--%sx%d\r\n", same, i);
	start = clock();
	for (int i = 0; i < 100; i++)
		mime_convert_look(c, buf_str(&in));
	start = clock() - start;
	check_int(mime_convert_answer(c, &why), MIME_UNCHANGED);
	mime_convert_free(&c);
	buf_free(&in);
	return start;
}

/* A line that is nearly a boundary costs about the same, however many are open. */
static void test_time(void **state)
{
	static const char *const same[] = { "", "x", "the beginning of all boundaries" };

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		clock_t few = time_of(1, same[i]), many = time_of(MIME_DEPTH_MAX - 1, same[i]);
		check(many < 4 * few + CLOCKS_PER_SEC / 20);
	}
}

/* All that are open are found, from the innermost out, and none that is over: the part behind each shows that it is one. */
static void test_nested(void **state)
{
	struct buf in = BUF_INIT(SIZE_MAX / 4), out = BUF_INIT(SIZE_MAX / 4);
	struct mime_convert *c = mime_convert_new(MIME_TO_7BIT, false);
	struct mime_refusal why;
	struct str rest, line;
	int coded = 0, boundaries = 0;

	(void)state;
	add_nested(&in, MIME_DEPTH_MAX - 1, "");
	for (int i = MIME_DEPTH_MAX - 2; i >= 0; i--)
		buf_addf(
			&in, "--%d\t \r\nContent-Type: a/b\r\n\r\n\xff\r\n--%d-- \r\n--%d\r\n--%d\r\n", i, i, i, i + 1);
	mime_convert_look(c, buf_str(&in));
	check_int(mime_convert_answer(c, &why), MIME_CHANGED);
	mime_convert_put(c, buf_str(&in), &out);
	mime_convert_finish(c, &out);
	for (rest = buf_str(&out); str_field(&rest, "\n", &line);) {
		coded += str_eq(line, STR("/w==\r"));
		boundaries += str_has_prefix(line, STR("--"));
	}
	check_int(coded, MIME_DEPTH_MAX - 1);
	check_int(boundaries, 5 * (MIME_DEPTH_MAX - 1));
	mime_convert_free(&c);
	buf_free(&in);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_time), cmocka_unit_test(test_nested) };

	return test_run(tests);
}
