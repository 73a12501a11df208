/* Threads that hash give way to others, in a sandbox that refuses sched_setattr(2) too. */
#include "authd/pool.h"
#include "base/test.h"

#include <errno.h>
#include <seccomp.h>
#include <stdatomic.h>
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

/* ---- how many run at a time ---- */

enum { JOBS = 8, LONG_MS = 20, PATIENCE_MS = 5000 };

static struct {
	struct job job[JOBS];
	struct pool *pool;
	unsigned ms; /* that each takes */
	bool meets;  /* the first one goes on when there is a second */
	bool others; /* are served meanwhile */
	_Atomic unsigned running, most;
} many;

static void run_one(struct job *j)
{
	unsigned now = ++many.running, most = many.most;

	(void)j;
	while (now > most && !atomic_compare_exchange_weak(&many.most, &most, now))
		;
	for (unsigned ms = 0; many.meets && many.most < 2 && ms < PATIENCE_MS; ms++)
		uv_sleep(1);
	uv_sleep(many.ms);
	many.running--;
}

static void on_one(struct job *j, bool dropped)
{
	(void)j, (void)dropped;
	if (many.others)
		pool_leave_room(many.pool);
}

/* The most that ran at a time, of JOBS, is what may run. */
static void check_most(struct pool *p, unsigned ms, bool others, unsigned may_run)
{
	many.pool = p;
	many.ms = ms;
	many.others = others;
	many.meets = may_run > 1;
	many.most = 0;
	if (others)
		pool_leave_room(p);
	for (unsigned i = 0; i < JOBS; i++) {
		many.job[i] = (struct job){ .run = run_one, .done = on_one };
		check_int(pool_submit(p, &many.job[i], STR("u"), STR("")), 0);
	}
	uv_run(p->loop, UV_RUN_DEFAULT);
	check_int(many.most, may_run);
}

static void test_room(void **state)
{
	struct pool two, one;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	pool_init(&two, &loop, 2, JOBS, 10000);
	check_most(&two, 0, true, 2); /* they are not known to take long */
	check_most(&two, LONG_MS, false, 2);
	check_most(&two, LONG_MS, true, 1);
	check_most(&two, LONG_MS, true, 1);
	uv_sleep(1100);
	check_most(&two, LONG_MS, false, 2); /* nobody else is there any more */
	pool_init(&one, &loop, 1, JOBS, 10000);
	check_most(&one, LONG_MS, false, 1);
	check_most(&one, LONG_MS, true, 1);
	uv_loop_close(&loop);
}

/* ---- when the loop is told ---- */

enum { SHORT_JOBS = 12, AT_A_TIME = 4 };

static struct {
	struct job job[SHORT_JOBS];
	uv_sem_t ended;	    /* each one that ran */
	uv_sem_t next;	    /* leave for those behind the first */
	unsigned run, done; /* in the thread; in the loop */
} few;

static void run_short(struct job *j)
{
	(void)j;
	if (few.run++ > 0) {
		uv_sem_post(&few.ended); /* the one before is over and put away */
		uv_sem_wait(&few.next);
	}
}

static void on_short(struct job *j, bool dropped)
{
	(void)j, (void)dropped;
	few.done++;
}

/* While many wait, the loop learns of a few at a time, and at the end of all. */
static void test_told(void **state)
{
	struct pool p;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	uv_sem_init(&few.ended, 0);
	uv_sem_init(&few.next, 0);
	pool_init(&p, &loop, 1, SHORT_JOBS, 10000);
	for (unsigned i = 0; i < SHORT_JOBS; i++) {
		few.job[i] = (struct job){ .run = run_short, .done = on_short };
		check_int(pool_submit(&p, &few.job[i], STR("u"), STR("")), 0);
	}
	for (unsigned i = 1; i <= AT_A_TIME; i++) {
		uv_sem_wait(&few.ended); /* of the job behind number i */
		uv_run(&loop, UV_RUN_NOWAIT);
		check_int(few.done, i < AT_A_TIME ? 0 : AT_A_TIME);
		uv_sem_post(&few.next);
	}
	for (unsigned i = 0; i < SHORT_JOBS; i++)
		uv_sem_post(&few.next);
	uv_run(&loop, UV_RUN_DEFAULT);
	check_int(few.done, SHORT_JOBS);
	uv_loop_close(&loop);
	uv_sem_destroy(&few.ended);
	uv_sem_destroy(&few.next);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nice), cmocka_unit_test(test_room),
		cmocka_unit_test(test_told) };

	return test_run(tests);
}
