#include "base/jail_attempts_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static uint16_t port_open, port_closed; /* listening ones: named to the jail, and not */
static pid_t outside;			/* a process that is not the jail's */
static int outside_fd;			/* a descriptor of it */
static long abi;			/* Landlock's */

/* Each returns an errno, or 0 when it was allowed. */

static int open_foreign_descriptor(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)outside, outside_fd);
	return result(open(path, O_RDONLY));
}

static int take_foreign_descriptor(void)
{
	int pidfd = (int)syscall(SYS_pidfd_open, outside, 0);

	return pidfd < 0 ? errno : result(syscall(SYS_pidfd_getfd, pidfd, outside_fd, 0));
}

static int read_foreign_memory(void)
{
	char octet;
	struct iovec here = { &octet, 1 }, there = { &octet, 1 };

	return result(process_vm_readv(outside, &here, 1, &there, 1, 0));
}

static int trace_other(void)
{
	return result(ptrace(PTRACE_ATTACH, outside, NULL, NULL));
}

static int signal_other(void)
{
	return result(kill(outside, SIGCONT));
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
	return result(pid);
}

static int tcp_to(int port, bool binds)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	return result(
		binds ? bind(fd, (struct sockaddr *)&sa, sizeof sa) : connect(fd, (struct sockaddr *)&sa, sizeof sa));
}

static int connect_out(void)
{
	return tcp_to(port_closed, false);
}

static int connect_where_it_may(void)
{
	return tcp_to(port_open, false);
}

static int bind_port(void)
{
	return tcp_to(39999, true);
}

