#include "ctl/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char variable[] = "NOTIFY_SOCKET";

bool notify_is_wanted(void)
{
	const char *path = getenv(variable);

	return path && (*path == '/' || *path == '@');
}

void notify_manager(const char *text)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv(variable);
	size_t n = path ? strlen(path) : 0;
	int fd = -1;

	if (notify_is_wanted() && n < sizeof sun.sun_path) {
		memcpy(sun.sun_path, path, n);
		if (*path == '@') /* an abstract one */
			sun.sun_path[0] = '\0';
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	}
	if (fd >= 0) {
		sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&sun,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
		close(fd);
	}
	unsetenv(variable);
}
