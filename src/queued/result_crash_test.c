/*
 * Results under faults: queued is killed, loses its power, or its disk fails, at one of the writes, flushes and removals that
 * result.c, recycle.c and segment.c make while results pile up, are written again and old segments are used again;
 * then once more while it reads that log (past.c). After both nothing that was known is forgotten: no message is lost or
 * rises again, no recipient gets it twice, attempts and holds stay. FULL=1: at every place, not at some.
 */
#include "queued/boot_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum fault { KILL_BEFORE, KILL_HALFWAY, KILL_AFTER, POWER_CUT, FAIL_EIO, FAIL_ENOSPC, GIVE_EINTR, WRITE_SHORT, FAULTS };
static const char *const fault_name[] = { "kill before", "kill halfway", "kill after", "power cut", "EIO", "ENOSPC",
	"EINTR", "short" };
enum { PENDING_MAX = 4096, SECTOR = 512, KILLED = 9, ZEROS_OCTETS = 1 << 20 };

static struct {
	bool on;
	enum fault fault;
	unsigned at, calls, seed;
	struct { /* what was there before, of what is not flushed */
		int fd;
		ino_t inode;
		off_t at;
		size_t n;
		char *p;
	} pending[PENDING_MAX];
	unsigned n_pending;
	pthread_mutex_t lock;
} shim = { .lock = PTHREAD_MUTEX_INITIALIZER };

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags);
int fdatasync(int fd);
int fsync(int fd);
int unlinkat(int dir, const char *name, int flags);

static ssize_t really_write(int fd, const void *p, size_t n, off_t at)
{
	return syscall(SYS_pwrite64, fd, p, n, at);
}

static bool is_now(void)
{
	return shim.on && shim.calls++ == shim.at;
}

/* Any part of what was not flushed is as it was before, sector by sector. */
static void lose_power(void)
{
	while (shim.n_pending-- > 0) {
		for (size_t from = 0; from < shim.pending[shim.n_pending].n; from += SECTOR) {
			size_t left = shim.pending[shim.n_pending].n - from, n = left < SECTOR ? left : SECTOR;

			shim.seed = shim.seed * 1103515245 + 12345;
			if (shim.seed >> 30 & 1)
				really_write(shim.pending[shim.n_pending].fd, shim.pending[shim.n_pending].p + from, n,
					shim.pending[shim.n_pending].at + (off_t)from);
		}
	}
	_exit(KILLED);
}

static void remember(int fd, const struct iovec *iov, off_t at)
{
	struct stat st;

	if (shim.n_pending == PENDING_MAX || fstat(fd, &st) != 0)
		abort();
	shim.pending[shim.n_pending].fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	shim.pending[shim.n_pending].inode = st.st_ino;
	shim.pending[shim.n_pending].at = at;
	shim.pending[shim.n_pending].n = iov->iov_len;
	shim.pending[shim.n_pending].p = calloc(1, iov->iov_len);
	if (syscall(SYS_pread64, fd, shim.pending[shim.n_pending].p, iov->iov_len, at) < 0)
		abort();
	shim.n_pending++;
}

static void settle(int fd)
{
	unsigned kept = 0;
	struct stat st;

	if (fstat(fd, &st) != 0)
		abort();
	for (unsigned i = 0; i < shim.n_pending; i++) {
		if (shim.pending[i].inode == st.st_ino) {
			close(shim.pending[i].fd);
			free(shim.pending[i].p);
		} else {
			shim.pending[kept++] = shim.pending[i];
		}
	}
	shim.n_pending = kept;
}

/* Before the call: it fails, or the process ends. Returns whether it fails. */
static bool fails(bool now)
{
	if (now && shim.fault == KILL_BEFORE)
		_exit(KILLED);
	if (now && shim.fault == POWER_CUT)
		lose_power();
	errno = shim.fault == FAIL_EIO ? EIO : shim.fault == FAIL_ENOSPC ? ENOSPC : EINTR;
	return now && (shim.fault == FAIL_EIO || shim.fault == FAIL_ENOSPC || shim.fault == GIVE_EINTR);
}

static void passed(bool now)
{
	if (now && (shim.fault == KILL_HALFWAY || shim.fault == KILL_AFTER))
		_exit(KILLED);
}

static bool is_zeros(const struct iovec *iov)
{
	const char *p = iov->iov_base;

	return iov->iov_len == ZEROS_OCTETS && p[0] == 0 && memcmp(p, p + 1, ZEROS_OCTETS - 1) == 0;
}

