#include "ctl/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int ctl_connect(const char *path, int flags)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	int fd, saved;

	if (n >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static ssize_t send_some(int fd, const void *p, size_t n)
{
	return send(fd, p, n, MSG_NOSIGNAL);
}

static int put_all(int fd, struct str s, ssize_t (*put)(int fd, const void *p, size_t n))
{
	while (s.n) {
		ssize_t n = put(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		s = str_from(s, (size_t)n);
	}
	return 0;
}

int ctl_send_all(int fd, struct str s)
{
	return put_all(fd, s, send_some);
}

int ctl_write_all(int fd, struct str s)
{
	return put_all(fd, s, write);
}
