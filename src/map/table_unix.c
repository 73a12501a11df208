/* unix:passwd.byname and unix:group.byname: the system's accounts, as a line of passwd(5) or group(5). */
#include "map/table.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

enum { ENTRY_MAX = 64 * 1024 };

static struct table *unix_make(void)
{
	return xcalloc(1, sizeof(struct table));
}

static void unix_free(struct table *t)
{
	free(t);
}

static int find_passwd(const char *name, char *room, struct buf *value)
{
	struct passwd pw, *hit = NULL;
	int e = getpwnam_r(name, &pw, room, ENTRY_MAX, &hit);

	if (hit)
		buf_addf(value, "%s:x:%u:%u:%s:%s:%s", pw.pw_name, (unsigned)pw.pw_uid, (unsigned)pw.pw_gid,
			pw.pw_gecos, pw.pw_dir, pw.pw_shell);
	return e;
}

static int find_group(const char *name, char *room, struct buf *value)
{
	struct group gr, *hit = NULL;
	int e = getgrnam_r(name, &gr, room, ENTRY_MAX, &hit);

	if (hit)
		buf_addf(value, "%s:x:%u:", gr.gr_name, (unsigned)gr.gr_gid);
	for (char **m = hit ? gr.gr_mem : NULL; m && *m; m++)
		buf_addf(value, "%s%s", m == gr.gr_mem ? "" : ",", *m);
	return e;
}

static enum map_status unix_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	bool passwd = strcmp(t->name, "passwd.byname") == 0;
	char *name, *room;
	int e;

	if (!passwd && strcmp(t->name, "group.byname") != 0) {
		buf_addf(why, "%s: must be unix:passwd.byname or unix:group.byname", t->spec);
		return MAP_TEMPORARY;
	}
	/* "a@b" is no account, and some name services would ask the network about it. */
	if (key.n == 0 || str_chr(key, '@') >= 0 || str_chr(key, ':') >= 0)
		return MAP_NOT_FOUND;
	name = xstrndup(key);
	room = xcalloc(1, ENTRY_MAX);
	e = passwd ? find_passwd(name, room, value) : find_group(name, room, value);
	free(name);
	free(room);
	if (value->n)
		return MAP_FOUND;
	/* getpwnam(3): these mean that there is no such name. */
	if (e == 0 || e == ENOENT || e == ESRCH)
		return MAP_NOT_FOUND;
	buf_addf(why, "%s: the system's accounts cannot be read: %s", t->spec, strerror(e));
	return MAP_TEMPORARY;
}

const struct table_type table_unix = { "unix", 0, unix_make, unix_find, unix_free, NULL, NULL };
