#include "map/table.h"
#include "base/test.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/table_test.XXXXXX";

static const char *path(const char *name)
{
	static char room[4][256];
	static unsigned next;
	char *p = room[next++ % 4];

	snprintf(p, sizeof room[0], "%s/%s", dir, name);
	return p;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "w");

	check(f != NULL);
	fputs(text, f);
	fclose(f);
}

static struct arena *mem;

/* "type:DIR/name" */
static struct str spec(const char *type, const char *name)
{
	return str_c(arena_printf(mem, "%s:%s", type, path(name)));
}

/* The value, "-" for not found, "!why" for a failure. */
static struct str find(struct table_set *set, struct str table, const char *key)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), why = BUF_INIT(TABLE_WHY_MAX);
	enum map_status status = table_find(table_get(set, table), str_c(key), &value, &why);
	struct str out;

	if (status == MAP_TEMPORARY)
		out = str_c(arena_printf(mem, "!%.*s", STR_ARG(buf_str(&why))));
	else
		out = status == MAP_FOUND ? arena_dup(mem, buf_str(&value)) : STR("-");
	buf_free(&value);
	buf_free(&why);
	return out;
}

static struct str notices(struct table_set *set)
{
	struct buf lines = BUF_INIT(1 << 20);
	struct str out;

	table_set_notices(set, &lines);
	out = arena_dup(mem, buf_str(&lines));
	buf_free(&lines);
	return out;
}

/* A value is as long as it is, or the table fails for that key: it is never another one. */
static void test_long_value(void **state)
{
	enum { LONG = 1024 * 1024, TOO_LONG = TABLE_VALUE_MAX + 1 };
	struct table_set *set = table_set_new(TABLES_ALL, "");
	struct str t = spec("texthash", "long");
	char *text = xcalloc(1, LONG + TOO_LONG + 16);

	(void)state;
	memset(text, 'x', LONG + TOO_LONG + 8);
	memcpy(text, "a ", 2);
	memcpy(text + 2 + LONG, "\nb ", 3);
	memcpy(text + 2 + LONG + 3 + TOO_LONG, "\n", 2);
	write_file("long", text);
	check_int(find(set, t, "a").n, LONG);
	check(str_has_prefix(find(set, t, "b"), STR("!texthash:")));
	unlink(path("long"));
	free(text);
	table_set_free(&set);
}

static void test_texthash(void **state)
{
	struct table_set *set = table_set_new(TABLES_ALL, "");
	struct str t = spec("texthash", "text");

	(void)state;
	check_str(find(set, t, "a"),
		arena_printf(mem,
			"!%.*s: cannot read %s: No such file or directory; create it, or take the table out of main.cf",
			STR_ARG(t), path("text")));
	write_file("text", "# c\nA  one\nb two\n  three\n# c\n\n  four\n\"x y\" q\nA again\nnovalue\n\"open z\n");
	check_str(find(set, t, "a"), "one");
	check_str(notices(set),
		arena_printf(mem,
			"%s, line 9: duplicate entry \"A\"; the first one counts\n%s, line 10: must be: key, blank, "
			"value; the "
			"line is ignored\n%s, line 11: a quotation mark is not closed; the line is ignored\n",
			path("text"), path("text"), path("text")));
	check_str(find(set, t, "B"), "two  three  four");
	check_str(find(set, t, "\"x y\""), "q");
	check_str(find(set, t, "c"), "-");
	check_str(find(set, t, ""), "-");
	/* A change is seen, a second later at most. */
	sleep(1);
	write_file("text", "a changed\n");
	usleep(100000);
	check_str(find(set, t, "a"), "changed");
	unlink(path("text"));
	usleep(1100000);
	check(str_has_prefix(find(set, t, "a"), STR("!texthash:")));
	table_set_free(&set);
}

static unsigned warned;

static void count_warning(const char *line)
{
	(void)line;
	warned++;
}

