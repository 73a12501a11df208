/* Threads that hash give way to others, in a sandbox that refuses sched_setattr(2) too. */
#include "authd/pool.h"
#include "base/test.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int nice_value;

static void look(struct job *j)
{
	(void)j;
	nice_value = getpriority(PRIO_PROCESS, 0);
}

static void on_done(struct job *j, bool dropped)
{
	(void)j, (void)dropped;
}

static int refuse_sched_setattr(int error)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO((uint32_t)error), SCMP_SYS(sched_setattr), 0);

	r = r ? r : seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

/* In a process of its own, as a filter stays. The nice value of a thread; -1: there is no filter to be had. */
static int nice_of_thread(bool is_background, int error)
{
	static struct pool p;
	struct job j = { .run = look, .done = on_done };
	pid_t pid = fork();
	uv_loop_t loop;
	int status = 0;

	if (pid != 0) {
		waitpid(pid, &status, 0);
		return WIFEXITED(status) ? (signed char)WEXITSTATUS(status) : -2;
	}
	if (error && refuse_sched_setattr(error) != 0)
		_exit(-1);
	uv_loop_init(&loop);
	pool_init(&p, &loop, 1, 1, 10000);
	p.is_background = is_background;
	pool_submit(&p, &j, STR("u"), STR(""));
	uv_run(&loop, UV_RUN_DEFAULT);
	_exit(nice_value);
}

static void test_nice(void **state)
{
	static const int errors[] = { 0, ENOSYS, EINVAL, E2BIG, EPERM };

	(void)state;
	check_int(nice_of_thread(false, 0), getpriority(PRIO_PROCESS, 0));
	if (getpriority(PRIO_PROCESS, 0) > 5) {
		printf("skipped: the test is nicer itself\n");
		return;
	}
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		int got = nice_of_thread(true, errors[i]);

		if (got == -1)
			printf("skipped: no filter of system calls here\n");
		else
			check_int(got, 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nice) };

	return test_run(tests);
}
