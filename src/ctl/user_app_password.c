/* `gatepost user app-password`: passwords for one program or device of a user, made, listed and revoked. */
#include "auth/app_password.h"
#include "base/utf8.h"
#include "ctl/user.h"
#include "ctl/user_impl.h"
#include "map/net.h"
#include "smtp/datetime.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, NAME_MAX_OCTETS = 64, DAYS_MAX = 36500, DAY_S = 86400 };

struct args {
	struct str user, name, expires, networks, service;
	bool all, json, sql;
	unsigned n_words; /* that are no options */
};

static int usage(void)
{
	fputs("usage: gatepost user app-password add NAME --name DEVICE [--expires 2027-01-01 | 90d]\n"
	      "                [--networks 192.0.2.0/24,2001:db8::/32] [--service smtp] [--sql]\n"
	      "       gatepost user app-password list NAME [--json]\n"
	      "       gatepost user app-password revoke NAME DEVICE | --all\n",
		stderr);
	return EXIT_USAGE;
}

/* ---- arguments ---- */

/* Of two values one would be lost, and nobody told. */
static bool take_value(struct str *to, char *value, const char *option)
{
	if (to->p)
		return user_failed("%s is there twice; one of both would be lost", option) == 0;
	*to = str_c(value);
	return true;
}

static bool parse(int argc, char **argv, struct args *a)
{
	static const struct {
		const char *option;
		size_t at;
	} options[] = { { "--name", offsetof(struct args, name) }, { "--expires", offsetof(struct args, expires) },
		{ "--networks", offsetof(struct args, networks) }, { "--service", offsetof(struct args, service) } };
	const size_t n = sizeof options / sizeof *options;

	for (int i = 1; i < argc; i++) {
		size_t k = 0;

		while (k < n && strcmp(argv[i], options[k].option) != 0)
			k++;
		if (k < n && i + 1 == argc)
			return false;
		if (k < n) {
			if (!take_value(
				    (struct str *)(void *)((char *)a + options[k].at), argv[++i], options[k].option))
				return false;
		} else if (strcmp(argv[i], "--all") == 0)
			a->all = true;
		else if (strcmp(argv[i], "--json") == 0)
			a->json = true;
		else if (strcmp(argv[i], "--sql") == 0)
			a->sql = true;
		else if (argv[i][0] == '-' || a->n_words == 2)
			return false;
		else
			*(a->n_words++ ? &a->name : &a->user) = str_c(argv[i]);
	}
	return a->user.n > 0;
}

static int check_name(struct str name)
{
	if (name.n == 0 || name.n > NAME_MAX_OCTETS || !utf8_is_valid(name))
		return user_failed("--name should be 1 to %d octets of UTF-8, such as --name phone", NAME_MAX_OCTETS);
	if (name.p[0] == '-')
		return user_failed("--name: an app password's name does not begin with \"-\", as options do");
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 127 || strchr("\"\\", name.p[i]))
			return user_failed("--name: an app password's name has no \", no \\ and no control characters");
	return 0;
}

/* "90d", "2027-01-01" (from that day on, by UTC, it is over), "2027-01-01T12:00:00Z"; "": never, which is 0. */
static int read_expiry(struct str text, int64_t now, int64_t *at)
{
	char day[64];
	uint64_t days;

	*at = 0;
	snprintf(day, sizeof day, "%.*sT00:00:00Z", STR_ARG(text));
	if (text.n == 0)
		return 0;
	if (str_has_suffix(text, STR("d")) && str_u64(str_sub(text, 0, text.n - 1), &days) && days && days <= DAYS_MAX)
		*at = now + (int64_t)days * DAY_S;
	else if (datetime_parse(text, at) < 0 && datetime_parse(str_c(day), at) < 0)
		return user_failed(
			"--expires %.*s: it should be a day such as 2027-01-01, or a time from now such as 90d",
			STR_ARG(text));
	if (*at <= now)
		return user_failed("--expires %.*s is past already", STR_ARG(text));
	return 0;
}

