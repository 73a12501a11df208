#include "base/log.h"
#include "base/jail_attempts_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long abi; /* Landlock's */

static void test_landlock_leaves_only_what_is_named(void **state)
{
	static const char *const readable[] = { "/etc/passwd", NULL };
	struct jail j = { .role = JAIL_AUTHD, .readable = readable };

	(void)state;
	check_int(in_jail(&j, open_passwd), 0);
	if (geteuid() == 0)
		check_int(in_jail(&j, open_shadow), EACCES);
	check_int(in_jail(&j, write_file), EACCES);
}

static void test_root_is_given_up(void **state)
{
	char dir[] = "/tmp/gatepost-jail-XXXXXX";
	struct jail j = { .role = JAIL_AUTHD, .root = true, .uid = NOBODY, .gid = NOBODY, .chroot_dir = dir };

	(void)state;
	if (skip_without_root())
		return;
	check(mkdtemp(dir) != NULL && chmod(dir, 0755) == 0);
	check_int(in_jail(&j, become_root), EPERM);
	check_int(in_jail(&j, open_passwd), ENOENT);
	rmdir(dir);
}

static char closed_file[64];

static int open_closed_file(void)
{
	return result(open(closed_file, O_RDONLY));
}

static int write_closed_file(void)
{
	return result(open(closed_file, O_WRONLY));
}

/* The right to read what is root's alone, below what Landlock leaves, and nowhere else. */
static void test_reading_is_kept_where_it_is_bounded(void **state)
{
	char dir[] = "/tmp/gatepost-jail-XXXXXX";
	const char *const readable[] = { dir, NULL };
	struct jail j = { .role = JAIL_MAPD, .root = true, .uid = NOBODY, .gid = NOBODY, .readable = readable };
	int fd;

	(void)state;
	if (skip_without_root())
		return;
	check(mkdtemp(dir) != NULL); /* mode 0700 */
	snprintf(closed_file, sizeof closed_file, "%s/table", dir);
	fd = open(closed_file, O_WRONLY | O_CREAT, 0600);
	check(fd >= 0);
	close(fd);
	check_int(in_jail(&j, open_closed_file), EACCES);
	j.reads_all = true;
	check_int(in_jail(&j, open_closed_file), 0);
	check_int(in_jail(&j, write_closed_file), EPERM);
	check_int(in_jail(&j, open_shadow), EACCES);
	check_int(in_jail(&j, become_root), EPERM);
	j.readable = NULL;
	check_int(in_jail(&j, open_closed_file), EACCES);
	unlink(closed_file);
	rmdir(dir);
}

