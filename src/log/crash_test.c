/*
 * Crash tests of the writer: it is killed, or its disk fails, at each of its writes and flushes in turn; then the log is
 * read as after a start. Every message that was acknowledged is there and whole; no other appears but one that was
 * committed and not yet acknowledged. pwritev2() and fdatasync() of this program are the ones below.
 */
#include "base/test.h"
#include "log/record.h"
#include "log/spool_impl.h"
#include "log/spool_reader.h"
#include "log/spool_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags);
int fdatasync(int fd);

enum { SEGMENTS = 6, SEGMENT_SIZE = 256 * 1024, MESSAGES = 14, PENDING_MAX = 512 };
enum fault { KILL_BEFORE, KILL_HALFWAY, KILL_AFTER, POWER_CUT, FAIL_EIO, FAIL_ENOSPC, GIVE_EINTR, WRITE_SHORT, FAULTS };
static const char *const fault_name[] = { "kill before", "kill halfway", "kill after", "power cut", "EIO", "ENOSPC",
	"EINTR", "short" };

static struct {
	bool on;
	enum fault fault;
	unsigned at, calls;
	unsigned seed;
	struct { /* POWER_CUT: written and not flushed */
		int fd;
		off_t at;
		size_t n;
		char *p;
	} pending[PENDING_MAX];
	unsigned n_pending;
	pthread_mutex_t lock; /* a flush in the thread and a chunk in the loop meet here */
} shim = { .lock = PTHREAD_MUTEX_INITIALIZER };

static ssize_t really_write(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return syscall(SYS_pwritev2, fd, iov, (unsigned long)n, (unsigned long)at, 0UL, flags);
}

/* Of what was not flushed, any part may have reached the disk, in any order, sector by sector. */
static void lose_power(void)
{
	for (unsigned i = 0; i < shim.n_pending; i++) {
		for (size_t from = 0; from < shim.pending[i].n; from += 512) {
			size_t n = shim.pending[i].n - from < 512 ? shim.pending[i].n - from : 512;
			struct iovec iov = { shim.pending[i].p + from, n };

			shim.seed = shim.seed * 1103515245 + 12345;
			if (shim.seed >> 30 & 1)
				really_write(shim.pending[i].fd, &iov, 1, shim.pending[i].at + (off_t)from, 0);
		}
	}
	_exit(9);
}

static void settle(int fd)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < shim.n_pending; i++) {
		struct iovec iov = { shim.pending[i].p, shim.pending[i].n };

		if (shim.pending[i].fd == fd) {
			really_write(fd, &iov, 1, shim.pending[i].at, 0);
			free(shim.pending[i].p);
		} else {
			shim.pending[kept++] = shim.pending[i];
		}
	}
	shim.n_pending = kept;
}

static bool is_now(void)
{
	return shim.on && __atomic_fetch_add(&shim.calls, 1, __ATOMIC_SEQ_CST) == shim.at;
}

static ssize_t faulty_write(int fd, const struct iovec *iov, off_t at, int flags)
{
	struct iovec half = { iov->iov_base, iov->iov_len / 2 };

	switch (shim.fault) {
	case KILL_BEFORE:
		_exit(9);
	case KILL_HALFWAY:
		really_write(fd, &half, 1, at, flags);
		_exit(9);
	case KILL_AFTER:
		really_write(fd, iov, 1, at, flags);
		_exit(9);
	case FAIL_EIO:
		errno = EIO;
		return -1;
	case FAIL_ENOSPC:
		errno = ENOSPC;
		return -1;
	case GIVE_EINTR:
		errno = EINTR;
		return -1;
	case WRITE_SHORT:
		return really_write(fd, &half, 1, at, flags);
	default:
		return really_write(fd, iov, 1, at, flags);
	}
}

static ssize_t write_for_now(int fd, const struct iovec *iov, off_t at, int flags, bool now)
{
	unsigned i;

	pthread_mutex_lock(&shim.lock);
	i = shim.n_pending++;
	if (i == PENDING_MAX)
		abort();
	shim.pending[i].fd = fd;
	shim.pending[i].at = at;
	shim.pending[i].n = iov->iov_len;
	shim.pending[i].p = malloc(iov->iov_len);
	memcpy(shim.pending[i].p, iov->iov_base, iov->iov_len);
	if (now)
		lose_power();
	if (flags & RWF_DSYNC) { /* it alone is flushed */
		really_write(fd, iov, 1, at, 0);
		free(shim.pending[--shim.n_pending].p);
	}
	pthread_mutex_unlock(&shim.lock);
	return (ssize_t)iov->iov_len;
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	bool now = is_now();

	if (shim.on && shim.fault == POWER_CUT)
		return write_for_now(fd, iov, at, flags, now);
	return now ? faulty_write(fd, iov, at, flags) : really_write(fd, iov, n, at, flags);
}

