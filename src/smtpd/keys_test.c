#include "smtpd/test_rig.h"
#include "base/test.h"
#include "tls/held_impl.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { OWN = 1, OTHER = 2 };

static const struct held_key key = { .type = "EC" };
static uint32_t request; /* of the last question, as keys.c counts them */

static void begin(void)
{
	static const char *const option[] = { "" };

	log_open(LOG_TO_FD, "test", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	rig_open("", option, 1);
	smtpd.child.store_fd[0] = memfd_create("certs", MFD_CLOEXEC);
	smtpd.child.n_store = 1;
	smtpd.child.slot = OWN;
	keys_open();
	smtpd.service[0].tls = (struct tls_ctx *)(void *)&request; /* it offers TLS */
	keys_opened();
}

static void turn(void)
{
	for (int i = 0; i < 5; i++)
		uv_run(smtpd.child.loop, UV_RUN_NOWAIT);
}

/* A keyd of that number (0: one that has not greeted yet). Its end of the channel. */
static int holder(uint32_t slot)
{
	struct buf out = BUF_INIT(16);
	int pair[2];

	check_int(ipc_pair(pair), 0);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	keys_peer(slot, pair[0]);
	ipc_put_u32(&out, slot);
	if (slot)
		check_int(ipc_write_now(pair[1], MSG_KEY_HELLO, buf_str(&out), NULL, 0), 0);
	buf_free(&out);
	turn();
	return pair[1];
}

/* What it will answer stands there already. */
static void answer(int fd, uint32_t to, enum key_status status, const char *signature)
{
	struct key_answer a = { to, status, str_c(signature) };
	struct buf out = BUF_INIT(4096);

	key_answer_encode(&out, &a);
	check_int(ipc_write_now(fd, MSG_KEY_ANSWER, buf_str(&out), NULL, 0), 0);
	buf_free(&out);
}

/* The signature, or "-" and why not. `asks`: how many are asked. */
static const char *sign(unsigned asks)
{
	static char text[KEY_SIGNATURE_MAX + 2];
	size_t n = 0;
	int r = tls_held_sign(&key, 0x0403, STR("text"), (unsigned char *)text, &n);

	request += asks;
	if (r != 0)
		snprintf(text, sizeof text, "-%s", tls_held_failure());
	else
		text[n] = '\0';
	return text;
}

static bool was_asked(int fd)
{
	char payload[8192];
	bool asked = false;
	uint16_t type;
	int fds[IPC_MAX_FDS];
	unsigned n_fds;

	while (ipc_read_now(fd, &type, payload, sizeof payload, fds, &n_fds) >= 0)
		asked = true;
	return asked;
}

static void test_ours_is_asked_and_the_other_when_it_ends(void **state)
{
	int own = holder(OWN), other = holder(OTHER);

	(void)state;
	check(keys_are_here());
	answer(own, request + 1, KEY_SIGNED, "signature");
	check_str(str_c(sign(1)), "signature");
	check(was_asked(own) && !was_asked(other));
	answer(other, request + 2, KEY_SIGNED, "of the other");
	close(own); /* it was asked, and is gone */
	check_str(str_c(sign(2)), "of the other");
	close(other);
	turn();
	check_str(str_c(sign(0)), "-keyd is away; it is being started");
}

static void test_one_that_has_not_the_key_is_not_the_last(void **state)
{
	int own = holder(OWN), other = holder(OTHER);

	(void)state;
	answer(own, request + 1, KEY_UNKNOWN, "");
	answer(other, request + 2, KEY_SIGNED, "of the other");
	check_str(str_c(sign(2)), "of the other");
	answer(own, request + 1, KEY_UNKNOWN, "");
	answer(other, request + 2, KEY_FAILED, "");
	check_str(str_c(sign(2)), "-keyd cannot sign with it");
	close(own);
	close(other);
	turn();
}

static void test_one_that_is_being_started_is_waited_for(void **state)
{
	int fresh = holder(0);

	(void)state;
	answer(fresh, request + 1, KEY_SIGNED, "signature");
	check_str(str_c(sign(1)), "signature");
	close(fresh);
	turn();
}

static void test_one_that_is_silent_is_waited_for_once(void **state)
{
	int own = holder(OWN), other = holder(OTHER);
	uint32_t late;

	(void)state;
	answer(other, request + 2, KEY_SIGNED, "of the other");
	check_str(str_c(sign(2)), "of the other");
	late = request - 1;
	check(was_asked(own));
	answer(other, request + 1, KEY_SIGNED, "again");
	check_str(str_c(sign(1)), "again");
	check(!was_asked(own));
	close(other);
	turn();
	check(!keys_are_here());
	check_str(str_c(sign(0)), "-keyd does not answer");
	answer(own, late, KEY_SIGNED, "late");
	turn();
	check(keys_are_here());
	answer(own, request + 1, KEY_SIGNED, "in time");
	check_str(str_c(sign(1)), "in time");
	close(own);
	turn();
}

/* A keyd that was taken over must not end us, or lend its answer to another question. */
static void test_answers_that_nobody_waits_for_are_dropped(void **state)
{
	int own = holder(OWN), other = holder(OTHER);

	(void)state;
	answer(own, request, KEY_SIGNED, "old");
	answer(other, request + 1, KEY_SIGNED, "not asked");
	turn();
	answer(own, request + 7, KEY_SIGNED, "from the future");
	answer(own, request + 1, KEY_SIGNED, "right");
	answer(own, request + 1, KEY_SIGNED, "twice");
	check_str(str_c(sign(1)), "right");
	turn();
	check(ipc_write_now(own, MSG_KEY_SIGN, STR("x"), NULL, 0) == 0); /* no answer at all */
	turn();
	check(ipc_write_now(own, MSG_KEY_HELLO, STR("0123"), NULL, 0) != 0); /* it was closed */
	close(own);
	close(other);
	turn();
}

/* After 2^32 signatures a number comes again: the one that is asked is not to be the one that was. */
static void test_numbers_come_again(void **state)
{
	int own = holder(OWN), other = holder(OTHER);

	(void)state;
	smtpd.n_signatures = UINT32_MAX - 2;
	request = UINT32_MAX - 2;
	for (int i = 0; i < 6; i++) {
		answer(own, request + 1, KEY_SIGNED, "signature");
		check_str(str_c(sign(1)), "signature");
		answer(own, request + 1, KEY_UNKNOWN, "");
		answer(other, request + 2, KEY_SIGNED, "of the other");
		check_str(str_c(sign(2)), "of the other");
	}
	close(own);
	close(other);
	turn();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ours_is_asked_and_the_other_when_it_ends),
		cmocka_unit_test(test_one_that_has_not_the_key_is_not_the_last),
		cmocka_unit_test(test_one_that_is_being_started_is_waited_for),
		cmocka_unit_test(test_one_that_is_silent_is_waited_for_once),
		cmocka_unit_test(test_answers_that_nobody_waits_for_are_dropped),
		cmocka_unit_test(test_numbers_come_again) };

	begin();
	return test_run(tests);
}
