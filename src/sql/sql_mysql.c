/* MariaDB and MySQL through libmariadb: prepared statements, on threads; its own time limits end every wait. */
#include "sql/sql.h"
#include "sql/sql_connect.h"

#include <mariadb/errmsg.h>
#include <mariadb/mysql.h>
#include <mariadb/mysqld_error.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum {
	CONNECT_S = 5,
	STATEMENTS = 16,
	PARAMS_MAX = 64,
	COLUMNS_MAX = 64,
	FIRST_TRY = 256,
	CELL_MAX = 1024 * 1024,
	SOON_MS = 500
};

struct mysql_conn {
	const struct sql_driver *driver;
	struct arena *mem;
	struct sql_connect set;
	size_t host; /* that is, or was last, connected to */
	MYSQL *db;
	struct {
		const char *sql;
		MYSQL_STMT *stmt;
	} kept[STATEMENTS];
	size_t n_kept;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void load_library(void)
{
	mysql_server_init(0, NULL, NULL);
}

static struct mysql_conn *of(struct sql_conn *c)
{
	return (struct mysql_conn *)(void *)c;
}

static struct sql_conn *mysql_driver_open(const char *connect, const char *root)
{
	struct mysql_conn *c = xcalloc(1, sizeof *c);

	(void)root;
	pthread_once(&once, load_library);
	c->driver = &sql_mysql;
	c->mem = arena_new(0);
	sql_connect_parse(connect, false, c->mem, &c->set);
	return (struct sql_conn *)(void *)c;
}

static void disconnect(struct mysql_conn *c)
{
	for (size_t i = 0; i < c->n_kept; i++)
		mysql_stmt_close(c->kept[i].stmt);
	c->n_kept = 0;
	if (c->db)
		mysql_close(c->db);
	c->db = NULL;
}

static void mysql_driver_close(struct sql_conn **at)
{
	struct mysql_conn *c = of(*at);

	*at = NULL;
	if (c == NULL)
		return;
	disconnect(c);
	arena_wipe(&c->mem); /* a password */
	free(c);
}

/* ---- the words of "connect" ---- */

static void set_text(MYSQL *db, unsigned option, const char *value)
{
	mysql_optionsv(db, (enum mysql_option)option, (const void *)value);
}

static void set_seconds(MYSQL *db, unsigned option, const char *value)
{
	uint64_t n = 0;
	unsigned seconds;

	str_u64(str_c(value), &n);
	seconds = n && n < 3600 ? (unsigned)n : CONNECT_S;
	mysql_optionsv(db, (enum mysql_option)option, (const void *)&seconds);
}

/* 1, 0, or -1: it is neither. */
static int truth_of(const char *value)
{
	static const char *const words[][5] = { { "no", "n", "false", "off", "0" }, { "yes", "y", "true", "on", "1" } };

	for (int is = 0; is < 2; is++)
		for (size_t i = 0; i < sizeof words[is] / sizeof *words[is]; i++)
			if (str_ieq(str_c(value), str_c(words[is][i])))
				return is;
	return -1;
}

static void set_bool(MYSQL *db, unsigned option, const char *value)
{
	my_bool on = truth_of(value) > 0;

	mysql_optionsv(db, (enum mysql_option)option, (const void *)&on);
}

static const struct {
	const char *key;
	void (*set)(MYSQL *db, unsigned option, const char *value); /* NULL: an argument of the connection itself */
	unsigned option;
} words[] = {
	{ "user", NULL, 0 },
	{ "password", NULL, 0 },
	{ "dbname", NULL, 0 },
	{ "port", NULL, 0 },
	{ "client_flags", NULL, 0 },
	{ "connect_timeout", set_seconds, MYSQL_OPT_CONNECT_TIMEOUT },
	{ "read_timeout", set_seconds, MYSQL_OPT_READ_TIMEOUT },
	{ "write_timeout", set_seconds, MYSQL_OPT_WRITE_TIMEOUT },
	{ "ssl", set_bool, MYSQL_OPT_SSL_ENFORCE },
	{ "ssl_ca", set_text, MYSQL_OPT_SSL_CA },
	{ "ssl_ca_path", set_text, MYSQL_OPT_SSL_CAPATH },
	{ "ssl_cert", set_text, MYSQL_OPT_SSL_CERT },
	{ "ssl_key", set_text, MYSQL_OPT_SSL_KEY },
	{ "ssl_cipher", set_text, MYSQL_OPT_SSL_CIPHER },
	{ "ssl_verify_server_cert", set_bool, MYSQL_OPT_SSL_VERIFY_SERVER_CERT },
	{ "option_file", set_text, MYSQL_READ_DEFAULT_FILE },
	{ "option_group", set_text, MYSQL_READ_DEFAULT_GROUP },
};

static const char *mysql_check(const char *connect, struct arena *mem)
{
	struct sql_connect c;
	const char *why = sql_connect_parse(connect, false, mem, &c);
	uint64_t port;

	for (size_t i = 0; why == NULL && i < c.n; i++) {
		size_t k = 0;

		while (k < sizeof words / sizeof *words && strcmp(words[k].key, c.word[i].key) != 0)
			k++;
		if (k == sizeof words / sizeof *words)
			why = arena_printf(mem, "%s= is no word of this driver's", c.word[i].key);
		else if (strcmp(c.word[i].key, "port") == 0 &&
			 (!str_u64(str_c(c.word[i].value), &port) || port > 65535))
			why = "port= should be a number up to 65535";
		else if (words[k].set == set_bool && truth_of(c.word[i].value) < 0)
			why = arena_printf(mem, "%s=%s: it should be yes or no", c.word[i].key, c.word[i].value);
	}
	return why;
}

/* ---- connecting ---- */

static void set_options(struct mysql_conn *c, unsigned wait_ms)
{
	unsigned answer = wait_ms / 1000 ? wait_ms / 1000 : 1, off = 0;
	unsigned seconds = answer < CONNECT_S ? answer : CONNECT_S;

	mysql_optionsv(c->db, MYSQL_OPT_CONNECT_TIMEOUT, (const void *)&seconds);
	mysql_optionsv(c->db, MYSQL_OPT_READ_TIMEOUT, (const void *)&answer);
	mysql_optionsv(c->db, MYSQL_OPT_WRITE_TIMEOUT, (const void *)&answer);
	mysql_optionsv(c->db, MYSQL_OPT_LOCAL_INFILE, (const void *)&off);
	mysql_optionsv(c->db, MYSQL_SET_CHARSET_NAME, (const void *)"utf8mb4");
	for (size_t i = 0; i < c->set.n; i++)
		for (size_t k = 0; k < sizeof words / sizeof *words; k++)
			if (words[k].set && strcmp(words[k].key, c->set.word[i].key) == 0)
				words[k].set(c->db, words[k].option, c->set.word[i].value);
}

static const char *place(const struct mysql_conn *c)
{
	return c->set.n_hosts ? c->set.host[c->host] : "localhost";
}

static bool connect_host(struct mysql_conn *c, unsigned wait_ms, struct arena *mem, const char **why)
{
	const char *host = c->set.n_hosts ? c->set.host[c->host] : NULL;
	const char *path = host && *host == '/' ? host : NULL;
	uint64_t port = 0, flags = 0;

	c->db = mysql_init(NULL);
	if (c->db == NULL) {
		*why = "no memory";
		return false;
	}
	set_options(c, wait_ms);
	str_u64(str_c(sql_connect_get(&c->set, "port", "")), &port);
	str_u64(str_c(sql_connect_get(&c->set, "client_flags", "")), &flags);
	/* Never several statements in one text, whatever the flags say. */
	if (mysql_real_connect(c->db, path ? NULL : host, sql_connect_get(&c->set, "user", NULL),
		    sql_connect_get(&c->set, "password", NULL), sql_connect_get(&c->set, "dbname", NULL),
		    (unsigned)port, path, (unsigned long)flags & ~(unsigned long)CLIENT_MULTI_STATEMENTS))
		return true;
	*why = arena_printf(mem, "%s: %s", place(c), mysql_error(c->db));
	disconnect(c);
	return false;
}

static int connect_now(struct mysql_conn *c, unsigned wait_ms, struct arena *mem, const char **why)
{
	size_t n = c->set.n_hosts ? c->set.n_hosts : 1;

	for (size_t i = 0; i < n; i++) {
		if (connect_host(c, wait_ms, mem, why))
			return 0;
		c->host = (c->host + 1) % n;
	}
	return -SQL_EDOWN;
}

/* ---- queries ---- */

static MYSQL_STMT *statement(struct mysql_conn *c, const char *sql)
{
	MYSQL_STMT *stmt;

	for (size_t i = 0; i < c->n_kept; i++)
		if (c->kept[i].sql == sql)
			return c->kept[i].stmt;
	if (c->n_kept == STATEMENTS) {
		mysql_stmt_close(c->kept[0].stmt);
		c->kept[0] = c->kept[--c->n_kept];
	}
	stmt = mysql_stmt_init(c->db);
	if (stmt == NULL)
		return NULL;
	c->kept[c->n_kept].sql = sql;
	c->kept[c->n_kept].stmt = stmt;
	return mysql_stmt_prepare(stmt, sql, strlen(sql)) == 0 ? (c->n_kept++, stmt) : stmt;
}

static bool is_kept(const struct mysql_conn *c, const MYSQL_STMT *stmt)
{
	for (size_t i = 0; i < c->n_kept; i++)
		if (c->kept[i].stmt == stmt)
			return true;
	return false;
}

/* The text of one column that did not fit at the first try. */
static bool fetch_long(MYSQL_STMT *stmt, unsigned column, unsigned long size, struct arena *mem, struct str *out)
{
	unsigned long length = 0;
	MYSQL_BIND bind = { .buffer_type = MYSQL_TYPE_STRING, .buffer_length = size, .length = &length };

	if (size > CELL_MAX)
		return false;
	bind.buffer = arena_alloc(mem, size + 1);
	*out = str_pn(bind.buffer, size);
	return mysql_stmt_fetch_column(stmt, &bind, column, 0) == 0;
}

struct cells {
	MYSQL_BIND bind[COLUMNS_MAX];
	unsigned long length[COLUMNS_MAX];
	my_bool is_null[COLUMNS_MAX];
	char text[COLUMNS_MAX][FIRST_TRY];
};

static struct sql_row *take_row(
	MYSQL_STMT *stmt, const MYSQL_RES *meta, struct cells *cells, unsigned n, struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);
	const MYSQL_FIELD *fields = mysql_fetch_fields((MYSQL_RES *)(uintptr_t)meta);

