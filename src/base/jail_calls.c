/*
 * The system calls of each role: sets by purpose, and which role has which set. Found by running all tests with a filter
 * that only logs, and by reading what glibc 2.36, libuv 1.44, OpenSSL 3, libunbound 1.17, SQLite and LMDB may call (Debian 12).
 * The names cover x86_64 and aarch64; one that a machine does not have is left out there by libseccomp.
 */
#include "base/jail_impl.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum set {
	HAS_NET = 1,	   /* TCP and UDP */
	HAS_UNIX = 2,	   /* stream sockets of UNIX */
	HAS_READ = 4,	   /* files by name */
	HAS_WRITE = 8,	   /* … and to change them; with it comes HAS_READ */
	HAS_CHILDREN = 16, /* fork, change the uid, end what was forked */
	HAS_EXEC = 32	   /* run programs: they get no handler for a refused call, which only fails then */
};
static const struct {
	const char *name;
	unsigned sets;
} roles[JAIL_ROLES] = {
	[JAIL_SMTPD] = { "smtpd", HAS_NET | HAS_UNIX },
	[JAIL_AUTHD] = { "authd", HAS_READ | HAS_WRITE },
	[JAIL_AUTHD_NET] = { "authd", HAS_NET | HAS_UNIX | HAS_READ | HAS_WRITE },
	[JAIL_MAPD] = { "mapd", HAS_UNIX | HAS_READ },
	[JAIL_MAPD_NET] = { "mapd", HAS_NET | HAS_UNIX | HAS_READ },
	[JAIL_QUEUED] = { "queued", HAS_READ | HAS_WRITE },
	[JAIL_RELAY] = { "relay", HAS_NET },
	[JAIL_FETCHD] = { "fetchd", HAS_NET },
	[JAIL_DELIVER] = { "deliver", HAS_UNIX | HAS_READ | HAS_WRITE | HAS_CHILDREN },
	[JAIL_LMTP] = { "lmtp", HAS_NET | HAS_UNIX | HAS_READ },
	[JAIL_NAMES] = { "names", HAS_UNIX | HAS_READ },
	[JAIL_PICKUP] = { "pickup", HAS_UNIX },
	[JAIL_KEYD] = { "keyd", 0 },
	[JAIL_DELIVER_ALONE] = { "deliver", HAS_NET | HAS_UNIX | HAS_READ | HAS_WRITE | HAS_CHILDREN },
	[JAIL_AUTHPAM] = { "authpam", HAS_NET | HAS_UNIX | HAS_READ | HAS_WRITE | HAS_CHILDREN | HAS_EXEC },
};

/* What every process does with what is open already, with its memory, its threads, the time and itself. */
static const int base_calls[] = { SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv),
	SCMP_SYS(preadv2), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2),
	SCMP_SYS(sendfile), SCMP_SYS(splice), SCMP_SYS(tee), SCMP_SYS(copy_file_range), SCMP_SYS(lseek),
	SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl),
	SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(sync_file_range),
	SCMP_SYS(fallocate), SCMP_SYS(ftruncate), SCMP_SYS(fadvise64), SCMP_SYS(readahead), SCMP_SYS(flock),
	SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_gettime), SCMP_SYS(signalfd4), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
	/* sockets that are open */
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* memory; mmap and mprotect are below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(msync), SCMP_SYS(mincore),
	SCMP_SYS(membarrier),
	/* threads and signals */
	SCMP_SYS(futex), SCMP_SYS(futex_waitv), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(set_tid_address), SCMP_SYS(arch_prctl), SCMP_SYS(gettid), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sched_get_priority_min), SCMP_SYS(sched_get_priority_max), SCMP_SYS(getpriority), SCMP_SYS(getcpu),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend), SCMP_SYS(sigaltstack), SCMP_SYS(pause),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* time, randomness, who am I */
	SCMP_SYS(time), SCMP_SYS(gettimeofday), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getitimer), SCMP_SYS(setitimer), SCMP_SYS(alarm),
	SCMP_SYS(times), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getpgrp), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getresuid), SCMP_SYS(getresgid),
	SCMP_SYS(getgroups), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(capget), SCMP_SYS(uname),
	SCMP_SYS(sysinfo), SCMP_SYS(umask), SCMP_SYS(getcwd) };
static const int stat_calls[] = { SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat) };
static const int read_calls[] = { SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(chdir),
	SCMP_SYS(fchdir), SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch) };
static const int write_calls[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat),
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink),
	SCMP_SYS(symlinkat), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown),
	SCMP_SYS(fchownat), SCMP_SYS(lchown), SCMP_SYS(truncate), SCMP_SYS(utime), SCMP_SYS(utimes),
	SCMP_SYS(utimensat) };
