/* mysql: and pgsql: with a driver of the test's own; test/peer/tables_mysql and tables_pgsql ask real servers. */
#include "map/table_sql.h"
#include "base/log.h"
#include "base/test.h"
#include "sql/sql.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

/* What the driver was told, and what it will say. */
static struct {
	char log[4096];	    /* "open CONNECT|", "HOST: QUERY <PARAM>…|", "close|" */
	const char *down;   /* hosts with that in their connect text do not answer */
	int fault;	    /* of a query; 0: it is answered */
	const char *answer; /* cells with "," between them, rows with ";"; "-" is NULL */
	unsigned open;
	bool waits; /* for leave to answer */
	sem_t asked, may_answer;
} db;

static void told(const char *fmt, ...)
{
	size_t n = strlen(db.log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(db.log + n, sizeof db.log - n, fmt, ap);
	va_end(ap);
}

struct fake_conn {
	const char *connect;
};

static struct sql_conn *fake_open(const char *connect, const char *root)
{
	struct fake_conn *c = xcalloc(1, sizeof *c);

	(void)root;
	c->connect = connect;
	db.open++;
	told("open|");
	return (struct sql_conn *)(void *)c;
}

static void fake_close(struct sql_conn **at)
{
	db.open--;
	told("close|");
	free(*at);
	*at = NULL;
}

static struct sql_row *row_of(struct str text, struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);
	struct str cell;

	row->field = arena_array(mem, 8, sizeof *row->field);
	while (row->n < 8 && text.n && str_field(&text, ",", &cell)) {
		row->field[row->n].is_null = str_eq(cell, STR("-"));
		row->field[row->n++].value = cell;
	}
	return row;
}

static int fake_run(struct sql_conn *conn, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	const struct fake_conn *c = (const struct fake_conn *)(const void *)conn;
	struct str rest = str_c(db.answer), row;

	(void)wait_ms;
	told("%.*s: %s", (int)strcspn(c->connect + 6, "\n"), c->connect + 6, sql);
	for (size_t i = 0; i < n; i++)
		told(" <%.*s>", STR_ARG(params[i]));
	told("|");
	*rows = NULL;
	*why = "it is broken";
	if (db.waits) {
		sem_post(&db.asked);
		sem_wait(&db.may_answer);
	}
	if (db.down && strstr(c->connect, db.down))
		return -SQL_EDOWN;
	for (size_t k = 0; rest.n && str_field(&rest, ";", &row) && (max_rows == 0 || k < max_rows); k++) {
		*rows = row_of(row, mem);
		rows = &(*rows)->next;
	}
	return db.fault;
}

static const char *fake_check(const char *connect, struct arena *mem)
{
	(void)mem;
	return strstr(connect, "\noption_group=bad") ? "option_group= is bad" : NULL;
}

static const struct sql_driver fake = {
	.name = "fake", .open = fake_open, .close = fake_close, .run = fake_run, .check = fake_check, .port = 77
};

static const struct sql_driver *find_fake(const char *name)
{
	return strcmp(name, "mysql") == 0 || strcmp(name, "pgsql") == 0 ? &fake : NULL;
}

/* ---- a table's file ---- */

static char path[] = "/tmp/table_sql_test.XXXXXX";

/* A set whose one table "TYPE:path" has this file. */
static struct table *table_with(struct table_set **set, const char *type, const char *text)
{
	struct buf spec = BUF_INIT(256);
	FILE *f = fopen(path, "w");
	struct table *t;

	check(f != NULL);
	fputs(text, f);
	fclose(f);
	buf_addf(&spec, "%s:%s", type, path);
	*set = table_set_new(TABLES_ALL, "");
	t = table_get(*set, buf_str(&spec));
	buf_free(&spec);
	return t;
}

/* The value, "-" for not found, "!" and why for a failure. */
static void check_find(struct table *t, const char *key, const char *want)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), why = BUF_INIT(TABLE_WHY_MAX), got = BUF_INIT(TABLE_VALUE_MAX);
	enum map_status status = table_find(t, str_c(key), &value, &why);

	if (status == MAP_TEMPORARY && *want == '!')
		check(strstr(why.p, want + 1) != NULL);
	buf_add_c(&got, status == MAP_TEMPORARY ? "!" : status == MAP_NOT_FOUND ? "-" : "");
	buf_add_str(&got, buf_str(&value));
	check_str(status == MAP_TEMPORARY ? STR("!") : buf_str(&got), *want == '!' ? "!" : want);
	buf_free(&value);
	buf_free(&why);
	buf_free(&got);
}

