#include "deliver/names.h"
#include "base/ipc.h"
#include "base/jail.h"
#include "base/log.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MSG_NAME = 1, MSG_ACCOUNT = 2, MSG_JAILED = 3 };
enum { NAME_MAX_OCTETS = 1024, ACCOUNT_MAX_OCTETS = 16 * 1024 };

static int channel = -1; /* to the process; -1: there is none, we look ourselves */

static int look_up(const char *name, struct account *a)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw)
		*a = (struct account){ pw->pw_name, pw->pw_dir, pw->pw_uid, pw->pw_gid };
	if (pw == NULL && errno != 0 && errno != ENOENT && errno != ESRCH)
		return -1;
	return pw != NULL;
}

/* u8 found (0, 1), u32 errno, u32 uid, u32 gid, str name, str home */
static void answer(int fd, const char *name)
{
	struct buf out = BUF_INIT(ACCOUNT_MAX_OCTETS);
	struct account a = { "", "", 0, 0 };
	int found = look_up(name, &a);

	ipc_put_u8(&out, found == 1);
	ipc_put_u32(&out, found < 0 ? (uint32_t)errno : 0);
	ipc_put_u32(&out, a.uid);
	ipc_put_u32(&out, a.gid);
	ipc_put_str(&out, str_c(a.name));
	ipc_put_str(&out, str_c(a.home));
	if (ipc_write_now(fd, MSG_ACCOUNT, buf_str(&out), NULL, 0) != 0)
		_exit(1);
	buf_free(&out);
}

_Noreturn static void be_names(int fd, uid_t uid, gid_t gid)
{
	static const char *const readable[] = { "/etc", "/lib", "/usr/lib", "/lib64", "/usr/share/zoneinfo",
		"/run/systemd", "/run/nscd", "/dev/null", "/dev/urandom", NULL };
	char name[NAME_MAX_OCTETS + 1];
	uint16_t type;
	int fds[IPC_MAX_FDS];
	unsigned n_fds;
	ssize_t n;

	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_NAME, "deliver-names");
	getpwnam("."); /* nobody: so all that the look-up of users needs is loaded, not files alone */
	ipc_write_now(fd, MSG_JAILED,
		str_c(jail_enter(&(struct jail){
			.role = JAIL_NAMES, .root = true, .uid = uid, .gid = gid, .readable = readable })),
		NULL, 0);
	while ((n = ipc_read_now(fd, &type, name, NAME_MAX_OCTETS, fds, &n_fds)) > 0) {
		name[n] = '\0';
		answer(fd, name);
		jail_tell();
		log_flush();
	}
	_exit(0); /* deliver is gone */
}

const char *names_start(const struct child *c)
{
	const char *owner = conf_str(c->main, "mail_owner");
	const struct passwd *pw;
	static char jail[256];
	uint16_t type = 0;
	int pair[2], fds[IPC_MAX_FDS];
	unsigned n_fds = 0;
	ssize_t n;
	pid_t pid;

	if (!c->root)
		return "";
	pw = getpwnam(owner);
	if (pw == NULL || pw->pw_uid == 0)
		fatal("mail_owner %s: there is no such account, or it is root", owner);
	if (ipc_pair(pair) != 0)
		fatal("cannot make a channel to the process that looks up users: %s", strerror(errno));
	log_flush();
	pid = fork();
	if (pid < 0)
		fatal("cannot start the process that looks up users: %s", strerror(errno));
	if (pid == 0) {
		close(pair[0]);
		close(c->master.fd);
		be_names(pair[1], pw->pw_uid, pw->pw_gid);
	}
	close(pair[1]);
	channel = pair[0];
	n = ipc_read_now(channel, &type, jail, sizeof jail - 1, fds, &n_fds);
	if (n >= 0 && type == MSG_JAILED)
		jail[n] = '\0';
	else
		fatal("the process that looks up users did not start");
	return jail;
}

static int take_account(struct str payload, struct arena *mem, struct account *a)
{
	struct ipc_in in = { payload, false };
	uint8_t found = ipc_get_u8(&in);
	uint32_t error = ipc_get_u32(&in);

	a->uid = ipc_get_u32(&in);
	a->gid = ipc_get_u32(&in);
	a->name = arena_cdup(mem, ipc_get_str(&in));
	a->home = arena_cdup(mem, ipc_get_str(&in));
	if (!ipc_get_end(&in))
		return -1;
	errno = (int)error;
	return error != 0 ? -1 : found == 1;
}

int names_find(const char *name, struct arena *mem, struct account *a)
{
	char payload[ACCOUNT_MAX_OCTETS];
	int fds[IPC_MAX_FDS];
	unsigned n_fds = 0;
	uint16_t type = 0;
	ssize_t n = -1;

	if (*name == '\0' || strlen(name) > NAME_MAX_OCTETS)
		return 0;
	if (channel < 0)
		return look_up(name, a);
	if (ipc_write_now(channel, MSG_NAME, str_c(name), NULL, 0) == 0)
		n = ipc_read_now(channel, &type, payload, sizeof payload, fds, &n_fds);
	if (n > 0 && type == MSG_ACCOUNT && n_fds == 0) {
		errno = EPROTO;
		return take_account(str_pn(payload, (size_t)n), mem, a);
	}
	log_error("the process that looks up users has ended; deliver is started anew with it");
	log_flush();
	_exit(1);
}
