/* socket.h - a UNIX socket that the tools ask at. */
#ifndef CTL_SOCKET_H
#define CTL_SOCKET_H

/* Connect to the stream socket at `path`; flags: SOCK_NONBLOCK or 0. A descriptor (close-on-exec), or -1 with errno. */
int ctl_connect(const char *path, int flags);

#endif