static void test_lmdb(void **state)
{
	struct table_set *set = table_set_new(TABLES_ALL, "");
	struct lmdb_write how = { .warn = count_warning, .keep_owner = true };
	struct buf why = BUF_INIT(TABLE_WHY_MAX);
	struct str h = spec("hash", "index"), l = spec("lmdb", "index");
	struct stat st;

	(void)state;
	write_file("index", "a@b.example source\n");
	check_str(find(set, h, "a@b.example"), "source");
	check(str_has_suffix(notices(set), str_c(arena_printf(mem, "run \"postmap hash:%s\"\n", path("index")))));
	check(str_has_prefix(find(set, l, "a@b.example"), STR("!lmdb:")));
	check_int(table_lmdb_write(path("index"), STR("A@b.example  one\nb two\nb three\nbad\n"), &how, &why), 0);
	check_int(warned, 2);
	check_str(find(set, l, "a@b.example"), "one");
	check_str(find(set, l, "A@B.example"), "one");
	check_str(find(set, l, "b"), "two");
	check_str(find(set, l, ""), "-");
	check_str(find(set, l, "c"), "-");
	usleep(1100000);
	check_str(find(set, h, "a@b.example"), "one");
	check_int(stat(path("index.lmdb"), &st), 0);
	check_int(st.st_mode & 0777, 0644);
	/* Add, replace, delete; nothing is left beside it. */
	how.how = LMDB_ADD;
	check_int(table_lmdb_write(path("index"), STR("c new\n"), &how, &why), 0);
	how.replace = true;
	check_int(table_lmdb_write(path("index"), STR("b other\n"), &how, &why), 0);
	usleep(1100000);
	check_str(find(set, l, "b"), "other");
	check_str(find(set, l, "c"), "new");
	check_str(find(set, l, "a@b.example"), "one");
	check_int(table_lmdb_delete(path("index"), STR("c"), &why), 1);
	check_int(table_lmdb_delete(path("index"), STR("c"), &why), 0);
	usleep(1100000);
	check_str(find(set, l, "c"), "-");
	check_str(find(set, l, "b"), "other");
	check_int(table_lmdb_write(path("no/such/index"), STR("b other\n"), &how, &why), -1);
	check(why.n > 0);
	/* Aliases, and rubbish in the place of an index. */
	buf_reset(&why);
	how = (struct lmdb_write){ .aliases = true, .warn = count_warning };
	check_int(table_lmdb_write(path("al"), STR("root: a@b\n\"x y\": c,\n  d\nnone\n"), &how, &why), 0);
	check_str(find(set, spec("hash", "al"), "root"), "a@b");
	check_str(find(set, spec("hash", "al"), "x y"), "c,  d");
	write_file("junk.lmdb", "this is no index, not even a short one");
	check(str_has_prefix(find(set, spec("hash", "junk"), "a"), STR("!hash:")));
	buf_free(&why);
	table_set_free(&set);
}

static void test_regexp(void **state)
{
	static const char rules[] = "/^(.*)@old\\.example$/  ${1}@new.example\n"
				    "!/@/ bare\n"
				    "/case/i sensitive\n"
				    "if /^in-/\n/-(x)(y)?$/ got $1-$2-$$\nendif\n"
				    "/^a{2}$/ two\n"
				    "|^pipe/x|  slash\n"
				    "/^esc\\/x@/ escaped\n"
				    "/bad(/ x\n/no$3/ $3\n/flag/q x\nplain x\n!/neg(1)/ $1\nendif\n";
	static const char *const types[] = { "regexp", "pcre" };
	struct table_set *set = table_set_new(TABLES_ALL, "");

	(void)state;
	write_file("rules", rules);
	for (size_t i = 0; i < 2; i++) {
		struct str t = spec(types[i], "rules"), said;
		unsigned lines = 0;

		check_str(find(set, t, "Joe@OLD.example"), "Joe@new.example");
		said = notices(set);
		for (size_t k = 0; k < said.n; k++)
			lines += said.p[k] == '\n';
		check_int(lines, 6);
		check_str(find(set, t, "bare"), "bare");
		check_str(find(set, t, "CASE@x"), "-");
		check_str(find(set, t, "case@x"), "sensitive");
		check_str(find(set, t, "in-@-xy"), "got x-y-$");
		check_str(find(set, t, "in-@-x"), "got x--$");
		check_str(find(set, t, "out@-x"), "-");
		check_str(find(set, t, "esc/x@"), "escaped");
		check_str(find(set, t, "nothing@x"), "-");
	}
	check(str_has_prefix(find(set, spec("pcre", "none"), "a"), STR("!pcre:")));
	table_set_free(&set);
}

