/* socket_path.h - where the socket of a listener is made. */
#ifndef AUTHD_SOCKET_PATH_H
#define AUTHD_SOCKET_PATH_H

enum { SOCKET_PATH_MAX = 4096 };

struct socket_path {
	char name[SOCKET_PATH_MAX];  /* where it is looked for */
	char fresh[SOCKET_PATH_MAX]; /* ".PID" beside it, where it is made; renamed then */
};

/*
 * path: of a listener, absolute or below queue_directory. Returns 0, or -1: one of both may be longer than a socket's path may
 * be, whichever the PID; *p is what it would be, cut to its size.
 */
int socket_path_make(struct socket_path *p, const char *path, const char *queue_directory);

#endif
