/*
 * The whole process in its jail, with this test in the place of master, and the client that all other processes use on
 * the other end of the channel. The program is $BIN/mapd (build/bin).
 */
#include "base/test.h"
#include "base/ipc.h"
#include "base/log.h"
#include "child/start_msg.h"
#include "map/map_client.h"
#include "map/table.h"
#include "msg/map_msg.h"
#include "msg/master_msg.h"
#include "msg/roles.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, WAIT_MS = 15000 };

static struct fixture {
	char dir[64];
	pid_t pid, dovecot;
	int master;
	struct arena *mem;
	struct conf *conf;
	uv_loop_t loop;
	struct map_client *client;
	char *main_cf;
} f;

static const char master_cf[] = "smtp inet n - n - - smtpd -o smtpd_sender_restrictions=check_sender_access,"
				"texthash:$config_directory/only_service\n";

static const char *program(void)
{
	static char path[512];
	const char *bin = getenv("BIN");

	snprintf(path, sizeof path, "%s/mapd", bin ? bin : "build/bin");
	return access(path, X_OK) == 0 ? path : NULL;
}

static const char *in_dir(const char *name)
{
	return arena_printf(f.mem, "%s/%s", f.dir, name);
}

static void write_file(const char *name, const char *text)
{
	FILE *out = fopen(in_dir(name), "w");

	check(out != NULL);
	fputs(text, out);
	fclose(out);
}