static int check_networks(struct str list)
{
	struct str word;
	char text[64];

	while (str_word(&list, ", \t", &word)) {
		struct net net;
		int r = net_parse(word, &net);

		if (r == -NET_EHOST)
			net_text(&net, text);
		if (r == -NET_EHOST)
			return user_failed(
				"--networks: %.*s has bits behind its prefix; is %s meant?", STR_ARG(word), text);
		if (r < 0 || word.p[0] == '[')
			return user_failed("--networks: \"%.*s\" is no network; it should be such as 192.0.2.0/24 or "
					   "2001:db8::/32",
				STR_ARG(word));
	}
	return 0;
}

static int check_service(struct str list)
{
	struct str word;

	while (str_word(&list, ", \t", &word))
		for (size_t i = 0; i < word.n; i++)
			if (!ascii_is_alnum(word.p[i]) && word.p[i] != '-' && word.p[i] != '_')
				return user_failed(
					"--service: \"%.*s\" is no service; it should be such as smtp", STR_ARG(word));
	return 0;
}

/* An option that is there wants a limit; the empty variable of a script must not make it none. */
static int check_limits(const struct args *a)
{
	const struct {
		const char *option;
		struct str list;
	} limits[] = { { "--expires", a->expires }, { "--networks", a->networks }, { "--service", a->service } };

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct str rest = limits[i].list, word;

		if (rest.p && !str_word(&rest, ", \t", &word))
			return user_failed("%s is empty; leave it out where no limit is meant", limits[i].option);
	}
	return 0;
}

/* In MariaDB a backslash in quotes takes the quote behind it away. */
static int check_quotable(struct str user)
{
	for (size_t i = 0; i < user.n; i++)
		if ((unsigned char)user.p[i] < ' ' || user.p[i] == 127 || user.p[i] == '\\')
			return user_failed("a user's name with a backslash or a control character has no place in SQL "
					   "that is for several databases");
	return 0;
}

/* ---- add ---- */

static int check_query(const struct users *u)
{
	struct buf lines = BUF_INIT(4096);

	if (u->has_query)
		return 0;
	user_db_auth_lines(&lines);
	user_failed(
		"there is no credentials_query, so that no app password would be looked at; put these lines into %s "
		"and run `gatepost reload`:\n%.*s",
		u->lines_file, (int)(lines.n ? lines.n - 1 : 0), lines.p);
	buf_free(&lines);
	return -1;
}

static int check_is_there(struct users *u, struct str user)
{
	long long n = user_db_number(u, "SELECT count(*) FROM users WHERE email = ?", user);

	if (n == 0)
		user_failed("there is no user %.*s", STR_ARG(user));
	return n > 0 ? 0 : -1;
}

/* In the transaction that is open. */
static int check_user(struct users *u, const struct args *a)
{
	long long n = user_db_number(u, "SELECT count(*) FROM credentials WHERE email = ? AND name <> ''", a->user);

	if (check_is_there(u, a->user) < 0)
		return -1;
	if (n >= APP_PASSWORDS_MAX)
		return user_failed(
			"%.*s has %lld app passwords, and may have no more; `gatepost user app-password revoke` "
			"ends one",
			STR_ARG(a->user), n);
	return n < 0 ? -1 : 0;
}

static int insert(struct users *u, const struct args *a, int64_t expires, struct str plain)
{
	struct buf stored = BUF_INIT(STORED_MAX);
	const char *at = expires ? arena_printf(u->mem, "%lld", (long long)expires) : "";
	int r = user_make_app_stored(u, a->user, plain, &stored);
	const struct str values[] = { a->user, a->name, buf_str(&stored), str_c(at), a->networks, a->service };

	if (r == 0)
		r = user_db_change(u,
			"INSERT INTO credentials(email, name, password, expires, allow_nets, service) "
			"VALUES(?, ?, ?, nullif(?, ''), ?, ?) ON CONFLICT DO NOTHING",
			values, 6);
	if (r == 0)
		r = user_failed(
			"%.*s has an app password \"%.*s\" already; `gatepost user app-password revoke` ends it",
			STR_ARG(a->user), STR_ARG(a->name));
	buf_wipe(&stored);
	return r;
}

