/*
 * jail.h - what a process gives up before it reads its first foreign octet. One call per process, after it has opened
 * all that it needs (descriptors, configuration, keys), and before it has a second thread.
 *
 * Every step is a layer of its own, so that none has to be perfect:
 *
 *	chroot, uid	where master is root: nothing below / but its folder, an account of its own
 *	capabilities	all but those that the role is for (JAIL_DELIVER); the bounding and ambient sets empty
 *	no_new_privs	no set-uid program helps
 *	Landlock	only the named files; by the kernel's ABI also: no truncation (3), no TCP but to the named ports (4),
 *			no ioctl of devices (5), no signal to others and no abstract socket of others (6)
 *	seccomp		only the system calls of the role (jail_calls.c)
 *	MDWE		no memory becomes executable (Linux 6.3; seccomp refuses the same on older kernels)
 *	rlimits		no core dump, no locked memory, no message queues, no priority, no more descriptors than now
 *	dumpable off	nobody but root may look into it; its /proc entries are root's
 *
 * A call outside the list fails with EPERM and is told in the log by its name, once per process (jail_tell()). It does not
 * kill: a library that asks for something new would end all sessions of the process again and again, and an attacker gains
 * nothing from an error. The exception is a thread that blocks all signals (libunbound's): the kernel ends the process
 * with SIGSYS then. Executable memory, and calls that libraries try before an older one, fail without a word.
 */
#ifndef BASE_JAIL_H
#define BASE_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum jail_role {
	JAIL_SMTPD,
	JAIL_AUTHD,
	JAIL_AUTHD_NET, /* with a database behind a socket */
	JAIL_MAPD,
	JAIL_MAPD_NET, /* with tables in a database behind a socket */
	JAIL_QUEUED,
	JAIL_RELAY,
	JAIL_FETCHD,	    /* HTTP for authd */
	JAIL_DELIVER,	    /* keeps root: it forks a child per delivery that takes the recipient's uid */
	JAIL_LMTP,	    /* speaks LMTP for deliver */
	JAIL_NAMES,	    /* looks up users for deliver */
	JAIL_PICKUP,	    /* sends one file of maildrop */
	JAIL_KEYD,	    /* signs with the keys of TLS */
	JAIL_DELIVER_ALONE, /* deliver and LMTP in one, run by an ordinary user */
	JAIL_AUTHPAM,	    /* keeps root: it forks a child per login that does whatever PAM's modules do */
	JAIL_ROLES
};

struct jail {
	enum jail_role role;
	bool root; /* started by root: chroot and take the uid; else these two steps are left out */
	uid_t uid;
	gid_t gid;
	const char *chroot_dir; /* NULL: none */
	/* Landlock: NULL-ended lists of paths below which files may be read, or read and written. NULL: none. */
	const char *const *readable;
	const char *const *writable;
	/* The same: programs below these may be executed, by a role that executes any (JAIL_AUTHPAM). */
	const char *const *runnable;
	/* TCP ports that may be connected to, ended by 0; only of a role that has a network. NULL: all. */
	const uint16_t *connect_ports;
	/*
	 * Keep the right to read, below `readable`, what the account may not (CAP_DAC_READ_SEARCH). Where Landlock does
	 * not bound it, it is given up as all others are.
	 */
	bool reads_all;
};

/*
 * Enter it. Every step that fails is fatal, but for those that an old kernel may lack (Landlock, seccomp, MDWE) or that a
 * container may forbid (the capability sets): they are left out, Landlock and seccomp with a warning. Returns a static text
 * of what is in force, for `gatepost status`:
 *
 *	chroot, uid, capabilities, no_new_privs, landlock 7 (files tcp devices signals sockets), seccomp (98 calls), mdwe,
 *	rlimits, dumpable; keeps uid 0 setuid setgid
 */
const char *jail_enter(const struct jail *j);

/* Log the system calls that were refused since the last time; no cost when there were none. Call it from the loop. */
void jail_tell(void);

#endif