int fdatasync(int fd)
{
	bool now = is_now();

	if (!shim.on || !now) {
		if (shim.on && shim.fault == POWER_CUT) {
			pthread_mutex_lock(&shim.lock);
			settle(fd);
			pthread_mutex_unlock(&shim.lock);
		}
		return 0;
	}
	switch (shim.fault) {
	case POWER_CUT:
		pthread_mutex_lock(&shim.lock);
		lose_power();
		break;
	case FAIL_EIO:
		errno = EIO;
		return -1;
	case FAIL_ENOSPC:
		errno = ENOSPC;
		return -1;
	case KILL_BEFORE:
	case KILL_HALFWAY:
	case KILL_AFTER:
		_exit(9);
	default:
		break;
	}
	return 0;
}

/* The child: a writer with messages of all sizes, some at the same time. Numbers of acknowledged ones go to the pipe. */
static struct {
	uv_loop_t loop;
	uv_idle_t turning;
	struct spool_writer *w;
	int pipe, fd[SEGMENTS];
	unsigned lent, wanted, done, next;
	struct spool_msg msg[MESSAGES];
	bool slow; /* each flush seems to be one of a slow disk */
} c;

static const size_t sizes[] = { 10, 4000, 70000, 300, 65536, 5, 150000, 2000, 2000, 2000, 90000, 1, 40000, 60000 };

static void fill(char *p, size_t n, unsigned number)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 31 + number * 17 + i / 509);
}

static void want(struct spool_writer *w)
{
	(void)w;
	c.wanted++;
}

static void committed(struct spool_writer *w, uint64_t generation, uint64_t offset)
{
	(void)w, (void)generation, (void)offset;
}

static void end(struct spool_writer *w, uint64_t generation, uint64_t offset, bool failed)
{
	(void)w, (void)generation, (void)offset, (void)failed;
}

static const struct spool_writer_ops ops = { want, committed, end };

static void lend(void)
{
	if (c.lent < SEGMENTS) {
		spool_writer_lend(c.w, 100 + c.lent, SEGMENT_SIZE, fcntl(c.fd[c.lent], F_DUPFD_CLOEXEC, 0));
		c.lent++;
	}
}

static void on_committed(struct spool_msg *m, int err)
{
	unsigned char number = (unsigned char)(m - c.msg);

	c.done++;
	if (err == 0 && write(c.pipe, &number, 1) != 1)
		abort();
}

static void send_one(unsigned number)
{
	struct envelope_rcpt rcpt = { .index = number, .address = STR("b@x") };
	struct envelope env = { .sender = STR("a@x"), .rcpt = &rcpt, .n_rcpt = 1, .size = sizes[number] };
	char *p = malloc(sizes[number]);

	fill(p, sizes[number], number);
	if (spool_msg_begin(&c.msg[number], c.w) != 0) {
		c.done++;
	} else {
		spool_msg_add(&c.msg[number], str_pn(p, sizes[number]));
		spool_msg_commit(&c.msg[number], &env, on_committed);
	}
	free(p);
}

static void on_turn(uv_idle_t *idle)
{
	(void)idle;
	if (c.slow)
		c.w->flush_ns = 10 * QUICK_FLUSH_NS;
	while (c.wanted > 0 && c.lent < SEGMENTS) {
		c.wanted--;
		lend();
	}
	/* One alone, then three at a time, then what comes. */
	if (c.next < MESSAGES && (c.done == c.next || (c.next % 4 && c.next - c.done < 3)))
		send_one(c.next++);
	if (c.done == MESSAGES)
		_exit(0);
}

