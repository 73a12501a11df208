#include "ctl/user.h"

#include "auth/password.h"
#include "ctl/prompt.h"
#include "ctl/user_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, LINE_MAX_OCTETS = 1024 };

/* ---- the password, one line of standard input ---- */

static int read_line(struct buf *line)
{
	char c;
	ssize_t n;

	while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		if (buf_add_char(line, c) < 0)
			return user_failed("the password is longer than %d octets", PASSWORD_MAX);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	if (n < 0)
		return user_failed("cannot read the password: %s", strerror(errno));
	return 0;
}

static int ask_password(const char *question, struct buf *pass)
{
	struct prompt prompt;
	int r;

	prompt_begin(&prompt, question);
	r = read_line(pass);
	prompt_end(&prompt);
	if (r == 0 && pass->n == 0)
		return user_failed("no password; it is one line of standard input");
	return r;
}

int ctl_read_password(struct buf *pass)
{
	return ask_password("Password: ", pass);
}

/* Nobody sees what he types, and whose password it is would find out at his next login. */
static int read_new_password(struct buf *pass)
{
	struct buf again = BUF_INIT(LINE_MAX_OCTETS);
	int r = ask_password("New password: ", pass);

	if (r == 0 && isatty(STDIN_FILENO))
		r = ask_password("Retype new password: ", &again);
	if (r == 0 && again.n && !str_eq(buf_str(pass), buf_str(&again)))
		r = user_failed("the passwords are not the same; nothing was changed");
	buf_wipe(&again);
	return r;
}

/* ---- user add, passwd, del, list ---- */

/* Whom there should never have been can still be changed and taken away. */
static int check_name(struct str name, bool is_new)
{
	const char *fault = name.n ? NULL : "a user's name has 1 to 255 octets of UTF-8";

	if (is_new)
		fault = user_name_fault(name);
	return fault ? user_failed("%s", fault) : 0;
}

struct user_args {
	const char *command;
	struct str name, full_name;
	bool revokes;
	unsigned from; /* the schema before */
};

static int is_there_already(struct str name)
{
	return user_failed("%.*s is there already; `gatepost user passwd` changes the password", STR_ARG(name));
}

static int is_nobody(struct str name)
{
	return user_failed("there is no user %.*s", STR_ARG(name));
}

/* Before a password is typed for nothing. */
static int check_there(struct users *u, const struct user_args *args, bool adds)
{
	long long n = user_db_number(u, "SELECT count(*) FROM users WHERE email = ?", args->name);

	if (n < 0)
		return -1;
	if (adds && n > 0)
		return is_there_already(args->name);
	return adds || n > 0 ? 0 : is_nobody(args->name);
}

/* What ends with the password that was before: all that lets him in, or what was made of that password alone. */
static const char end_all[] = "DELETE FROM credentials WHERE email = ?1",
		  end_own[] = "DELETE FROM credentials WHERE email = ?1 AND name = ''";

/* In the transaction that is open. Returns 1, 0: there is no such user, or there is one already; -1: it failed (said). */
static int put_password(
	struct users *u, const char *sql, const char *sql_end, const struct user_args *args, struct str pass)
{
	struct buf stored = BUF_INIT(STORED_MAX), keys = BUF_INIT(STORED_MAX);
	int r = user_make_stored(u, args->name, pass, &stored, &keys);
	const struct str values[] = { args->name, buf_str(&stored), args->full_name },
			 own[] = { args->name, buf_str(&keys), buf_str(&stored) };

	if (r == 0)
		r = user_db_change(u, sql, values, 3);
	if (r > 0 && user_db_change(u, sql_end, values, 1) < 0)
		r = -1;
	if (r > 0 && keys.n &&
		user_db_change(u, "INSERT INTO credentials(email, password, made_for) VALUES(?, ?, ?)", own, 3) < 0)
		r = -1;
	buf_wipe(&stored);
	buf_wipe(&keys);
	return r;
}

static int user_add(struct users *u, const struct user_args *args, struct str pass)
{
	int r = put_password(u, "INSERT INTO users(email, password, name) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
		end_all, args, pass);

	return r == 0 ? is_there_already(args->name) : r;
}

static int user_passwd(struct users *u, const struct user_args *args, struct str pass)
{
	int r = put_password(
		u, "UPDATE users SET password = ?2 WHERE email = ?1", args->revokes ? end_all : end_own, args, pass);
	long long n = user_db_number(u, "SELECT count(*) FROM credentials WHERE email = ? AND name <> ''", args->name);

	if (r == 0)
		r = is_nobody(args->name);
	if (r > 0 && n > 0)
		fprintf(stderr, "%lld app password%s of %.*s %s still good; --revoke-app-passwords ends them too\n", n,
			n == 1 ? "" : "s", STR_ARG(args->name), n == 1 ? "is" : "are");
	return r;
}

static int user_del(struct users *u, struct str name)
{
	int r = user_db_change(u, "DELETE FROM users WHERE email = ?", &name, 1);

	return r == 0 ? is_nobody(name) : r;
}

