/* jail_impl.h - the layers of the jail that have a file of their own; only jail*.c include it. */
#ifndef BASE_JAIL_IMPL_H
#define BASE_JAIL_IMPL_H

#include "base/jail.h"
#include <seccomp.h>

/* Does the filter trap a refused call, so that it can be named? It needs to know the registers. Else it just fails. */
#if defined __x86_64__ || defined __aarch64__
enum { JAIL_TRAPS = 1 };
#else
enum { JAIL_TRAPS = 0 };
#endif

/* ---- jail_calls.c ---- */

const char *jail_role_name(enum jail_role role);
/* Has that role a network, and may it read or write files by their names? */
bool jail_role_has_net(enum jail_role role);
bool jail_role_has_files(enum jail_role role);
/*
 * The filter of a role, not loaded: for `arch` (SCMP_ARCH_NATIVE, SCMP_ARCH_AARCH64 …). The caller releases it
 * (seccomp_release). *calls: how many system calls it allows. NULL: libseccomp cannot.
 */
scmp_filter_ctx jail_filter(enum jail_role role, uint32_t arch, unsigned *calls);

/* ---- jail_trap.c ---- */

/* Handle SIGSYS: the call returns EPERM and is remembered for jail_tell(). Before the filter is loaded. */
void jail_trap_install(const char *role);

/* ---- jail_landlock.c ---- */

/* What a Landlock of that ABI is asked for; the shape of the kernel's struct landlock_ruleset_attr, whole. */
struct landlock_wish {
	uint64_t files, net, scopes;
};
struct landlock_wish jail_landlock_wish(const struct jail *j, long abi);
/* Enter it. Returns the ABI, or 0: the kernel has none (or, for Maildirs, too old a one). */
long jail_landlock_enter(const struct jail *j);
/* "files tcp devices signals sockets" */
const char *jail_landlock_text(const struct jail *j, long abi);

#endif
