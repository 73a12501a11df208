#include "base/ipc.h"
#include "base/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ipc a, b;
static unsigned received, ended, closed;
static enum ipc_end how_ended;
static uint64_t sum;
static int kept_fd = -1;

static int on_number(struct ipc *c, struct ipc_in *in, int *fds, unsigned n_fds)
{
	uint64_t n = ipc_get_u64(in);
	struct str s = ipc_get_str(in);

	(void)c;
	if (!ipc_get_end(in))
		return -1;
	received++;
	sum += n + s.n;
	if (n_fds == 1) {
		kept_fd = fds[0];
		fds[0] = -1;
	}
	return 0;
}

static const struct ipc_rule rules[] = { { 1, 1, on_number }, { 2, 0, on_number } };

static void on_end(struct ipc *c, enum ipc_end how)
{
	(void)c;
	ended++;
	how_ended = how;
	uv_stop(uv_default_loop());
}

static void on_closed(struct ipc *c)
{
	(void)c;
	closed++;
}

static void begin(void)
{
	int pair[2];

	check_int(ipc_pair(pair), 0);
	received = ended = closed = 0;
	sum = 0;
	ipc_open(&a, uv_default_loop(), pair[0], rules, 2, on_end);
	ipc_open(&b, uv_default_loop(), pair[1], rules, 2, on_end);
}

static void finish(void)
{
	if (ipc_is_open(&a))
		ipc_close(&a, on_closed);
	if (ipc_is_open(&b))
		ipc_close(&b, on_closed);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	check_int(closed, 2);
}

static void send_number(uint16_t type, uint64_t n, struct str s, bool extra, const int *fd)
{
	struct buf out = IPC_BUF;

	ipc_put_u64(&out, n);
	ipc_put_str(&out, s);
	if (extra)
		ipc_put_u8(&out, 1);
	check_int(ipc_send(&a, type, buf_str(&out), fd, fd ? 1 : 0), 0);
	buf_free(&out);
}

static void turn(void)
{
	for (int i = 0; i < 50; i++)
		uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

static void test_messages_and_descriptors(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	begin();
	send_number(1, 5, STR("abc"), false, NULL);
	send_number(1, 7, STR(""), false, &fd);
	close(fd);
	turn();
	check_int(received, 2);
	check_int(sum, 15);
	check(kept_fd >= 0 && fcntl(kept_fd, F_GETFD) == FD_CLOEXEC);
	close(kept_fd);
	finish();
}

static void test_more_than_the_socket_holds(void **state)
{
	static char big[100000];

	(void)state;
	begin();
	for (unsigned i = 0; i < 300; i++)
		send_number(1, 1, str_pn(big, sizeof big), false, NULL);
	for (int i = 0; i < 2000 && received < 300; i++)
		uv_run(uv_default_loop(), UV_RUN_NOWAIT);
	check_int(received, 300);
	check_int(ended, 0);
	check_int(a.pending_octets, 0);
	finish();
}

static void expect_violation(void)
{
	turn();
	check_int(ended, 1);
	check_int(how_ended, IPC_VIOLATION);
	finish();
}

static void test_violations(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	begin();
	send_number(9, 5, STR("unknown type"), false, NULL);
	expect_violation();
	begin();
	send_number(1, 5, STR("left over"), true, NULL);
	expect_violation();
	begin();
	send_number(2, 5, STR("a descriptor too many"), false, &fd);
	expect_violation();
	begin();
	check_int(ipc_send(&a, 1, STR("\x01"), NULL, 0), 0);
	expect_violation();
	close(fd);
}

static void test_the_peer_ends(void **state)
{
	(void)state;
	begin();
	ipc_close(&a, on_closed);
	turn();
	check_int(ended, 1);
	check_int(how_ended, IPC_CLOSED);
	check_int(ipc_send(&a, 1, STR(""), NULL, 0), -1);
	finish();
}

static void test_an_answer_is_waited_for(void **state)
{
	(void)state;
	begin();
	check_int(ipc_wait(&b, 1), 0);
	send_number(1, 5, STR("abc"), false, NULL);
	send_number(1, 7, STR(""), false, NULL);
	check_int(ipc_wait(&b, 1000), 1);
	check_int(received, 1);
	check_int(ipc_wait(&b, 1000), 1);
	check_int(sum, 15);
	send_number(1, 9, STR(""), false, NULL);
	turn(); /* the loop sees what comes later */
	check_int(received, 3);
	finish();
}

static void on_end_closes(struct ipc *c, enum ipc_end how)
{
	on_end(c, how);
	ipc_close(c, on_closed);
}

static void test_what_is_waited_for_may_end(void **state)
{
	(void)state;
	begin();
	b.on_end = on_end_closes;
	send_number(1, 5, STR("left over"), true, NULL);
	check_int(ipc_wait(&b, 1000), -1);
	check_int(ended, 1);
	check_int(how_ended, IPC_VIOLATION);
	turn();
	finish();
	begin();
	b.on_end = on_end_closes;
	ipc_close(&a, on_closed);
	check_int(ipc_wait(&b, 1000), -1);
	check_int(how_ended, IPC_CLOSED);
	turn();
	finish();
}

static void test_length_that_lies(void **state)
{
	struct ipc_in in = { STR("\xFF\xFF\xFF\xFF"
				 "abc"),
		false };

	(void)state;
	check_int(ipc_get_str(&in).n, 0);
	check(in.bad && !ipc_get_end(&in));
	check_int(ipc_get_u8(&in), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_messages_and_descriptors),
		cmocka_unit_test(test_more_than_the_socket_holds), cmocka_unit_test(test_violations),
		cmocka_unit_test(test_the_peer_ends), cmocka_unit_test(test_an_answer_is_waited_for),
		cmocka_unit_test(test_what_is_waited_for_may_end), cmocka_unit_test(test_length_that_lies) };

	return test_run(tests);
}
