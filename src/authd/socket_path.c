#include "authd/socket_path.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static const char longest_pid[] = "4194304";

int socket_path_make(struct socket_path *p, const char *path, const char *queue_directory)
{
	size_t max = sizeof((struct sockaddr_un){ 0 }.sun_path), folder;

	snprintf(p->name, sizeof p->name, "%s%s%s", *path == '/' ? "" : queue_directory, *path == '/' ? "" : "/", path);
	folder = (size_t)(strrchr(p->name, '/') + 1 - p->name);
	snprintf(p->fresh, sizeof p->fresh, "%.*s.%d", (int)folder, p->name, (int)getpid());
	return strlen(p->name) < max && folder + 1 + strlen(longest_pid) < max ? 0 : -1;
}
