/* The users database of `gatepost user`: where it is, and its schema. */
#include "conf/dovecot.h"
#include "ctl/user_impl.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 20000 }; /* others hash passwords meanwhile */

/* Each brings a users database to the version of its place, from 1. What was made before versions had a number is 0. */
static const char *const steps[USER_SCHEMA] = {
	"CREATE TABLE IF NOT EXISTS users(email TEXT PRIMARY KEY COLLATE NOCASE, "
	"password TEXT NOT NULL, name TEXT NOT NULL DEFAULT '');"
	/* Since when, for smtpd_rrvs_maps; a table of its own, so that users keeps its three columns. */
	"CREATE TABLE IF NOT EXISTS users_since(email TEXT PRIMARY KEY COLLATE NOCASE, "
	"created INTEGER NOT NULL);"
	"CREATE TRIGGER IF NOT EXISTS users_added AFTER INSERT ON users BEGIN "
	"INSERT OR REPLACE INTO users_since VALUES(new.email, strftime('%s', 'now')); END;"
	"CREATE TRIGGER IF NOT EXISTS users_removed AFTER DELETE ON users BEGIN "
	"DELETE FROM users_since WHERE email = old.email; END",
	/*
	 * What a user may log in with besides users.password: name '' is keys of that password, every other one an app
	 * password. made_for is the users.password that the keys belong to: whoever changes that by hand leaves no keys of
	 * the old one behind that are good.
	 */
	"CREATE TABLE credentials(email TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL DEFAULT '', "
	"password TEXT NOT NULL, made_for TEXT NOT NULL DEFAULT '', "
	"created INTEGER NOT NULL DEFAULT (strftime('%s', 'now')), expires INTEGER, "
	"allow_nets TEXT NOT NULL DEFAULT '', service TEXT NOT NULL DEFAULT '', used INTEGER, used_from TEXT, "
	"PRIMARY KEY(email, name)) WITHOUT ROWID;"
	/* Who comes anew by a name, also by REPLACE, has nothing of who was there before. */
	"CREATE TRIGGER credentials_of_new AFTER INSERT ON users BEGIN "
	"DELETE FROM credentials WHERE email = new.email; END;"
	"CREATE TRIGGER credentials_of_removed AFTER DELETE ON users BEGIN "
	"DELETE FROM credentials WHERE email = old.email; END;"
	"CREATE TRIGGER credentials_of_renamed AFTER UPDATE OF email ON users WHEN old.email <> new.email BEGIN "
	"DELETE FROM credentials WHERE email = new.email; "
	"UPDATE credentials SET email = new.email WHERE email = old.email; END",
};

