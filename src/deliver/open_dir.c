#include "deliver/open_dir.h"
#include "deliver/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

int open_or_make_dir(int parent, const char *name, bool *making)
{
	int fd = openat(parent, name, DIR_FLAGS);

	*making = false;
	if (fd >= 0 || errno != ENOENT)
		return fd;
	*making = true;
	if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
		return -1;
	fd = openat(parent, name, DIR_FLAGS);
	/* The new entry must survive a power cut as surely as the mail below it. */
	if (fd >= 0 && fsync(parent) != 0) {
		int err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static int step(struct open_dir *d, struct str part)
{
	char name[PATH_PART_MAX + 1];
	size_t n = strlen(d->where);
	int next;

	snprintf(name, sizeof name, "%.*s", STR_ARG(part));
	snprintf(d->where + n, sizeof d->where - n, "/%s", name);
	next = open_or_make_dir(d->fd, name, &d->making);
	d->error = errno;
	close(d->fd);
	d->fd = next;
	return next < 0 ? -1 : 0;
}

int open_dir(struct open_dir *d, int base_fd, const char *base, struct str path, char *name)
{
	struct str part;

	memset(d, 0, sizeof *d);
	snprintf(d->where, sizeof d->where, "%s", base);
	/* Who may not enter the directories above the base may use the base all the same. */
	d->fd = base_fd < 0 ? open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			    : openat(base_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d->error = errno;
	if (d->fd < 0)
		return -1;
	if (path_is_maildir(path))
		path.n--;
	while (str_field(&path, "/", &part)) {
		if (name && path.p == NULL) {
			snprintf(name, PATH_PART_MAX + 1, "%.*s", STR_ARG(part));
			return 0;
		}
		if (step(d, part) != 0)
			return -1;
	}
	return 0;
}