static void put_quoted(struct str s)
{
	putchar('\'');
	for (size_t i = 0; i < s.n; i++)
		fputs(s.p[i] == '\'' ? "''" : (char[]){ s.p[i], '\0' }, stdout);
	putchar('\'');
}

/* For a database that is not ours to write: a statement that PostgreSQL and MariaDB take. No SCRAM keys: their salt is there. */
static int print_sql(const struct args *a, int64_t expires, struct str plain)
{
	struct buf stored = BUF_INIT(STORED_MAX);
	const struct str values[] = { a->user, a->name, { NULL, 0 }, a->networks, a->service };

	app_password_stored(plain, &stored);
	printf("INSERT INTO credentials(email, name, password, allow_nets, service, created, expires) VALUES (");
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		put_quoted(i == 2 ? buf_str(&stored) : values[i]);
		fputs(", ", stdout);
	}
	printf("%lld, nullif(%lld, 0));\n", (long long)time(NULL), (long long)expires);
	fprintf(stderr, "%.*s\n", STR_ARG(plain));
	buf_wipe(&stored);
	return 0;
}

static int store(struct users *u, const struct args *a, int64_t expires, struct str plain)
{
	int r = check_query(u);

	if (r == 0)
		r = user_db_exec(u, "BEGIN IMMEDIATE");
	if (r == 0)
		r = check_user(u, a);
	if (r == 0)
		r = insert(u, a, expires, plain);
	if (r > 0)
		r = user_db_exec(u, "COMMIT");
	if (r == 0)
		printf("%.*s\n", STR_ARG(plain));
	if (r == 0 && isatty(STDOUT_FILENO))
		fprintf(stderr, "That is shown once. It is for \"%.*s\", in place of the password of %.*s.\n",
			STR_ARG(a->name), STR_ARG(a->user));
	return r;
}

static int add(struct users *u, struct args *a)
{
	struct buf plain = BUF_INIT(APP_PASSWORD_TEXT);
	int64_t expires;
	int r = a->all || a->json || a->n_words != 1 ? usage() : check_name(a->name);

	if (r == 0)
		r = check_limits(a);
	if (r == 0 && a->sql)
		r = check_quotable(a->user);
	if (r == 0)
		r = read_expiry(a->expires, (int64_t)time(NULL), &expires);
	if (r == 0)
		r = check_networks(a->networks);
	if (r == 0)
		r = check_service(a->service);
	if (r == 0) {
		app_password_draw(&plain);
		r = a->sql ? print_sql(a, expires, buf_str(&plain)) : store(u, a, expires, buf_str(&plain));
	}
	buf_wipe(&plain);
	return r;
}

/* ---- list ---- */

enum column { NAME, CREATED, EXPIRES, NETWORKS, SERVICE, USED, USED_FROM, COLUMNS };

static const char *text_of(sqlite3_stmt *s, enum column c)
{
	const char *text = (const char *)sqlite3_column_text(s, (int)c);

	return text ? text : "";
}

/* "2027-01-01T00:00:00Z"; `none` where there is no time. */
static const char *time_of(struct arena *mem, sqlite3_stmt *s, enum column c, const char *none)
{
	struct buf b = BUF_INIT(64);
	int64_t at = sqlite3_column_int64(s, (int)c);

	if (at <= 0)
		return none;
	datetime_put(&b, at);
	none = arena_cdup(mem, buf_str(&b));
	buf_free(&b);
	return none;
}

static json_t *names_of(const char *list)
{
	struct str rest = str_c(list), word;
	json_t *array = json_array();

	while (str_word(&rest, ", \t", &word))
		json_array_append_new(array, json_stringn(word.p, word.n));
	return array;
}

