/* directories.h - what master makes below queue_directory before it starts anybody. */
#ifndef CHILD_DIRECTORIES_H
#define CHILD_DIRECTORIES_H

#include "base/str.h"
#include "msg/roles.h"

#include <sys/types.h>

/* All are entered by every role, and written by the owner alone. */
struct directory {
	const char *name; /* below queue_directory */
	enum role owner;
	mode_t mode;
};

/* The list ends with a name that is NULL. */
extern const struct directory child_directories[];
/* Is `path`, an absolute one without a slash at its end, queue_directory or one of those? */
bool child_directory_is_made(const char *path, const char *queue_directory);

#endif
