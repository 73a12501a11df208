#include "msg/pam_msg.h"
#include "base/test.h"

static char long_text[PAM_PASS_MAX + 2];

static struct pam_ask good(void)
{
	return (struct pam_ask){ .id = 7,
		.flags = PAM_SETCRED,
		.service = STR("dovecot"),
		.user = STR("j\xc3\xb6rg@example.org"),
		.pass = STR("secret"),
		.address = STR("192.0.2.1") };
}

static void test_ask(void **state)
{
	struct buf b = IPC_BUF;
	struct pam_ask in = good(), out;

	(void)state;
	check(pam_ask_check(&in) == NULL);
	pam_ask_encode(&b, &in);
	check_int(pam_ask_decode(&(struct ipc_in){ .rest = buf_str(&b) }, &out), 0);
	check(out.id == 7 && out.flags == PAM_SETCRED && str_eq(out.service, in.service) && str_eq(out.user, in.user) &&
		str_eq(out.pass, in.pass) && str_eq(out.address, in.address));
	for (size_t n = 0; n < b.n; n++)
		check_int(pam_ask_decode(&(struct ipc_in){ .rest = str_sub(buf_str(&b), 0, n) }, &out), -1);
	buf_add_char(&b, 'x');
	check_int(pam_ask_decode(&(struct ipc_in){ .rest = buf_str(&b) }, &out), -1);
	buf_wipe(&b);
}

static void test_what_may_not_be_asked(void **state)
{
	const char *const services[] = { "", ".", "../x", "a/b", ".hidden", "a b", "a\n", long_text };
	struct pam_ask a = good();

	(void)state;
	for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
		a.service = str_c(services[i]);
		check(pam_ask_check(&a) != NULL);
	}
	a = good();
	a.pass = str_pn(long_text, PAM_PASS_MAX);
	check(pam_ask_check(&a) == NULL);
	a.pass = str_pn(long_text, PAM_PASS_MAX + 1);
	check(pam_ask_check(&a) != NULL);
	/* PAM would see a password that ends there. */
	a.pass = STR("secret\0more");
	check(pam_ask_check(&a) != NULL);
	a = good();
	a.user = STR("john\0x");
	check(pam_ask_check(&a) != NULL);
	a.user = STR("");
	check(pam_ask_check(&a) != NULL);
	a = good();
	a.flags = 4;
	check(pam_ask_check(&a) != NULL);
}

static void test_answer(void **state)
{
	struct pam_answer in = { .id = 9,
		.result = PAM_SAYS_NO,
		.user = STR("john"),
		.message = str_pn(long_text, 4000),
		.why = STR("because") };
	struct pam_answer out;
	struct buf b = BUF_INIT(PAM_ANSWER_MAX);

	(void)state;
	pam_answer_encode(&b, &in);
	check_int(pam_answer_decode(&(struct ipc_in){ .rest = buf_str(&b) }, &out), 0);
	check(out.id == 9 && out.result == PAM_SAYS_NO && out.message.n == PAM_TEXT_MAX);
	check_str(out.why, "because");
	for (size_t n = 0; n < b.n; n++)
		check_int(pam_answer_decode(&(struct ipc_in){ .rest = str_sub(buf_str(&b), 0, n) }, &out), -1);
	b.p[4] = 4;
	check_int(pam_answer_decode(&(struct ipc_in){ .rest = buf_str(&b) }, &out), -1);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ask), cmocka_unit_test(test_what_may_not_be_asked),
		cmocka_unit_test(test_answer) };

	memset(long_text, 'x', sizeof long_text - 1);
	return test_run(tests);
}
