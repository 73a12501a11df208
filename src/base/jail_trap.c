/* What becomes of a system call outside the list: it returns EPERM, and jail_tell() says which it was. */
#include "base/jail_impl.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { CALLS_MAX = 512, WORDS = CALLS_MAX / 64 };

static struct {
	const char *role;
	bool known[CALLS_MAX]; /* libseccomp has a name for it */
	_Atomic uint64_t refused[WORDS], told[WORDS];
	_Atomic bool news;
} trap;

static void set_result(ucontext_t *context, long value)
{
#if defined __x86_64__
	context->uc_mcontext.gregs[REG_RAX] = value;
#elif defined __aarch64__
	context->uc_mcontext.regs[0] = (unsigned long long)value;
#else
	(void)context;
	(void)value;
#endif
}

/* In the thread that made the call, at any place: it may only note it down. */
static void on_sigsys(int signum, siginfo_t *info, void *context)
{
	unsigned call = (unsigned)info->si_syscall;

	(void)signum;
	if (info->si_code != 1) /* SYS_SECCOMP; else somebody sent it */
		return;
	if (call >= CALLS_MAX || !trap.known[call]) {
		/* Newer than the list: as on a kernel that does not have it, so that its caller tries an older one. */
		set_result(context, -ENOSYS);
		return;
	}
	set_result(context, -EPERM);
	atomic_fetch_or(&trap.refused[call / 64], UINT64_C(1) << call % 64);
	atomic_store(&trap.news, true);
}

void jail_trap_install(const char *role)
{
	struct sigaction act = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER };

	trap.role = role;
	for (int i = 0; i < CALLS_MAX; i++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);

		trap.known[i] = name != NULL;
		free(name);
	}
	if (sigaction(SIGSYS, &act, NULL) != 0)
		fatal("cannot handle SIGSYS: %s", strerror(errno));
}

static void tell_one(int call)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);

	log_error("%s made the system call %s, which its jail does not allow: refused", trap.role, name ? name : "?");
	free(name);
}

void jail_tell(void)
{
	if (!atomic_load_explicit(&trap.news, memory_order_relaxed) || !atomic_exchange(&trap.news, false))
		return;
	for (int i = 0; i < WORDS; i++) {
		uint64_t refused = atomic_load(&trap.refused[i]),
			 fresh = refused & ~atomic_exchange(&trap.told[i], refused);

		for (int bit = 0; bit < 64; bit++)
			if (fresh >> bit & 1)
				tell_one(i * 64 + bit);
	}
}