/* What is asked of each ABI: files from 1, TCP from 4, scopes from 6; ports only of a role that has a network. */
static void test_landlock_by_abi(void **state)
{
	static const uint16_t ports[] = { 53, 0 };
	static const struct {
		enum jail_role role;
		const uint16_t *ports;
		long abi;
		uint64_t files, net, scopes;
		const char *text;
	} cases[] = {
		{ JAIL_SMTPD, ports, 1, 0x1fff, 0, 0, "files" },
		{ JAIL_SMTPD, ports, 2, 0x3fff, 0, 0, "files" },
		{ JAIL_SMTPD, ports, 3, 0x7fff, 0, 0, "files" },
		{ JAIL_SMTPD, ports, 4, 0x7fff, 3, 0, "files tcp" },
		{ JAIL_SMTPD, ports, 5, 0xffff, 3, 0, "files tcp devices" },
		{ JAIL_SMTPD, ports, 6, 0xffff, 3, 3, "files tcp devices signals sockets" },
		{ JAIL_SMTPD, ports, 9, 0xffff, 3, 3, "files tcp devices signals sockets" },
		{ JAIL_RELAY, NULL, 4, 0x7fff, 1, 0, "files tcp-bind" },
		{ JAIL_RELAY, NULL, 7, 0xffff, 1, 3, "files tcp-bind devices signals sockets" },
		{ JAIL_QUEUED, NULL, 7, 0xffff, 3, 3, "files tcp devices signals sockets" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct jail j = { .role = cases[i].role, .connect_ports = cases[i].ports };
		struct landlock_wish w = jail_landlock_wish(&j, cases[i].abi);

		check_int(w.files, cases[i].files);
		check_int(w.net, cases[i].net);
		check_int(w.scopes, cases[i].scopes);
		check_str(str_c(jail_landlock_text(&j, cases[i].abi)), cases[i].text);
	}
}

static void test_every_role_has_a_filter_on_both_machines(void **state)
{
	(void)state;
	for (unsigned role = 0; role < JAIL_ROLES; role++) {
		static const uint32_t machines[] = { SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64 };

		for (size_t i = 0; i < 2; i++) {
			unsigned calls = 0;
			bool native = machines[i] == seccomp_arch_native();
			scmp_filter_ctx ctx =
				jail_filter((enum jail_role)role, native ? SCMP_ARCH_NATIVE : machines[i], &calls);

			check(ctx != NULL);
			check(calls > 80 && calls < 220);
			seccomp_release(ctx);
		}
	}
}

static int told_fd;

static int refused_calls_are_told(void)
{
	log_open(LOG_TO_FD, "gatepost/test", told_fd, 0);
	for (int i = 0; i < 3; i++)
		syscall(SYS_chroot, "/");
	syscall(SYS_mount, "a", "b", "c", 0, NULL);
	jail_tell();
	syscall(SYS_chroot, "/");
	jail_tell();
	log_flush();
	return 0;
}

static void test_a_refused_call_is_named_once_in_the_log(void **state)
{
	struct jail j = { .role = JAIL_QUEUED };
	char text[2048] = "";
	const char *first;

	(void)state;
	told_fd = memfd_create("log", MFD_CLOEXEC);
	check_int(in_jail(&j, refused_calls_are_told), 0);
	check(pread(told_fd, text, sizeof text - 1, 0) > 0);
	first = strstr(text, "error: queued made the system call chroot, which its jail does not allow: refused");
	check(first != NULL && strstr(strchr(first, '\n'), "chroot") == NULL);
	check(strstr(text, "error: queued made the system call mount, which") != NULL);
	close(told_fd);
}

/* A call that no list knows yet looks as on a kernel without it. */
static int newer_than_the_list(void)
{
	return result(syscall(500));
}

static void test_a_call_of_tomorrow_is_not_there(void **state)
{
	(void)state;
	check_int(in_jail(&(struct jail){ .role = JAIL_SMTPD }, newer_than_the_list), ENOSYS);
}

static int is_dumpable(void)
{
	return access("/proc/self/status", F_OK) == 0 && access("/proc/self/environ", R_OK) == 0 ? 0 : errno;
}

static void test_what_is_in_force_is_told(void **state)
{
	static const char *const readable[] = { "/proc", NULL };
	struct jail j = {
		.role = JAIL_AUTHD, .root = geteuid() == 0, .uid = NOBODY, .gid = NOBODY, .readable = readable
	};
	int pair[2];
	char text[512] = "";
	pid_t pid;

	(void)state;
	check_int(in_jail(&j, is_dumpable), EACCES);
	check(pipe(pair) == 0);
	pid = fork();
	if (pid == 0) {
		const char *what = jail_enter(&j);

		_exit(write(pair[1], what, strlen(what)) < 0);
	}
	waitpid(pid, NULL, 0);
	check(read(pair[0], text, sizeof text - 1) > 0);
	for (const char *const *w = (const char *const[]){ "no_new_privs", "rlimits", "dumpable", "seccomp (", NULL };
		*w; w++)
		check(strstr(text, *w) != NULL);
	check((strstr(text, "landlock ") != NULL) == (abi > 0));
	check((strstr(text, "uid, capabilities") != NULL) == (geteuid() == 0));
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_reading_is_kept_where_it_is_bounded),
		cmocka_unit_test(test_landlock_leaves_only_what_is_named), cmocka_unit_test(test_root_is_given_up),
		cmocka_unit_test(test_landlock_by_abi), cmocka_unit_test(test_every_role_has_a_filter_on_both_machines),
		cmocka_unit_test(test_a_refused_call_is_named_once_in_the_log),
		cmocka_unit_test(test_a_call_of_tomorrow_is_not_there),
		cmocka_unit_test(test_what_is_in_force_is_told) };

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
	return test_run(tests);
}