static ssize_t shimmed_write(int fd, const struct iovec *iov, off_t at, int flags)
{
	bool now = is_now();
	size_t n = iov->iov_len;
	ssize_t w;

	if (fails(now))
		return -1;
	if (now && n > 1 && (shim.fault == WRITE_SHORT || shim.fault == KILL_HALFWAY))
		n /= 2;
	if (is_zeros(iov)) { /* of a new file: a hole does as well */
		if (ftruncate(fd, at + (off_t)n) != 0)
			return -1;
		w = (ssize_t)n;
	} else {
		if (shim.on && shim.fault == POWER_CUT && !(flags & RWF_DSYNC))
			remember(fd, iov, at);
		w = really_write(fd, iov->iov_base, n, at);
	}
	passed(now);
	return w;
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	ssize_t w;

	(void)n; /* always one */
	pthread_mutex_lock(&shim.lock);
	w = shimmed_write(fd, iov, at, flags);
	pthread_mutex_unlock(&shim.lock);
	return w;
}

static int shimmed_flush(int fd)
{
	bool now;
	int r;

	pthread_mutex_lock(&shim.lock);
	now = is_now();
	r = fails(now) ? -1 : 0;
	if (r == 0)
		settle(fd);
	passed(now);
	pthread_mutex_unlock(&shim.lock);
	return r;
}

int fdatasync(int fd)
{
	return shimmed_flush(fd);
}

int fsync(int fd)
{
	return shimmed_flush(fd);
}

int unlinkat(int dir, const char *name, int flags)
{
	bool now;
	int r;

	pthread_mutex_lock(&shim.lock);
	now = is_now();
	r = fails(now) ? -1 : (int)syscall(SYS_unlinkat, dir, name, flags);
	passed(now);
	pthread_mutex_unlock(&shim.lock);
	return r;
}

/* ---- what is known of each message, shared with the children ---- */

enum { MESSAGES = 40, RCPTS = 4, ROUNDS = 30, SEGMENT_OCTETS_HERE = 32 * 1024 };
struct known {
	bool gone, held;
	unsigned attempts, done; /* done: bit of each recipient */
	unsigned holds;		 /* how often it was held or released */
};
struct truth {
	uint64_t id;
	struct known begun, written, flushed;
};
static struct shared {
	unsigned n;
	struct truth of[MESSAGES];
	bool failed;
	unsigned calls;
} * shared;

/* What waits for a segment is not. */
static void written(const struct queued *q)
{
	if (q->backlog.n > 0 || q->results.n > 0)
		return;
	for (unsigned i = 0; i < shared->n; i++)
		shared->of[i].written = shared->of[i].begun;
}

static void flushed(void)
{
	for (unsigned i = 0; i < shared->n; i++)
		shared->of[i].flushed = shared->of[i].written;
}

/* Segments are so small that there is always an old one. */
static void shrink(struct queued *q)
{
	for (struct segment *s = q->segments; s; s = s->next)
		if (s->state == SEG_FREE)
			s->head.size = SEGMENT_OCTETS_HERE;
	q->create_again_ms = 0;
	segments_serve(q);
}

static void change(struct queued *q, unsigned i, unsigned round)
{
	struct truth *t = &shared->of[i];
	struct message *m = message_find(q, t->id);
	char why[400];

	forget_decoded(m);
	switch ((i * 7 + round) % 6) {
	case 0:
		t->begun.held = true;
		t->begun.holds++;
		operate_hold(q, m);
		break;
	case 1:
		t->begun.held = false;
		t->begun.holds++;
		operate_release(q, m);
		break;
	case 2:
		if (m->n_rcpt > 1) {
			uint32_t index = message_rcpts(m)[0].index;

			t->begun.done |= 1u << index;
			result_done(q, m, &index, 1);
			message_set_rcpts(q, m, m->many + 1, m->n_rcpt - 1);
			break;
		}
		/* fall through */
	case 3:
		if (round > i / 2 + 10) {
			t->begun.gone = true;
			result_done(q, m, NULL, 0);
			message_free(q, m);
			break;
		}
		/* fall through */
	default:
		if (m->state == MSG_HELD)
			break;
		memset(why, 'a' + (char)(i % 20), sizeof why - 1);
		why[sizeof why - 1] = '\0';
		snprintf(why, 12, "%u %u ", i, round);
		why[strlen(why)] = '-';
		t->begun.attempts++;
		defer(q, t->id, 1000, why);
	}
}

static void turns(struct queued *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		uv_run(q->child.loop, UV_RUN_NOWAIT);
}

/* Messages, without faults. */
static void more_mail(struct queued *q, unsigned n)
{
	bool on = shim.on;

	shim.on = false;
	for (unsigned i = 0; i < n && shared->n < MESSAGES; i++) {
		struct truth *t = &shared->of[shared->n];

		while (!spool_writer_is_ready(q->writer)) {
			shrink(q);
			uv_run(q->child.loop, UV_RUN_ONCE);
		}
		t->id = accept_message(q, RCPTS, 1500);
		shared->n++;
	}
	shim.on = on;
}

