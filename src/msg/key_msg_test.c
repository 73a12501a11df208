#include "msg/key_msg.h"
#include "base/test.h"

static struct ipc_in input(const struct buf *b, size_t n)
{
	return (struct ipc_in){ str_pn(b->p, n), false };
}

static void test_a_question_is_read_whole_or_not_at_all(void **state)
{
	struct key_question q = { 0xFFEEDDCC, { { 1, 2, 3, [31] = 255 } }, 0x0804, STR("what is signed") }, got;
	struct buf b = IPC_BUF;

	(void)state;
	key_question_encode(&b, &q);
	for (size_t n = 0; n < b.n; n++) {
		struct ipc_in in = input(&b, n);

		check_int(key_question_decode(&in, &got), -1);
	}
	{
		struct ipc_in in = input(&b, b.n);

		check_int(key_question_decode(&in, &got), 0);
	}
	check_int(got.request, q.request);
	check(memcmp(&got.key, &q.key, sizeof q.key) == 0);
	check_int(got.scheme, q.scheme);
	check_str(got.text, "what is signed");
	buf_add_char(&b, 'x');
	{
		struct ipc_in in = input(&b, b.n);

		check_int(key_question_decode(&in, &got), -1);
	}
	buf_free(&b);
}

static void test_a_text_has_its_bounds(void **state)
{
	static const char text[KEY_SIGNED_MAX + 1];
	static const struct {
		size_t n;
		int want;
	} cases[] = { { 0, -1 }, { 1, 0 }, { KEY_SIGNED_MAX, 0 }, { KEY_SIGNED_MAX + 1, -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct key_question q = { .text = str_pn(text, cases[i].n) }, got;
		struct buf b = IPC_BUF;
		struct ipc_in in;

		key_question_encode(&b, &q);
		in = input(&b, b.n);
		check_int(key_question_decode(&in, &got), cases[i].want);
		buf_free(&b);
	}
}

static void test_an_answer_has_a_signature_or_a_reason(void **state)
{
	const struct {
		int status;
		struct str signature;
		int want;
	} cases[] = { { KEY_SIGNED, STR("s"), 0 }, { KEY_SIGNED, STR(""), -1 }, { KEY_UNKNOWN, STR(""), 0 },
		{ KEY_UNKNOWN, STR("s"), -1 }, { KEY_FAILED, STR(""), 0 }, { KEY_FAILED + 1, STR(""), -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct key_answer a = { 5, (enum key_status)cases[i].status, cases[i].signature }, got;
		struct buf b = IPC_BUF;
		struct ipc_in in;

		key_answer_encode(&b, &a);
		in = input(&b, b.n);
		check_int(key_answer_decode(&in, &got), cases[i].want);
		in = input(&b, b.n - 1);
		check_int(key_answer_decode(&in, &got), -1);
		buf_free(&b);
	}
}

static void test_a_store_is_read_key_by_key(void **state)
{
	struct buf b = IPC_BUF;
	struct key_id id;
	struct str rest, der;

	(void)state;
	for (char c = 'a'; c < 'c'; c++) {
		for (size_t i = 0; i < sizeof id; i++)
			buf_add_char(&b, c);
		ipc_put_str(&b, c == 'a' ? STR("one") : STR("second"));
	}
	rest = buf_str(&b);
	check_int(key_store_next(&rest, &id, &der), 1);
	check_str(der, "one");
	check_int(id.octets[31], 'a');
	check_int(key_store_next(&rest, &id, &der), 1);
	check_str(der, "second");
	check_int(key_store_next(&rest, &id, &der), 0);
	for (size_t n = 1; n < sizeof id + 4 + 3; n++) {
		rest = str_pn(b.p, n);
		check_int(key_store_next(&rest, &id, &der), -1);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_question_is_read_whole_or_not_at_all),
		cmocka_unit_test(test_a_text_has_its_bounds),
		cmocka_unit_test(test_an_answer_has_a_signature_or_a_reason),
		cmocka_unit_test(test_a_store_is_read_key_by_key) };

	return test_run(tests);
}
