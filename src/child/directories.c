#include "child/directories.h"

const struct directory child_directories[] = {
	{ "pid", ROLE_MASTER, 0755 },
	{ "private", ROLE_SMTPD, 0710 },
	{ "public", ROLE_MASTER, 0755 },
	{ "log", ROLE_QUEUED, 0700 },
	{ "empty", ROLE_MASTER, 0755 },
	{ "maildrop", ROLE_MASTER, 01733 }, /* any user may leave mail there, none can see what others left */
	{ NULL, ROLE_NONE, 0 },
};

bool child_directory_is_made(const char *path, const char *queue_directory)
{
	struct str below = str_c(path);

	if (!str_has_prefix(below, str_c(queue_directory)))
		return false;
	below = str_from(below, strlen(queue_directory));
	if (below.n == 0)
		return true;
	for (size_t i = 0; child_directories[i].name; i++)
		if (below.p[0] == '/' && str_eq(str_from(below, 1), str_c(child_directories[i].name)))
			return true;
	return false;
}