static const int net_calls[] = { SCMP_SYS(bind) };
static const int child_calls[] = { SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(kill),
	SCMP_SYS(tgkill), SCMP_SYS(setgroups), SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setresuid),
	SCMP_SYS(setresgid), SCMP_SYS(setsid) };
/* What PAM's modules and the programs that they run do beside that. */
static const int exec_calls[] = { SCMP_SYS(execve), SCMP_SYS(getpgid), SCMP_SYS(setpgid), SCMP_SYS(getsid),
	SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(getdents),
	SCMP_SYS(getxattr), SCMP_SYS(lgetxattr), SCMP_SYS(fgetxattr) };
/* The sanitizers' own, for a report. None of them is in a release. */
#ifdef ASAN
static const int sanitizer_calls[] = { SCMP_SYS(tgkill), SCMP_SYS(prctl), SCMP_SYS(wait4), SCMP_SYS(getdents64),
	SCMP_SYS(sched_setaffinity), SCMP_SYS(personality) };
static const int sanitizer_tries[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(access) };
#endif
/* Tried by libraries before an older call: they expect to be told that the kernel does not have it. */
static const int newer_calls[] = { SCMP_SYS(clone3), SCMP_SYS(io_uring_setup), SCMP_SYS(pidfd_open) };
static const int newer_read_calls[] = { SCMP_SYS(faccessat2), SCMP_SYS(statx) };

enum { CALLS_MAX = 1024 };
struct building {
	scmp_filter_ctx ctx;
	bool allowed[CALLS_MAX];
	bool failed;
};

/* -EDOM: this machine has no such call. */
static void note(struct building *b, int call, int rc)
{
	if (rc == 0 && call >= 0 && call < CALLS_MAX)
		b->allowed[call] = true;
	else if (rc != 0 && rc != -EDOM)
		b->failed = true;
}

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ALLOW_IF(b, name, ...) \
	note(b, SCMP_SYS(name), seccomp_rule_add((b)->ctx, SCMP_ACT_ALLOW, SCMP_SYS(name), 1, __VA_ARGS__))
#define ALLOW_IF_BOTH(b, name, x, y) \
	note(b, SCMP_SYS(name), seccomp_rule_add((b)->ctx, SCMP_ACT_ALLOW, SCMP_SYS(name), 2, x, y))
#define BITS(arg, mask, value) ((struct scmp_arg_cmp){ arg, SCMP_CMP_MASKED_EQ, (uint64_t)(mask), (uint64_t)(value) })
/* An int: what its register holds above 32 bits is nobody's. */
#define IS(arg, value) BITS(arg, UINT32_MAX, value)

static void allow(struct building *b, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		note(b, calls[i], seccomp_rule_add(b->ctx, SCMP_ACT_ALLOW, calls[i], 0));
}

/* These fail without a word in the log. */
static void fail_quietly(struct building *b, int error, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		note(b, -1, seccomp_rule_add(b->ctx, SCMP_ACT_ERRNO((uint32_t)error), calls[i], 0));
}

/* Memory that is written to is never executed. A shared library may be loaded by who may read files. */
static void memory_rules(struct building *b, unsigned sets)
{
	ALLOW_IF(b, mmap, BITS(2, PROT_EXEC, 0));
	if (sets & HAS_READ)
		ALLOW_IF_BOTH(b, mmap, BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC), BITS(3, MAP_ANONYMOUS, 0));
	ALLOW_IF(b, mprotect, BITS(2, PROT_EXEC, 0));
}

static void socket_rules(struct building *b, unsigned sets)
{
	enum { TYPE = 15 };

	ALLOW_IF_BOTH(b, socket, IS(0, AF_UNIX), BITS(1, TYPE, SOCK_DGRAM)); /* syslog */
	ALLOW_IF(b, socketpair, IS(0, AF_UNIX));
	if (sets & HAS_UNIX)
		ALLOW_IF_BOTH(b, socket, IS(0, AF_UNIX), BITS(1, TYPE, SOCK_STREAM));
	if (!(sets & HAS_NET))
		return;
	ALLOW_IF_BOTH(b, socket, IS(0, AF_INET), BITS(1, TYPE, SOCK_STREAM));
	ALLOW_IF_BOTH(b, socket, IS(0, AF_INET), BITS(1, TYPE, SOCK_DGRAM));
	ALLOW_IF_BOTH(b, socket, IS(0, AF_INET6), BITS(1, TYPE, SOCK_STREAM));
	ALLOW_IF_BOTH(b, socket, IS(0, AF_INET6), BITS(1, TYPE, SOCK_DGRAM));
	ALLOW_IF_BOTH(b, socket, IS(0, AF_NETLINK), IS(2, 0)); /* getaddrinfo() looks which families there are */
	allow(b, net_calls, COUNT(net_calls));
}