static int user_list(struct users *u)
{
	sqlite3_stmt *stmt = NULL;
	/* A table that somebody else made may have NULL in both. */
	int r = sqlite3_prepare_v2(u->db,
		"SELECT email, ifnull(name, '') FROM users WHERE email IS NOT NULL ORDER BY email", -1, &stmt, NULL);

	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(stmt);
		if (r == SQLITE_ROW && *(const char *)sqlite3_column_text(stmt, 1))
			printf("%s\t%s\n", sqlite3_column_text(stmt, 0), sqlite3_column_text(stmt, 1));
		else if (r == SQLITE_ROW)
			printf("%s\n", sqlite3_column_text(stmt, 0));
	}
	if (r != SQLITE_DONE)
		user_failed("users database %s: %s", u->path, sqlite3_errmsg(u->db));
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? 0 : -1;
}

static int user_usage(void)
{
	fputs("usage: gatepost user add NAME [--name 'Full Name']   password: one line of standard input\n"
	      "       gatepost user passwd NAME [--revoke-app-passwords]   password: one line of standard input\n"
	      "       gatepost user del NAME\n"
	      "       gatepost user list\n"
	      "       gatepost user app-password add NAME --name DEVICE [--expires 2027-01-01 | 90d]\n"
	      "                [--networks 192.0.2.0/24,2001:db8::/32] [--service smtp] [--sql]\n"
	      "       gatepost user app-password list NAME [--json]\n"
	      "       gatepost user app-password revoke NAME DEVICE | --all\n"
	      "       gatepost user migrate\n",
		stderr);
	return EXIT_USAGE;
}

static bool parse_user_args(int argc, char **argv, struct user_args *out)
{
	bool has_name = false;

	*out = (struct user_args){ .command = argc ? argv[0] : "" };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--name") == 0 && i + 1 < argc && strcmp(out->command, "add") == 0)
			out->full_name = str_c(argv[++i]);
		else if (strcmp(argv[i], "--revoke-app-passwords") == 0 && strcmp(out->command, "passwd") == 0)
			out->revokes = true;
		else if (argv[i][0] == '-' || has_name)
			return false;
		else
			out->name = str_c(argv[i]), has_name = true;
	}
	if (strcmp(out->command, "list") == 0 || strcmp(out->command, "migrate") == 0)
		return !has_name;
	return has_name;
}

/* The password and its keys, or neither. Nobody is kept waiting while it is typed. */
static int change_user(struct users *u, const struct user_args *args)
{
	struct buf pass = BUF_INIT(LINE_MAX_OCTETS);
	bool adds = strcmp(args->command, "add") == 0, deletes = strcmp(args->command, "del") == 0;
	int r = check_there(u, args, adds);

	if (r == 0 && !deletes)
		r = read_new_password(&pass);
	if (r == 0)
		r = user_db_exec(u, "BEGIN IMMEDIATE");
	if (r == 0)
		r = deletes ? user_del(u, args->name) : (adds ? user_add : user_passwd)(u, args, buf_str(&pass));
	if (r >= 0)
		r = user_db_exec(u, "COMMIT");
	buf_wipe(&pass);
	return r;
}

static int migrate(struct users *u)
{
	struct buf lines = BUF_INIT(4096);
	unsigned from;

	if (user_db_migrate(u, &from) < 0)
		return -1;
	if (from == USER_SCHEMA)
		printf("%s has the schema %d already.\n", u->path, USER_SCHEMA);
	else
		printf("%s had the schema %u, and has %d now.\n", u->path, from, USER_SCHEMA);
	user_db_auth_lines(&lines);
	if (!u->has_query)
		printf("For SCRAM beside hashes, and for app passwords, put these lines into %s and run `gatepost "
		       "reload`:\n%s",
			u->lines_file, lines.p);
	buf_free(&lines);
	return 0;
}

int ctl_user(const struct conf *conf, int argc, char **argv)
{
	struct users u = { 0 };
	struct user_args args;
	bool lists, migrates;
	int r;

	if (argc && strcmp(argv[0], "app-password") == 0)
		return argc > 1 ? ctl_app_password(conf, argc - 1, argv + 1) : user_usage();
	if (!parse_user_args(argc, argv, &args))
		return user_usage();
	lists = strcmp(args.command, "list") == 0;
	migrates = strcmp(args.command, "migrate") == 0;
	if (!lists && !migrates && strcmp(args.command, "add") != 0 && strcmp(args.command, "passwd") != 0 &&
		strcmp(args.command, "del") != 0)
		return user_usage();
	if (!lists && !migrates && check_name(args.name, strcmp(args.command, "add") == 0) < 0)
		return EXIT_FAILED;
	r = user_db_open(&u, conf, strcmp(args.command, "add") == 0);
	if (r == 0 && lists)
		r = user_list(&u);
	else if (r == 0 && migrates)
		r = migrate(&u);
	else if (r == 0 && user_db_migrate(&u, &args.from) == 0)
		r = change_user(&u, &args);
	else
		r = -1;
	user_db_close(&u);
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

int ctl_create_users_db(const struct conf *conf)
{
	struct users u = { 0 };
	int r = user_db_open(&u, conf, true);

	user_db_close(&u);
	return r;
}