static void test_cidr(void **state)
{
	struct table_set *set = table_set_new(TABLES_ALL, "");
	struct str t = spec("cidr", "nets");

	(void)state;
	write_file("nets",
		"192.0.2.1 one\n192.0.2.0/24 net\n2001:db8::/32 six\n[2001:db9::1]/128 seven\n10.1.2.3/8 bad\n"
		"nonsense x\nif 172.16.0.0/12\n!172.16.0.0/16 other\n0.0.0.0/0 first\nendif\n");
	check_str(find(set, t, "192.0.2.1"), "one");
	check_str(notices(set), arena_printf(mem,
					"%s, line 5: 10.1.2.3/8 has bits set behind its prefix; perhaps 10.0.0.0/8 is "
					"meant; the line is "
					"ignored\n%s, line 6: \"nonsense\" is neither an address nor a network such as "
					"10.0.0.0/8; the line is "
					"ignored\n",
					path("nets"), path("nets")));
	check_str(find(set, t, "192.0.2.255"), "net");
	check_str(find(set, t, "192.0.3.0"), "-");
	check_str(find(set, t, "2001:DB8::7"), "six");
	check_str(find(set, t, "2001:db9::1"), "seven");
	check_str(find(set, t, "2001:db9::2"), "-");
	check_str(find(set, t, "172.17.0.1"), "other");
	check_str(find(set, t, "172.16.0.1"), "first");
	check_str(find(set, t, "10.0.0.1"), "-");
	check_str(find(set, t, "host.example"), "-");
	table_set_free(&set);
}

/* As Postfix 3.7 has them: the rules in main.cf itself. */
static void test_rules_in_the_name(void **state)
{
	struct table_set *set = table_set_new(TABLES_ALL, "");

	(void)state;
	check_str(find(set, STR("cidr:{{192.0.2.0/24 a,b c}, { 10.0.0.0/8 second }}"), "192.0.2.7"), "a,b c");
	check_str(find(set, STR("cidr:{{192.0.2.0/24 a,b c}, { 10.0.0.0/8 second }}"), "10.1.1.1"), "second");
	check_str(find(set, STR("cidr:{{192.0.2.0/24 a,b c}, { 10.0.0.0/8 second }}"), "11.1.1.1"), "-");
	check_str(find(set, STR("regexp:{{if /x/} {/^a{2}x$/ two} {endif} {/(.*)/ got $1}}"), "aax"), "two");
	check_str(find(set, STR("pcre:{{if /x/} {/^a{2}x$/ two} {endif} {/(.*)/ got $1}}"), "ax"), "got ax");
	check_str(find(set, STR("pcre:{}"), "ax"), "-");
	check(str_has_prefix(
		find(set, STR("pcre:{/a/ b}"), "a"), STR("!pcre:{/a/ b}: \"/a/\" is no rule; write pcre:{{")));
	check(str_has_prefix(find(set, STR("texthash:{{a b}}"), "a"), STR("!texthash:")));
	table_set_free(&set);
}

