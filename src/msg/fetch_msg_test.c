#include "msg/fetch_msg.h"
#include "base/test.h"

static struct ipc_in input(const struct buf *b)
{
	return (struct ipc_in){ buf_str(b), false };
}

static void test_setup(void **state)
{
	struct fetch_setup must = { 2, { { STR("https://a.example/x"), true, 60, FETCH_LOSS_LOGINS },
					       { STR("http://127.0.0.1:1/"), false, 5, FETCH_LOSS_REFUSED } } },
			   s;
	struct buf b = IPC_BUF;
	struct ipc_in in;

	(void)state;
	fetch_setup_encode(&b, &must);
	in = input(&b);
	check_int(fetch_setup_decode(&in, &s), 0);
	check_int(s.n, 2);
	check_str(s.site[0].url, "https://a.example/x");
	check(s.site[0].has_authorities && !s.site[1].has_authorities);
	check_int(s.site[1].idle_s, 5);
	check_int(s.site[1].loss, FETCH_LOSS_REFUSED);
	for (size_t n = 0; n < b.n; n++) {
		in = (struct ipc_in){ str_pn(b.p, n), false };
		check_int(fetch_setup_decode(&in, &s), -1);
	}
	buf_reset(&b);
	must.site[1].loss = FETCH_LOSSES;
	fetch_setup_encode(&b, &must);
	in = input(&b);
	check_int(fetch_setup_decode(&in, &s), -1);
	buf_reset(&b);
	must.site[1].loss = FETCH_LOSS_NONE;
	must.site[1].url = STR("file:///etc/passwd");
	fetch_setup_encode(&b, &must);
	in = input(&b);
	check_int(fetch_setup_decode(&in, &s), -1);
	buf_free(&b);
}

static int ask_again(const struct fetch_ask *must, struct buf *b, struct fetch_ask *a)
{
	struct ipc_in in;

	buf_reset(b);
	fetch_ask_encode(b, must);
	in = input(b);
	return fetch_ask_decode(&in, a);
}

static void test_ask(void **state)
{
	static const char *const bad_headers[] = { "X: y", "no colon\n", "a b: c\n", ": x\n", "X: y\r\n", "\n",
		"X: y\n\nbody\n", "X\001: y\n" };
	static const char *const bad_suffixes[] = { "a b", "a\n", "#x", "\x80" };
	struct fetch_ask must = { true, 1000, STR("?a=b"), STR("X-A: b\nX_C: d e\n"), STR("body\n") }, a;
	struct buf b = IPC_BUF;

	(void)state;
	check_int(ask_again(&must, &b, &a), 0);
	check(a.is_post && a.timeout_ms == 1000);
	check_str(a.suffix, "?a=b");
	check_str(a.header, "X-A: b\nX_C: d e\n");
	check_str(a.body, "body\n");
	for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
		must.header = str_c(bad_headers[i]);
		check_int(ask_again(&must, &b, &a), -1);
	}
	must.header = STR("");
	check_int(ask_again(&must, &b, &a), 0);
	for (size_t i = 0; i < sizeof bad_suffixes / sizeof *bad_suffixes; i++) {
		must.suffix = str_c(bad_suffixes[i]);
		check_int(ask_again(&must, &b, &a), -1);
	}
	must.suffix = STR("");
	must.timeout_ms = 0;
	check_int(ask_again(&must, &b, &a), -1);
	must.timeout_ms = FETCH_TIMEOUT_MAX_MS + 1;
	check_int(ask_again(&must, &b, &a), -1);
	must.timeout_ms = 1;
	must.is_post = false;
	check_int(ask_again(&must, &b, &a), -1);
	must.body = STR("");
	check_int(ask_again(&must, &b, &a), 0);
	buf_free(&b);
}

static void test_answer(void **state)
{
	struct fetch_answer must = { STR(""), 200, FETCH_NO_AGE, STR("\"v1\""), STR("{}") }, a;
	struct buf b = IPC_BUF, big = BUF_INIT(FETCH_BODY_MAX + 1);
	struct ipc_in in;

	(void)state;
	fetch_answer_encode(&b, &must);
	in = input(&b);
	check_int(fetch_answer_decode(&in, &a), 0);
	check_int(a.status, 200);
	check_str(a.etag, "\"v1\"");
	check_str(a.body, "{}");
	for (size_t n = 0; n < b.n; n++) {
		in = (struct ipc_in){ str_pn(b.p, n), false };
		check_int(fetch_answer_decode(&in, &a), -1);
	}
	must.status = 0; /* neither an answer nor a reason */
	buf_reset(&b);
	fetch_answer_encode(&b, &must);
	in = input(&b);
	check_int(fetch_answer_decode(&in, &a), -1);
	must.status = 200;
	while (big.n <= FETCH_BODY_MAX)
		buf_add_char(&big, 'x');
	must.body = buf_str(&big);
	buf_reset(&b);
	fetch_answer_encode(&b, &must);
	in = input(&b);
	check_int(fetch_answer_decode(&in, &a), -1);
	buf_free(&b);
	buf_free(&big);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_setup), cmocka_unit_test(test_ask),
		cmocka_unit_test(test_answer) };

	return test_run(tests);
}
