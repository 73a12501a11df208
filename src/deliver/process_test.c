/*
 * The whole process, with this test in the place of master and of queued: jobs go in, results come out, files and an
 * LMTP server get the mail. As root it also shows whose the files are. The program is $BIN/deliver (build/bin).
 */
#include "base/test.h"
#include "base/ipc.h"
#include "base/log.h"
#include "child/start_msg.h"
#include "msg/job_msg.h"
#include "msg/master_msg.h"
#include "msg/roles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAIL_UID = 12345, WAIT_MS = 20000 };

struct fixture {
	char dir[64];
	pid_t pid, server;
	int master, queued, lmtp;
	struct arena *mem;
};

static const char *program(void)
{
	static char path[512];
	const char *bin = getenv("BIN");

	snprintf(path, sizeof path, "%s/deliver", bin ? bin : "build/bin");
	return access(path, X_OK) == 0 ? path : NULL;
}

static int text_fd(const char *text)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void send_start(struct fixture *f, const char *extra)
{
	static const char master_cf[] = "virtual unix - n n - - virtual\nlocal unix - n n - - local\n"
					"lmtp unix - - y - - lmtp\nodd unix - - n - - pipe\n";
	struct buf main_cf = BUF_INIT(10000), out = IPC_BUF;
	struct start_msg m = { .count = 1,
		.gid = getgid(),
		.log_to = LOG_TO_FD,
		.root = geteuid() == 0,
		.config_directory = str_c(f->dir),
		.queue_directory = str_c(f->dir),
		.log_name = STR("postfix/deliver"),
		.seed = STR("0123456789abcdef0123456789abcdef") };
	char log_path[128];

	buf_addf(&main_cf,
		"myhostname = mail.example.org\nqueue_directory = %s\nvirtual_mailbox_base = %s/mail\n"
		"mail_owner = nobody\nvirtual_uid_maps = static:%d\nvirtual_gid_maps = static:%d\n"
		"virtual_mailbox_maps = inline:{ {john@example.org=example.org/john/} "
		"{jane@example.org=jane@example.org} "
		"{evil@example.org=../../etc/x/} {box@example.org=boxes/box} }\n"
		"virtual_mailbox_domains = example.org\nmail_spool_directory = %s/spool\n%s",
		f->dir, f->dir, MAIL_UID, MAIL_UID, f->dir, extra);
	snprintf(log_path, sizeof log_path, "%s/log", f->dir);
	int fds[] = { text_fd(main_cf.p), text_fd(master_cf), open(log_path, O_CREAT | O_APPEND | O_RDWR, 0600) };
	start_msg_encode(&out, &m);
	check_int(ipc_write_now(f->master, MSG_START, buf_str(&out), fds, 3), 0);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	buf_free(&out);
	buf_free(&main_cf);
}

/* The next message; -1 after WAIT_MS or at the end. */
static int next_msg(int fd, char *payload, struct ipc_in *in)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int fds[IPC_MAX_FDS];
	unsigned n_fds = 0;
	uint16_t type = 0;
	ssize_t n;

	if (poll(&p, 1, WAIT_MS) <= 0)
		return -1;
	n = ipc_read_now(fd, &type, payload, IPC_MAX_OCTETS, fds, &n_fds);
	*in = (struct ipc_in){ { payload, n > 0 ? (size_t)n : 0 }, false };
	return n < 0 ? -1 : type;
}

static void connect_queued(struct fixture *f)
{
	static char payload[IPC_MAX_OCTETS];
	struct buf out = IPC_BUF;
	struct ipc_in in;
	int pair[2];

	check_int(ipc_pair(pair), 0);
	ipc_put_u8(&out, ROLE_QUEUED);
	ipc_put_u32(&out, 0);
	check_int(ipc_write_now(f->master, MSG_PEER, buf_str(&out), &pair[1], 1), 0);
	close(pair[1]);
	f->queued = pair[0];
	check_int(next_msg(f->queued, payload, &in), MSG_CAPACITY);
	buf_free(&out);
}

static bool small_disk; /* virtual_mailbox_base is a file system of 64 KiB that only the process sees */

static void mount_small_disk(const struct fixture *f)
{
	char path[128];

	snprintf(path, sizeof path, "%s/mail", f->dir);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("tmpfs", path, "tmpfs", 0, "size=64k,mode=777") != 0)
		_exit(126);
}

static bool may_mount(void)
{
	int how = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ? 0 : 1);
	waitpid(pid, &how, 0);
	return how == 0;
}

