#include "sql/sql.h"
#include "base/log.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { STATEMENTS = 10, RECHECK_MS = 1000 };

struct sqlite_conn {
	const struct sql_driver *driver;
	const char *connect;
	char *path;	  /* as it is configured, for messages */
	const char *file; /* the same, as this process sees it: behind its root directory */
	sqlite3 *db;
	bool writable; /* opened so, because a journal had to be rolled back or shared memory made */
	bool writes;   /* it was opened to change something */
	dev_t dev;     /* the file that is open: another one of that name is noticed */
	ino_t ino;
	uint64_t checked_ms;
	bool holds, is_held; /* one look at it will do for several queries; and it is locked for them */
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} kept[STATEMENTS];
	size_t n_kept;
};

static struct sqlite_conn *of(struct sql_conn *c)
{
	return (struct sqlite_conn *)(void *)c;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* "PATH [journal_mode=…] [readonly=…]": a connection here never writes, so that the rest has no meaning. */
static const char *sqlite_path(const char *connect, struct arena *mem)
{
	struct str rest = str_c(connect), word = { 0 };

	str_word(&rest, " \t", &word);
	return arena_cdup(mem, word);
}

static struct sql_conn *sqlite_open(const char *connect, const char *root)
{
	struct sqlite_conn *c = xcalloc(1, sizeof *c);
	struct str rest = str_c(connect), word = { 0 };
	size_t n = strlen(root);

