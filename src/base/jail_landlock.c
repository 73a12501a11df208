/* Landlock by the kernel's ABI. The numbers stand here because the headers of Debian 12 end with ABI 2. */
#include "base/jail_impl.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	FS_TRUNCATE = 1 << 14,	/* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
	NET_BIND_TCP = 1 << 0,	/* ABI 4 */
	NET_CONNECT_TCP = 1 << 1,
	SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, /* ABI 6 */
	SCOPE_SIGNAL = 1 << 1,
	RULE_NET_PORT = 2
};
struct net_port {
	uint64_t allowed_access, port;
};

static const uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t write_rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
				     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE;
static const uint64_t other_rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | FS_IOCTL_DEV;
static const uint64_t file_rights =
	LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;

struct landlock_wish jail_landlock_wish(const struct jail *j, long abi)
{
	struct landlock_wish w = { .files = read_rights | write_rights | other_rights };

	if (abi < 2)
		w.files &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		w.files &= ~(uint64_t)FS_TRUNCATE;
	if (abi < 5)
		w.files &= ~(uint64_t)FS_IOCTL_DEV;
	if (abi >= 4)
		w.net = NET_BIND_TCP;
	if (abi >= 4 && (!jail_role_has_net(j->role) || j->connect_ports))
		w.net |= NET_CONNECT_TCP;
	if (abi >= 6)
		w.scopes = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	return w;
}

static void allow_path(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return; /* what is not there need not be allowed */
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
		/* A plain file takes no directory rights. */
		rule.allowed_access &= file_rights;
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	}
	close(fd);
}

static void allow_port(int ruleset, uint64_t port, uint64_t rights)
{
	struct net_port rule = { rights, port };

	if (rights)
		syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0);
}

static void add_rules(int ruleset, const struct jail *j, const struct landlock_wish *w)
{
	for (size_t i = 0; j->readable && j->readable[i]; i++)
		allow_path(ruleset, j->readable[i], w->files & read_rights);
	for (size_t i = 0; j->writable && j->writable[i]; i++)
		allow_path(ruleset, j->writable[i], w->files & (read_rights | write_rights));
	for (size_t i = 0; j->runnable && j->runnable[i]; i++)
		allow_path(ruleset, j->runnable[i], read_rights | LANDLOCK_ACCESS_FS_EXECUTE);
	if (!jail_role_has_net(j->role))
		return;
	for (size_t i = 0; j->connect_ports && j->connect_ports[i]; i++)
		allow_port(ruleset, j->connect_ports[i], w->net & NET_CONNECT_TCP);
	allow_port(ruleset, 0, w->net & NET_BIND_TCP); /* any free one: smtp_bind_address */
}

long jail_landlock_enter(const struct jail *j)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_wish w = jail_landlock_wish(j, abi);
	size_t size = abi < 4 ? sizeof w.files : abi < 6 ? sizeof w.files + sizeof w.net : sizeof w;
	bool maildirs = j->role == JAIL_DELIVER || j->role == JAIL_DELIVER_ALONE, done;
	int ruleset;

	/* Before version 2 nothing under Landlock can be renamed from tmp/ to new/: no Maildir. */
	if (abi < 1 || (maildirs && abi < 2))
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &w, size, 0);
	if (ruleset < 0)
		return 0;
	add_rules(ruleset, j, &w);
	done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	close(ruleset);
	return done ? abi : 0;
}

const char *jail_landlock_text(const struct jail *j, long abi)
{
	struct landlock_wish w = jail_landlock_wish(j, abi);

	/* Each ABI has all that those before it have. */
	if (w.scopes)
		return w.net & NET_CONNECT_TCP ? "files tcp devices signals sockets"
					       : "files tcp-bind devices signals sockets";
	if (w.files & FS_IOCTL_DEV)
		return w.net & NET_CONNECT_TCP ? "files tcp devices" : "files tcp-bind devices";
	if (w.net)
		return w.net & NET_CONNECT_TCP ? "files tcp" : "files tcp-bind";
	return "files";
}