static void make_database(void)
{
	sqlite3 *db;

	check_int(sqlite3_open(path("db"), &db), SQLITE_OK);
	check_int(sqlite3_exec(db,
			  "CREATE TABLE a(s TEXT, d TEXT);"
			  "INSERT INTO a VALUES('a@b.example','x@y.example'),('a@b.example','z@y.example'),"
			  "('b.example','dom'),('it''s@b.example','quote'),('n@b.example',NULL),('e@b.example','')",
			  NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
}

static void test_sqlite(void **state)
{
	static const struct {
		const char *settings, *key, *want;
	} cases[] = {
		{ "query = SELECT d FROM a WHERE s = '%s'", "a@b.example", "x@y.example,z@y.example" },
		{ "query = SELECT d FROM a WHERE s = %s", "A@B.example", "x@y.example,z@y.example" },
		{ "query = SELECT d FROM a WHERE s = '%u@%d'", "a@b.example", "x@y.example,z@y.example" },
		{ "query = SELECT d FROM a WHERE s = '%d'", "whoever@b.example", "dom" },
		{ "query = SELECT d FROM a WHERE s = '%d'", "whoever", "-" },
		{ "query = SELECT d FROM a WHERE s = '%2.%1'", "q@b.example", "dom" },
		{ "query = SELECT d FROM a WHERE s = '%3.%1'", "q@b.example", "-" },
		{ "query = SELECT d FROM a WHERE s LIKE '%%' || '%u' || '@b.example' AND d LIKE 'x%%'", "a@b.example",
			"x@y.example" },
		{ "query = SELECT d FROM a WHERE s = '%s'", "it's@b.example", "quote" },
		{ "query = SELECT d FROM a WHERE s = \"%s\"", "it's@b.example", "quote" },
		{ "query = SELECT d FROM a WHERE s = '%s'", "x' OR '1'='1", "-" },
		{ "query = SELECT d FROM a WHERE s = '%s'", "n@b.example", "-" },
		{ "query = SELECT d FROM a WHERE s = '%s'", "e@b.example", "-" },
		{ "query = SELECT d FROM a WHERE s = '%s'\nresult_format = <%u/%D>", "a@b.example",
			"<x/b.example>,<z/b.example>" },
		{ "query = SELECT d FROM a WHERE s = '%s'\ndomain = c.example", "a@b.example", "-" },
		{ "query = SELECT d FROM a WHERE s = '%s'\ndomain = c.example, b.example", "b.example", "-" },
		{ "query = SELECT d FROM a WHERE s = '%d'\ndomain = c.example, b.example", "@b.example", "-" },
		{ "query = SELECT d FROM a WHERE s = '%d'\ndomain = c.example, b.example", "x@b.example", "dom" },
		{ "query = SELECT d FROM a WHERE s = '%d'\nresult_format = [%s.%2.%1]", "x@b.example",
			"[dom.b.example]" },
		{ "select_field = d\ntable = a\nwhere_field = s\nadditional_conditions = AND d > 'y'", "a@b.example",
			"z@y.example" },
	};
	struct table_set *set = table_set_new(TABLES_ALL, "");

	(void)state;
	make_database();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *name = arena_printf(mem, "sq%zu", i);

		write_file(name, arena_printf(mem, "dbpath = %s\n%s\n", path("db"), cases[i].settings));
		check_str(find(set, spec("sqlite", name), cases[i].key), cases[i].want);
		check_str(find(set, spec("sqlite", name), cases[i].key), cases[i].want);
	}
	write_file("sqlim",
		arena_printf(mem, "dbpath=%s\nquery=SELECT d FROM a WHERE s='%%s'\nexpansion_limit=1\n", path("db")));
	check(str_has_prefix(find(set, spec("sqlite", "sqlim"), "a@b.example"), STR("!sqlite:")));
	check_str(find(set, spec("sqlite", "sqlim"), "b.example"), "dom");
	write_file("sqbad", arena_printf(mem, "dbpath=%s\nquery=SELECT absent FROM a WHERE s='%%s'\n", path("db")));
	check(str_has_suffix(find(set, spec("sqlite", "sqbad"), "a"), STR("no such column: absent")));
	write_file("sqnone", "dbpath=/nonexistent/x\nquery=SELECT 1\n");
	check(str_has_prefix(find(set, spec("sqlite", "sqnone"), "a"), STR("!sqlite:")));
	write_file("sqno", "query=SELECT 1\n");
	check(str_has_suffix(
		find(set, spec("sqlite", "sqno"), "a"), STR("there is no \"dbpath =\"; it needs dbpath and query")));
	write_file("sqq", arena_printf(mem, "dbpath=%s\nquery=SELECT '%%s\n", path("db")));
	check(str_has_suffix(
		find(set, spec("sqlite", "sqq"), "a"), STR("a quotation mark in the query is not closed")));
	table_set_free(&set);
}

/* A userdb service with one connection. */
static void *serve_userdb(void *arg)
{
	int listener = *(int *)arg, fd = accept(listener, NULL, NULL);
	FILE *f = fdopen(fd, "r+");
	char line[1024];

	fputs("VERSION\t1\t1\nSPID\t77\n", f);
	fflush(f);
	while (fgets(line, sizeof line, f)) {
		unsigned id;
		char user[256];

		if (sscanf(line, "USER\t%u\t%255[^\t\n]", &id, user) != 2)
			continue;
		fseek(f, 0, SEEK_CUR);
		if (strcmp(user, "known@x.example") == 0)
			fprintf(f, "USER\t%u\tknown@x.example\tuid=1\thome=/v/a\001tb\n", id);
		else
			fprintf(f, "%s\t%u\n", strcmp(user, "sick@x.example") == 0 ? "FAIL" : "NOTFOUND", id);
		fflush(f);
	}
	fclose(f);
	return NULL;
}

static void test_userdb(void **state)
{
	struct table_set *set = table_set_new(TABLES_ALL, dir);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pthread_t thread;

	(void)state;
	check(str_has_prefix(find(set, STR("userdb:none"), "a"), STR("!userdb:none: the socket ")));
	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path("sock"));
	check_int(bind(listener, (struct sockaddr *)&sun, sizeof sun), 0);
	check_int(listen(listener, 4), 0);
	check_int(pthread_create(&thread, NULL, serve_userdb, &listener), 0);
	check_str(find(set, STR("userdb:sock"), "known@x.example"), "known@x.example");
	check_str(find(set, STR("userdb:sock"), "other@x.example"), "-");
	check(str_has_prefix(find(set, STR("userdb:sock"), "sick@x.example"), STR("!userdb:sock: the socket ")));
	/* A process that fails is left: perhaps it is one of a service that was stopped. The next lookup connects anew. */
	pthread_join(thread, NULL);
	check_int(pthread_create(&thread, NULL, serve_userdb, &listener), 0);
	check_str(find(set, STR("userdb:sock"), "known@x.example"), "known@x.example");
	table_set_free(&set);
	pthread_join(thread, NULL);
	set = table_set_new(TABLES_ALL, dir);
	check_int(pthread_create(&thread, NULL, serve_userdb, &listener), 0);
	check_str(find(set, STR("userdb:sock?home"), "known@x.example"), "/v/a\tb");
	check_str(find(set, STR("userdb:sock?home"), "none@x.example"), "-");
	table_set_free(&set);
	pthread_join(thread, NULL);
	close(listener);
}

