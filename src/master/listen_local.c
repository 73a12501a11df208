/* listen_local.c - public/submit: one socket, which all smtpds accept from. Whoever connects is known by his uid. */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };
static const char local_address[] = "unix:public/submit";

bool listen_is_local(const struct listen_address *a)
{
	return strcmp(a->address, local_address) == 0;
}

/* Under another name first, and then moved there: at no time is there a socket that nobody listens on. */
static int open_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, saved;

	if (snprintf(addr.sun_path, sizeof addr.sun_path, "%s.new", path) >= (int)sizeof addr.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	unlink(addr.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 && chmod(addr.sun_path, 0666) == 0 &&
		listen(fd, BACKLOG) == 0 && rename(addr.sun_path, path) == 0)
		return fd;
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

/* That of the setup before a reload. -1: none. */
static int old_socket(const struct listeners *old)
{
	for (unsigned i = 0; old && i < old->n; i++)
		if (listen_is_local(&old->address[i]) && old->address[i].n_fd > 0)
			return fcntl(old->address[i].fd[0], F_DUPFD_CLOEXEC, 3);
	return -1;
}

int listen_local_open(
	struct listeners *l, const struct conf *conf, unsigned n_smtpd, const struct listeners *old, struct buf *errors)
{
	struct listen_address *a = &l->address[l->n];
	char path[4096];
	int fd = old_socket(old);

	snprintf(path, sizeof path, "%s/public/submit", conf_str(conf_main(conf), "queue_directory"));
	if (l->n == MAX_LISTEN_ADDRESSES) {
		buf_addf(errors, "%s: more than %d listening addresses in all\n", path, MAX_LISTEN_ADDRESSES);
		return -1;
	}
	if (fd < 0)
		fd = open_socket(path);
	if (fd < 0) {
		buf_addf(errors, "%s: cannot listen there: %s\n", path, strerror(errno));
		return -1;
	}
	snprintf(a->service, sizeof a->service, "%s", conf_str(conf_main(conf), "pickup_service_name"));
	snprintf(a->address, sizeof a->address, "%s", local_address);
	a->n_fd = n_smtpd;
	a->fd = xcalloc(n_smtpd, sizeof *a->fd);
	for (unsigned i = 0; i < n_smtpd; i++)
		a->fd[i] = i == 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	l->n++;
	return 0;
}
