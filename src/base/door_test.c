#include "base/door.h"
#include "base/log.h"
#include "base/test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 40, TURNS = 2000 };

static int taken[CLIENTS];
static unsigned n_taken;

static void take(struct door *d, int fd)
{
	check(fcntl(fd, F_GETFL) & O_NONBLOCK);
	check(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	taken[n_taken++] = fd;
	if (n_taken == CLIENTS)
		door_close(d);
}

static int unix_socket(struct sockaddr_un *sa, bool listens)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | (listens ? SOCK_NONBLOCK : 0), 0);

	check_int(
		listens ? bind(fd, (struct sockaddr *)sa, sizeof *sa) : connect(fd, (struct sockaddr *)sa, sizeof *sa),
		0);
	check_int(listens ? listen(fd, CLIENTS) : 0, 0);
	return fd;
}

static void leave_descriptors(rlim_t n)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = n;
	check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static bool ended;
static unsigned turns;

static void on_end(uv_timer_t *t)
{
	(void)t;
	ended = true;
}

/* So long only something else wakes the loop; a door that spins turns it as fast as it can. */
static void run_for(uv_loop_t *loop, uint64_t ms)
{
	static uv_timer_t timer;

	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, on_end, ms, 0);
	for (ended = false, turns = 0; !ended; turns++)
		uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
}

static void test_without_descriptors_it_waits_and_nothing_spins(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	uv_loop_t *loop = uv_default_loop();
	static struct door door;
	int client[CLIENTS], fd;

	(void)state;
	snprintf(sa.sun_path + 1, sizeof sa.sun_path - 1, "gatepost-door-%d", (int)getpid()); /* abstract */
	fd = unix_socket(&sa, true);
	door_open(&door, loop, fd, "test", take);
	for (int i = 0; i < CLIENTS; i++)
		client[i] = unix_socket(&sa, false);
	door.most = client[CLIENTS - 1] + 6; /* what is behind is not for connections */
	run_for(loop, 250);
	check_int(n_taken, 5);
	check(turns < 20);
	door.most = INT_MAX;
	leave_descriptors((rlim_t)client[CLIENTS - 1] + 11);
	run_for(loop, 350);
	check_int(n_taken, 10);
	check(turns < 20);
	check(door.paused >= 1);
	leave_descriptors(1024);
	for (int i = 0; i < TURNS && n_taken < CLIENTS; i++)
		uv_run(loop, UV_RUN_ONCE);
	check_int(n_taken, CLIENTS);
	check_int(door.fd, -1);
	for (int i = 0; i < CLIENTS; i++) {
		close(client[i]);
		close(taken[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_without_descriptors_it_waits_and_nothing_spins) };

	log_open(LOG_TO_FD, "test", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	return test_run(tests);
}
