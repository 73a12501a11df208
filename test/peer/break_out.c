/*
 * break_out PID PORT
 * break_out PID write FD HEX
 *
 * Make system calls in the place of a running process, from inside its jail, as somebody would who had
 * taken it over. One line for each: "name: errno", "name: done" or "name: killed". The process goes on afterwards.
 *
 * The process is stopped where it waits, and its registers are set so that it makes our call; whether its filter traps
 * that shows as a SIGSYS, which it does not get to see.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __x86_64__
#define PC     rip
#define SP     rsp
#define RESULT rax
enum { CALL_OCTETS = 2 }; /* "syscall" */
static void set_call(struct user_regs_struct *r, long nr, const uint64_t *a)
{
	r->rax = (uint64_t)nr;
	r->orig_rax = (uint64_t)-1; /* nothing is to be restarted */
	r->rdi = a[0], r->rsi = a[1], r->rdx = a[2], r->r10 = a[3], r->r8 = a[4], r->r9 = a[5];
}
#elif defined __aarch64__
#define PC     pc
#define SP     sp
#define RESULT regs[0]
enum { CALL_OCTETS = 4 }; /* "svc 0" */
static void set_call(struct user_regs_struct *r, long nr, const uint64_t *a)
{
	memcpy(r->regs, a, 6 * sizeof *a);
	r->regs[8] = (uint64_t)nr;
}
#endif

static pid_t pid;

static void regs(int request, struct user_regs_struct *r)
{
	struct iovec v = { r, sizeof *r };

	if (ptrace(request, pid, (void *)NT_PRSTATUS, &v) != 0) {
		perror("ptrace");
		exit(2);
	}
}

static int wait_stop(void)
{
	int status = 0;

	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return -1;
	return WSTOPSIG(status);
}

/* The result of one call made by the process; `data` is put on its stack, and an argument of UINT64_MAX points there. */
static long call(const struct user_regs_struct *at, long nr, const uint64_t *args, const void *data, size_t n)
{
	struct user_regs_struct r = *at;
	uint64_t a[6], room = (at->SP - 4096) & ~UINT64_C(63);
	struct iovec here = { (void *)(uintptr_t)data, n }, there = { (void *)room, n };
	int sig;

	if (n > 0 && process_vm_writev(pid, &here, 1, &there, 1, 0) != (ssize_t)n)
		return -EFAULT;
	for (int i = 0; i < 6; i++)
		a[i] = args[i] == UINT64_MAX && n > 0 ? room : args[i];
	r.PC -= CALL_OCTETS;
	set_call(&r, nr, a);
	regs(PTRACE_SETREGSET, &r);
	do { /* a trap of the step before may still be to come */
		ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
		sig = wait_stop();
		if (sig < 0)
			return -ESRCH;
		regs(PTRACE_GETREGSET, &r);
	} while (r.PC == at->PC - CALL_OCTETS);
	return sig == SIGSYS ? -EPERM : (long)r.RESULT;
}

static void tell(const char *name, long r)
{
	if (r == -ESRCH)
		printf("%s: killed\n", name);
	else if (r < 0 && r > -4096)
		printf("%s: %s\n", name, strerrorname_np((int)-r));
	else
		printf("%s: done\n", name);
	fflush(stdout);
}

#define DATA			     UINT64_MAX
#define CALL(name, data, n, nr, ...) tell(name, call(&at, nr, (uint64_t[6]){ __VA_ARGS__ }, data, n))

static void net_attempts(struct user_regs_struct at, uint16_t port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	long fd = call(&at, SYS_socket, (uint64_t[6]){ AF_INET, SOCK_STREAM }, NULL, 0);

	if (fd < 0) {
		tell("connect out", fd);
		return;
	}
	CALL("connect out", &sa, sizeof sa, SYS_connect, (uint64_t)fd, DATA, sizeof sa);
	call(&at, SYS_close, (uint64_t[6]){ (uint64_t)fd }, NULL, 0);
}

static void attempts(struct user_regs_struct at, pid_t other, uint16_t port)
{
	static const char shadow[] = "/etc/shadow", program[] = "/bin/sh";
	char foreign[64];

	snprintf(foreign, sizeof foreign, "/proc/%d/fd/0", (int)other);
	CALL("alive", NULL, 0, SYS_getpid, 0);
	CALL("open /etc/shadow", shadow, sizeof shadow, SYS_openat, (uint64_t)AT_FDCWD, DATA, O_RDONLY);
	CALL("open a descriptor of another process", foreign, sizeof foreign, SYS_openat, (uint64_t)AT_FDCWD, DATA,
		O_RDONLY);
	CALL("make a file", "/tmp/out", 9, SYS_openat, (uint64_t)AT_FDCWD, DATA, O_WRONLY | O_CREAT, 0600);
	CALL("exec", program, sizeof program, SYS_execve, DATA, 0, 0);
	CALL("signal another process", NULL, 0, SYS_kill, (uint64_t)other, SIGCONT);
	CALL("ptrace", NULL, 0, SYS_ptrace, PTRACE_SEIZE, (uint64_t)other);
	CALL("memory written and executed", NULL, 0, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1);
	CALL("become root", NULL, 0, SYS_setuid, 0);
	CALL("mount", "/tmp", 5, SYS_mount, DATA, DATA, DATA);
	net_attempts(at, port);
}

/* A message of its own to whoever is at the other end of that descriptor. */
static void write_hex(struct user_regs_struct at, uint64_t fd, const char *hex)
{
	unsigned char octets[2048];
	size_t n = 0;

	for (; hex[0] && hex[1] && n < sizeof octets; hex += 2) {
		char two[3] = { hex[0], hex[1], '\0' };

		octets[n++] = (unsigned char)strtoul(two, NULL, 16);
	}
	CALL("write", octets, n, SYS_write, fd, DATA, n);
}

int main(int argc, char **argv)
{
	struct user_regs_struct at;
	pid_t other = getppid();

	if (argc != 3 && argc != 5)
		return 2;
	pid = atoi(argv[1]);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0 ||
		wait_stop() < 0) {
		perror("ptrace");
		return 2;
	}
	regs(PTRACE_GETREGSET, &at);
	if (argc == 5)
		write_hex(at, (uint64_t)atoi(argv[3]), argv[4]);
	else
		attempts(at, other, (uint16_t)atoi(argv[2]));
	call(&at, SYS_getpid, (uint64_t[6]){ 0 }, NULL, 0); /* takes the trap that is still to come */
	regs(PTRACE_SETREGSET, &at);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return 0;
}