	str_word(&rest, " \t", &word);
	c->driver = &sql_sqlite;
	c->connect = connect;
	c->path = xstrndup(word);
	c->file = strncmp(c->path, root, n) == 0 && c->path[n] == '/' ? c->path + n : c->path;
	return (struct sql_conn *)(void *)c;
}

static void disconnect(struct sqlite_conn *c)
{
	for (size_t i = 0; i < c->n_kept; i++)
		sqlite3_finalize(c->kept[i].stmt);
	c->n_kept = 0;
	c->is_held = false;
	sqlite3_close_v2(c->db);
	c->db = NULL;
}

static void sqlite_close(struct sql_conn **at)
{
	struct sqlite_conn *c = of(*at);

	*at = NULL;
	if (c == NULL)
		return;
	disconnect(c);
	free(c->path);
	free(c);
}

static int refuse(const char **why, const char *text)
{
	*why = text;
	return -SQL_EDOWN;
}

static int connect_now(struct sqlite_conn *c, struct arena *mem, const char **why)
{
	int flags = c->writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, r;

	r = sqlite3_open_v2(c->file, &c->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (r != SQLITE_OK) {
		const char *text = arena_printf(mem, "%s: %s", c->path, c->db ? sqlite3_errmsg(c->db) : "no memory");

		disconnect(c);
		return refuse(why, text);
	}
	if (c->writable && !c->writes)
		sqlite3_exec(c->db, "PRAGMA query_only = 1", NULL, NULL, NULL);
	/* Nothing is ever put into a file of SQLite's own: below our root there is no /tmp. */
	sqlite3_exec(c->db, "PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
	return 0;
}

/* The open file must be the one that bears the name now. Asked once a second. */
static int check_file(struct sqlite_conn *c, struct arena *mem, const char **why)
{
	uint64_t now = now_ms();
	struct stat st;

	if (c->db && now - c->checked_ms < RECHECK_MS)
		return 0;
	c->checked_ms = now;
	if (stat(c->file, &st) != 0) {
		int error = errno;

		disconnect(c);
		return refuse(why,
			error == ENOENT
				? arena_printf(mem, "%s: no such file; create it with `gatepost user add`", c->path)
				: arena_printf(mem, "%s: %s", c->path, strerror(error)));
	}
	if (c->db && (st.st_dev != c->dev || st.st_ino != c->ino))
		disconnect(c);
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	return c->db ? 0 : connect_now(c, mem, why);
}

static int failed(struct sqlite_conn *c, struct arena *mem, const char **why)
{
	int code = sqlite3_errcode(c->db) & 255;
	const char *text = sqlite3_errmsg(c->db);

	*why = arena_printf(mem, "%s: %s%s", c->path, text,
		strcmp(text, "no such table: credentials") == 0 ? "; `gatepost user migrate` makes it" : "");
	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return -SQL_EBUSY;
	/* No such table, no such column …: the other queries are as good as they were. */
	return code == SQLITE_ERROR ? -SQL_EQUERY : -SQL_EDOWN;
}

static int statement(struct sqlite_conn *c, const char *sql, sqlite3_stmt **out)
{
	int r;

	for (size_t i = 0; i < c->n_kept; i++)
		if (c->kept[i].sql == sql) {
			*out = c->kept[i].stmt;
			return SQLITE_OK;
		}
	if (c->n_kept == STATEMENTS) {
		sqlite3_finalize(c->kept[0].stmt);
		c->kept[0] = c->kept[--c->n_kept];
	}
	r = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	if (r == SQLITE_OK) {
		c->kept[c->n_kept].sql = sql;
		c->kept[c->n_kept++].stmt = *out;
	}
	return r;
}

static void run_word(struct sqlite_conn *c, const char *sql)
{
	sqlite3_stmt *stmt;

	if (statement(c, sql, &stmt) != SQLITE_OK)
		return;
	sqlite3_step(stmt);
	sqlite3_reset(stmt);
}

static const char begin[] = "BEGIN", commit[] = "COMMIT";

/* A transaction locks the file once; each query by itself would, with eight system calls. */
static void sqlite_hold(struct sql_conn *conn, bool on)
{
	struct sqlite_conn *c = of(conn);

	c->holds = on;
	if (!on && c->is_held)
		run_word(c, commit);
	if (!on)
		c->is_held = false;
}

static struct sql_row *take_row(sqlite3_stmt *stmt, struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);

	row->n = (size_t)sqlite3_column_count(stmt);
	row->field = arena_array(mem, row->n, sizeof *row->field);
	for (size_t i = 0; i < row->n; i++) {
		struct sql_field *f = &row->field[i];
		const void *text = sqlite3_column_text(stmt, (int)i);

		f->name = arena_dup(mem, str_c(sqlite3_column_name(stmt, (int)i)));
		f->is_null = text == NULL;
		f->value = arena_dup(mem, str_pn(text, text ? (size_t)sqlite3_column_bytes(stmt, (int)i) : 0));
	}
	return row;
}

static int step_all(sqlite3_stmt *stmt, size_t max_rows, struct arena *mem, struct sql_row **rows)
{
	int r;

	for (size_t n = 0; (r = sqlite3_step(stmt)) == SQLITE_ROW; n++) {
		if (max_rows && n == max_rows)
			return SQLITE_DONE;
		*rows = take_row(stmt, mem);
		rows = &(*rows)->next;
	}
	return r;
}

static int run_once(struct sqlite_conn *c, const char *sql, const struct str *params, size_t n, size_t max_rows,
	struct arena *mem, struct sql_row **rows, const char **why)
{
	sqlite3_stmt *stmt;
	int r;

	*rows = NULL;
	if (statement(c, sql, &stmt) != SQLITE_OK)
		return failed(c, mem, why);
	for (size_t i = 0; i < n; i++)
		sqlite3_bind_text64(
			stmt, (int)i + 1, params[i].p ? params[i].p : "", params[i].n, SQLITE_STATIC, SQLITE_UTF8);
	r = step_all(stmt, max_rows, mem, rows);
	if (r != SQLITE_DONE) {
		int result = failed(c, mem, why);

		sqlite3_reset(stmt);
		sqlite3_clear_bindings(stmt);
		*rows = NULL;
		return result;
	}
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return 0;
}

/* A read-only connection cannot roll back the journal of a writer that crashed, nor make WAL's shared memory. */
static bool needs_writable(struct sqlite_conn *c)
{
	int code = c->db ? sqlite3_errcode(c->db) & 255 : 0;

	return !c->writable && (code == SQLITE_READONLY || code == SQLITE_CANTOPEN);
}

static int sqlite_run(struct sql_conn *conn, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	struct sqlite_conn *c = of(conn);
	int r = check_file(c, mem, why);

	*rows = NULL;
	if (r < 0)
		return r;
	sqlite3_busy_timeout(c->db, (int)wait_ms);
	if (c->holds && !c->is_held) {
		run_word(c, begin);
		c->is_held = true;
	}
	r = run_once(c, sql, params, n, max_rows, mem, rows, why);
	if (r == -SQL_EDOWN && needs_writable(c)) {
		disconnect(c);
		c->writable = true;
		if (connect_now(c, mem, why) < 0)
			return -SQL_EDOWN;
		sqlite3_busy_timeout(c->db, (int)wait_ms);
		r = run_once(c, sql, params, n, max_rows, mem, rows, why);
	}
	if (r == -SQL_EDOWN)
		disconnect(c);
	return r;
}

static void sqlite_allow_writes(struct sql_conn *c)
{
	of(c)->writable = of(c)->writes = true;
}

const struct sql_driver sql_sqlite = { "sqlite", true, SQL_QUESTION, sqlite_open, sqlite_close, sqlite_run, sqlite_path,
	sqlite_allow_writes, NULL, 0, NULL, sqlite_hold };
