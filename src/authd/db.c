#include "authd/db.h"

#include "authd/db_ldap.h"
#include "authd/fields.h"
#include "base/log.h"

#include <libgen.h>
#include <unistd.h>

static int at_once(struct lookup *l, struct sql_row *rows, const char *why, const char *file)
{
	l->result = why ? LOOKUP_FAILED : LOOKUP_DONE;
	l->rows = why ? NULL : rows;
	l->from_cache = false;
	l->why = why;
	if (why)
		log_warn("auth: %s (passwd-file in %s)", why, file);
	return 1;
}

/* A value is one name in a path, and never leads to another directory. False: it would. */
static bool expand_path(const struct template *t, const struct vars *v, struct arena *mem, const char **path)
{
	struct buf out = BUF_INIT(4096);
	bool is_safe = true;

	for (const struct template_part *p = t->first; p && is_safe; p = p->next) {
		struct template_part alone = *p;
		struct template one = { .first = &alone };
		struct str s;

		alone.next = NULL;
		s = template_expand(&one, v, mem);
		is_safe = (p->is_text || (str_chr(s, '/') < 0 && !str_eq(s, STR("..")) && !str_eq(s, STR(".")))) &&
			  str_chr(s, '\0') < 0 && buf_add_str(&out, s) == 0;
	}
	*path = arena_cdup(mem, buf_str(&out));
	buf_free(&out);
	return is_safe;
}

static int in_file(
	struct lookup *l, struct authd *a, bool is_passdb, const struct db *db, const struct vars *v, struct arena *mem)
{
	struct str user = template_expand(&db->username_format, v, mem);
	struct sql_row *row = NULL;
	const char *why = NULL, *path;

	if (expand_path(&db->path, v, mem, &path) && (!db->path.has_vars || access(path, F_OK) == 0))
		passwd_file_find(a->passwd_files, path, user, is_passdb, v, uv_now(a->child.loop), mem, &row, &why);
	return at_once(l, row, why, db->file);
}

static int in_accounts(
	struct lookup *l, struct authd *a, bool is_passdb, const struct db *db, const struct vars *v, struct arena *mem)
{
	return at_once(l, accounts_row(&a->accounts, arena_cdup(mem, v->user), is_passdb, mem), NULL, db->file);
}

int db_lookup(struct lookup *l, struct authd *a, bool is_passdb, size_t i, const struct vars *v, struct arena *mem,
	bool use_cache)
{
	const struct db *db = is_passdb ? &a->set->passdb[i] : &a->set->userdb[i];
	struct sql_row *row;

	switch (db->kind) {
	case DB_SQL:
		return lookup_start(l, is_passdb ? &a->passdb[i] : &a->userdb[i],
			is_passdb ? "password_query" : "user_query",
			is_passdb ? &db->sql.password_query : &db->sql.user_query, v, mem, SQL_MAX_ROWS, use_cache);
	case DB_PASSWD_FILE:
		return in_file(l, a, is_passdb, db, v, mem);
	case DB_PASSWD:
		return in_accounts(l, a, is_passdb, db, v, mem);
	case DB_LDAP:
		return db_ldap_lookup(l, a, is_passdb, i, v, mem, use_cache);
	case DB_PAM:
	case DB_OAUTH2:
		/* They tell nothing of a user. */
		return at_once(l, NULL, NULL, db->file);
	case DB_STATIC:
		break;
	}
	row = fields_expand(&db->fields, v, mem);
	return at_once(l, row ? row : fields_merge(NULL, NULL, mem), NULL, db->file);
}

struct sql_row *db_fields(
	const struct db *db, const struct sql_row *row, const struct vars *v, bool is_passdb, struct arena *mem)
{
	struct vars own = *v;

	row = fields_merge(fields_import(fields_expand(&db->defaults, v, mem), is_passdb, mem),
		fields_import(row, is_passdb, mem), mem);
	*(is_passdb ? &own.passdb : &own.userdb) = row;
	return fields_merge(row, fields_import(fields_expand(&db->overrides, &own, mem), is_passdb, mem), mem);
}

bool db_is_listable(const struct db *db)
{
	if (db->kind == DB_LDAP)
		return db->ldap->users_filter.first != NULL;
	return db->kind == DB_SQL ? db->sql.iterate_query.sql != NULL
				  : db->kind == DB_PASSWD_FILE && !db->path.has_vars;
}

int db_list(struct lookup *l, struct authd *a, size_t i, struct arena *mem)
{
	const struct db *db = &a->set->userdb[i];
	struct vars none = { 0 };
	struct sql_row *rows = NULL;
	const char *why = NULL;

	if (db->kind == DB_SQL)
		return lookup_start(l, &a->userdb[i], "iterate_query", &db->sql.iterate_query, &none, mem, 0, false);
	if (db->kind == DB_LDAP)
		return db_ldap_list(l, a, i, mem);
	passwd_file_list(a->passwd_files, arena_cdup(mem, template_expand(&db->path, &none, mem)),
		uv_now(a->child.loop), mem, &rows, &why);
	return at_once(l, rows, why, db->file);
}

void db_preload(struct authd *a, const struct db *db)
{
	struct vars none = { 0 };
	struct arena *mem = arena_new(0);
	struct sql_row *rows;
	const char *why = NULL;

	if (db->kind == DB_PASSWD_FILE && !db->path.has_vars &&
		passwd_file_list(a->passwd_files, arena_cdup(mem, template_expand(&db->path, &none, mem)),
			uv_now(a->child.loop), mem, &rows, &why) < 0)
		log_warn("auth: %s (passwd-file in %s); logins get a temporary failure until it can", why, db->file);
	arena_wipe(&mem);
}

const char *db_directory(const struct db *db, struct arena *mem)
{
	const struct template_part *first = db->path.first;

	if (db->kind != DB_PASSWD_FILE || first == NULL || !first->is_text)
		return NULL;
	/* "/etc/mail/%d/passwd": what ends in the middle of a name is cut there. */
	return dirname(arena_printf(mem, "%.*sx", STR_ARG(first->text)));
}
