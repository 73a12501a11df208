/* jail_attempts_test.h - what tests of the jail share: attempts that a jail refuses or not, and a child to make them in it. */
#ifndef BASE_JAIL_ATTEMPTS_TEST_H
#define BASE_JAIL_ATTEMPTS_TEST_H

#include "base/jail_impl.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* Each attempt returns an errno, or 0 when it was allowed. */
static inline int result(long r)
{
	return r < 0 ? errno : 0;
}

static inline int open_shadow(void)
{
	return result(open("/etc/shadow", O_RDONLY));
}

static inline int open_passwd(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static inline int write_file(void)
{
	return result(open("/tmp/gatepost-jail-test", O_WRONLY | O_CREAT, 0600));
}

static inline int become_root(void)
{
	return result(setuid(0));
}

/* Run `attempt` in a child that is in that jail; its return value. */
static inline int in_jail(const struct jail *j, int (*attempt)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		jail_enter(j);
		_exit(attempt());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static inline bool skip_without_root(void)
{
	if (geteuid() == 0)
		return false;
	printf("skipped: needs root\n");
	check(true);
	return true;
}

#endif
