/*
 * badread.c - loaded before a program (LD_PRELOAD): octets BADREAD_FROM to BADREAD_TO - 1 of the files whose name begins
 * with BADREAD_FILE cannot be read, as where a disk has lost a block.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_bad(int fd, size_t n, off_t at)
{
	const char *file = getenv("BADREAD_FILE"), *from = getenv("BADREAD_FROM"), *to = getenv("BADREAD_TO");
	char link[64], path[4096];
	ssize_t octets;

	if (file == NULL || from == NULL || to == NULL || at >= atoll(to) || at + (off_t)n <= atoll(from))
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	octets = readlink(link, path, sizeof path - 1);
	return octets > 0 && strncmp(path, file, strlen(file)) == 0;
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	if (is_bad(fd, n, at)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off_t at)
{
	return pread(fd, p, n, at);
}
