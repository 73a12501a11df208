/* Reads of a local database while much is written to it, on a disk that takes its time. */
#include "authd/source.h"
#include "base/test.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WRITES = 40, READS = 60, READ_EVERY_MS = 5 };
static unsigned disk_us;

/* SQLite's calls come here: this disk is slow. */
int fdatasync(int fd);
int fdatasync(int fd)
{
	(void)fd;
	usleep(disk_us);
	return 0;
}

int fsync(int fd);
int fsync(int fd)
{
	return fdatasync(fd);
}

struct world {
	uv_loop_t loop;
	uv_timer_t timer;
	struct arena *mem;
	struct sql_settings set;
	struct database db;
	struct source source;
	struct query read, write;
	struct vars vars;
	char dir[64], path[96];
	struct lookup reads[READS], writes[WRITES];
	unsigned n_written_before[READS]; /* when the read began */
	unsigned n_started, n_read, n_wrong, n_written, n_refused, most_between;
};
static struct world w;

static void on_read(struct lookup *l)
{
	w.n_read++;
	w.n_wrong += l->result != LOOKUP_DONE || l->rows == NULL;
	if (w.n_written - w.n_written_before[l - w.reads] > w.most_between)
		w.most_between = w.n_written - w.n_written_before[l - w.reads];
}

static void on_write(struct lookup *l)
{
	if (l->result == LOOKUP_DONE)
		w.n_written++;
	else
		w.n_refused++;
}

static void on_timer(uv_timer_t *timer)
{
	struct lookup *l = &w.reads[w.n_started++];

	w.n_written_before[l - w.reads] = w.n_written;
	*l = (struct lookup){ .done = on_read };
	if (lookup_start(l, &w.source, "read", &w.read, &w.vars, w.mem, SQL_MAX_ROWS, false))
		on_read(l);
	if (w.n_started == READS)
		uv_close((uv_handle_t *)timer, NULL);
}

static void compile(const char *text, struct query *q)
{
	const char *why = NULL;

	check_int(query_compile(str_c(text), SQL_QUESTION, w.mem, q, &why), 0);
}

static void setup(void)
{
	sqlite3 *db;

	w = (struct world){ .mem = arena_new(0) };
	snprintf(w.dir, sizeof w.dir, "/tmp/gatepost-unit.XXXXXX");
	check(mkdtemp(w.dir) != NULL);
	snprintf(w.path, sizeof w.path, "%s/users.db", w.dir);
	check_int(sqlite3_open(w.path, &db), SQLITE_OK);
	check_int(sqlite3_exec(db, "CREATE TABLE t(n INTEGER); INSERT INTO t VALUES(0)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	w.set = (struct sql_settings){ .file = "FILE", .driver = &sql_sqlite, .connect = w.path, .scheme = "PLAIN" };
	compile("SELECT n FROM t", &w.read);
	compile("UPDATE t SET n = n + 1", &w.write);
	vars_set_user(&w.vars, STR("user@example.com"));
	uv_loop_init(&w.loop);
	/* As many wait for a thread as there are writes: none of the reads has a place left to wait in. */
	database_init(&w.db, &w.set, "", &w.loop, WRITES / 2, 10000);
	source_init(&w.source, &w.set, &w.db, NULL, 0);
}

static void teardown(void)
{
	database_end(&w.db);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	check_int(uv_loop_close(&w.loop), 0);
	arena_free(&w.mem);
	unlink(w.path);
	check_int(rmdir(w.dir), 0);
}

static int64_t value(void)
{
	sqlite3_stmt *s = NULL;
	sqlite3 *db;
	int64_t n;

	check_int(sqlite3_open(w.path, &db), SQLITE_OK);
	check_int(sqlite3_prepare_v2(db, "SELECT n FROM t", -1, &s, NULL), SQLITE_OK);
	check_int(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

static void test_reads_while_written(void **state)
{
	(void)state;
	disk_us = 5000;
	setup();
	for (unsigned i = 0; i < WRITES; i++) {
		w.writes[i] = (struct lookup){ .done = on_write };
		check_int(lookup_write(&w.writes[i], &w.source, "write", &w.write, &w.vars, w.mem), 0);
	}
	uv_timer_init(&w.loop, &w.timer);
	uv_timer_start(&w.timer, on_timer, 0, READ_EVERY_MS);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	check_int(w.n_read, READS);
	check_int(w.n_wrong, 0);
	check_int(w.n_written, WRITES);
	check_int(w.n_refused, 0);
	check_int(value(), WRITES);
	check(w.most_between <= 3); /* the one under way, and what is told of those beside it */
	teardown();
}

/* More than may wait are refused at once, and those that wait are written all the same. */
static void test_bounded(void **state)
{
	static struct lookup many[SQL_WRITES_MAX + 2];

	(void)state;
	disk_us = 0;
	setup();
	for (unsigned i = 0; i < SQL_WRITES_MAX + 2; i++) {
		many[i] = (struct lookup){ .done = on_write };
		check_int(lookup_write(&many[i], &w.source, "write", &w.write, &w.vars, w.mem),
			i > SQL_WRITES_MAX ? -1 : 0);
	}
	uv_run(&w.loop, UV_RUN_DEFAULT);
	check_int(w.n_written, SQL_WRITES_MAX + 1);
	check_int(value(), SQL_WRITES_MAX + 1);
	teardown();
}

static const char *read_now(void)
{
	static struct lookup l;

	l = (struct lookup){ .done = on_read };
	if (lookup_start(&l, &w.source, "read", &w.read, &w.vars, w.mem, SQL_MAX_ROWS, false) != 1 || l.rows == NULL)
		return "none";
	return l.rows->field[0].value.p;
}

static int change(void)
{
	sqlite3 *db;
	int r;

	check_int(sqlite3_open(w.path, &db), SQLITE_OK);
	r = sqlite3_exec(db, "UPDATE t SET n = n + 1", NULL, NULL, NULL);
	sqlite3_close(db);
	return r;
}

static void next_turn(void)
{
	uv_run(&w.loop, UV_RUN_NOWAIT);
}

/* Lookups of one turn of the loop share one look at the database; a lookup by itself locks it no longer than it takes. */
static void test_lookups_of_a_turn(void **state)
{
	(void)state;
	disk_us = 0;
	setup();
	check_str(str_c(read_now()), "0");
	check_int(change(), SQLITE_OK);
	check_str(str_c(read_now()), "1");
	check_int(change(), SQLITE_BUSY);
	check_str(str_c(read_now()), "1");
	next_turn();
	check_int(change(), SQLITE_OK);
	check_str(str_c(read_now()), "2");
	check_int(change(), SQLITE_OK);
	next_turn();
	check_str(str_c(read_now()), "3");
	for (unsigned i = 0; i < 10; i++) { /* turns of the same millisecond, mostly */
		next_turn();
		read_now();
	}
	check_int(change(), SQLITE_OK);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_reads_while_written),
		cmocka_unit_test(test_lookups_of_a_turn), cmocka_unit_test(test_bounded) };

	return test_run(tests);
}
