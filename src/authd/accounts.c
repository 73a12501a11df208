#include "authd/accounts.h"

#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400 };

void accounts_open(struct accounts *a, bool with_shadow)
{
	a->shadow = with_shadow ? fopen("/etc/shadow", "re") : NULL;
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

static const struct passwd *account(const struct accounts *a, const char *name)
{
	const struct passwd *pw = NULL;

	if (a->passwd == NULL)
		return NULL;
	rewind(a->passwd);
	do
		pw = fgetpwent(a->passwd);
	while (pw && strcmp(pw->pw_name, name) != 0);
	return pw;
}

static const struct spwd *shadow(const struct accounts *a, const char *name)
{
	const struct spwd *sp = NULL;

	if (a->shadow == NULL)
		return NULL;
	rewind(a->shadow);
	do
		sp = fgetspent(a->shadow);
	while (sp && strcmp(sp->sp_namp, name) != 0);
	return sp;
}

static void add(struct sql_row *row, const char *name, const char *value, struct arena *mem)
{
	row->field[row->n].name = str_c(name);
	row->field[row->n++].value = arena_dup(mem, str_c(value));
}

struct sql_row *accounts_row(const struct accounts *a, const char *name, bool is_passdb, struct arena *mem)
{
	const struct passwd *pw = account(a, name);
	const struct spwd *sp = pw && is_passdb ? shadow(a, name) : NULL;
	struct sql_row *row;
	struct str gecos;

	if (pw == NULL || (sp && sp->sp_expire > 0 && time(NULL) / DAY_S >= sp->sp_expire))
		return NULL;
	row = arena_alloc(mem, sizeof *row);
	row->field = arena_array(mem, 5, sizeof *row->field);
	if (is_passdb) {
		add(row, "password", sp ? sp->sp_pwdp : pw->pw_passwd, mem);
		return row;
	}
	gecos = str_c(pw->pw_gecos);
	add(row, "uid", arena_printf(mem, "%u", (unsigned)pw->pw_uid), mem);
	add(row, "gid", arena_printf(mem, "%u", (unsigned)pw->pw_gid), mem);
	add(row, "home", pw->pw_dir, mem);
	add(row, "name",
		arena_cdup(mem, str_chr(gecos, ',') < 0 ? gecos : str_sub(gecos, 0, (size_t)str_chr(gecos, ','))), mem);
	add(row, "system_groups_user", pw->pw_name, mem);
	return row;
}