static json_t *row_json(struct arena *mem, sqlite3_stmt *s)
{
	const char *from = text_of(s, USED_FROM);

	return json_pack("{s:s, s:s?, s:s?, s:o, s:o, s:s?, s:s?}", "name", text_of(s, NAME), "created",
		time_of(mem, s, CREATED, NULL), "expires", time_of(mem, s, EXPIRES, NULL), "networks",
		names_of(text_of(s, NETWORKS)), "services", names_of(text_of(s, SERVICE)), "last_used",
		time_of(mem, s, USED, NULL), "last_used_from", *from ? from : NULL);
}

static void print_row(struct arena *mem, sqlite3_stmt *s)
{
	int64_t expires = sqlite3_column_int64(s, EXPIRES);
	const char *from = text_of(s, USED_FROM);

	printf("%s\n    made %s, %s %s\n", text_of(s, NAME), time_of(mem, s, CREATED, "at a time unknown"),
		expires && expires <= (int64_t)time(NULL) ? "EXPIRED" : "expires", time_of(mem, s, EXPIRES, "never"));
	if (*text_of(s, NETWORKS))
		printf("    from %s only\n", text_of(s, NETWORKS));
	if (*text_of(s, SERVICE))
		printf("    for %s only\n", text_of(s, SERVICE));
	printf("    last used %s%s%s\n", time_of(mem, s, USED, "never"), *from ? " from " : "", from);
}

static int list(struct users *u, struct args *a)
{
	json_t *all = json_array();
	sqlite3_stmt *s;
	int r;

	if (a->all || a->sql || a->n_words != 1)
		return usage();
	if (check_is_there(u, a->user) < 0)
		return -1;
	s = user_db_select(u,
		"SELECT name, created, expires, allow_nets, service, used, used_from FROM credentials "
		"WHERE email = ? AND name <> '' ORDER BY created, name",
		a->user);
	if (s == NULL)
		return -1;
	while ((r = sqlite3_step(s)) == SQLITE_ROW)
		if (a->json)
			json_array_append_new(all, row_json(u->mem, s));
		else
			print_row(u->mem, s);
	if (r != SQLITE_DONE)
		user_failed("users database %s: %s", u->path, sqlite3_errmsg(u->db));
	else if (a->json)
		json_dumpf(all, stdout, JSON_INDENT(2));
	if (a->json)
		putchar('\n');
	sqlite3_finalize(s);
	json_decref(all);
	return r == SQLITE_DONE ? 0 : -1;
}

/* ---- revoke ---- */

static int end_some(struct users *u, struct args *a)
{
	const struct str values[] = { a->user, a->name };
	int r;

	if (a->json || a->sql || a->all == (a->name.n > 0))
		return usage();
	if (check_is_there(u, a->user) < 0)
		return -1;
	r = user_db_change(u,
		a->all ? "DELETE FROM credentials WHERE email = ?1 AND name <> ''"
		       : "DELETE FROM credentials WHERE email = ?1 AND name = ?2",
		values, a->all ? 1 : 2);
	if (r == 0 && !a->all)
		return user_failed("%.*s has no app password \"%.*s\"; `gatepost user app-password list` shows them",
			STR_ARG(a->user), STR_ARG(a->name));
	if (r >= 0)
		printf("%d revoked\n", r);
	return r < 0 ? -1 : 0;
}

static const struct {
	const char *word;
	int (*run)(struct users *u, struct args *a);
} commands[] = { { "add", add }, { "list", list }, { "revoke", end_some } };

int ctl_app_password(const struct conf *conf, int argc, char **argv)
{
	struct users u = { 0 };
	struct args args = { 0 };
	unsigned from;
	size_t i = 0;
	int r;

	while (i < sizeof commands / sizeof *commands && strcmp(argv[0], commands[i].word) != 0)
		i++;
	if (i == sizeof commands / sizeof *commands || !parse(argc, argv, &args))
		return usage();
	if (args.sql && commands[i].run == add)
		r = 0;
	else
		r = user_db_open(&u, conf, false);
	if (r == 0 && u.db)
		r = user_db_migrate(&u, &from);
	if (r == 0)
		r = commands[i].run(&u, &args);
	user_db_close(&u);
	return r < 0 ? EXIT_FAILED : r > 0 ? EXIT_USAGE : EXIT_DONE;
}