static void begin(struct fixture *f, const char *extra)
{
	static char payload[IPC_MAX_OCTETS];
	struct ipc_in in;
	char path[128];
	int pair[2];

	memset(f, 0, sizeof *f);
	f->mem = arena_new(0);
	snprintf(f->dir, sizeof f->dir, "/tmp/process_test.XXXXXX");
	check(mkdtemp(f->dir) != NULL && chmod(f->dir, 0755) == 0);
	snprintf(path, sizeof path, "%s/private", f->dir);
	check(mkdir(path, 0755) == 0);
	snprintf(path, sizeof path, "%s/spool", f->dir);
	check(mkdir(path, 0777) == 0 && chmod(path, 01777) == 0);
	snprintf(path, sizeof path, "%s/mail", f->dir);
	check(!small_disk || mkdir(path, 0755) == 0);
	check_int(ipc_pair(pair), 0);
	f->pid = fork();
	if (f->pid == 0) {
		if (small_disk)
			mount_small_disk(f);
		int high = fcntl(pair[1], F_DUPFD, 10); /* it may be 3 already, with close-on-exec */
		dup2(high, 3);
		close(high);
		setenv("ASAN_OPTIONS", "detect_leaks=0",
			1); /* its search for leaks needs calls that the jail refuses */
		execl(program(), "deliver", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	f->master = pair[0];
	send_start(f, extra);
	check_int(next_msg(f->master, payload, &in), MSG_READY);
	connect_queued(f);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	(void)type;
	(void)w;
	return remove(path);
}

static void end(struct fixture *f)
{
	struct buf out = IPC_BUF;
	int how = -1;

	ipc_put_u8(&out, 1);
	ipc_write_now(f->master, MSG_STOP, buf_str(&out), NULL, 0);
	buf_free(&out);
	check(waitpid(f->pid, &how, 0) == f->pid);
	check_int(how, 0);
	if (f->server > 0) {
		kill(f->server, SIGKILL);
		waitpid(f->server, NULL, 0);
	}
	close(f->master);
	close(f->queued);
	arena_free(&f->mem);
	nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void send_segment(struct fixture *f, uint64_t generation, struct str wire)
{
	struct buf out = IPC_BUF;
	int fd = memfd_create("segment", MFD_CLOEXEC);

	check(pwrite(fd, wire.p, wire.n, 64) == (ssize_t)wire.n);
	ipc_put_u64(&out, generation);
	check_int(ipc_write_now(f->queued, MSG_SEG_OPEN, buf_str(&out), &fd, 1), 0);
	close(fd);
	buf_free(&out);
}

static void send_job(struct fixture *f, uint32_t number, const char *service, const char *nexthop,
	const char *const *to, size_t n_to, uint64_t generation, size_t octets)
{
	struct buf out = IPC_BUF;
	struct extent extent = { generation, 64, (uint32_t)octets };
	struct envelope_rcpt rcpt[8] = { { .index = 0 } };
	struct job j = { .job = number,
		.id = 0xABCDEF0123,
		.service = str_c(service),
		.nexthop = str_c(nexthop),
		.env = { .id = 0xABCDEF0123,
			.size = octets,
			.sender = STR("a@b.example"),
			.rcpt = rcpt,
			.n_rcpt = n_to,
			.extent = &extent,
			.n_extent = 1 } };

	for (size_t i = 0; i < n_to; i++)
		rcpt[i] = (struct envelope_rcpt){ .index = (uint32_t)i, .address = str_c(to[i]) };
	job_encode(&out, &j);
	check_int(ipc_write_now(f->queued, MSG_JOB, buf_str(&out), NULL, 0), 0);
	buf_free(&out);
}

static struct rcpt_result *take_result(struct fixture *f, uint32_t number, size_t n_want)
{
	char *payload = arena_alloc(f->mem, IPC_MAX_OCTETS);
	struct ipc_in in;
	struct rcpt_result *r = NULL;
	uint32_t job = 0;
	size_t n = 0;

	check_int(next_msg(f->queued, payload, &in), MSG_RESULT);
	check_int(result_decode(&in, f->mem, &job, &r, &n), 0);
	check_int(job, number);
	check_int(n, n_want);
	return r;
}

static size_t files_in(const struct fixture *f, const char *sub, struct stat *st)
{
	char path[600];
	size_t n = 0;
	const struct dirent *e;

	snprintf(path, sizeof path, "%s/%s", f->dir, sub);
	DIR *d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.') {
			n++;
			check_int(fstatat(dirfd(d), e->d_name, st, AT_SYMLINK_NOFOLLOW), 0);
		}
	if (d)
		closedir(d);
	return n;
}

static bool log_has(const struct fixture *f, const char *text)
{
	static char log[100000];
	char path[128];

	snprintf(path, sizeof path, "%s/log", f->dir);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, log, sizeof log - 1);
	if (fd >= 0)
		close(fd);
	log[n > 0 ? n : 0] = '\0';
	return strstr(log, text) != NULL;
}

#define NEEDS_PROGRAM                                            \
	if (program() == NULL) {                                 \
		printf("skipped: no program deliver in $BIN\n"); \
		check(true);                                     \
		return;                                          \
	}

static void test_virtual(void **state)
{
	static const char *const to[] = { "john@example.org", "jane@example.org", "nobody@example.org",
		"evil@example.org", "box@example.org" };
	struct str wire = STR("Subject: x\r\n\r\n..\r\nend\r\n");
	struct fixture f;
	struct stat st = { 0 };

	(void)state;
	NEEDS_PROGRAM
	begin(&f, "");
	send_segment(&f, 9, wire);
	send_job(&f, 77, "virtual", "example.org", to, 5, 9, wire.n);
	struct rcpt_result *r = take_result(&f, 77, 5);
	check_int(r[0].status, RCPT_SENT);
	check_str(r[0].text, "delivered to maildir");
	check_int(r[1].status, RCPT_SENT);
	check_int(r[2].status, RCPT_BOUNCED);
	check_str(r[2].dsn, "5.1.1");
	check_str(r[2].text, "unknown user: \"nobody@example.org\"");
	check_int(r[3].status, RCPT_DEFERRED);
	check_str(r[3].dsn, "4.3.5");
	check_int(r[4].status, RCPT_SENT);
	check_str(r[4].text, "delivered to mailbox");
	check_int(files_in(&f, "mail/example.org/john/new", &st), 1);
	check_int(st.st_uid, geteuid() == 0 ? MAIL_UID : (int)geteuid());
	check_int(st.st_mode & 07777, 0600);
	check_int(files_in(&f, "mail/example.org/jane/new", &st), 1);
	check_int(files_in(&f, "mail/example.org/john/tmp", &st), 0);
	check_int(files_in(&f, "mail/boxes", &st), 1);
	send_job(&f, 78, "odd", "x", to, 1, 9, wire.n);
	check_str(take_result(&f, 78, 1)[0].dsn, "4.3.5");
	send_job(&f, 79, "absent", "x", to, 1, 9, wire.n);
	check_str(take_result(&f, 79, 1)[0].text, "master.cf has no row of type unix for this service");
	send_job(&f, 80, "virtual", "x", to, 1, 10, wire.n); /* of a segment that we never sent */
	check_int(take_result(&f, 80, 1)[0].status, RCPT_DEFERRED);
	usleep(100000); /* the log is written once a turn of the loop */
	check(log_has(&f, "]: ABCDEF0123: to=<john@example.org>, relay=virtual, delay="));
	check(log_has(&f, "dsn=2.0.0, status=sent (delivered to maildir)"));
	check(log_has(&f, "postfix/virtual["));
	end(&f);
}

static void test_full_disk(void **state)
{
	static const char *const to[] = { "john@example.org", "box@example.org" };
	struct str wire = STR("A: b\r\n\r\nx\r\n");
	struct buf large = BUF_INIT(300000);
	struct fixture f;

	(void)state;
	NEEDS_PROGRAM
	if (!may_mount()) {
		printf("skipped: a small file system needs the right to mount\n");
		check(true);
		return;
	}
	small_disk = true;
	begin(&f, "");
	small_disk = false;
	buf_add_c(&large, "A: b\r\n\r\n");
	while (large.n < 200000)
		buf_add_c(&large, "a line that takes room\r\n");
	send_segment(&f, 1, buf_str(&large));
	send_segment(&f, 2, wire);
	send_job(&f, 1, "virtual", "example.org", to, 2, 1, large.n);
	const struct rcpt_result *r = take_result(&f, 1, 2);
	for (size_t i = 0; i < 2; i++) {
		check_int(r[i].status, RCPT_DEFERRED);
		check_str(r[i].dsn, "4.3.1");
		check(str_has_suffix(r[i].text, STR(": No space left on device")));
	}
	/* what was written of it is gone again: a small one finds room */
	send_job(&f, 2, "virtual", "example.org", to, 2, 2, wire.n);
	r = take_result(&f, 2, 2);
	check_int(r[0].status, RCPT_SENT);
	check_int(r[1].status, RCPT_SENT);
	buf_free(&large);
	end(&f);
}

static void test_local(void **state)
{
	static const char *const to[] = { "Daemon+x@mail.example.org", "daemon@mail.example.org", "no-such-user@x" };
	struct str wire = STR("Subject: x\r\n\r\nFrom here\r\n");
	struct fixture f;
	struct stat st;

	(void)state;
	NEEDS_PROGRAM
	begin(&f, "recipient_delimiter = +\n");
	send_segment(&f, 1, wire);
	send_job(&f, 1, "local", "mail.example.org", to, 3, 1, wire.n);
	struct rcpt_result *r = take_result(&f, 1, 3);
	check_str(r[0].text, "delivered to mailbox");
	check_int(r[0].status, RCPT_SENT);
	check_int(r[1].status, RCPT_SENT);
	check_int(r[2].status, RCPT_BOUNCED);
	check_str(r[2].dsn, "5.1.1");
	check_str(r[2].text, "unknown user: \"no-such-user\"");
	check_int(files_in(&f, "spool", &st), 1);
	check_int(st.st_uid, geteuid() == 0 ? 1 : (int)geteuid());
	end(&f);
}

static void test_base(void **state)
{
	static const char *const to[] = { "john@example.org" };
	struct fixture f;

	(void)state;
	NEEDS_PROGRAM
	begin(&f, "virtual_mailbox_base =\n");
	send_segment(&f, 1, STR("A: b\r\n"));
	send_job(&f, 1, "virtual", "example.org", to, 1, 1, 6);
	struct rcpt_result *r = take_result(&f, 1, 1);
	check_int(r[0].status, RCPT_DEFERRED);
	check_str(r[0].dsn, "4.3.5");
	check(str_has_prefix(r[0].text, STR("virtual_mailbox_base is not set")));
	end(&f);
	begin(&f, "virtual_minimum_uid = 20000\n");
	send_segment(&f, 1, STR("A: b\r\n"));
	send_job(&f, 1, "virtual", "example.org", to, 1, 1, 6);
	r = take_result(&f, 1, 1);
	if (geteuid() == 0)
		check_str(r[0].text, "virtual_uid_maps gives 12345: below virtual_minimum_uid (20000)");
	else
		check_int(r[0].status, RCPT_SENT);
	end(&f);
}

/* A job under way when queued dies: the new queued gets a channel, and nothing of the old job. */
static void test_queued_dies(void **state)
{
	static const char *const to[] = { "john@example.org" };
	struct str wire = STR("A: b\r\n\r\nx\r\n");
	struct fixture f;
	struct stat st;

	(void)state;
	NEEDS_PROGRAM
	begin(&f, "");
	send_segment(&f, 1, wire);
	for (uint32_t i = 0; i < 5; i++)
		send_job(&f, i, "virtual", "example.org", to, 1, 1, wire.n);
	close(f.queued);
	connect_queued(&f);
	send_segment(&f, 2, wire);
	send_job(&f, 99, "virtual", "example.org", to, 1, 2, wire.n);
	check_int(take_result(&f, 99, 1)[0].status, RCPT_SENT);
	check(files_in(&f, "mail/example.org/john/new", &st) >= 1);
	end(&f);
}

/* An LMTP server that takes ok@…, has no room for full@…, does not know others; `quits_after` messages it hangs up. */
static void serve_lmtp(int listener, unsigned quits_after)
{
	char line[2000];

	for (;;) {
		int fd = accept(listener, NULL, NULL);
		FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
		unsigned ok = 0, messages = 0;
		setvbuf(out, NULL, _IOFBF, 0);
		fputs("220 sink LMTP\r\n", out);
		fflush(out);
		while (fgets(line, sizeof line, in)) {
			if (strncmp(line, "LHLO", 4) == 0) {
				fputs("250-sink\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n", out);
			} else if (strncmp(line, "RCPT TO:<ok", 11) == 0) {
				ok++;
				fputs("250 2.1.5 ok\r\n", out);
			} else if (strncmp(line, "RCPT", 4) == 0) {
				fputs("550 5.1.1 no such user\r\n", out);
			} else if (strncmp(line, "DATA", 4) == 0 && ok == 0) {
				fputs("503 5.5.1 no recipients\r\n", out);
			} else if (strncmp(line, "DATA", 4) == 0) {
				fputs("354 go\r\n", out);
				fflush(out);
				while (fgets(line, sizeof line, in) && strcmp(line, ".\r\n") != 0)
					;
				for (unsigned i = 0; i < ok; i++)
					fputs(i == 0 ? "250 2.0.0 saved\r\n" : "452 4.2.2 full\r\n", out);
				ok = 0;
				messages++;
			} else if (strncmp(line, "RSET", 4) == 0) {
				ok = 0;
				fputs("250 2.0.0 ok\r\n", out);
			} else {
				fputs("250 2.0.0 ok\r\n", out);
			}
			fflush(out);
			if (messages == quits_after)
				break;
		}
		fclose(in);
		fclose(out);
	}
}

static void start_lmtp(struct fixture *f, unsigned quits_after)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/private/lmtp", f->dir);
	check(bind(fd, (const struct sockaddr *)&addr, sizeof addr) == 0 && listen(fd, 10) == 0);
	check(chmod(addr.sun_path, 0666) == 0);
	f->server = fork();
	if (f->server == 0)
		serve_lmtp(fd, quits_after);
	close(fd);
}