static int text_fd(const char *text)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);

	check(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void make_files(void)
{
	struct lmdb_write how = { .how = LMDB_NEW };
	struct buf why = BUF_INIT(TABLE_WHY_MAX);
	sqlite3 *db;

	write_file("transport", "far.example smtp:[192.0.2.9]:25\n");
	write_file("rewrite", "/^(.*)@old\\.example$/ ${1}@box.example\n");
	write_file("only_service", "sender@x.example REJECT\n");
	write_file("secret", "a b\n");
	check_int(table_lmdb_write(in_dir("aliases"), STR("info@box.example user1@box.example\n"), &how, &why), 0);
	check_int(chmod(in_dir("aliases.lmdb"), 0644), 0);
	check_int(sqlite3_open(in_dir("data/db"), &db), SQLITE_OK);
	check_int(
		sqlite3_exec(db, "CREATE TABLE u(m TEXT); INSERT INTO u VALUES('user1@box.example')", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	write_file("users.cf",
		arena_printf(f.mem, "dbpath = %s/data/db\nquery = SELECT m FROM u WHERE m = '%%s'\n", f.dir));
	buf_free(&why);
}

static int next_msg(struct ipc_in *in)
{
	static char payload[IPC_MAX_OCTETS];
	struct pollfd p = { .fd = f.master, .events = POLLIN };
	int fds[IPC_MAX_FDS];
	unsigned n_fds = 0;
	uint16_t type = 0;
	ssize_t n;

	if (poll(&p, 1, WAIT_MS) <= 0)
		return -1;
	n = ipc_read_now(f.master, &type, payload, sizeof payload, fds, &n_fds);
	*in = (struct ipc_in){ { payload, n > 0 ? (size_t)n : 0 }, false };
	return n < 0 ? -1 : type;
}

static void start_mapd(void)
{
	struct buf out = IPC_BUF;
	struct start_msg m = { .count = 1,
		.uid = geteuid() == 0 ? NOBODY : geteuid(),
		.gid = geteuid() == 0 ? NOBODY : getegid(),
		.log_to = LOG_TO_FD,
		.root = geteuid() == 0,
		.config_directory = str_c(f.dir),
		.queue_directory = str_c(f.dir),
		.log_name = STR("postfix/mapd"),
		.seed = STR("0123456789abcdef0123456789abcdef") };
	int fds[] = { text_fd(f.main_cf), text_fd(master_cf), open(in_dir("log"), O_CREAT | O_APPEND | O_RDWR, 0600) };
	struct ipc_in in;
	int pair[2];

	check_int(ipc_pair(pair), 0);
	f.pid = fork();
	if (f.pid == 0) {
		int high = fcntl(pair[1], F_DUPFD, 10); /* it may be 3 already, with close-on-exec */

		dup2(high, 3);
		close(high);
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* its search needs calls that the jail refuses */
		execl(program(), "mapd", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	f.master = pair[0];
	start_msg_encode(&out, &m);
	check_int(ipc_write_now(f.master, MSG_START, buf_str(&out), fds, 3), 0);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	buf_free(&out);
	check_int(next_msg(&in), MSG_READY);
	check(memmem(in.rest.p, in.rest.n, "seccomp", 7) != NULL);
}

/* Returns our end. */
static int new_peer(void)
{
	struct buf out = IPC_BUF;
	int pair[2];

	check_int(ipc_pair(pair), 0);
	ipc_put_u8(&out, ROLE_SMTPD);
	ipc_put_u32(&out, 0);
	check_int(ipc_write_now(f.master, MSG_PEER, buf_str(&out), &pair[1], 1), 0);
	close(pair[1]);
	buf_free(&out);
	return pair[0];
}

/* A userdb that knows one user; a process of its own. */
static void start_userdb(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	char line[512];

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s/private/userdb", f.dir);
	check_int(bind(listener, (struct sockaddr *)&sun, sizeof sun), 0);
	check_int(chmod(sun.sun_path, 0666), 0);
	check_int(listen(listener, 4), 0);
	f.dovecot = fork();
	while (f.dovecot == 0) {
		FILE *s = fdopen(accept(listener, NULL, NULL), "r+");
		unsigned id;

		fputs("VERSION\t1\t1\nSPID\t1\n", s);
		fflush(s);
		while (fgets(line, sizeof line, s)) {
			if (sscanf(line, "USER\t%u\t", &id) != 1)
				continue;
			fseek(s, 0, SEEK_CUR);
			fprintf(s,
				strstr(line, "\tud@ud.example\t") ? "USER\t%u\tud@ud.example\tuid=9\n"
								  : "NOTFOUND\t%u\n",
				id);
			fflush(s);
		}
		fclose(s);
	}
	close(listener);
}

static int set_up(void **state)
{
	struct buf errors = BUF_INIT(65536);

	(void)state;
	f.mem = arena_new(0);
	strcpy(f.dir, "/tmp/mapd_test.XXXXXX");
	check(mkdtemp(f.dir) != NULL && chmod(f.dir, 0755) == 0);
	check_int(mkdir(in_dir("private"), 0755), 0);
	check_int(mkdir(in_dir("data"), 0755), 0);
	f.main_cf = arena_printf(f.mem,
		"myhostname = mail.example.org\nqueue_directory = %s\nmydestination = localhost\nalias_maps =\n"
		"virtual_mailbox_domains = box.example, ud.example, old.example\n"
		"virtual_mailbox_maps = sqlite:%s/users.cf, userdb:private/userdb\n"
		"virtual_alias_maps = hash:%s/aliases, regexp:%s/rewrite\n"
		"transport_maps = texthash:%s/transport\nrelayhost = [smart.example]\n"
		"milter_mail_macros = \"i {mail_addr} {auth_authen}\"\nsmtpd_banner = {{{{\n",
		f.dir, f.dir, f.dir, f.dir, f.dir);
	make_files();
	start_userdb();
	start_mapd();
	uv_loop_init(&f.loop);
	f.conf = conf_parse(f.dir, str_c(f.main_cf), str_c(master_cf), &errors, NULL);
	check(f.conf != NULL);
	f.client = map_client_new(&f.loop, f.conf);
	map_client_peer(f.client, new_peer());
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	(void)type;
	(void)w;
	return remove(path);
}

static int tear_down(void **state)
{
	struct buf out = IPC_BUF;
	int how = -1;

	(void)state;
	ipc_put_u8(&out, 1);
	ipc_write_now(f.master, MSG_STOP, buf_str(&out), NULL, 0);
	buf_free(&out);
	check(waitpid(f.pid, &how, 0) == f.pid);
	check_int(how, 0);
	kill(f.dovecot, SIGKILL);
	waitpid(f.dovecot, NULL, 0);
	map_client_free(&f.client);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	check_int(uv_loop_close(&f.loop), 0);
	conf_free(&f.conf);
	close(f.master);
	nftw(f.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(&f.mem);
	return 0;
}

struct asked {
	struct map_request r;
	bool done;
};

static void on_answer(struct map_request *r)
{
	container_of(r, struct asked, r)->done = true;
}

static void wait_for(struct asked *a)
{
	while (!a->done)
		uv_run(&f.loop, UV_RUN_ONCE);
}

static struct str rcpt(const char *address)
{
	struct asked a = { .r.on_answer = on_answer };
	char *text;

	map_rcpt(f.client, &a.r, str_c(address));
	wait_for(&a);
	text = arena_printf(f.mem, "%s%.*s", a.r.status == MAP_TEMPORARY ? "temporary " : "", STR_ARG(a.r.why));
	if (a.r.status != MAP_TEMPORARY)
		text = arena_printf(f.mem, "%s", a.r.exists ? "yes" : a.r.unknown_text);
	for (size_t i = 0; i < a.r.n_expanded; i++)
		text = arena_printf(f.mem, "%s %.*s", text, STR_ARG(a.r.expanded[i]));
	map_done(&a.r);
	return str_c(text);
}

static struct str lookup(const char *tables, const char *key)
{
	struct asked a = { .r.on_answer = on_answer };
	struct str out;

	map_lookup(f.client, &a.r, str_c(tables), str_c(key), MAP_EXACT);
	wait_for(&a);
	out = arena_dup(f.mem, a.r.status == MAP_FOUND ? a.r.value : a.r.status == MAP_TEMPORARY ? a.r.why : STR("-"));
	map_done(&a.r);
	return out;
}

static void test_answers(void **state)
{
	struct asked a = { .r.on_answer = on_answer };

	(void)state;
	check_str(rcpt("user1@box.example"), "yes user1@box.example");
	check_str(rcpt("user2@box.example"), "User unknown in virtual mailbox table user2@box.example");
	check_str(rcpt("info@box.example"), "yes user1@box.example");
	check_str(rcpt("user1@old.example"), "yes user1@box.example");
	check_str(rcpt("ud@ud.example"), "yes ud@ud.example");
	check_str(rcpt("xx@ud.example"), "User unknown in virtual mailbox table xx@ud.example");
	check_str(rcpt("root@localhost"), "yes root@localhost");
	check_str(rcpt("no-such-account@localhost"), "User unknown in local recipient table no-such-account@localhost");
	map_route(f.client, &a.r, STR("x@far.example"), STR(""));
	wait_for(&a);
	check_str(a.r.service, "smtp");
	check_str(a.r.nexthop, "[192.0.2.9]:25");
	map_done(&a.r);
}

/* Only what the configuration names is looked up; a table in a service's own parameters counts. */
static void test_permitted(void **state)
{
	(void)state;
	check_str(lookup(arena_printf(f.mem, "texthash:%s/only_service", f.dir), "sender@x.example"), "REJECT");
	check_str(lookup(arena_printf(f.mem, "texthash:%s/secret", f.dir), "a"),
		"the table that was asked for is not named in main.cf or master.cf");
	check_str(lookup("texthash:/etc/passwd", "a"),
		"the table that was asked for is not named in main.cf or master.cf");
}

/* A table that goes away is a temporary failure, and its return is seen. */
static void test_gone(void **state)
{
	(void)state;
	check_int(rename(in_dir("data/db"), in_dir("data/away")), 0);
	usleep(1200000);
	check(str_has_prefix(rcpt("user1@box.example"), STR("temporary sqlite:")));
	check_int(rename(in_dir("data/away"), in_dir("data/db")), 0);
	usleep(1200000);
	check_str(rcpt("user1@box.example"), "yes user1@box.example");
}

static void test_violation(void **state)
{
	int fd = new_peer();
	struct ipc_in in;
	unsigned role;

	(void)state;
	check_int(ipc_write_now(fd, MSG_MAP_RCPT, STR("short"), NULL, 0), 0);
	check_int(next_msg(&in), MSG_VIOLATION);
	role = ipc_get_u8(&in);
	check_int(role, ROLE_SMTPD);
	close(fd);
	fd = new_peer();
	check_int(ipc_write_now(fd, 99, STR(""), NULL, 0), 0);
	check_int(next_msg(&in), MSG_VIOLATION);
	close(fd);
	check_str(rcpt("user1@box.example"), "yes user1@box.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers), cmocka_unit_test(test_permitted),
		cmocka_unit_test(test_gone), cmocka_unit_test(test_violation) };
	int failed;

	if (program() == NULL) {
		printf("skipped: mapd is not built\n");
		test_checks++;
		return test_end(0);
	}
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	return test_end(failed);
}
