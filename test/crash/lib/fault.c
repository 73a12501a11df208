/*
 * fault.c - loaded before smtpd or queued (LD_PRELOAD): counts what they do to the log and, at the n-th time, ends the
 * process or makes the call fail; records all of it for the replay of power cuts; tells how much space is free.
 *
 * FAULT_DIR/state, shared by all processes and the test (eight octets each, little-endian):
 *   0 clock, one step for each event   1 whose n-th call: 1 smtpd, 2 queued   2 what happens: enum action
 *   3 n (from 0)   4, 5 calls so far of smtpd, queued   6 how often it happened   7 record   8 free octets, 0: as it is
 *   9 while set, queued cannot read a segment
 * FAULT_DIR/journal.PID, a record for each event: u64 clock, u32 kind, u32 octets, u64 inode, u64 offset, u64 begun, data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CLOCK, WHOSE, ACTION, AT, CALLS, FIRED = 6, RECORD, FREE_SPACE, READS_FAIL, FIELDS };
enum action { NOTHING, KILL_BEFORE, KILL_AFTER, KILL_HALFWAY, FAIL_EIO, FAIL_ENOSPC, FAIL_EINTR, SHORT };
enum kind { WROTE = 1, WROTE_FLUSHED, FLUSHED, CREATED, REMOVED, ANSWERED, ZEROS, FAILED };

static uint64_t *state;
static uint64_t role;
static int journal = -1;

__attribute__((constructor)) static void begin(void)
{
	const char *dir = getenv("FAULT_DIR"), *name = getenv("FAULT_ROLE");
	char path[4096];
	int fd;

	if (dir == NULL || name == NULL)
		return;
	role = strcmp(name, "smtpd") == 0 ? 1 : 2;
	snprintf(path, sizeof path, "%s/state", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	state = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (state == MAP_FAILED)
		state = NULL;
	snprintf(path, sizeof path, "%s/journal.%d", dir, (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	journal = fcntl(fd, F_DUPFD_CLOEXEC, 200);
	close(fd);
	unsetenv("LD_PRELOAD");
}

static uint64_t tick(void)
{
	return __atomic_add_fetch(&state[CLOCK], 1, __ATOMIC_SEQ_CST);
}

static void note(enum kind kind, int fd, uint64_t offset, uint64_t begun, const void *p, size_t n)
{
	struct {
		uint64_t clock;
		uint32_t kind, octets;
		uint64_t inode, offset, begun;
	} head = { .kind = kind, .octets = (uint32_t)n, .offset = offset, .begun = begun };
	struct stat st;
	struct iovec iov[2] = { { &head, sizeof head }, { (void *)(uintptr_t)p, kind == ZEROS ? 0 : n } };

	if (state == NULL || !state[RECORD])
		return;
	if (fd >= 0 && fstat(fd, &st) == 0)
		head.inode = st.st_ino;
	head.clock = tick();
	if (syscall(SYS_writev, journal, iov, 2) < 0)
		_exit(99);
}

/* What is to happen at this call. */
static enum action now(void)
{
	uint64_t n;

	if (state == NULL)
		return NOTHING;
	n = __atomic_fetch_add(&state[CALLS + role - 1], 1, __ATOMIC_SEQ_CST);
	if (state[WHOSE] != role || state[ACTION] == NOTHING || n != state[AT])
		return NOTHING;
	state[FIRED]++;
	return (enum action)state[ACTION];
}

static void end_process(void)
{
	syscall(SYS_exit_group, 9);
}

/* Before the call: true when it fails instead. */
static int fails(enum action a, int fd)
{
	if (a == KILL_BEFORE)
		end_process();
	if (a != FAIL_EIO && a != FAIL_ENOSPC && a != FAIL_EINTR)
		return 0;
	note(FAILED, fd, 0, 0, NULL, 0);
	errno = a == FAIL_EIO ? EIO : a == FAIL_ENOSPC ? ENOSPC : EINTR;
	return 1;
}

static int done(enum action a, int r)
{
	if (a == KILL_AFTER || a == KILL_HALFWAY)
		end_process();
	return r;
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	static const char zeros[1 << 20];
	enum action a = now();
	struct iovec part = iov[0];
	int is_zeros;
	ssize_t r;

	if (fails(a, fd))
		return -1;
	if ((a == SHORT || a == KILL_HALFWAY) && part.iov_len > 1)
		part.iov_len /= 2;
	(void)n; /* always one */
	r = syscall(SYS_pwritev2, fd, &part, 1UL, (unsigned long)at, 0UL, flags);
	if (r > 0) {
		is_zeros = (size_t)r == sizeof zeros && memcmp(part.iov_base, zeros, sizeof zeros) == 0;
		note(is_zeros		      ? ZEROS
			: (flags & RWF_DSYNC) ? WROTE_FLUSHED
					      : WROTE,
			fd, (uint64_t)at, 0, part.iov_base, (size_t)r);
	}
	return done(a, 0) == 0 ? r : -1;
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	if (state && state[READS_FAIL] && role == 2) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off_t at)
{
	return pread(fd, p, n, at);
}

static int flush_file(int fd, long number)
{
	enum action a = now();
	uint64_t begun;
	int r;

	if (fails(a, fd))
		return -1;
	begun = state && state[RECORD] ? tick() : 0;
	r = (int)syscall(number, fd);
	if (r == 0)
		note(FLUSHED, fd, 0, begun, NULL, 0);
	return done(a, r);
}

int fdatasync(int fd)
{
	return flush_file(fd, SYS_fdatasync);
}

int fsync(int fd)
{
	return flush_file(fd, SYS_fsync);
}

int openat(int dir, const char *name, int flags, ...)
{
	size_t n = strlen(name);
	enum action a;
	va_list ap;
	mode_t mode;
	int fd;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (!(flags & O_CREAT) || n < 4 || strcmp(name + n - 4, ".seg") != 0)
		return (int)syscall(SYS_openat, dir, name, flags, mode);
	a = now();
	if (fails(a, -1))
		return -1;
	fd = (int)syscall(SYS_openat, dir, name, flags, mode);
	if (fd >= 0)
		note(CREATED, fd, 0, 0, name, n);
	return done(a, fd);
}

int unlinkat(int dir, const char *name, int flags)
{
	enum action a = now();
	int r;

	if (fails(a, -1))
		return -1;
	r = (int)syscall(SYS_unlinkat, dir, name, flags);
	if (r == 0)
		note(REMOVED, -1, 0, 0, name, strlen(name));
	return done(a, r);
}

int fstatvfs(int fd, struct statvfs *fs)
{
	int (*real)(int, struct statvfs *) = (int (*)(int, struct statvfs *))dlsym(RTLD_NEXT, "fstatvfs");
	int r = real(fd, fs);

	if (r == 0 && state && state[FREE_SPACE])
		fs->f_bavail = state[FREE_SPACE] / fs->f_frsize;
	return r;
}

/* A 250 counts from the moment before it leaves. */
ssize_t send(int fd, const void *p, size_t n, int flags)
{
	if (memmem(p, n, "queued as ", 10))
		note(ANSWERED, -1, 0, 0, p, n);
	return syscall(SYS_sendto, fd, p, n, flags, NULL, 0UL);
}
