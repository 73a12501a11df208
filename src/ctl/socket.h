/* socket.h - a UNIX socket that the tools ask at, and octets for it or for a file. */
#ifndef CTL_SOCKET_H
#define CTL_SOCKET_H

#include "base/str.h"

/* Connect to the stream socket at `path`; flags: SOCK_NONBLOCK or 0. A descriptor (close-on-exec), or -1 with errno. */
int ctl_connect(const char *path, int flags);
/* All octets of s into the connected socket; blocks. 0, or -1 (errno: EPIPE when nobody reads; no SIGPIPE then). */
int ctl_send_all(int fd, struct str s);
/* All octets of s into whatever fd is; blocks. 0, or -1 (errno). */
int ctl_write_all(int fd, struct str s);

#endif
