/* What auth.conf names that is not there: said before anything is started, and not by the first login that needs it. */
#include "authd/socket_path.h"
#include "authd/try_impl.h"
#include "child/directories.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

static void try_listener(const struct listener_settings *l, const char *queue, struct arena *mem, struct buf *errors)
{
	struct socket_path path;
	const char *dir;
	struct stat st;

	if (socket_path_make(&path, l->path, queue) < 0) {
		buf_addf(errors, "%s, line %u: %s is longer than a socket's path may be (about 100 octets)\n", l->file,
			l->line, path.name);
		return;
	}
	dir = dirname(arena_cdup(mem, str_c(path.name)));
	if (child_directory_is_made(dir, queue))
		return;
	if (stat(dir, &st) != 0)
		buf_addf(errors,
			"%s, line %u: the socket %s cannot be made: the folder %s: %s; make it, or name another path\n",
			l->file, l->line, path.name, dir, strerror(errno));
	else if (lstat(path.name, &st) == 0 && !S_ISSOCK(st.st_mode))
		buf_addf(errors,
			"%s, line %u: the socket %s cannot be made: something that is no socket is there already\n",
			l->file, l->line, path.name);
}

void try_listeners(const struct settings *set, const char *queue, struct buf *errors)
{
	struct arena *mem = arena_new(0);

	for (size_t i = 0; i < set->n_listeners; i++)
		if (set->listener[i].host == NULL)
			try_listener(&set->listener[i], queue, mem, errors);
	arena_free(&mem);
}

int try_become(const char *auth_owner, const char *mail_owner, struct buf *errors)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(mail_owner) : NULL;
	gid_t gid = pw ? pw->pw_gid : 0;

	if (pw == NULL || (pw = getpwnam(auth_owner)) == NULL)
		return 0; /* that is said elsewhere */
	if (setgroups(1, &gid) == 0 && setgid(gid) == 0 && setuid(pw->pw_uid) == 0)
		return 0;
	buf_addf(errors,
		"auth_owner = %s: authd cannot take that account, with the group of mail_owner = %s: %s; "
		"start as root with its capabilities, or as an ordinary user\n",
		auth_owner, mail_owner, strerror(errno));
	return -1;
}

static void try_file(const struct db *db, const char *path, struct buf *warnings)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	/* It is read at the start with the rights of master, and again, when it changes, without. */
	if (fd < 0 && errno == EACCES)
		buf_addf(warnings,
			"%s: auth_owner may not read the passwd-file %s, so that a change of it counts after `gatepost "
			"reload` only; give it the group of mail_owner and mode 0640\n",
			db->file, path);
	else if (fd < 0)
		buf_addf(warnings,
			"%s: the passwd-file %s cannot be read: %s; logins get a temporary failure until it can\n",
			db->file, path, strerror(errno));
	else
		close(fd);
}

static void try_db(const struct db *db, struct arena *mem, struct buf *warnings)
{
	const struct sql_settings *sql = &db->sql;
	const char *path = NULL;
	struct vars none = { 0 };
	struct stat st;

	if (db->kind == DB_PASSWD_FILE && !db->path.has_vars)
		try_file(db, arena_cdup(mem, template_expand(&db->path, &none, mem)), warnings);
	if (db->kind == DB_SQL && sql->driver && sql->driver->path)
		path = sql->driver->path(sql->connect, mem);
	/* Folders above it may be closed to everybody but root. */
	if (path && stat(path, &st) != 0 && errno != EACCES)
		buf_addf(warnings, "%s: the database %s: %s; logins get a temporary failure until it is there\n",
			sql->file, path, strerror(errno));
}

void try_databases(const struct settings *set, struct buf *warnings)
{
	struct arena *mem = arena_new(0);

	for (size_t i = 0; i < set->n_passdbs; i++)
		try_db(&set->passdb[i], mem, warnings);
	for (size_t i = 0; i < set->n_userdbs; i++)
		try_db(&set->userdb[i], mem, warnings);
	arena_wipe(&mem);
}
