#include "ctl/user.h"

#include "auth/auth_client.h"
#include "auth/password.h"
#include "base/log.h"
#include "base/utf8.h"
#include "conf/dovecot.h"
#include "sasl/base64.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_TEMPORARY = 2,
	EXIT_USAGE = 2,
	EXIT_AUTH_USAGE = 64,
	LINE_MAX_OCTETS = 1024,
	BUSY_MS = 5000
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS users(email TEXT PRIMARY KEY COLLATE NOCASE, "
	"password TEXT NOT NULL, name TEXT NOT NULL DEFAULT '');"
	/* Since when, for smtpd_rrvs_maps; a table of its own, so that users keeps its three columns. */
	"CREATE TABLE IF NOT EXISTS users_since(email TEXT PRIMARY KEY COLLATE NOCASE, "
	"created INTEGER NOT NULL);"
	"CREATE TRIGGER IF NOT EXISTS users_added AFTER INSERT ON users BEGIN "
	"INSERT OR REPLACE INTO users_since VALUES(new.email, strftime('%s', 'now')); END;"
	"CREATE TRIGGER IF NOT EXISTS users_removed AFTER DELETE ON users BEGIN "
	"DELETE FROM users_since WHERE email = old.email; END";

static int failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int failed(const char *fmt, ...)
{
	va_list ap;

	fputs("gatepost: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

/* ---- the password, one line of standard input ---- */

static int read_line(struct buf *line)
{
	char c;
	ssize_t n;

	while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		if (buf_add_char(line, c) < 0)
			return failed("the password is longer than %d octets", PASSWORD_MAX);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	if (n < 0)
		return failed("cannot read the password: %s", strerror(errno));
	return 0;
}

/* Without echo when a person types it. */
static int read_password(struct buf *pass)
{
	struct termios was, quiet;
	bool typed = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
	int r;

	if (typed) {
		fputs("Password: ", stderr);
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	r = read_line(pass);
	if (typed) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
		fputc('\n', stderr);
	}
	if (r == 0 && pass->n == 0)
		return failed("no password; it is one line of standard input");
	return r;
}

/* ---- where the users are ---- */

struct users {
	struct arena *mem;
	const char *path;   /* of the database */
	const char *scheme; /* for new passwords */
	const char *owner;  /* auth_owner */
	sqlite3 *db;
};

static const char *sql_file(struct arena *mem, const struct dovecot_node *args)
{
	const char *slash = strrchr(args->file, '/');

	if (args->value[0] == '/' || slash == NULL)
		return arena_cdup(mem, str_c(args->value));
	return arena_printf(mem, "%.*s/%s", (int)(slash - args->file), args->file, args->value);
}

static int read_sql_file(struct users *u, const char *file, struct buf *errors)
{
	struct dovecot_conf *sql = dovecot_load_flat(file, errors);
	struct str connect = str_c(dovecot_value(sql->first, "connect", "")), word = { 0 };
	const char *driver = dovecot_value(sql->first, "driver", "");
	int r = 0;

	str_word(&connect, " \t", &word);
	if (errors->n)
		r = failed("%s", errors->p);
	else if (strcmp(driver, "sqlite") != 0)
		r = failed("%s: driver = %s; `gatepost user` keeps users in SQLite only: use the database's own tools",
			file, driver);
	else if (word.n == 0)
		r = failed("%s: \"connect\" is missing; it should name the database", file);
	u->path = arena_cdup(u->mem, word);
	dovecot_free(&sql);
	return r;
}

static int find_database(struct users *u, const struct conf *conf)
{
	const char *file = conf_str(conf_main(conf), "auth_conf_file");
	struct buf errors = BUF_INIT(65536);
	struct dovecot_conf *c = dovecot_load(file, &errors);
	const struct dovecot_node *passdb = dovecot_section(c->first, "passdb");
	const struct dovecot_node *args = passdb ? dovecot_get(passdb->child, "args") : NULL;
	const char *inline_path = dovecot_value(c->first, "sqlite_path", NULL);
	int r = 0;

	u->owner = conf_str(conf_main(conf), "auth_owner");
	u->scheme = arena_cdup(u->mem, str_c(dovecot_value(c->first, "gatepost_new_password_scheme", "ARGON2ID")));
	if (errors.n)
		r = failed("%s", errors.p);
	else if (args)
		r = read_sql_file(u, sql_file(u->mem, args), &errors);
	else if (inline_path)
		u->path = arena_cdup(u->mem, str_c(inline_path));
	else
		r = failed("%s: no passdb with \"driver = sql  args = FILE\"", file);
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
		return failed("there is no user \"%s\" (auth_owner)", u->owner);
	if (chown(u->path, pw->pw_uid, pw->pw_gid) != 0)
		return failed("%s: cannot be given to %s: %s", u->path, u->owner, strerror(errno));
	dir = slash ? arena_printf(u->mem, "%.*s", (int)(slash - u->path), u->path) : NULL;
	if (dir && *dir && stat(dir, &st) == 0 && st.st_uid == 0 && strcmp(dir, "/etc") != 0 && !(st.st_mode & S_ISVTX))
		r = chown(dir, (uid_t)-1, pw->pw_gid) != 0 || chmod(dir, (st.st_mode & 07777) | 0070) != 0;
	return r ? failed("%s: cannot be opened to %s: %s", dir, u->owner, strerror(errno)) : 0;
}

static int open_database(struct users *u, const struct conf *conf, bool create)
{
	struct stat st;
	bool is_new;
	mode_t mask;
	int r;

	u->mem = arena_new(0);
	if (find_database(u, conf) < 0)
		return -1;
	is_new = stat(u->path, &st) != 0;
	if (is_new && !create)
		return failed("users database %s: no such file; create it with `gatepost user add`", u->path);
	mask = umask(077);
	r = sqlite3_open_v2(u->path, &u->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	umask(mask);
	if (r != SQLITE_OK)
		return failed("users database %s: %s", u->path, u->db ? sqlite3_errmsg(u->db) : "no memory");
	sqlite3_busy_timeout(u->db, BUSY_MS);
	if (create && sqlite3_exec(u->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return failed("users database %s: %s", u->path, sqlite3_errmsg(u->db));
	return is_new ? give_to_owner(u) : 0;
}

static void close_database(struct users *u)
{
	sqlite3_close_v2(u->db);
	arena_wipe(&u->mem);
}

/* Run one statement with up to three values. Returns rows that it changed, or -1 (said). */
static int change(struct users *u, const char *sql, struct str a, struct str b, struct str c)
{
	const struct str values[] = { a, b, c };
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(u->db, sql, -1, &stmt, NULL);

	for (int i = 0; r == SQLITE_OK && i < 3 && i < sqlite3_bind_parameter_count(stmt); i++)
		r = sqlite3_bind_text(stmt, i + 1, values[i].p ? values[i].p : "", (int)values[i].n, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_step(stmt);
	if (r != SQLITE_DONE)
		failed("users database %s: %s", u->path, sqlite3_errmsg(u->db));
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? sqlite3_changes(u->db) : -1;
}

/* ---- user add, passwd, del, list ---- */

static int check_name(struct str name)
{
	if (name.n == 0 || name.n > 255 || !utf8_is_valid(name))
		return failed("a user's name has 1 to 255 octets of UTF-8");
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 127)
			return failed("a user's name has no blanks and no control characters");
	return 0;
}

static int make_stored(const struct users *u, struct buf *stored)
{
	struct buf pass = BUF_INIT(LINE_MAX_OCTETS);
	int r = read_password(&pass);

	if (r == 0) {
		r = password_make(str_c(u->scheme), buf_str(&pass), stored);
		if (r < 0)
			failed("%s", password_err_text(r));
	}
	buf_wipe(&pass);
	return r < 0 ? -1 : 0;
}

static int user_add(struct users *u, struct str name, struct str full_name)
{
	struct buf stored = BUF_INIT(8192);
	int r = make_stored(u, &stored);

	if (r == 0)
		r = change(u, "INSERT INTO users(email, password, name) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", name,
			buf_str(&stored), full_name);
	if (r == 0)
		r = failed("%.*s is there already; `gatepost user passwd` changes the password", STR_ARG(name));
	buf_wipe(&stored);
	return r;
}

static int user_passwd(struct users *u, struct str name)
{
	struct buf stored = BUF_INIT(8192);
	int r = make_stored(u, &stored);

	if (r == 0)
		r = change(u, "UPDATE users SET password = ?2 WHERE email = ?1", name, buf_str(&stored), STR(""));
	if (r == 0)
		r = failed("there is no user %.*s", STR_ARG(name));
	buf_wipe(&stored);
	return r;
}

static int user_del(struct users *u, struct str name)
{
	int r = change(u, "DELETE FROM users WHERE email = ?", name, STR(""), STR(""));

	return r == 0 ? failed("there is no user %.*s", STR_ARG(name)) : r;
}

static int user_list(struct users *u)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(u->db, "SELECT email, name FROM users ORDER BY email", -1, &stmt, NULL);

	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(stmt);
		if (r == SQLITE_ROW && *(const char *)sqlite3_column_text(stmt, 1))
			printf("%s\t%s\n", sqlite3_column_text(stmt, 0), sqlite3_column_text(stmt, 1));
		else if (r == SQLITE_ROW)
			printf("%s\n", sqlite3_column_text(stmt, 0));
	}
	if (r != SQLITE_DONE)
		failed("users database %s: %s", u->path, sqlite3_errmsg(u->db));
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? 0 : -1;
}

static int user_usage(void)
{
	fputs("usage: gatepost user add NAME [--name 'Full Name']   password: one line of standard input\n"
	      "       gatepost user passwd NAME                     password: one line of standard input\n"
	      "       gatepost user del NAME\n"
	      "       gatepost user list\n",
		stderr);
	return EXIT_USAGE;
}

struct user_args {
	const char *command;
	struct str name, full_name;
};

static bool parse_user_args(int argc, char **argv, struct user_args *out)
{
	bool has_name = false;

	*out = (struct user_args){ .command = argc ? argv[0] : "" };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--name") == 0 && i + 1 < argc)
			out->full_name = str_c(argv[++i]);
		else if (argv[i][0] == '-' || has_name)
			return false;
		else
			out->name = str_c(argv[i]), has_name = true;
	}
	if (strcmp(out->command, "list") == 0)
		return !has_name;
	return has_name;
}

int ctl_user(const struct conf *conf, int argc, char **argv)
{
	struct users u = { 0 };
	struct user_args args;
	bool add;
	int r;

	if (!parse_user_args(argc, argv, &args))
		return user_usage();
	add = strcmp(args.command, "add") == 0;
	if (!add && strcmp(args.command, "passwd") != 0 && strcmp(args.command, "del") != 0 &&
		strcmp(args.command, "list") != 0)
		return user_usage();
	if (strcmp(args.command, "list") != 0 && check_name(args.name) < 0)
		return EXIT_FAILED;
	r = open_database(&u, conf, add);
	if (r == 0 && add)
		r = user_add(&u, args.name, args.full_name);
	else if (r == 0 && strcmp(args.command, "passwd") == 0)
		r = user_passwd(&u, args.name);
	else if (r == 0 && strcmp(args.command, "del") == 0)
		r = user_del(&u, args.name);
	else if (r == 0)
		r = user_list(&u);
	close_database(&u);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int ctl_create_users_db(const struct conf *conf)
{
	struct users u = { 0 };
	int r = open_database(&u, conf, true);

	close_database(&u);
	return r;
}

/* ---- auth test ---- */

struct auth_test {
	struct auth_request request;
	struct auth_client *client;
	uv_timer_t wait; /* for the service to come up */
	unsigned waited;
	struct str user;
	int code;
};

static void stop_test(struct auth_test *t, int code)
{
	t->code = code;
	auth_client_free(&t->client);
	uv_close((uv_handle_t *)&t->wait, NULL);
}

static void on_end(struct auth_request *r, enum auth_outcome outcome, struct str user, struct str reason)
{
	struct auth_test *t = container_of(r, struct auth_test, request);

	if (outcome == AUTH_OK)
		printf("ok: the service knows %.*s as user=%.*s\n", STR_ARG(t->user), STR_ARG(user));
	else if (outcome == AUTH_TEMP)
		printf("temporary failure%s%.*s\n", reason.n ? ": " : "", STR_ARG(reason));
	else
		printf("failed: wrong password, or no such user as %.*s%s%.*s%s\n", STR_ARG(t->user),
			reason.n ? " (" : "", STR_ARG(reason), reason.n ? ")" : "");
	stop_test(t, outcome == AUTH_OK ? EXIT_DONE : outcome == AUTH_TEMP ? EXIT_TEMPORARY : EXIT_FAILED);
}

static void on_challenge(struct auth_request *r, struct str challenge)
{
	(void)challenge; /* PLAIN has said all in its initial response */
	auth_cancel(r);
	on_end(r, AUTH_TEMP, STR(""), STR("the service asks for more than PLAIN has"));
}

static void on_wait(uv_timer_t *timer)
{
	struct auth_test *t = container_of(timer, struct auth_test, wait);

	if (auth_client_is_up(t->client)) {
		uv_timer_stop(timer);
		auth_start(t->client, &t->request);
	} else if (++t->waited == 40) {
		on_end(&t->request, AUTH_TEMP, STR(""), STR("the service cannot be reached"));
	}
}

/* The initial response of PLAIN (RFC 4616), in base64. */
static int plain_response(struct str user, struct buf *out)
{
	struct buf pass = BUF_INIT(LINE_MAX_OCTETS), raw = BUF_INIT(4096);
	int r = read_password(&pass);

	if (r == 0) {
		buf_add_char(&raw, '\0');
		buf_add_str(&raw, user);
		buf_add_char(&raw, '\0');
		buf_add_str(&raw, buf_str(&pass));
		base64_encode(out, buf_str(&raw));
	}
	buf_wipe(&pass);
	buf_wipe(&raw);
	return r;
}

static int run_test(const struct conf *conf, struct auth_test *t, struct str response)
{
	const struct conf_view *v = conf_main(conf);
	uv_loop_t loop;

	if (chdir(conf_str(v, "queue_directory")) != 0) {
		failed("cannot go to queue_directory %s: %s", conf_str(v, "queue_directory"), strerror(errno));
		return EXIT_TEMPORARY;
	}
	t->request = (struct auth_request){ .mech = STR("PLAIN"),
		.service = STR("smtp"),
		.local_ip = STR("127.0.0.1"),
		.remote_ip = STR("127.0.0.1"),
		.secured = true,
		.has_initial = true,
		.initial = response,
		.on_challenge = on_challenge,
		.on_end = on_end };
	uv_loop_init(&loop);
	t->client = auth_client_new(&loop, conf_str(v, "smtpd_sasl_path"), 20);
	uv_timer_init(&loop, &t->wait);
	uv_timer_start(&t->wait, on_wait, 0, 50);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return t->code;
}

int ctl_auth(const struct conf *conf, int argc, char **argv)
{
	struct auth_test t = { 0 };
	struct buf response = BUF_INIT(8192);
	int code = EXIT_FAILED;

	if (argc != 2 || strcmp(argv[0], "test") != 0 || argv[1][0] == '-') {
		fputs("usage: gatepost auth test USER   password: one line of standard input\n", stderr);
		return EXIT_AUTH_USAGE;
	}
	t.user = str_c(argv[1]);
	if (plain_response(t.user, &response) == 0)
		code = run_test(conf, &t, buf_str(&response));
	buf_wipe(&response);
	return code;
}