static int raw_socket(void)
{
	return result(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int packet_socket(void)
{
	return result(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int unix_socket(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? errno
		       : 0;
}

static int memory_made_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 0 : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int new_namespace(void)
{
	return result(unshare(CLONE_NEWUSER));
}

static int clone_into_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int type_for_others(void)
{
	return result(ioctl(0, 0x5412 /* TIOCSTI */, "x"));
}

static int raise_limits(void)
{
	const struct rlimit more = { 64, 64 };

	return result(setrlimit(RLIMIT_NOFILE, &more));
}

static int be_nicer(void)
{
	return result(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0)));
}

static int make_other_nicer(void)
{
	return result(setpriority(PRIO_PROCESS, (id_t)outside, 1));
}

static void *in_thread(void *arg)
{
	return arg;
}

/* What every role needs. */
static int lives(void)
{
	pthread_t thread;
	void *p = malloc(1 << 22), *got = NULL;
	int pair[2], r = p == NULL;

	r = r || pthread_create(&thread, NULL, in_thread, p) != 0 || pthread_join(thread, &got) != 0 || got != p;
	r = r || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0 || write(pair[0], "x", 1) != 1;
	free(p);
	return r ? ENOTRECOVERABLE : 0;
}

#define ALL	((1U << JAIL_ROLES) - 1)
#define ROLE(r) (1U << JAIL_##r)
#define NET                                                                                         \
	(ROLE(AUTHD_NET) | ROLE(MAPD_NET) | ROLE(SMTPD) | ROLE(RELAY) | ROLE(FETCHD) | ROLE(LMTP) | \
		ROLE(DELIVER_ALONE) | ROLE(AUTHPAM))
#define READS (ROLE(MAPD) | ROLE(MAPD_NET) | ROLE(LMTP) | ROLE(NAMES))
#define FILES \
	(READS | ROLE(AUTHD) | ROLE(AUTHD_NET) | ROLE(QUEUED) | ROLE(DELIVER) | ROLE(DELIVER_ALONE) | ROLE(AUTHPAM))
#define CHILDREN (ROLE(DELIVER) | ROLE(DELIVER_ALONE) | ROLE(AUTHPAM))
#define STREAMS \
	(READS | ROLE(AUTHD_NET) | ROLE(PICKUP) | ROLE(SMTPD) | ROLE(DELIVER) | ROLE(DELIVER_ALONE) | ROLE(AUTHPAM))
#define RUNS (ROLE(AUTHPAM))

/* Who gets which error; the roles that stand in no row may do it. */
static const struct attempt {
	const char *name;
	int (*try)(void);
	unsigned roles;
	int want;
	int abi; /* of Landlock, below which the row says nothing */
} attempts[] = {
	{ "live", lives, ALL, 0, 0 },
	{ "open /etc/shadow", open_shadow, ALL & ~FILES, EPERM, 0 },
	{ "open /etc/shadow", open_shadow, FILES, EACCES, 1 },
	{ "open /etc/passwd", open_passwd, ALL & ~FILES, EPERM, 0 },
	{ "open /etc/passwd", open_passwd, FILES, EACCES, 1 },
	{ "write a file", write_file, ALL & ~FILES, EPERM, 0 },
	{ "write a file", write_file, READS, EPERM, 0 },
	{ "write a file", write_file, FILES & ~READS, EACCES, 1 },
	{ "open a descriptor of another process", open_foreign_descriptor, ALL & ~FILES, EPERM, 0 },
	{ "open a descriptor of another process", open_foreign_descriptor, FILES, EACCES, 1 },
	{ "take a descriptor of another process", take_foreign_descriptor, ALL, ENOSYS, 0 },
	{ "read the memory of another process", read_foreign_memory, ALL, EPERM, 0 },
	{ "ptrace", trace_other, ALL, EPERM, 0 },
	{ "signal another process", signal_other, ALL & ~CHILDREN, EPERM, 0 },
	{ "signal another process", signal_other, CHILDREN, EPERM, 6 },
	{ "exec", run_program, ALL & ~RUNS, EPERM, 0 },
	{ "exec of a program that was not named", run_program, RUNS, EACCES, 1 },
	{ "fork", make_process, ALL & ~CHILDREN, EPERM, 0 },
	{ "fork", make_process, CHILDREN, 0, 0 },
	{ "connect out", connect_out, ALL & ~NET, EPERM, 0 },
	{ "connect to a port that was not named", connect_out, NET, EACCES, 4 },
	{ "connect to a port that was named", connect_where_it_may, NET, 0, 0 },
	{ "bind a TCP port", bind_port, ALL & ~NET, EPERM, 0 },
	{ "bind a TCP port", bind_port, NET, EACCES, 4 },
	{ "a raw socket", raw_socket, ALL, EPERM, 0 },
	{ "a packet socket", packet_socket, ALL, EPERM, 0 },
	{ "a UNIX stream socket", unix_socket, ALL & ~STREAMS, EPERM, 0 },
	{ "a UNIX stream socket", unix_socket, STREAMS, 0, 0 },
	{ "memory that is written and executed", executable_memory, ALL, EPERM, 0 },
	{ "memory made executable", memory_made_executable, ALL, EPERM, 0 },
	{ "a new name space", new_namespace, ALL, EPERM, 0 },
	{ "clone into a name space", clone_into_namespace, ALL, EPERM, 0 },
	{ "become root", become_root, ALL & ~CHILDREN, EPERM, 0 },
	{ "push input into a terminal", type_for_others, ALL, EPERM, 0 },
	{ "change a limit", raise_limits, ALL, EPERM, 0 },
	{ "be nicer", be_nicer, ALL, 0, 0 },
	{ "make another process nicer", make_other_nicer, ALL, EPERM, 0 },
};

static void try_all(const struct jail *like)
{
	int wrong = 0;

	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		for (unsigned role = 0; role < JAIL_ROLES; role++) {
			const struct attempt *a = &attempts[i];
			struct jail j = *like;
			int got;

			if ((a->roles >> role & 1) == 0 || a->abi > abi)
				continue;
			j.role = (enum jail_role)role;
			got = in_jail(&j, a->try);
			if (got != a->want)
				printf("%s, %s: error %d, not %d\n", jail_role_name(j.role), a->name, got, a->want);
			wrong += got != a->want;
			test_checks++;
		}
	check_int(wrong, 0);
}

static int listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 1000) == 0);
	check(getsockname(fd, (struct sockaddr *)&sa, &n) == 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static void start_outside(void)
{
	outside_fd = open("/dev/null", O_RDONLY);
	outside = fork();
	if (outside == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

static void stop_outside(void)
{
	kill(outside, SIGKILL);
	waitpid(outside, NULL, 0);
	close(outside_fd);
}

static void red_team(const struct jail *like)
{
	int here = listen_on_loopback(&port_open), there = listen_on_loopback(&port_closed);
	uint16_t ports[2] = { port_open, 0 };
	struct jail j = *like;

	start_outside();
	j.connect_ports = ports;
	try_all(&j);
	stop_outside();
	close(here);
	close(there);
}

static void test_root_breaks_out_of_no_role(void **state)
{
	(void)state;
	if (!skip_without_root())
		red_team(&(struct jail){ .root = true, .uid = NOBODY, .gid = NOBODY });
}

static void test_an_ordinary_user_breaks_out_of_no_role(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		red_team(&(struct jail){ 0 });
		return;
	}
	pid = fork();
	if (pid == 0) {
		check(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
		red_team(&(struct jail){ 0 });
		_exit(0);
	}
	waitpid(pid, &status, 0);
	check_int(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_root_breaks_out_of_no_role),
		cmocka_unit_test(test_an_ordinary_user_breaks_out_of_no_role) };

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
	return test_run(tests);
}