	row->n = n;
	row->field = arena_array(mem, n, sizeof *row->field);
	for (unsigned i = 0; i < n; i++) {
		struct sql_field *f = &row->field[i];

		f->name = arena_dup(mem, str_c(fields[i].name));
		f->is_null = cells->is_null[i] != 0;
		if (f->is_null)
			continue;
		if (cells->length[i] <= FIRST_TRY)
			f->value = arena_dup(mem, str_pn(cells->text[i], cells->length[i]));
		else if (!fetch_long(stmt, i, cells->length[i], mem, &f->value))
			return NULL;
	}
	return row;
}

static int fetch_all(MYSQL_STMT *stmt, const MYSQL_RES *meta, size_t max_rows, struct arena *mem, struct sql_row **rows)
{
	unsigned n = mysql_num_fields((MYSQL_RES *)(uintptr_t)meta);
	struct cells *cells;
	size_t taken = 0;
	int r = -1;

	if (n > COLUMNS_MAX)
		return -1;
	cells = xcalloc(1, sizeof *cells);
	for (unsigned i = 0; i < n; i++)
		cells->bind[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
			.buffer = cells->text[i],
			.buffer_length = FIRST_TRY,
			.length = &cells->length[i],
			.is_null = &cells->is_null[i] };
	if (mysql_stmt_bind_result(stmt, cells->bind) == 0)
		while ((r = mysql_stmt_fetch(stmt)) == 0 || r == MYSQL_DATA_TRUNCATED) {
			if (max_rows && taken++ == max_rows) {
				r = MYSQL_NO_DATA;
				break;
			}
			if ((*rows = take_row(stmt, meta, cells, n, mem)) == NULL)
				break;
			rows = &(*rows)->next;
		}
	mem_wipe(cells, sizeof *cells);
	free(cells);
	return r == MYSQL_NO_DATA ? 0 : -1;
}