static void test_lmtp(void **state)
{
	static const char *const to[] = { "ok1@example.org", "no@example.org", "ok2@example.org" };
	struct str wire = STR("A: b\r\n\r\nx\r\n");
	struct fixture f;

	(void)state;
	NEEDS_PROGRAM
	begin(&f, "");
	send_segment(&f, 3, wire);
	send_job(&f, 1, "lmtp", "unix:private/lmtp", to, 3, 3, wire.n);
	struct rcpt_result *r = take_result(&f, 1, 3); /* nobody is there */
	for (size_t i = 0; i < 3; i++) {
		check_int(r[i].status, RCPT_DEFERRED);
		check_int(r[i].nexthop_dead, 1);
		check_str(r[i].text, "connect to mail.example.org[private/lmtp]: No such file or directory");
	}
	start_lmtp(&f, 2);
	/* the third finds its kept connection closed by the server, and makes another */
	for (uint32_t i = 2; i < 6; i++) {
		send_job(&f, i, "lmtp", "unix:private/lmtp", to, 3, 3, wire.n);
		r = take_result(&f, i, 3);
		check_int(r[0].status, RCPT_SENT);
		check_str(r[0].text, "250 2.0.0 saved");
		check_int(r[1].status, RCPT_BOUNCED);
		check_str(r[1].dsn, "5.1.1");
		check_str(r[1].remote_mta, "mail.example.org");
		check_str(r[1].text, "host mail.example.org[private/lmtp] said: 550 5.1.1 no such user "
				     "(in reply to RCPT TO command)");
		check_int(r[2].status, RCPT_DEFERRED);
		check_str(r[2].dsn, "4.2.2");
		check_int(r[2].nexthop_dead, 0);
	}
	send_job(&f, 7, "lmtp", "inet:127.0.0.1:21699", to, 1, 3, wire.n);
	check_str(take_result(&f, 7, 1)[0].text, "connect to 127.0.0.1[127.0.0.1]:21699: Connection refused");
	send_job(&f, 8, "lmtp", "unix:", to, 1, 3, wire.n);
	check_str(take_result(&f, 8, 1)[0].text, "nexthop \"unix:\" names no socket of 1 to 107 octets");
	send_job(&f, 9, "lmtp", "unix:private/lmtp", to, 1, 4, wire.n); /* a segment that is not there */
	check_int(take_result(&f, 9, 1)[0].status, RCPT_DEFERRED);
	usleep(100000);
	check(log_has(&f, "relay=mail.example.org[private/lmtp], delay="));
	check(log_has(&f, "dsn=2.0.0, status=sent (250 2.0.0 saved)"));
	check(log_has(&f, "postfix/lmtp["));
	end(&f);
}

