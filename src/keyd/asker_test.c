#include "keyd/keyd.h"
#include "base/log.h"
#include "base/test.h"
#include "msg/master_msg.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define RANDOMS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct keyd keyd;
static int master, asker;

/* The next message of that channel; 0: none, -1: it has ended. */
static int next(int fd, char *payload, size_t size, size_t *n)
{
	int fds[IPC_MAX_FDS];
	unsigned n_fds;
	uint16_t type;
	ssize_t got;

	for (int i = 0; i < 10; i++)
		uv_run(keyd.child.loop, UV_RUN_NOWAIT);
	got = ipc_read_now(fd, &type, payload, size, fds, &n_fds);
	*n = got < 0 ? 0 : (size_t)got;
	return got >= 0 ? type : poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 0 ? 0 : -1;
}

static int open_channel(enum role role)
{
	int pair[2];

	check_int(ipc_pair(pair), 0);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	asker_open(&keyd, role, 3, pair[0]);
	return pair[1];
}

static void begin(enum role role)
{
	char payload[256];
	size_t n;

	asker = open_channel(role);
	check_int(next(asker, payload, sizeof payload, &n), MSG_KEY_HELLO);
	check(n == 4 && payload[0] == 1);
}

static void ask(uint16_t type, uint16_t scheme, struct str text)
{
	struct key_question q = { .request = 9, .scheme = scheme, .text = text };
	struct buf out = IPC_BUF;

	key_question_encode(&out, &q);
	check_int(ipc_write_now(asker, type, buf_str(&out), NULL, 0), 0);
	buf_free(&out);
}

static void test_what_is_no_handshake_ends_the_asker(void **state)
{
	const struct {
		enum role role;
		uint16_t type, scheme;
		struct str text;
	} cases[] = {
		{ ROLE_SMTPD, MSG_KEY_SIGN, 0x0403, STR("0123456789abcdef0123456789abcdef") },
		{ ROLE_SMTPD, MSG_KEY_SIGN, 0x0403, STR("") },
		{ ROLE_SMTPD, MSG_KEY_SIGN, 0x0201,
			STR(RANDOMS "\3\0\35\40"
				    "0123456789abcdef0123456789abcdef") },
		{ ROLE_SMTPD, MSG_KEY_SIGN + 1, 0x0403,
			STR(RANDOMS "\3\0\35\40"
				    "0123456789abcdef0123456789abcdef") },
		{ ROLE_RELAY, MSG_KEY_SIGN, 0x0403,
			STR(RANDOMS "\3\0\35\40"
				    "0123456789abcdef0123456789abcdef") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char payload[256];
		size_t n;

		begin(cases[i].role);
		check_int(keyd.askers, 1);
		ask(cases[i].type, cases[i].scheme, cases[i].text);
		check_int(next(asker, payload, sizeof payload, &n), -1);
		check_int(next(master, payload, sizeof payload, &n), MSG_VIOLATION);
		check_int(payload[0], cases[i].role);
		check_int(payload[1], 3);
		check_int(keyd.askers, 0);
		close(asker);
	}
}

static void test_a_handshake_is_answered(void **state)
{
	char payload[256];
	struct key_answer a;
	struct ipc_in in;
	size_t n;

	(void)state;
	begin(ROLE_SMTPD);
	ask(MSG_KEY_SIGN, 0x0403,
		STR(RANDOMS "\3\0\35\40"
			    "0123456789abcdef0123456789abcdef"));
	check_int(next(asker, payload, sizeof payload, &n), MSG_KEY_ANSWER);
	in = (struct ipc_in){ str_pn(payload, n), false };
	check_int(key_answer_decode(&in, &a), 0);
	check_int(a.request, 9);
	check_int(a.status, KEY_UNKNOWN); /* it has none */
	check_int(next(master, payload, sizeof payload, &n), 0);
	check_int(keyd.refused, 1);
	close(asker);
	check_int(next(asker = open_channel(ROLE_SMTPD), payload, sizeof payload, &n), MSG_KEY_HELLO);
	check_int(keyd.askers, 1); /* the one before has gone */
	close(asker);
}

/* The others get no answer meanwhile. */
static void test_who_asks_ahead_ends(void **state)
{
	char payload[256];
	size_t n;

	(void)state;
	begin(ROLE_SMTPD);
	for (int i = 0; i < 2; i++)
		ask(MSG_KEY_SIGN, 0x0403,
			STR(RANDOMS "\3\0\35\40"
				    "0123456789abcdef0123456789abcdef"));
	check_int(next(asker, payload, sizeof payload, &n), -1);
	check_int(next(master, payload, sizeof payload, &n), MSG_VIOLATION);
	close(asker);
}

/* Answers would fill our memory. */
static void test_who_reads_no_answers_ends(void **state)
{
	char payload[256];
	size_t n;
	int asked;

	(void)state;
	begin(ROLE_SMTPD);
	for (asked = 0; asked < 100000 && keyd.askers > 0; asked++) {
		ask(MSG_KEY_SIGN, 0x0403,
			STR(RANDOMS "\3\0\35\40"
				    "0123456789abcdef0123456789abcdef"));
		for (int i = 0; i < 3; i++)
			uv_run(keyd.child.loop, UV_RUN_NOWAIT);
	}
	check(asked > 10);
	check_int(keyd.askers, 0);
	check_int(next(master, payload, sizeof payload, &n), MSG_VIOLATION);
	close(asker);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_what_is_no_handshake_ends_the_asker),
		cmocka_unit_test(test_a_handshake_is_answered), cmocka_unit_test(test_who_asks_ahead_ends),
		cmocka_unit_test(test_who_reads_no_answers_ends) };
	static const struct ipc_rule none[] = { { 0, 0, NULL } };
	int pair[2];

	log_open(LOG_TO_FD, "test", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	keyd.child.loop = uv_default_loop();
	keyd.child.slot = 1;
	require(ipc_pair(pair) == 0);
	ipc_open(&keyd.child.master, keyd.child.loop, pair[0], none, 0, NULL);
	master = pair[1];
	fcntl(master, F_SETFL, O_NONBLOCK);
	return test_run(tests);
}