/* The library's own errors are of the connection; beyond them there are servers' again. */
static bool is_lost(unsigned error)
{
	return error == ER_SERVER_SHUTDOWN || error == ER_CONNECTION_KILLED || error == ER_NORMAL_SHUTDOWN ||
	       (error >= CR_MIN_ERROR && error <= CR_MAX_ERROR) || (error >= CER_MIN_ERROR && error <= CER_MAX_ERROR);
}

/* The kind of a fault of the statement. `refused`: what it is when the database works. */
static int fault(unsigned error, enum sql_err refused)
{
	if (error == ER_LOCK_WAIT_TIMEOUT || error == ER_LOCK_DEADLOCK)
		return -SQL_EBUSY;
	return is_lost(error) ? -SQL_EDOWN : -(int)refused;
}

static int execute(struct mysql_conn *c, MYSQL_STMT *stmt, const struct str *params, size_t n, size_t max_rows,
	struct arena *mem, struct sql_row **rows, const char **why)
{
	MYSQL_BIND *bind = arena_array(mem, n + 1, sizeof *bind);
	MYSQL_RES *meta = NULL;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		bind[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
			.buffer = (void *)(uintptr_t)(params[i].p ? params[i].p : ""),
			.buffer_length = params[i].n };
	if (mysql_stmt_param_count(stmt) != n) {
		*why = "a \"?\" that is no value";
		return -SQL_EQUERY;
	}
	if (mysql_stmt_bind_param(stmt, bind) != 0 || mysql_stmt_execute(stmt) != 0 ||
		mysql_stmt_store_result(stmt) != 0) {
		*why = arena_printf(mem, "%s: %s", place(c), mysql_stmt_error(stmt));
		r = fault(mysql_stmt_errno(stmt), SQL_EVALUE);
	} else if ((meta = mysql_stmt_result_metadata(stmt)) != NULL &&
		   fetch_all(stmt, meta, max_rows, mem, rows) < 0) {
		*why = arena_printf(mem, "%s: the result could not be read %s", place(c), mysql_stmt_error(stmt));
		*rows = NULL;
		r = fault(mysql_stmt_errno(stmt), SQL_EVALUE);
	}
	if (meta)
		mysql_free_result(meta);
	mysql_stmt_free_result(stmt);
	/* A procedure has an end of its own behind its rows; unread, it would be taken for the next answer. */
	while (mysql_stmt_more_results(stmt) && mysql_stmt_next_result(stmt) == 0)
		mysql_stmt_free_result(stmt);
	return r;
}

