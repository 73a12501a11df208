#include "base/jail_impl.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* <linux/prctl.h> of Debian 12 is older. */
enum { SET_MDWE = 65, MDWE_REFUSE_EXEC_GAIN = 1 };
/* <linux/securebits.h>: a uid 0 gains nothing by exec, no ambient capability is raised; both for good. */
enum { SECURE_BITS = 1 << 0 | 1 << 1 | 1 << 6 | 1 << 7 };

#define CAP(name) (UINT64_C(1) << CAP_##name)
/* deliver: a mailbox's owner is taken by its child (uid, gid, groups), which may take too long (kill). */
static const uint64_t deliver_caps = CAP(SETUID) | CAP(SETGID) | CAP(DAC_READ_SEARCH) | CAP(KILL);
/* authpam: as deliver's, and what modules do to files of others; libpam's audit record. */
static const uint64_t authpam_caps = CAP(SETUID) | CAP(SETGID) | CAP(DAC_READ_SEARCH) | CAP(KILL) | CAP(CHOWN) |
				     CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(AUDIT_WRITE);
static const struct {
	uint64_t bit;
	const char *name;
} cap_names[] = { { CAP(SETUID), "setuid" }, { CAP(SETGID), "setgid" }, { CAP(DAC_READ_SEARCH), "dac_read_search" },
	{ CAP(KILL), "kill" }, { CAP(CHOWN), "chown" }, { CAP(DAC_OVERRIDE), "dac_override" },
	{ CAP(FOWNER), "fowner" }, { CAP(AUDIT_WRITE), "audit_write" } };

static struct {
	char text[256];
	size_t n;
} in_force;

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(in_force.text + in_force.n, sizeof in_force.text - in_force.n, fmt, ap);
	va_end(ap);
	in_force.n += n > 0 ? (size_t)n : 0;
	require(in_force.n < sizeof in_force.text);
}

static void add(const char *layer)
{
	say("%s%s", in_force.n > 0 ? ", " : "", layer);
}

/* Threads that are there already would stay outside: Landlock and capabilities are a thread's own. */
static void require_one_thread(void)
{
	struct stat st;

	/* The links of a directory count its sub-directories. */
	if (stat("/proc/self/task", &st) == 0 && st.st_nlink > 3)
		panic("%d threads enter the jail", (int)st.st_nlink - 2);
}

/* What an exec could bring back, and securebits. Needs CAP_SETPCAP, which a container may have taken: then there is less. */
static void empty_sets(void)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_SECUREBITS, SECURE_BITS, 0, 0, 0);
}

static void keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 }, now[2] = { 0 };

	/* Not more than there is. */
	if (syscall(SYS_capget, &header, now) != 0)
		fatal("cannot read the capabilities: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		data[i].permitted = data[i].effective = now[i].permitted & (uint32_t)(keep >> (32 * i));
	if (syscall(SYS_capset, &header, data) != 0)
		fatal("cannot give up capabilities: %s", strerror(errno));
}

static void take_uid(const struct jail *j, bool keep_caps)
{
	if (keep_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		fatal("cannot keep a capability: %s", strerror(errno));
	if (setgroups(1, &j->gid) != 0 || setresgid(j->gid, j->gid, j->gid) != 0 ||
		setresuid(j->uid, j->uid, j->uid) != 0)
		fatal("cannot become uid %d, gid %d: %s", (int)j->uid, (int)j->gid, strerror(errno));
}

/* Returns the capabilities that stay. */
static uint64_t drop_root(const struct jail *j, bool reads_all)
{
	uint64_t keep = j->role == JAIL_DELIVER	  ? deliver_caps
			: j->role == JAIL_AUTHPAM ? authpam_caps
			: reads_all		  ? CAP(DAC_READ_SEARCH)
						  : 0;
	bool keeps_uid = j->role == JAIL_DELIVER || j->role == JAIL_AUTHPAM;

	if (j->chroot_dir && (chroot(j->chroot_dir) != 0 || chdir("/") != 0))
		fatal("cannot chroot to %s: %s", j->chroot_dir, strerror(errno));
	if (j->chroot_dir)
		add("chroot");
	empty_sets();
	if (!keeps_uid) {
		take_uid(j, keep != 0);
		add("uid");
	}
	keep_capabilities(keep);
	if (!keeps_uid && setuid(0) == 0)
		panic("root came back after it was given up");
	add("capabilities");
	return keep;
}

static void set_limits(void)
{
	static const struct rlimit none = { 0, 0 };
	struct rlimit files;

	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_MEMLOCK, &none);
	setrlimit(RLIMIT_MSGQUEUE, &none);
	setrlimit(RLIMIT_NICE, &none);
	setrlimit(RLIMIT_RTPRIO, &none);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_max = files.rlim_cur;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	add("rlimits");
}

static void enter_seccomp(enum jail_role role)
{
	unsigned calls;
	scmp_filter_ctx ctx = jail_filter(role, SCMP_ARCH_NATIVE, &calls);
	bool done;

	if (ctx == NULL) {
		log_warn("%s: libseccomp cannot make its filter; going on without", jail_role_name(role));
		return;
	}
	jail_trap_install(jail_role_name(role));
	done = seccomp_load(ctx) == 0;
	seccomp_release(ctx);
	if (!done) {
		log_warn("%s: the kernel takes no seccomp filter; going on without", jail_role_name(role));
		return;
	}
	add("seccomp");
	say(" (%u calls)", calls);
}

static void tell_kept(uint64_t kept)
{
	if (kept)
		say("; keeps%s", geteuid() == 0 ? " uid 0" : "");
	for (size_t i = 0; i < sizeof cap_names / sizeof *cap_names; i++)
		if (kept & cap_names[i].bit)
			say(" %s", cap_names[i].name);
}

const char *jail_enter(const struct jail *j)
{
	uint64_t kept = 0;
	long abi;

	in_force.n = 0;
	require_one_thread();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fatal("cannot set no_new_privs: %s", strerror(errno));
	/* Opened by path, so before the chroot; restrict_self needs no_new_privs only. */
	abi = jail_landlock_enter(j);
	if (abi == 0)
		log_warn("%s: the kernel has no Landlock; going on without", jail_role_name(j->role));
	if (j->root)
		kept = drop_root(j, j->reads_all && abi > 0);
	add("no_new_privs");
	if (abi > 0) {
		add("landlock");
		say(" %ld (%s)", abi, jail_landlock_text(j, abi));
	}
	set_limits();
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
		add("dumpable");
	/* A process that hands back root keeps the signal of its parent's end. */
	prctl(PR_SET_PDEATHSIG, 15, 0, 0, 0);
	if (prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0)
		add("mdwe");
	enter_seccomp(j->role);
	tell_kept(kept);
	return in_force.text;
}