static void test_others(void **state)
{
	struct table_set *set = table_set_new(TABLES_ALL, "");

	(void)state;
	check(str_has_prefix(find(set, STR("unix:passwd.byname"), "root"), STR("root:x:0:0:")));
	check(str_has_prefix(find(set, STR("proxy:unix:passwd.byname"), "ROOT"), STR("root:x:0:0:")));
	check_str(find(set, STR("unix:passwd.byname"), "no-such-account"), "-");
	check_str(find(set, STR("unix:passwd.byname"), "root@example.org"), "-");
	check(str_has_prefix(find(set, STR("unix:other"), "root"), STR("!unix:other")));
	check(str_has_prefix(find(set, STR("inline:a=b"), "a"), STR("!inline:a=b: must be")));
	check(str_has_prefix(find(set, STR("inline:{a b}"), "a"), STR("!inline:{a b}: \"a\" is not key=value")));
	check_str(find(set, STR("inline:{}"), "a"), "-");
	check_str(find(set, STR("inline:{ { a = b, c } }"), "a"), "b, c");
	check(str_has_prefix(find(set, STR("ldap:/x"), "a"), STR("!ldap:/x: there is no such type of table here")));
	check(table_get(set, STR("inline:{}")) == table_get(set, STR("proxy:inline:{}")));
	table_set_seal(set);
	check_str(find(set, STR("texthash:/etc/passwd"), "a"),
		"!the table that was asked for is not named in main.cf or master.cf");
	check_str(find(set, STR("inline:{}"), "a"), "-");
	table_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_texthash), cmocka_unit_test(test_long_value),
		cmocka_unit_test(test_lmdb), cmocka_unit_test(test_regexp), cmocka_unit_test(test_cidr),
		cmocka_unit_test(test_rules_in_the_name), cmocka_unit_test(test_sqlite), cmocka_unit_test(test_userdb),
		cmocka_unit_test(test_others) };
	char *command;
	int failed;

	if (mkdtemp(dir) == NULL)
		return 1;
	mem = arena_new(0);
	failed = test_run(tests);
	command = arena_printf(mem, "rm -rf %s", dir);
	failed |= system(command);
	arena_free(&mem);
	return failed;
}
