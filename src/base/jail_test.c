#include "base/jail.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run `attempt` in a child that is in that jail; its return value (an errno, or 0 when it was allowed). */
static int in_jail(const struct jail *j, int (*attempt)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		jail_enter(j);
		_exit(attempt());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_passwd(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}

static int open_shadow(void)
{
	return open("/etc/shadow", O_RDONLY) >= 0 ? 0 : errno;
}

static int run_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 ? 0 : errno;
}

static int connect_out(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int write_tmp(void)
{
	return open("/tmp/gatepost-jail-test", O_WRONLY | O_CREAT, 0600) >= 0 ? 0 : errno;
}

static int become_root(void)
{
	return setuid(0) == 0 ? 0 : errno;
}

static void test_seccomp_by_role(void **state)
{
	static const struct {
		enum jail_role role;
		int (*attempt)(void);
		int want;
	} cases[] = {
		{ JAIL_SMTPD, open_passwd, EPERM },
		{ JAIL_SMTPD, run_program, EPERM },
		{ JAIL_SMTPD, make_process, EPERM },
		{ JAIL_SMTPD, connect_out, 0 },
		{ JAIL_RELAY, open_passwd, EPERM },
		{ JAIL_RELAY, run_program, EPERM },
		{ JAIL_RELAY, make_process, EPERM },
		{ JAIL_QUEUED, connect_out, EPERM },
		{ JAIL_QUEUED, run_program, EPERM },
		{ JAIL_AUTHD, run_program, EPERM },
		{ JAIL_AUTHD, make_process, EPERM },
		{ JAIL_MAPD, run_program, EPERM },
		{ JAIL_MAPD, make_process, EPERM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct jail j = { .role = cases[i].role };

		check_int(in_jail(&j, cases[i].attempt), cases[i].want);
	}
}

static void test_landlock_leaves_only_what_is_named(void **state)
{
	static const char *const readable[] = { "/etc/passwd", NULL };
	struct jail j = { .role = JAIL_AUTHD, .readable = readable };

	(void)state;
	check_int(in_jail(&j, open_passwd), 0);
	if (geteuid() == 0)
		check_int(in_jail(&j, open_shadow), EACCES);
	check_int(in_jail(&j, write_tmp), EACCES);
}

static void test_root_is_given_up(void **state)
{
	char dir[] = "/tmp/gatepost-jail-XXXXXX";
	struct jail j = { .role = JAIL_AUTHD, .root = true, .uid = 65534, .gid = 65534, .chroot_dir = dir };

	(void)state;
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		check(true);
		return;
	}
	check(mkdtemp(dir) != NULL && chmod(dir, 0755) == 0);
	check_int(in_jail(&j, become_root), EPERM);
	check_int(in_jail(&j, open_passwd), ENOENT);
	rmdir(dir);
}

static char closed_file[64];

static int open_closed_file(void)
{
	return open(closed_file, O_RDONLY) >= 0 ? 0 : errno;
}

static int write_closed_file(void)
{
	return open(closed_file, O_WRONLY) >= 0 ? 0 : errno;
}

/* The right to read what is root's alone, below what Landlock leaves, and nowhere else. */
static void test_reading_is_kept_where_it_is_bounded(void **state)
{
	char dir[] = "/tmp/gatepost-jail-XXXXXX";
	const char *const readable[] = { dir, NULL };
	struct jail j = { .role = JAIL_MAPD, .root = true, .uid = 65534, .gid = 65534, .readable = readable };
	int fd;

	(void)state;
	if (geteuid() != 0) {
		printf("skipped: needs root\n");
		check(true);
		return;
	}
	check(mkdtemp(dir) != NULL); /* mode 0700 */
	snprintf(closed_file, sizeof closed_file, "%s/table", dir);
	fd = open(closed_file, O_WRONLY | O_CREAT, 0600);
	check(fd >= 0);
	close(fd);
	check_int(in_jail(&j, open_closed_file), EACCES);
	j.reads_all = true;
	check_int(in_jail(&j, open_closed_file), 0);
	check_int(in_jail(&j, write_closed_file), EACCES);
	check_int(in_jail(&j, open_shadow), EACCES);
	check_int(in_jail(&j, become_root), EPERM);
	/* Without Landlock it is not kept. */
	j.readable = NULL;
	check_int(in_jail(&j, open_closed_file), EACCES);
	unlink(closed_file);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_reading_is_kept_where_it_is_bounded),
		cmocka_unit_test(test_seccomp_by_role), cmocka_unit_test(test_landlock_leaves_only_what_is_named),
		cmocka_unit_test(test_root_is_given_up) };

	return test_run(tests);
}