static void work(struct queued *q)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		shrink(q);
		more_mail(q, MESSAGES / 10);
		for (unsigned i = 0; i < shared->n; i++) {
			if (shared->of[i].begun.gone)
				continue;
			change(q, i, round);
			if (i % 4 == 3) {
				result_write(q);
				written(q);
			}
		}
		result_write(q);
		written(q);
		if (round % 3 == 2)
			result_flush(q, false);
		if (result_flush(q, true) == 0)
			flushed();
		turns(q, 3);
		result_compact(q);
		segments_recycle(q);
		turns(q, 3);
	}
}

/* ---- a life with one fault in it ---- */

static void arm(enum fault fault, unsigned at)
{
	shim.fault = fault;
	shim.at = at;
	shim.seed = at * 7919 + 1;
	shim.calls = 0;
	shim.on = true;
}

static void first_life(enum fault fault, unsigned at)
{
	struct queued *q;

	shim.on = false;
	q = boot_begin();
	shrink(q);
	while (q->current == NULL || !spool_writer_is_ready(q->writer)) {
		shrink(q);
		uv_run(q->child.loop, UV_RUN_ONCE);
	}
	more_mail(q, 8);
	arm(fault, at);
	work(q);
	shim.on = false;
	shared->calls = shim.calls;
	die(q);
}

/* It reads the log, and begins to use segments again. */
static void second_life(enum fault fault, unsigned at)
{
	struct queued *q;

	arm(fault, at);
	q = boot_begin();
	for (unsigned i = 0; i < 2000 && (q->recovering || q->creating); i++) {
		q->create_again_ms = 0;
		segments_serve(q);
		uv_run(q->child.loop, UV_RUN_NOWAIT);
	}
	for (unsigned i = 0; i < 10 && q->current; i++) {
		result_compact(q);
		segments_recycle(q);
		turns(q, 2);
	}
	shim.on = false;
	die(q);
}

#define must(x)                                                     \
	do {                                                        \
		if (!(x)) {                                         \
			fprintf(stderr, "message %u: %s\n", i, #x); \
			shared->failed = true;                      \
		}                                                   \
	} while (0)

static void compare(struct queued *q, unsigned i, const struct known *least)
{
	const struct truth *t = &shared->of[i];
	struct message *m = message_find(q, t->id);
	unsigned left = 0;

	if (m == NULL) {
		must(t->begun.gone);
		return;
	}
	must(!least->gone);
	for (uint32_t k = 0; k < m->n_rcpt; k++)
		left |= 1u << message_rcpts(m)[k].index;
	must((left & least->done) == 0);
	must((left | t->begun.done) == (1u << RCPTS) - 1);
	must(m->attempts >= least->attempts && m->attempts <= t->begun.attempts);
	if (t->begun.holds == least->holds)
		must((m->state == MSG_HELD) == least->held);
	must(!m->content_is_damaged);
}

static void look(bool power_was_cut)
{
	struct queued *q;

	shim.on = false;
	q = boot();
	for (unsigned i = 0; i < shared->n; i++)
		compare(q, i, power_was_cut ? &shared->of[i].flushed : &shared->of[i].written);
	die(q);
}

enum life { FIRST, SECOND, LOOK };
static int live(enum life life, enum fault fault, unsigned at)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		if (life == FIRST)
			first_life(fault, at);
		else if (life == SECOND)
			second_life(fault, at);
		else
			look(fault == POWER_CUT);
		_exit(shared->failed ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != KILLED))
		fail_msg("%s at call %u: life %d ended with status %x", fault_name[fault], at, (int)life,
			(unsigned)status);
	return WEXITSTATUS(status);
}

static void in_new_directory(void)
{
	check_int(system("rm -rf log"), 0);
	memset(shared, 0, sizeof *shared);
}

static void one(enum fault fault, unsigned at)
{
	in_new_directory();
	live(FIRST, fault, at);
	live(SECOND, fault, at % 40);
	live(LOOK, fault, at);
	if (shared->failed)
		fail_msg("%s at call %u: something was forgotten", fault_name[fault], at);
	check(shared->n >= 8);
}

static void test_every_call(void **state)
{
	enum { SOME = 6 };
	unsigned calls, step;

	(void)state;
	in_new_directory();
	live(FIRST, GIVE_EINTR, UINT32_MAX); /* no fault: how many places are there? */
	calls = shared->calls;
	print_message("%u writes, flushes and removals\n", calls);
	check(calls > 200);
	check_int(live(LOOK, GIVE_EINTR, 0), 0);
	step = getenv("FULL") ? 1 : calls / SOME;
	for (unsigned fault = 0; fault < FAULTS; fault++) {
		unsigned places = 0;

		for (unsigned at = fault * step / FAULTS; at < calls; at += step, places++)
			one((enum fault)fault, at);
		print_message("%s: at %u of them\n", fault_name[fault], places);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_call) };

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	log_open(LOG_TO_FD, "postfix/qmgr", open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	return boot_run(tests);
}
