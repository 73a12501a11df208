/* sqlite_table(5): the table's name is a file of settings; its query is prepared once, and every value is bound. */
#include "map/map_text.h"
#include "map/match.h"
#include "map/sql_text.h"
#include "map/table.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

enum { BUSY_MS = 3000 };

struct sqlite_table {
	struct table table;
	struct table_file settings, database;
	struct arena *mem; /* of the settings */
	const char *dbpath, *query, *result_format, *domain;
	const char *select_field, *from_table, *where_field, *additional_conditions;
	const char *expansion_limit;
	uint64_t limit; /* 0: none */
	struct sql_query parsed;
	struct match_list *domains; /* NULL: all */
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

static void drop_settings(struct sqlite_table *s)
{
	close_db(s);
	match_list_free(&s->domains);
	buf_free(&s->parsed.text);
	arena_free(&s->mem);
	table_file_forget(&s->settings);
}

static void sqlite_free(struct table *t)
{
	struct sqlite_table *s = sqlite_of(t);

	drop_settings(s);
	free(s);
}

static const char **setting(struct sqlite_table *s, struct str name)
{
	const struct {
		const char *name, **to;
	} all[] = { { "dbpath", &s->dbpath }, { "query", &s->query }, { "result_format", &s->result_format },
		{ "domain", &s->domain }, { "select_field", &s->select_field }, { "table", &s->from_table },
		{ "where_field", &s->where_field }, { "additional_conditions", &s->additional_conditions },
		{ "expansion_limit", &s->expansion_limit } };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (str_eq(name, str_c(all[i].name)))
			return all[i].to;
	return NULL;
}

static void read_settings(struct sqlite_table *s, struct str text)
{
	struct map_lines lines;
	struct str line, name, value;

	s->dbpath = s->query = s->domain = s->select_field = s->from_table = s->where_field = NULL;
	s->additional_conditions = "";
	s->expansion_limit = "0";
	s->result_format = "%s";
	s->mem = arena_new(1024);
	map_lines_begin(&lines, text);
	while (map_lines_next(&lines, &line)) {
		const char **to = map_setting_parse(line, &name, &value) ? setting(s, name) : NULL;

		if (to)
			*to = arena_cdup(s->mem, value);
		else
			table_notice(&s->table, "%s, line %u: \"%.*s\" is no setting of a sqlite table; it is ignored",
				s->table.name, lines.line, STR_ARG(line));
	}
	map_lines_end(&lines);
}

static bool check_settings(struct sqlite_table *s, struct buf *why)
{
	struct buf fault = BUF_INIT(TABLE_WHY_MAX);

	if (s->query == NULL && s->select_field && s->from_table && s->where_field)
		s->query = arena_printf(s->mem, "SELECT %s FROM %s WHERE %s = '%%s' %s", s->select_field, s->from_table,
			s->where_field, s->additional_conditions);
	if (s->dbpath == NULL || s->query == NULL)
		buf_addf(&fault, "there is no \"%s =\"; it needs dbpath and query", s->dbpath ? "query" : "dbpath");
	else if (!str_u64(str_c(s->expansion_limit), &s->limit))
		buf_addf(&fault, "expansion_limit = %s is not a number", s->expansion_limit);
	else if (sql_query_parse(str_c(s->query), &s->parsed, &fault) == 0 && s->domain)
		s->domains = match_list_make(str_c(s->domain), s->table.set, MATCH_EXACT);
	if (fault.n)
		buf_addf(why, "%s: in %s: %.*s", s->table.spec, s->table.name, STR_ARG(buf_str(&fault)));
	buf_free(&fault);
	return why->n == 0;
}

static bool settings_current(struct sqlite_table *s, struct buf *why)
{
	int changed = table_file_changed(&s->table, &s->settings, s->table.name);
	struct buf text = BUF_INIT(1 << 20);
	bool done;

	if (changed == 0)
		return true;
	if (changed < 0) {
		buf_addf(why, "%s: cannot read %s: %s; create it, or take the table out of main.cf", s->table.spec,
			s->table.name, strerror(errno));
		return false;
	}
	drop_settings(s);
	table_file_changed(&s->table, &s->settings, s->table.name);
	done = table_read_file(&s->table, s->table.name, &text, why);
	if (done) {
		read_settings(s, buf_str(&text));
		done = check_settings(s, why);
	}
	buf_free(&text);
	if (!done)
		drop_settings(s);
	return done;
}

static bool db_fault(struct sqlite_table *s, const char *doing, struct buf *why)
{
	buf_addf(
		why, "%s: %s %s: %s", s->table.spec, doing, s->dbpath, s->db ? sqlite3_errmsg(s->db) : "out of memory");
	close_db(s);
	return false;
}

static bool db_current(struct sqlite_table *s, struct buf *why)
{
	struct table_file before = s->database;
	int changed = table_file_changed(&s->table, &s->database, s->dbpath);

	if (changed < 0) {
		buf_addf(why, "%s: cannot open the database %s: %s; create it, or correct dbpath in %s", s->table.spec,
			s->dbpath, strerror(errno), s->table.name);
		close_db(s);
		return false;
	}
	/* A write changes size and time too; only another file is a reason to open again. */
	if (s->statement && before.ino == s->database.ino && before.dev == s->database.dev)
		return true;
	before = s->database;
	close_db(s);
	s->database = before;
	if (sqlite3_open_v2(s->dbpath, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return db_fault(s, "cannot open the database", why);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	if (sqlite3_prepare_v2(s->db, s->parsed.text.p, (int)s->parsed.text.n, &s->statement, NULL) != SQLITE_OK)
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
	for (unsigned i = 0; i < s->parsed.n; i++) {
		struct str part;

		if (!sql_letter(s->parsed.letter[i], key, &part))
			return false;
		sqlite3_bind_text(s->statement, (int)i + 1, part.p, (int)part.n, SQLITE_TRANSIENT);
	}
	return true;
}

/* Add the columns of one row. False: over the limit. */
static bool add_row(struct sqlite_table *s, struct str key, struct buf *value, uint64_t *count)
{
	for (int i = 0; i < sqlite3_column_count(s->statement); i++) {
		struct str cell = str_pn(sqlite3_column_text(s->statement, i), 0);
		size_t before = value->n;

		cell.n = (size_t)sqlite3_column_bytes(s->statement, i);
		if (cell.p == NULL || cell.n == 0)
			continue;
		if (before)
			buf_add_char(value, ',');
		if (!sql_format(str_c(s->result_format), key, cell, value))
			value->n = before;
		else if (++*count > s->limit && s->limit)
			return false;
	}
	return true;
}

static enum map_status run_query(struct sqlite_table *s, struct str key, struct buf *value, struct buf *why)
{
	uint64_t count = 0;
	bool within = true;
	int e;

	while (within && (e = sqlite3_step(s->statement)) == SQLITE_ROW)
		within = add_row(s, key, value, &count);
	if (!within) {
		buf_addf(why, "%s: more than expansion_limit = %s results for \"%.*s\"", s->table.spec,
			s->expansion_limit, STR_ARG(key));
		return MAP_TEMPORARY;
	}
	if (e != SQLITE_DONE) {
		db_fault(s, "cannot ask the database", why);
		return MAP_TEMPORARY;
	}
	return value->n ? MAP_FOUND : MAP_NOT_FOUND;
}

static enum map_status sqlite_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct sqlite_table *s = sqlite_of(t);
	enum map_status status = MAP_NOT_FOUND;

	if (!settings_current(s, why))
		return MAP_TEMPORARY;
	if (s->domains) {
		struct str domain = str_from(key, (size_t)(str_rchr(key, '@') + 1));
		enum map_status in = match_list_find(s->domains, domain, NULL, why);

		if (in != MAP_FOUND)
			return in;
	}
	if (!db_current(s, why))
		return MAP_TEMPORARY;
	if (bind_key(s, key))
		status = run_query(s, key, value, why);
	if (s->statement) {
		sqlite3_reset(s->statement);
		sqlite3_clear_bindings(s->statement);
	}
	return status;
}

const struct table_type table_sqlite = { "sqlite", TABLE_FILE | TABLE_LIVE, sqlite_make, sqlite_find, sqlite_free,
	NULL };