/* A server that takes the connection and says nothing. */
static void test_lmtp_silent(void **state)
{
	static const char *const to[] = { "ok@example.org" };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct fixture f;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	NEEDS_PROGRAM
	begin(&f, "lmtp_lhlo_timeout = 1s\n");
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/private/lmtp", f.dir);
	check(bind(fd, (const struct sockaddr *)&addr, sizeof addr) == 0 && listen(fd, 10) == 0);
	check(chmod(addr.sun_path, 0666) == 0);
	send_segment(&f, 1, STR("A: b\r\n"));
	send_job(&f, 1, "lmtp", "unix:private/lmtp", to, 1, 1, 6);
	const struct rcpt_result *r = take_result(&f, 1, 1);
	check_int(r[0].status, RCPT_DEFERRED);
	check_int(r[0].nexthop_dead, 1);
	check_str(r[0].dsn, "4.4.2");
	check(str_has_prefix(r[0].text, STR("conversation timed out with mail.example.org[private/lmtp] while ")));
	close(fd);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_virtual), cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_local), cmocka_unit_test(test_base), cmocka_unit_test(test_queued_dies),
		cmocka_unit_test(test_lmtp), cmocka_unit_test(test_lmtp_silent) };

	signal(SIGPIPE, SIG_IGN);
	return test_run(tests);
}
