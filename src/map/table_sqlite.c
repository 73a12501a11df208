/* sqlite_table(5): the table's name is a file of settings; its query is prepared once, and every value is bound. */
#include "map/sql_settings.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

enum { BUSY_MS = 3000 };

struct sqlite_table {
	struct table table;
	struct sql_settings set;
	struct table_file database;
	sqlite3 *db;
	sqlite3_stmt *statement;
};

static struct sqlite_table *sqlite_of(struct table *t)
{
	return container_of(t, struct sqlite_table, table);
}

static struct table *sqlite_make(void)
{
	struct sqlite_table *s = xcalloc(1, sizeof *s);

	return &s->table;
}

static void close_db(struct sqlite_table *s)
{
	sqlite3_finalize(s->statement);
	sqlite3_close(s->db);
	s->statement = NULL;
	s->db = NULL;
	table_file_forget(&s->database);
}

static void sqlite_free(struct table *t)
{
	struct sqlite_table *s = sqlite_of(t);

	close_db(s);
	sql_settings_drop(&s->set);
	free(s);
}

static bool db_fault(struct sqlite_table *s, const char *doing, struct buf *why)
{
	buf_addf(why, "%s: %s %s: %s", s->table.spec, doing, s->set.dbpath,
		s->db ? sqlite3_errmsg(s->db) : "out of memory");
	close_db(s);
	return false;
}

static bool db_current(struct sqlite_table *s, struct buf *why)
{
	struct table_file before = s->database;
	int changed = table_file_changed(&s->table, &s->database, s->set.dbpath);

	if (changed < 0) {
		buf_addf(why, "%s: cannot open the database %s: %s; create it, or correct dbpath in %s", s->table.spec,
			s->set.dbpath, strerror(errno), s->table.name);
		close_db(s);
		return false;
	}
	/* A write changes size and time too; only another file is a reason to open again. */
	if (s->statement && before.ino == s->database.ino && before.dev == s->database.dev)
		return true;
	before = s->database;
	close_db(s);
	s->database = before;
	if (sqlite3_open_v2(s->set.dbpath, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return db_fault(s, "cannot open the database", why);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	if (sqlite3_prepare_v2(s->db, s->set.query.text, -1, &s->statement, NULL) != SQLITE_OK)
		return db_fault(s, "the query does not fit the database", why);
	if (s->statement == NULL) {
		buf_addf(why, "%s: in %s: the query is empty", s->table.spec, s->table.name);
		return false;
	}
	return true;
}

/* False: a letter of the query has nothing to stand for, so that the key cannot be in the table. */
static bool bind_key(struct sqlite_table *s, struct str key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	bool has_all = true;

	for (size_t i = 0; i < s->set.query.n && has_all; i++) {
		buf_reset(&value);
		has_all = sql_param(s->set.query.param[i], key, &value);
		if (has_all)
			sqlite3_bind_text(
				s->statement, (int)i + 1, value.p ? value.p : "", (int)value.n, SQLITE_TRANSIENT);
	}
	buf_free(&value);
	return has_all;
}

/* Add the columns of one row. False: over the limit. */
static bool add_row(struct sqlite_table *s, struct str key, uint64_t *count, struct buf *value, struct buf *why)
{
	for (int i = 0; i < sqlite3_column_count(s->statement); i++) {
		const char *text = (const char *)sqlite3_column_text(s->statement, i);
		struct str cell = str_pn(text, (size_t)sqlite3_column_bytes(s->statement, i));

		if (text && !sql_settings_add(&s->set, &s->table, key, cell, count, value, why))
			return false;
	}
	return true;
}

static enum map_status run_query(struct sqlite_table *s, struct str key, struct buf *value, struct buf *why)
{
	uint64_t count = 0;
	int e;

	while ((e = sqlite3_step(s->statement)) == SQLITE_ROW)
		if (!add_row(s, key, &count, value, why))
			return MAP_TEMPORARY;
	if (e != SQLITE_DONE) {
		db_fault(s, "cannot ask the database", why);
		return MAP_TEMPORARY;
	}
	return value->n ? MAP_FOUND : MAP_NOT_FOUND;
}

static enum map_status sqlite_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct sqlite_table *s = sqlite_of(t);
	enum map_status status;
	bool changed, is_current = sql_settings_current(&s->set, t, SQL_FILE_SQLITE, &changed, why);

	if (changed)
		close_db(s);
	if (!is_current)
		return MAP_TEMPORARY;
	status = sql_settings_has_key(&s->set, key, why);
	if (status != MAP_FOUND)
		return status;
	if (!db_current(s, why))
		return MAP_TEMPORARY;
	status = bind_key(s, key) ? run_query(s, key, value, why) : MAP_NOT_FOUND;
	if (s->statement) {
		sqlite3_reset(s->statement);
		sqlite3_clear_bindings(s->statement);
	}
	return status;
}

static void sqlite_needs(struct table *t, struct table_needs *out)
{
	struct sqlite_table *s = sqlite_of(t);
	struct buf why = BUF_INIT(TABLE_WHY_MAX);
	bool changed;

	sql_settings_current(&s->set, t, SQL_FILE_SQLITE, &changed, &why);
	if (changed)
		close_db(s);
	if (s->set.dbpath)
		out->file[out->n_files++] = s->set.dbpath;
	buf_free(&why);
}

/* REMOTE: its "domain =" may name a table that names this one again, for which nobody would wait to the end. */
const struct table_type table_sqlite = { "sqlite", TABLE_FILE | TABLE_LIVE | TABLE_REMOTE, sqlite_make, sqlite_find,
	sqlite_free, NULL, sqlite_needs };
