/*
 * open_dir.h - walk down from a trusted directory, part by part, never through a symbolic link; what is missing is made.
 */
#ifndef DELIVER_OPEN_DIR_H
#define DELIVER_OPEN_DIR_H

#include "base/str.h"

struct open_dir {
	int fd;		  /* the directory reached */
	int error;	  /* errno of the failure */
	bool making;	  /* it failed while making one */
	char where[1400]; /* absolute path of the part that failed, or that was reached */
};
/*
 * Open base/path; base_fd: the base, opened with O_PATH, or -1. With `name` (256 octets) the last part of the path is not opened but copied there: it is a file's.
 * The path was checked by path_fault(). Directories are made with mode 0700, and the one above is flushed. 0 or -1.
 */
int open_dir(struct open_dir *d, int base_fd, const char *base, struct str path, char *name);
/* One directory `name` (no "/" in it) in `parent`; made if missing. A descriptor, or -1 (errno); *making as above. */
int open_or_make_dir(int parent, const char *name, bool *making);

#endif
