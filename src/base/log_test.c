#include "base/log.h"
#include "base/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_line(const char *line, int pid, const char *rest)
{
	char host[65] = "", wanted[256];

	gethostname(host, sizeof host - 1);
	host[strcspn(host, ".")] = '\0';
	snprintf(wanted, sizeof wanted, " %s prog[%d]: %s", host, pid, rest);
	check(strlen(line) > 15); /* "Nov 22 12:00:00" */
	check_str(str_c(line + 15), wanted);
}

/* Name of the host and process id are asked for once; a forked child has its own. */
static void test_line_of_a_forked_child(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC), status = -1;
	char text[1024] = "", *second;
	pid_t pid;

	(void)state;
	log_open(LOG_TO_FD, "prog", fd, 0);
	log_info("parent %d", 1);
	log_flush();
	pid = fork();
	if (pid == 0) {
		log_warn("child\n\x1b[31m");
		log_flush();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	check_int(status, 0);
	check(pread(fd, text, sizeof text - 1, 0) > 0);
	log_open(LOG_TO_STDERR, "prog", 2, 0);
	close(fd);
	second = strchr(text, '\n');
	check(second != NULL);
	if (second == NULL)
		return;
	*second++ = '\0';
	second[strcspn(second, "\n")] = '\0';
	expect_line(text, (int)getpid(), "parent 1");
	expect_line(second, (int)pid, "warning: child??[31m");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_line_of_a_forked_child) };

	return test_run(tests);
}
