#include "base/jail.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What each role has no use for. A call that is refused fails with EPERM, so that it shows in the log of its caller. */
enum { NO_FILES = 1, NO_EXEC = 2, NO_FORK = 4, NO_INET = 8, NO_SOCKETS = 16 };
static const struct {
	const char *name;
	unsigned refuse;
} roles[] = {
	[JAIL_SMTPD] = { "smtpd", NO_FILES | NO_EXEC | NO_FORK },
	[JAIL_AUTHD] = { "authd", NO_EXEC | NO_FORK },
	[JAIL_MAPD] = { "mapd", NO_EXEC | NO_FORK },
	[JAIL_QUEUED] = { "queued", NO_EXEC | NO_FORK | NO_INET },
	[JAIL_RELAY] = { "relay", NO_FILES | NO_EXEC | NO_FORK },
	[JAIL_DELIVER] = { "deliver", 0 }, /* forks a child per delivery that takes the recipient's uid */
};

static const int always_refused[] = { SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(io_uring_setup), SCMP_SYS(bpf), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(init_module),
	SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(perf_event_open), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(acct), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(personality) };
static const int file_calls[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(chmod),
	SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(lchown),
	SCMP_SYS(truncate), SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(chroot) };
static const int exec_calls[] = { SCMP_SYS(execve), SCMP_SYS(execveat) };
static const int fork_calls[] = { SCMP_SYS(fork), SCMP_SYS(vfork) };

static void refuse(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
}

static bool enter_seccomp(enum jail_role role)
{
	unsigned what = roles[role].refuse;
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	bool done;

	if (ctx == NULL)
		return false;
	refuse(ctx, always_refused, sizeof always_refused / sizeof *always_refused);
	if (what & NO_FILES)
		refuse(ctx, file_calls, sizeof file_calls / sizeof *file_calls);
	if (what & NO_EXEC)
		refuse(ctx, exec_calls, sizeof exec_calls / sizeof *exec_calls);
	if (what & NO_FORK) {
		refuse(ctx, fork_calls, sizeof fork_calls / sizeof *fork_calls);
		/* clone() without CLONE_VM is a fork; threads have it. */
		seccomp_rule_add(
			ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, 0x00000100, 0));
	}
	if (what & NO_INET) {
		seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET, 0));
		seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0));
	}
	seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_PACKET, 0));
	done = seccomp_load(ctx) == 0;
	seccomp_release(ctx);
	return done;
}

static const uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t write_rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
				     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK;
static const uint64_t other_rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK;

static void landlock_allow(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return; /* what is not there need not be allowed */
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
		/* A plain file takes no directory rights. */
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	close(fd);
}

static bool enter_landlock(enum jail_role role, const char *const *readable, const char *const *writable)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = read_rights | write_rights | other_rights };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t refer = abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
	int ruleset;
	bool done;

	/* Before version 2 nothing under Landlock can be renamed from tmp/ to new/: no Maildir. */
	if (abi < 1 || (role == JAIL_DELIVER && abi < 2))
		return false;
	attr.handled_access_fs |= refer;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return false;
	for (size_t i = 0; readable && readable[i]; i++)
		landlock_allow(ruleset, readable[i], read_rights);
	for (size_t i = 0; writable && writable[i]; i++)
		landlock_allow(ruleset, writable[i], read_rights | write_rights | refer);
	done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	close(ruleset);
	return done;
}

/* All capabilities but that of reading files; the uid has changed already. */
static void keep_reading_only(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	data[0].permitted = data[0].effective = 1U << CAP_DAC_READ_SEARCH;
	if (syscall(SYS_capset, &header, data) != 0)
		fatal("cannot give up the capabilities of root: %s", strerror(errno));
}

static void drop_root(const struct jail *j, bool reads_all)
{
	if (j->chroot_dir && (chroot(j->chroot_dir) != 0 || chdir("/") != 0))
		fatal("cannot chroot to %s: %s", j->chroot_dir, strerror(errno));
	if (j->role == JAIL_DELIVER)
		return; /* each delivery takes its recipient's uid */
	if (reads_all && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		fatal("cannot keep a capability: %s", strerror(errno));
	if (setgroups(1, &j->gid) != 0 || setresgid(j->gid, j->gid, j->gid) != 0 ||
		setresuid(j->uid, j->uid, j->uid) != 0)
		fatal("cannot become uid %d, gid %d: %s", (int)j->uid, (int)j->gid, strerror(errno));
	if (reads_all)
		keep_reading_only();
	if (setuid(0) == 0)
		panic("root came back after it was given up");
}

const char *jail_enter(const struct jail *j)
{
	static char in_force[128];
	bool landlock = false, seccomp;
	struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fatal("cannot set no_new_privs: %s", strerror(errno));
	/* Opened by path, so before the chroot; restrict_self needs no_new_privs only. */
	if (j->readable || j->writable)
		landlock = enter_landlock(j->role, j->readable, j->writable);
	if (j->root)
		drop_root(j, j->reads_all && landlock);
	setrlimit(RLIMIT_CORE, &none);
	if (j->role != JAIL_DELIVER)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* A process that hands back root keeps the signal of its parent's end. */
	prctl(PR_SET_PDEATHSIG, 15, 0, 0, 0);
	seccomp = enter_seccomp(j->role);
	if (!seccomp)
		log_warn("%s: the kernel takes no seccomp filter; going on without", roles[j->role].name);
	if ((j->readable || j->writable) && !landlock)
		log_warn("%s: the kernel has no Landlock; going on without", roles[j->role].name);
	snprintf(in_force, sizeof in_force, "no_new_privs%s%s%s%s%s", j->root && j->chroot_dir ? ", chroot" : "",
		j->root && j->role != JAIL_DELIVER ? ", uid" : "", landlock ? ", landlock" : "",
		seccomp ? ", seccomp" : "", j->root && j->reads_all && landlock ? "; may read all tables" : "");
	return in_force;
}