#define Q "hosts = a\nquery = SELECT x FROM t WHERE y = '%s'\n"

static void test_answers(void **state)
{
	static const struct {
		const char *file, *answer, *key, *want;
	} cases[] = {
		{ Q, "1", "k", "1" },
		{ Q, "a,b;c", "k", "a,b,c" },
		{ Q, "-,b;;-", "k", "b" },
		{ Q, "", "k", "-" },
		{ Q, "-", "k", "-" },
		{ Q "expansion_limit = 2\n", "a,b", "k", "a,b" },
		{ Q "expansion_limit = 2\n", "a,b;c", "k", "!more than expansion_limit = 2 results for \"k\"" },
		{ Q "result_format = [%s]\n", "a,b", "k", "[a],[b]" },
		{ Q "result_format = %u of %D\n", "a@b.example", "x@y.example", "a of y.example" },
		{ Q "domain = b.example\n", "1", "a@b.example", "1" },
		{ Q "domain = b.example\n", "1", "a@c.example", "-" },
		{ Q "domain = b.example\n", "1", "b.example", "-" },
		{ Q "domain = b.example\n", "1", "@b.example", "-" },
		{ Q "expansion_limit = 1\n", ",-;;c", "k", "c" },
		{ Q "result_format = [%s.%2.%1]\n", "relay1", "u@mail.example.com", "[relay1.example.com]" },
		{ "hosts = a\nquery = SELECT '%d'\n", "1", "no-domain", "-" },
		{ Q, "1", "\xff", "-" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct table_set *set;
		struct table *t = table_with(&set, i % 2 ? "mysql" : "pgsql", cases[i].file);

		memset(&db, 0, sizeof db);
		db.answer = cases[i].answer;
		check_find(t, cases[i].key, cases[i].want);
		table_set_free(&set);
		check_int(db.open, 0);
	}
}

static void test_asked(void **state)
{
	static const struct {
		const char *type, *file, *log;
	} cases[] = {
		{ "mysql", Q, "open|a: SELECT x FROM t WHERE y = ? <u@d.example>|" },
		{ "pgsql", Q, "open|a: SELECT x FROM t WHERE y = $1 <u@d.example>|" },
		{ "mysql", "hosts =\nquery = SELECT 1\n", "open|localhost: SELECT 1|" },
		{ "mysql", "query = SELECT '%u', \"%d\"\n", "open|localhost: SELECT ?, ? <u> <d.example>|" },
		{ "pgsql", "hosts = unix:/run/p\nselect_function = f\n", "open|/run/p: SELECT f($1) <u@d.example>|" },
		{ "mysql",
			"hosts = inet:h:99\ntable = t\nselect_field = s\nwhere_field = w\nadditional_conditions = AND "
			"z\n",
			"open|h: SELECT s FROM t WHERE w = ? AND z <u@d.example>|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct table_set *set;
		struct table *t = table_with(&set, cases[i].type, cases[i].file);

		memset(&db, 0, sizeof db);
		db.answer = "1";
		check_find(t, "U@d.example", "1");
		check_str(str_c(db.log), cases[i].log);
		table_set_free(&set);
	}
}

static void test_faults(void **state)
{
	static const struct {
		const char *type, *file, *why;
	} cases[] = {
		{ "mysql", "hosts = a\n", "!there is no \"query =\"" },
		{ "mysql", "hosts = a\nquery =\n", "!there is no \"query =\"" },
		{ "mysql", Q "tls_verify_cert = Maybe\n", "!tls_verify_cert = Maybe; it should be yes or no" },
		{ "mysql", Q "tls_verify_cert = YES\n", "-" },
		{ "mysql", Q "result_format = x%qy\n", "!result_format = x%qy: \"%\" must be" },
		{ "mysql", Q "result_format = 50%\n", "!result_format = 50%: \"%\" must be" },
		{ "mysql", "hosts = u:secret@h\nquery = SELECT 1\n", "!hosts: \"h\" is no host" },
		{ "mysql", Q "expansion_limit = x\n", "!expansion_limit = x is not a number" },
		{ "mysql", "hosts = a:b\nquery = SELECT 1\n", "!\"a:b\" is no host" },
		{ "mysql", "hosts = a:0\nquery = SELECT 1\n", "!\"a:0\" is no host" },
		{ "mysql", "hosts = :1\nquery = SELECT 1\n", "!\":1\" is no host" },
		{ "mysql", "hosts = [::1]x\nquery = SELECT 1\n", "!\"[::1]x\" is no host" },
		{ "mysql", "hosts = 1 2 3 4 5 6 7 8 9\nquery = SELECT 1\n", "!more than 8 hosts" },
		{ "mysql", Q "option_group = bad\n", "!option_group= is bad" },
		{ "mysql", "query = SELECT '%s\n", "!a quotation mark in the query is not closed" },
		{ "pgsql", "hosts = postgresql://u:secret@h/d\nquery = SELECT 1\n",
			"!hosts = postgresql:…: there are host names" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct table_set *set;
		struct table *t = table_with(&set, cases[i].type, cases[i].file);

		memset(&db, 0, sizeof db);
		db.answer = "";
		check_find(t, "k", cases[i].why);
		table_set_free(&set);
	}
}

static void needs_of(struct table *t, struct table_needs *needs)
{
	*needs = (struct table_needs){ .n_ports = 0 };
	t->type->needs(t, needs);
}

/* A host that does not answer is passed over, and left alone for a while; the one that did is asked first. */
static void test_hosts(void **state)
{
	struct table_set *set;
	struct table *t = table_with(&set, "mysql", "hosts = a, [::1]:3307 c:3308\nquery = SELECT 1\n");
	struct table_needs needs;

	(void)state;
	memset(&db, 0, sizeof db);
	db.answer = "1";
	db.down = "host=a";
	check_find(t, "k", "1");
	check_find(t, "k", "1");
	check_str(str_c(db.log), "open|a: SELECT 1|open|::1: SELECT 1|::1: SELECT 1|");
	*db.log = '\0';
	db.down = "host=";
	check_find(t, "k", "!the database cannot be asked: it is broken");
	check_find(t, "k", "!the database cannot be asked: it is broken"); /* nobody is asked again so soon */
	check_str(str_c(db.log), "::1: SELECT 1|open|c: SELECT 1|");
	needs_of(t, &needs);
	check(needs.by_tcp);
	check_int(needs.n_ports, 3);
	check_int(needs.port[0], 77);
	check_int(needs.port[1], 3307);
	check_int(needs.port[2], 3308);
	check(!needs.any_port && needs.n_files == 0);
	table_set_free(&set);
	check_int(db.open, 0);
}

/* One that refuses the query may lag behind: the next is asked, and no host is left alone for it. */
static void test_refused(void **state)
{
	struct table_set *set;
	struct table *t = table_with(&set, "pgsql", "hosts = a b\nquery = SELECT 1\n");

	(void)state;
	memset(&db, 0, sizeof db);
	db.answer = "1";
	db.fault = -SQL_EQUERY;
	check_find(t, "k", "!: it is broken");
	db.fault = 0;
	check_find(t, "k", "1");
	check_str(str_c(db.log), "open|a: SELECT 1|open|b: SELECT 1|a: SELECT 1|");
	table_set_free(&set);
}

/* A file that is of no use is not read again until it changes. */
static void test_fault_stays(void **state)
{
	struct table_set *set;
	struct table *t = table_with(&set, "mysql", "hosts = a\nqurey = SELECT 1\n");
	struct buf notices = BUF_INIT(65536);

	(void)state;
	memset(&db, 0, sizeof db);
	for (int i = 0; i < 3; i++)
		check_find(t, "k", "!there is no \"query =\"");
	table_set_notices(set, &notices);
	check(strstr(notices.p, "\"qurey\" is no setting") != NULL);
	check_int(strchr(notices.p, '\n') - notices.p + 1, notices.n);
	buf_free(&notices);
	table_set_free(&set);
}

static void test_needs(void **state)
{
	static const struct {
		const char *type, *file, *files[3];
		bool by_tcp, any_port;
	} cases[] = {
		{ "mysql", Q "tls_CAfile = /etc/ca.pem\noption_file = /etc/my.cnf\npassword = /x\nuser = /\n",
			{ "/etc/ca.pem", "/etc/my.cnf", NULL }, true, true },
		{ "mysql", Q "option_group = g\n", { NULL }, true, true },
		{ "mysql", Q "option_group =\n", { NULL }, true, false },
		{ "mysql", "hosts = localhost\nquery = SELECT 1\n", { NULL }, false, false },
		{ "mysql", "hosts = localhost:3306\nquery = SELECT 1\n", { NULL }, true, false },
		{ "pgsql", "hosts = localhost\nquery = SELECT 1\n", { NULL }, true, false },
		{ "pgsql", "hosts = unix:/run/p\nquery = SELECT 1\n", { NULL }, false, false },
		{ "pgsql", "hosts = unix:/run/p h\nquery = SELECT 1\n", { NULL }, true, false },
		{ "pgsql", "", { NULL }, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct table_needs needs;
		struct table_set *set;
		struct table *t = table_with(&set, cases[i].type, cases[i].file);

		needs_of(t, &needs);
		check_int(needs.by_tcp, cases[i].by_tcp);
		check_int(needs.any_port, cases[i].any_port);
		for (size_t k = 0; k < 3; k++)
			check_str(str_c(k < needs.n_files ? needs.file[k] : ""),
				cases[i].files[k] ? cases[i].files[k] : "");
		table_set_free(&set);
	}
}

/* Tables that only another one's file names are prepared as well. */
static void test_prepare(void **state)
{
	struct table_set *set;
	struct table *t = table_with(&set, "mysql", Q "domain = inline:{b.example=1} texthash:/nonexistent\n");

	(void)state;
	table_set_seal(set);
	table_set_prepare(set);
	check_int(table_set_count(set), 3);
	(void)t;
	table_set_free(&set);
}

/* Two that name each other in "domain =" wait for nobody for ever. */
static void test_circle(void **state)
{
	struct table_set *set;
	struct buf text = BUF_INIT(4096);
	struct table *t;

	(void)state;
	buf_addf(&text, "dbpath = /nonexistent\nquery = SELECT 1\ndomain = sqlite:%s\n", path);
	t = table_with(&set, "sqlite", text.p);
	check_find(t, "k@b.example", "!the lookups before this one take too long");
	buf_free(&text);
	table_set_free(&set);
}

/* An answer that is longer than any may be is not cut. */
static void test_long_answer(void **state)
{
	size_t n = TABLE_VALUE_MAX / 2 + 1;
	char *cells = xcalloc(1, 2 * n + 2);
	struct table_set *set;
	struct table *t = table_with(&set, "mysql", Q);

	(void)state;
	memset(cells, 'x', 2 * n + 1);
	cells[n] = ',';
	memset(&db, 0, sizeof db);
	db.answer = cells;
	check_find(t, "k", "!the answer for \"k\" is longer than 4194304 octets");
	cells[n] = '\0';
	check_find(t, "k", cells);
	table_set_free(&set);
	free(cells);
}

static void *find_slowly(void *arg)
{
	check_find(arg, "k", "1");
	return NULL;
}

/* While one lookup gets no answer, those behind it do not wait for as long. */
static void test_turns(void **state)
{
	struct table_set *set;
	struct table *t = table_with(&set, "mysql", Q);
	pthread_t thread;

	(void)state;
	memset(&db, 0, sizeof db);
	db.answer = "1";
	sem_init(&db.asked, 0, 0);
	sem_init(&db.may_answer, 0, 0);
	db.waits = true;
	require(pthread_create(&thread, NULL, find_slowly, t) == 0);
	sem_wait(&db.asked);
	db.waits = false;
	check_find(t, "k", "!the lookups before this one take too long");
	sem_post(&db.may_answer);
	pthread_join(thread, NULL);
	check_find(t, "k", "1");
	table_set_free(&set);
}

static void test_without_driver(void **state)
{
	struct table_set *set;
	struct table *t = table_with(&set, "mysql", Q);

	(void)state;
	table_sql_drivers(NULL);
	check_find(t, "k", "!this program asks no database");
	table_sql_drivers(find_fake);
	table_set_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers), cmocka_unit_test(test_asked),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_hosts), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_needs), cmocka_unit_test(test_fault_stays), cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_circle), cmocka_unit_test(test_long_answer), cmocka_unit_test(test_turns),
		cmocka_unit_test(test_without_driver) };
	int r;

	close(mkstemp(path));
	table_sql_drivers(find_fake);
	r = test_run(tests);
	unlink(path);
	return r;
}