static void exec_rules(struct building *b, unsigned sets)
{
	enum { TYPE = 15, AUDIT = 9 /* NETLINK_AUDIT */ };

	if (!(sets & HAS_EXEC))
		return;
	allow(b, exec_calls, COUNT(exec_calls));
	/* libpam writes an audit record, and fails a login when it may not ask whether there is an audit. */
	note(b, SCMP_SYS(socket),
		seccomp_rule_add(b->ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3, IS(0, AF_NETLINK),
			BITS(1, TYPE, SOCK_RAW), IS(2, AUDIT)));
}

static void file_rules(struct building *b, unsigned sets)
{
	const int open_to_write = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

	if (sets & HAS_READ)
		allow(b, read_calls, COUNT(read_calls));
	if (sets & (HAS_READ | HAS_UNIX)) /* is the socket there? */
		allow(b, stat_calls, COUNT(stat_calls));
	else /* as fstat() is written since glibc 2.33 */
		ALLOW_IF(b, newfstatat, BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
	if (sets & HAS_WRITE) {
		allow(b, write_calls, COUNT(write_calls));
	} else if (sets & HAS_READ) {
		ALLOW_IF(b, open, BITS(1, open_to_write, 0));
		ALLOW_IF(b, openat, BITS(2, open_to_write, 0));
	}
}

static void process_rules(struct building *b, unsigned sets)
{
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
				    CLONE_NEWPID | CLONE_NEWNET,
		       thread = CLONE_VM | CLONE_THREAD;

	ALLOW_IF_BOTH(b, prlimit64, IS(0, 0), BITS(2, UINT64_MAX, 0)); /* to ask */
	ALLOW_IF(b, prctl, IS(0, PR_SET_NAME));
	ALLOW_IF(b, prctl, IS(0, PR_GET_NAME));
	ALLOW_IF(b, sched_setattr, IS(0, 0)); /* a thread makes itself nicer; or, where a sandbox refuses that: */
	ALLOW_IF_BOTH(b, setpriority, IS(0, PRIO_PROCESS), IS(1, 0));
	ALLOW_IF(b, prctl, IS(0, 0x53564d41)); /* PR_SET_VMA: malloc names its memory */
	if (sets & HAS_CHILDREN) {
		ALLOW_IF(b, clone, BITS(0, namespaces, 0));
		ALLOW_IF(b, prctl, IS(0, PR_SET_PDEATHSIG));
		allow(b, child_calls, COUNT(child_calls));
		return;
	}
	ALLOW_IF(b, clone, BITS(0, namespaces | thread, thread));
	ALLOW_IF(b, tgkill, IS(0, getpid())); /* abort() */
}

static void ioctl_rules(struct building *b)
{
	static const unsigned wanted[] = { FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TIOCOUTQ, TCGETS };

	for (size_t i = 0; i < COUNT(wanted); i++)
		ALLOW_IF(b, ioctl, IS(1, wanted[i]));
}

static void build(struct building *b, unsigned sets)
{
	allow(b, base_calls, COUNT(base_calls));
	memory_rules(b, sets);
	socket_rules(b, sets);
	file_rules(b, sets);
	process_rules(b, sets);
	ioctl_rules(b);
	exec_rules(b, sets);
#ifdef ASAN
	allow(b, sanitizer_calls, COUNT(sanitizer_calls));
	if (!(sets & HAS_READ))
		fail_quietly(b, EPERM, sanitizer_tries, COUNT(sanitizer_tries));
#endif
	fail_quietly(b, ENOSYS, newer_calls, COUNT(newer_calls));
	if (!(sets & HAS_READ))
		fail_quietly(b, ENOSYS, newer_read_calls, COUNT(newer_read_calls));
}

scmp_filter_ctx jail_filter(enum jail_role role, uint32_t arch, unsigned *calls)
{
	bool traps = JAIL_TRAPS && !(roles[role].sets & HAS_EXEC);
	struct building b = { .ctx = seccomp_init(traps ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM)) };

	if (b.ctx == NULL)
		return NULL;
	if (arch != SCMP_ARCH_NATIVE &&
		(seccomp_arch_add(b.ctx, arch) != 0 || seccomp_arch_remove(b.ctx, seccomp_arch_native()) != 0))
		b.failed = true;
	/* Another instruction set than ours has no use but to get around the filter. */
	seccomp_attr_set(b.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(b.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary search */
	build(&b, roles[role].sets);
	*calls = 0;
	for (size_t i = 0; i < CALLS_MAX; i++)
		*calls += b.allowed[i];
	if (b.failed)
		seccomp_release(b.ctx);
	return b.failed ? NULL : b.ctx;
}

const char *jail_role_name(enum jail_role role)
{
	return roles[role].name;
}

bool jail_role_has_net(enum jail_role role)
{
	return roles[role].sets & HAS_NET;
}

bool jail_role_has_files(enum jail_role role)
{
	return roles[role].sets & HAS_READ;
}