/* *lost: the connection is of no use any more. */
static int run_once(struct mysql_conn *c, const char *sql, const struct str *params, size_t n, size_t max_rows,
	struct arena *mem, struct sql_row **rows, const char **why, bool *lost)
{
	MYSQL_STMT *stmt = statement(c, sql);
	int r;

	if (stmt == NULL || !is_kept(c, stmt)) {
		*why = arena_printf(mem, "%s: %s", place(c), stmt ? mysql_stmt_error(stmt) : mysql_error(c->db));
		r = stmt ? fault(mysql_stmt_errno(stmt), SQL_EQUERY) : -SQL_EDOWN;
		*lost = r == -SQL_EDOWN;
		if (stmt)
			mysql_stmt_close(stmt);
		return r;
	}
	r = execute(c, stmt, params, n, max_rows, mem, rows, why);
	*lost = r == -SQL_EDOWN;
	return r;
}

static int mysql_run(struct sql_conn *conn, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	struct mysql_conn *c = of(conn);
	uint64_t began = now_ms();
	bool lost = false;
	int r;

	*rows = NULL;
	if (n > PARAMS_MAX) {
		*why = "more variables than 64";
		return -SQL_EINPUT;
	}
	/* One that was idle may have been closed by the server: then once more on a fresh one. */
	if (c->db) {
		r = run_once(c, sql, params, n, max_rows, mem, rows, why, &lost);
		if (!lost)
			return r;
		disconnect(c);
		if (now_ms() - began >= SOON_MS)
			return r; /* that was no connection that had been closed, but no answer */
	}
	if (connect_now(c, wait_ms, mem, why) < 0)
		return -SQL_EDOWN;
	r = run_once(c, sql, params, n, max_rows, mem, rows, why, &lost);
	if (lost)
		disconnect(c);
	return r;
}

const struct sql_driver sql_mysql = { "mysql", false, SQL_BACKSLASH, mysql_driver_open, mysql_driver_close, mysql_run,
	NULL, NULL, mysql_check, 3306, NULL, NULL };