static void run_child(const int *fd, int pipe, enum fault fault, unsigned at, bool slow)
{
	c.slow = slow;
	memcpy(c.fd, fd, sizeof c.fd);
	c.pipe = pipe;
	uv_loop_init(&c.loop);
	uv_idle_init(&c.loop, &c.turning);
	uv_idle_start(&c.turning, on_turn);
	c.w = spool_writer_new(&c.loop, &ops);
	lend();
	shim.on = true;
	shim.fault = fault;
	shim.at = at;
	shim.seed = at * 7919 + 1;
	alarm(20);
	uv_run(&c.loop, UV_RUN_DEFAULT);
	_exit(3);
}

/* The parent: what is in the log? */
static void look(const int *fd, const struct segment_head *heads, bool *found)
{
	struct segment_set *set = segment_set_new();

	for (unsigned i = 0; i < SEGMENTS; i++)
		segment_set_add(set, heads[i].generation, fcntl(fd[i], F_DUPFD_CLOEXEC, 0));
	for (unsigned i = 0; i < SEGMENTS; i++) {
		struct log_scan s;
		struct record r;

		log_scan_begin(&s, fd[i], &heads[i]);
		while (log_scan_next(&s, SEGMENT_SIZE, &r) == 1) {
			struct arena *mem = arena_new(0);
			struct envelope e;
			bool whole;

			if (r.type != RECORD_COMMIT) {
				arena_free(&mem);
				continue;
			}
			check_int(envelope_decode(r.payload, mem, &e), 0);
			whole = true;
			for (size_t x = 0; x < e.n_extent; x++) {
				unsigned g = (unsigned)(e.extent[x].generation - 100);

				whole &= record_check_data(fd[g], &heads[g], e.extent[x].offset, e.extent[x].octets) ==
					 1;
			}
			if (whole) {
				size_t n = sizes[e.rcpt[0].index];
				char *got = malloc(n + 1), *must = malloc(n + 1);

				check_int(extents_read(set, &e, 0, got, n + 1), n);
				fill(must, n, e.rcpt[0].index);
				check(memcmp(got, must, n) == 0);
				found[e.rcpt[0].index] = true;
				free(got);
				free(must);
			}
			arena_free(&mem);
		}
		log_scan_rest(&s);
	}
	segment_set_free(&set);
}

/* Returns false when the fault came too late to happen at all. */
static bool run_one(enum fault fault, unsigned at, bool slow, unsigned *acknowledged)
{
	struct segment_head heads[SEGMENTS];
	int fd[SEGMENTS], pipes[2], status = 0;
	bool found[MESSAGES] = { false };
	unsigned char number;
	pid_t pid;

	for (unsigned i = 0; i < SEGMENTS; i++) {
		fd[i] = memfd_create("seg", MFD_CLOEXEC);
		check_int(ftruncate(fd[i], SEGMENT_SIZE), 0);
		heads[i] = (struct segment_head){ 100 + i, SEGMENT_SIZE, SEG_MAIL, 0xABCD + i };
		check_int(segment_head_write(fd[i], &heads[i]), 0);
	}
	check_int(pipe(pipes), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_child(fd, pipes[1], fault, at, slow);
	close(pipes[1]);
	waitpid(pid, &status, 0);
	look(fd, heads, found);
	while (read(pipes[0], &number, 1) == 1) {
		++*acknowledged;
		if (!found[number])
			fail_msg("%s at call %u: message %u was acknowledged and is lost", fault_name[fault], at,
				number);
	}
	close(pipes[0]);
	for (unsigned i = 0; i < SEGMENTS; i++)
		close(fd[i]);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 9 && WEXITSTATUS(status) != 0))
		fail_msg("%s at call %u: the writer ended with status %d", fault_name[fault], at, status);
	return fault <= POWER_CUT ? WEXITSTATUS(status) == 9 : at < 60;
}

static void each_call(bool slow)
{
	for (unsigned fault = 0; fault < FAULTS; fault++) {
		unsigned at = 0, acknowledged = 0;

		while (at < 200 && run_one((enum fault)fault, at, slow, &acknowledged))
			at++;
		print_message("%s: %u calls, %u messages acknowledged\n", fault_name[fault], at, acknowledged);
		check(at > 15 && at < 200 && acknowledged > 50);
	}
}

/* Flushed in the loop. */
static void test_each_call_of_a_quick_disk(void **state)
{
	(void)state;
	each_call(false);
}

/* Flushed by the thread. */
static void test_each_call_of_a_slow_disk(void **state)
{
	(void)state;
	each_call(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_of_a_quick_disk),
		cmocka_unit_test(test_each_call_of_a_slow_disk),
	};

	return test_run(tests);
}