int user_failed(const char *fmt, ...)
{
	va_list ap;

	fputs("gatepost: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

void user_db_auth_lines(struct buf *out)
{
	buf_add_c(out,
		"credentials_query = SELECT c.name, c.password, c.expires, c.allow_nets, c.service \\\n"
		"  FROM credentials c JOIN users u ON u.email = c.email \\\n"
		"  WHERE c.email = '%u' AND (c.name <> '' OR c.made_for = u.password)\n"
		"credentials_used_query = UPDATE credentials SET used = unixepoch(), used_from = '%r' \\\n"
		"  WHERE email = '%u' AND name = '%{credential}'\n"
		"credentials_set_query = INSERT OR REPLACE INTO credentials(email, password, made_for) \\\n"
		"  SELECT email, '%w', password FROM users WHERE email = '%u' AND password = '%{passdb:password}'\n");
}

/* ---- where the users are ---- */

static const char *sql_file(struct arena *mem, const struct dovecot_node *args)
{
	const char *slash = strrchr(args->file, '/');

	if (args->value[0] == '/' || slash == NULL)
		return arena_cdup(mem, str_c(args->value));
	return arena_printf(mem, "%.*s/%s", (int)(slash - args->file), args->file, args->value);
}

/* Lines, each with its end. */
static int say_faults(const struct buf *errors)
{
	return user_failed("%.*s", (int)errors->n - 1, errors->p);
}

static int read_sql_file(struct users *u, const char *file, struct buf *errors)
{
	struct dovecot_conf *sql = dovecot_load_flat(file, errors);
	struct str connect = str_c(dovecot_value(sql->first, "connect", "")), word = { 0 };
	const char *driver = dovecot_value(sql->first, "driver", "");
	int r = 0;

	str_word(&connect, " \t", &word);
	if (errors->n)
		r = say_faults(errors);
	else if (strcmp(driver, "sqlite") != 0)
		r = user_failed(
			"%s: driver = %s; `gatepost user` keeps users in SQLite only: use the database's own tools",
			file, driver);
	else if (word.n == 0)
		r = user_failed("%s: \"connect\" is missing; it should name the database", file);
	u->path = arena_cdup(u->mem, word);
	u->lines_file = arena_cdup(u->mem, str_c(file));
	u->has_query |= dovecot_get(sql->first, "credentials_query") != NULL;
	dovecot_free(&sql);
	return r;
}

/* Others may stand in front of it, such as a list of those who are denied. NULL: there is no passdb. */
static const struct dovecot_node *sql_passdb(const struct dovecot_conf *c)
{
	const struct dovecot_node *first = dovecot_section(c->first, "passdb"), *p = first;

	while (p && strcmp(dovecot_value(p->child, "driver", ""), "sql") != 0)
		p = dovecot_section(p->next, "passdb");
	return p ? p : first;
}

/* Of the passdb that is there. Its args would be read as an SQL file: a file of passwords must not be shown line by line. */
static int check_driver(const struct dovecot_node *passdb, const char *file)
{
	const char *driver = passdb ? dovecot_value(passdb->child, "driver", "sql") : "sql";

	if (strcmp(driver, "sql") == 0)
		return 0;
	return user_failed(
		"%s: driver = %s, and no passdb with \"driver = sql\"; `gatepost user` keeps users in SQLite "
		"only: others are changed by their own tools",
		file, driver);
}

static int say_no_file(const char *file)
{
	if (*file == '\0')
		return user_failed(
			"auth_conf_file is empty: users are those of the service at smtpd_sasl_path, and its "
			"own tools change them");
	return user_failed(
		"there is no %s (auth_conf_file), so that users are those of the service at smtpd_sasl_path, "
		"and its own tools change them",
		file);
}

int user_db_find(struct users *u, const struct conf *conf)
{
	const char *file = conf_str(conf_main(conf), "auth_conf_file");
	struct buf errors = BUF_INIT(65536);
	struct dovecot_conf *c = dovecot_load(file, &errors);
	const struct dovecot_node *passdb = sql_passdb(c);
	const struct dovecot_node *args = passdb ? dovecot_get(passdb->child, "args") : NULL;
	const char *inline_path = dovecot_value(c->first, "sqlite_path", NULL);
	int r = 0;

	u->mem = arena_new(0);
	u->auth_conf = u->lines_file = arena_cdup(u->mem, str_c(file));
	u->owner = conf_str(conf_main(conf), "auth_owner");
	u->scheme = arena_cdup(u->mem, str_c(dovecot_value(c->first, "gatepost_new_password_scheme", "ARGON2ID")));
	u->key_schemes =
		arena_cdup(u->mem, str_c(dovecot_value(c->first, "gatepost_new_credentials", "SCRAM-SHA-256")));
	u->has_query = passdb && dovecot_get(passdb->child, "credentials_query");
	if (*file == '\0' || (access(file, F_OK) != 0 && errno == ENOENT))
		r = say_no_file(file);
	else if (errors.n)
		r = say_faults(&errors);
	else if (check_driver(passdb, file) < 0)
		r = -1;
	else if (args)
		r = read_sql_file(u, sql_file(u->mem, args), &errors);
	else if (inline_path)
		u->path = arena_cdup(u->mem, str_c(inline_path));
	else
		r = user_failed("%s: no passdb with \"driver = sql  args = FILE\"", file);
	dovecot_free(&c);
	buf_free(&errors);
	return r;
}

/* The service reads it under its own account, and SQLite makes its journal beside it: file and directory are its. */
static int give_to_owner(const struct users *u)
{
	const struct passwd *pw;
	const char *slash = strrchr(u->path, '/');
	char *dir;
	struct stat st;
	int r = 0;

	if (geteuid() != 0)
		return 0;
	pw = getpwnam(u->owner);
	if (pw == NULL)
		return user_failed("there is no user \"%s\" (auth_owner)", u->owner);
	if (chown(u->path, pw->pw_uid, pw->pw_gid) != 0)
		return user_failed("%s: cannot be given to %s: %s", u->path, u->owner, strerror(errno));
	dir = slash ? arena_printf(u->mem, "%.*s", (int)(slash - u->path), u->path) : NULL;
	if (dir && *dir && stat(dir, &st) == 0 && st.st_uid == 0 && strcmp(dir, "/etc") != 0 && !(st.st_mode & S_ISVTX))
		r = chown(dir, (uid_t)-1, pw->pw_gid) != 0 || chmod(dir, (st.st_mode & 07777) | 0070) != 0;
	return r ? user_failed("%s: cannot be opened to %s: %s", dir, u->owner, strerror(errno)) : 0;
}

static long long count_tables(struct users *u, const char *name)
{
	return user_db_number(
		u, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", str_c(name));
}

static int is_foreign(const struct users *u, const char *what)
{
	return user_failed("users database %s: %s, so that it is not one that `gatepost user` makes; nothing was "
			   "changed in it: use its own tools for its users",
		u->path, what);
}

/* What stands in somebody else's tables is not ours to change, and a trigger there would end every INSERT of his. */
static int check_is_ours(struct users *u)
{
	long long has_users = count_tables(u, "users"), columns, others;

	if (has_users < 0)
		return -1;
	others = user_db_number(u,
		"SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' AND "
		"name NOT IN ('users_since', 'credentials', 'gatepost_schema')",
		STR(""));
	if (has_users == 0)
		return others > 0 ? is_foreign(u, "it has no table users, and others") : others < 0 ? -1 : 0;
	columns = user_db_number(u,
		"SELECT count(*) FROM pragma_table_info('users') WHERE lower(name) IN ('email', 'password', 'name')",
		STR(""));
	if (columns >= 0 && columns < 3)
		return is_foreign(u, "its table users has not the columns email, password and name");
	return columns < 0 ? -1 : 0;
}

int user_db_open(struct users *u, const struct conf *conf, bool create)
{
	struct stat st;
	bool is_new;
	mode_t mask;
	unsigned from;
	int r;

	if (user_db_find(u, conf) < 0)
		return -1;
	is_new = stat(u->path, &st) != 0;
	if (is_new && !create)
		return user_failed("users database %s: no such file; create it with `gatepost user add`", u->path);
	mask = umask(077);
	r = sqlite3_open_v2(u->path, &u->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	umask(mask);
	if (r != SQLITE_OK)
		return user_failed("users database %s: %s", u->path, u->db ? sqlite3_errmsg(u->db) : "no memory");
	sqlite3_busy_timeout(u->db, BUSY_MS);
	if (!is_new && check_is_ours(u) < 0)
		return -1;
	if (create && user_db_migrate(u, &from) < 0)
		return -1;
	return is_new ? give_to_owner(u) : 0;
}

void user_db_close(struct users *u)
{
	sqlite3_close_v2(u->db);
	arena_wipe(&u->mem);
}

/* ---- statements ---- */

static int say(struct users *u)
{
	return user_failed("users database %s: %s", u->path, sqlite3_errmsg(u->db));
}

int user_db_exec(struct users *u, const char *sql)
{
	return sqlite3_exec(u->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : say(u);
}

int user_db_change(struct users *u, const char *sql, const struct str *values, int n)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(u->db, sql, -1, &stmt, NULL);

	for (int i = 0; r == SQLITE_OK && i < n && i < sqlite3_bind_parameter_count(stmt); i++)
		r = sqlite3_bind_text(stmt, i + 1, values[i].p ? values[i].p : "", (int)values[i].n, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_step(stmt);
	if (r != SQLITE_DONE)
		say(u);
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? sqlite3_changes(u->db) : -1;
}

sqlite3_stmt *user_db_select(struct users *u, const char *sql, struct str value)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(u->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		say(u);
	else if (sqlite3_bind_parameter_count(stmt))
		sqlite3_bind_text(stmt, 1, value.p ? value.p : "", (int)value.n, SQLITE_STATIC);
	return stmt;
}

long long user_db_number(struct users *u, const char *sql, struct str value)
{
	sqlite3_stmt *stmt = user_db_select(u, sql, value);
	int r = stmt ? sqlite3_step(stmt) : SQLITE_DONE;
	long long n = r == SQLITE_ROW ? (long long)sqlite3_column_int64(stmt, 0) : -1;

	if (r != SQLITE_ROW && r != SQLITE_DONE)
		say(u);
	sqlite3_finalize(stmt);
	return n;
}

/* ---- the schema ---- */

/* Somebody else emptied it: what to write there depends on what the database has, and he can look at that. */
static void say_unknown(struct users *u)
{
	bool has_all = count_tables(u, "credentials") > 0;

	user_failed("users database %s: the table gatepost_schema has no version in it, and nothing was changed; as "
		    "far as the "
		    "other tables show it was %d: run sqlite3 %s \"DELETE FROM gatepost_schema; INSERT INTO "
		    "gatepost_schema "
		    "VALUES(%d)\", then `gatepost user migrate`",
		u->path, has_all ? USER_SCHEMA : 0, u->path, has_all ? USER_SCHEMA : 0);
}

/* -1: it is not known (said). */
static long long version_of(struct users *u)
{
	long long tables = count_tables(u, "gatepost_schema"), rows;

	if (tables <= 0)
		return tables;
	rows = user_db_number(u, "SELECT count(*) FROM gatepost_schema WHERE version >= 0", STR(""));
	if (rows == 0)
		say_unknown(u);
	if (rows <= 0)
		return -1;
	return user_db_number(u, "SELECT max(version) FROM gatepost_schema", STR(""));
}

static int step_all(struct users *u, unsigned from)
{
	for (unsigned i = from; i < USER_SCHEMA; i++)
		if (user_db_exec(u, steps[i]) < 0)
			return -1;
	return user_db_exec(u, arena_printf(u->mem,
				       "CREATE TABLE IF NOT EXISTS gatepost_schema(version INTEGER NOT NULL); "
				       "DELETE FROM gatepost_schema; INSERT INTO gatepost_schema VALUES(%d)",
				       USER_SCHEMA));
}

int user_db_migrate(struct users *u, unsigned *from)
{
	long long version = version_of(u);

	*from = version < 0 ? 0 : (unsigned)version;
	if (version == USER_SCHEMA)
		return 0;
	/* The lock first: what another process did meanwhile is seen then. */
	if (version < 0 || user_db_exec(u, "BEGIN IMMEDIATE") < 0)
		return -1;
	version = version_of(u);
	*from = version < 0 ? 0 : (unsigned)version;
	if (version > USER_SCHEMA)
		user_failed("users database %s has the schema %lld, of a newer Gatepost; this one knows %d and changes "
			    "nothing in it",
			u->path, version, USER_SCHEMA);
	else if (version >= 0 && (version == USER_SCHEMA || step_all(u, *from) == 0) && user_db_exec(u, "COMMIT") == 0)
		return 0;
	sqlite3_exec(u->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}
