/* Listening sockets, made with master's rights before they are dropped. */
#include "authd/authd.h"

#include "authd/socket_path.h"
#include "base/log.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 511 };

_Noreturn static void cannot(const struct listener_settings *set, const char *name, const char *what, const char *why)
{
	fatal("%s, line %u: cannot %s %s: %s", set->file, set->line, what, name, why);
}

/* Is that the authd of before a reload, master's child as we are? It serves until we do. */
static bool is_sibling(pid_t pid)
{
	char path[64], text[512] = "";
	const char *after_name;
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	after_name = fgets(text, sizeof text, f) ? strrchr(text, ')') : NULL;
	fclose(f);
	return after_name && sscanf(after_name, ") %*c %d", &parent) == 1 && parent == (int)getppid();
}

/* Only a socket is ever replaced. */
static void look_at_old(const struct listener_settings *set, const char *path, const struct sockaddr_un *un)
{
	struct ucred who = { 0 };
	socklen_t len = sizeof who;
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0)
		return;
	if (!S_ISSOCK(st.st_mode))
		cannot(set, path, "make the socket", "something that is no socket is there already");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof *un) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && !is_sibling(who.pid))
		log_warn("%s is served by another process (Dovecot, perhaps); taking it over", path);
	if (fd >= 0)
		close(fd);
}

static void set_owner(const struct listener_settings *set, const char *path, bool root)
{
	/* Without root a socket stays with the account that runs everything: that is who asks. */
	if ((set->uid == (uid_t)-1 || set->uid == geteuid()) && (set->gid == (gid_t)-1 || set->gid == getegid()))
		return;
	if (chown(path, set->uid, set->gid) != 0 && root)
		cannot(set, path, "give away the socket", strerror(errno));
}

/* The new socket takes the place of an old one at once: whoever connects meanwhile finds one of both. */
static int bind_unix(struct authd *a, const struct listener_settings *set)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct socket_path at;
	const char *path = at.name, *fresh = at.fresh;
	int fd;

	if (socket_path_make(&at, set->path, a->child.queue_directory) < 0)
		cannot(set, path, "make the socket", "the path is longer than a socket's may be (about 100 octets)");
	memcpy(un.sun_path, path, strlen(path) + 1);
	look_at_old(set, path, &un);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(un.sun_path, fresh, strlen(fresh) + 1);
	unlink(fresh);
	/* umask is 077: nobody gets in before the mode is what was asked for. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&un, sizeof un) != 0)
		cannot(set, path, "make the socket", strerror(errno));
	set_owner(set, fresh, a->child.root);
	if (chmod(fresh, set->mode) != 0)
		cannot(set, path, "set the mode of", strerror(errno));
	if (listen(fd, BACKLOG) != 0 || rename(fresh, path) != 0)
		cannot(set, path, "replace the socket", strerror(errno));
	return fd;
}

static int bind_inet(const struct listener_settings *set)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *list = NULL;
	char port[8], name[300];
	int fd = -1, one = 1, zero = 0, r;

	snprintf(port, sizeof port, "%u", (unsigned)set->port);
	snprintf(name, sizeof name, "%s:%s", *set->host ? set->host : "*", port);
	if (*set->host == '\0')
		hints.ai_family = AF_INET6;
	r = getaddrinfo(*set->host ? set->host : NULL, port, &hints, &list);
	if (r != 0)
		cannot(set, name, "listen on", gai_strerror(r));
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one); /* beside the authd of before a reload */
		if (list->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	}
	if (fd < 0 || bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
		cannot(set, name, "listen on", strerror(errno));
	freeaddrinfo(list);
	return fd;
}

static void bind_one(struct authd *a, const struct listener_settings *set)
{
	struct listener *l = &a->listener[a->n_listeners++];

	l->authd = a;
	l->set = set;
	l->uid = set->uid == (uid_t)-1 ? geteuid() : set->uid;
	l->gid = set->gid == (gid_t)-1 ? getegid() : set->gid;
	l->fd = set->host ? bind_inet(set) : bind_unix(a, set);
}

void server_bind(struct authd *a)
{
	static const struct listener_settings control = { .path = "public/auth-trace",
		.type = LISTEN_CONTROL,
		.mode = 0600,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.file = "queue_directory",
		.line = 0 };

	for (size_t i = 0; i < a->set->n_listeners; i++)
		bind_one(a, &a->set->listener[i]);
	bind_one(a, &control);
}
