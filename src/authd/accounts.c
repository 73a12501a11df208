#include "authd/accounts.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

void accounts_open(struct accounts *a)
{
	a->passwd = fopen("/etc/passwd", "re");
	a->group = fopen("/etc/group", "re");
}

bool accounts_uid(const struct accounts *a, const char *name, unsigned *id)
{
	const struct passwd *pw = NULL;

	if (a->passwd == NULL)
		return false;
	rewind(a->passwd);
	do
		pw = fgetpwent(a->passwd);
	while (pw && strcmp(pw->pw_name, name) != 0);
	if (pw)
		*id = pw->pw_uid;
	return pw != NULL;
}

bool accounts_gid(const struct accounts *a, const char *name, unsigned *id)
{
	const struct group *gr = NULL;

	if (a->group == NULL)
		return false;
	rewind(a->group);
	do
		gr = fgetgrent(a->group);
	while (gr && strcmp(gr->gr_name, name) != 0);
	if (gr)
		*id = gr->gr_gid;
	return gr != NULL;
}
