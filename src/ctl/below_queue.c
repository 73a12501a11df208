#include "ctl/below_queue.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

struct str below_queue(const struct conf_view *v, struct str path)
{
	struct str queue = str_c(conf_str(v, "queue_directory"));

	if (str_has_prefix(path, queue) && path.n > queue.n && path.p[queue.n] == '/')
		return str_from(path, queue.n + 1);
	return path;
}

bool below_queue_is_in(const struct conf_view *v, struct str path, const struct str *paths, size_t n)
{
	path = below_queue(v, path);
	for (size_t i = 0; i < n; i++)
		if (str_eq(below_queue(v, paths[i]), path))
			return true;
	return false;
}

int below_queue_enter(const struct conf_view *v, const char *owner)
{
	const struct passwd *pw;
	gid_t gid;
	uid_t uid;

	if (chdir(conf_str(v, "queue_directory")) != 0)
		return -1;
	if (geteuid() != 0 || (pw = getpwnam(conf_str(v, "mail_owner"))) == NULL)
		return 0;
	gid = pw->pw_gid;
	pw = getpwnam(conf_str(v, owner)); /* in the place of the other */
	if (pw == NULL)
		return 0;
	uid = pw->pw_uid;
	return setgroups(1, &gid) == 0 && setgid(gid) == 0 && setuid(uid) == 0 ? 0 : -1;
}
