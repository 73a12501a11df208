/*
 * jail.h - what a process gives up before it reads its first foreign octet. One call per process, after it has opened
 * all that it needs: descriptors, configuration, keys.
 */
#ifndef BASE_JAIL_H
#define BASE_JAIL_H

#include <stdbool.h>
#include <sys/types.h>

enum jail_role { JAIL_SMTPD, JAIL_AUTHD, JAIL_MAPD, JAIL_QUEUED, JAIL_RELAY, JAIL_DELIVER };

struct jail {
	enum jail_role role;
	bool root; /* started by root: chroot and take the uid; else these two steps are left out */
	uid_t uid;
	gid_t gid;
	const char *chroot_dir; /* NULL: none */
	/* Landlock: NULL-ended lists of paths below which files may be read, or read and written. Both NULL: no Landlock. */
	const char *const *readable;
	const char *const *writable;
	/*
	 * Keep the right to read, below `readable`, what the account may not (CAP_DAC_READ_SEARCH). Where Landlock does
	 * not bound it, it is given up as all others are.
	 */
	bool reads_all;
};

/*
 * Enter it: chroot, groups, gid, uid, no_new_privs, Landlock (where the kernel has it), seccomp by role, no core dump.
 * Every step that fails is fatal, but Landlock and seccomp, which an old kernel may lack: they are left out with one
 * warning. Returns a static text of what is in force, for `gatepost status`: "no_new_privs, chroot, uid,
 * landlock, seccomp"; reads_all adds "; may read all tables".
 */
const char *jail_enter(const struct jail *j);

#endif
