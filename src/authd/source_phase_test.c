/* When a database counts as away and as back: questions that were under way when it went do not count once more. */
#include "authd/source.h"
#include "base/test.h"

#include <semaphore.h>
#include <stdlib.h>

enum { QUESTIONS = 8 };
static struct {
	sem_t go;
	int error; /* of the answer */
} question[QUESTIONS];

static struct sql_conn *fake_open(const char *connect, const char *root)
{
	(void)connect, (void)root;
	return xcalloc(1, sizeof(void *));
}

static void fake_close(struct sql_conn **c)
{
	free(*c);
	*c = NULL;
}

static sem_t asked;

/* The question waits in its thread until the test has its answer. */
static int fake_run(struct sql_conn *c, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	size_t i = (size_t)(params[0].p[0] - '0');

	(void)c, (void)sql, (void)n, (void)wait_ms, (void)max_rows, (void)mem;
	sem_post(&asked);
	sem_wait(&question[i].go);
	*rows = NULL;
	*why = question[i].error ? "it is a test" : NULL;
	return question[i].error;
}

static const struct sql_driver fake = {
	.name = "fake", .dialect = SQL_QUESTION, .open = fake_open, .close = fake_close, .run = fake_run
};

static struct world {
	uv_loop_t loop;
	struct arena *mem;
	struct sql_settings set;
	struct database db;
	struct source source;
	struct query read;
	struct lookup lookup[QUESTIONS];
	unsigned n_done;
} w;

static void on_done(struct lookup *l)
{
	(void)l;
	w.n_done++;
}

/* 0: it waits for its answer; 1: it has failed at once. */
static int ask(unsigned i)
{
	struct vars v = { 0 };
	char name[2] = { (char)('0' + i), 0 };

	vars_set_user(&v, arena_dup(w.mem, str_c(name)));
	w.lookup[i] = (struct lookup){ .done = on_done };
	return lookup_start(&w.lookup[i], &w.source, "read", &w.read, &v, w.mem, SQL_MAX_ROWS, false);
}

static void answer(unsigned i, int error)
{
	unsigned before = w.n_done;

	question[i].error = error;
	sem_post(&question[i].go);
	while (w.n_done == before)
		uv_run(&w.loop, UV_RUN_ONCE);
}

static void test_phases(void **state)
{
	const char *why = NULL;

	(void)state;
	w.mem = arena_new(0);
	w.set = (struct sql_settings){ .file = "FILE", .driver = &fake, .connect = "host=x", .scheme = "PLAIN" };
	check_int(query_compile(STR("SELECT n FROM t WHERE u = '%u'"), SQL_QUESTION, w.mem, &w.read, &why), 0);
	for (unsigned i = 0; i < QUESTIONS; i++)
		sem_init(&question[i].go, 0, 0);
	sem_init(&asked, 0, 0);
	uv_loop_init(&w.loop);
	database_init(&w.db, &w.set, "", &w.loop, QUESTIONS, 10000);
	source_init(&w.source, &w.set, &w.db, NULL, 0);

	for (unsigned i = 0; i < 4; i++)
		check_int(ask(i), 0);
	for (unsigned i = 0; i < 4; i++) /* a thread that comes later would find it down, and ask nothing */
		sem_wait(&asked);
	answer(0, -SQL_EDOWN);
	check(w.db.is_down);
	check_int(ask(4), 1); /* nobody asks it for a second */
	answer(1, 0);	      /* of before */
	check(w.db.is_down);
	w.db.again_ms = 0;
	check_int(ask(5), 0); /* the one that tries it */
	w.db.again_ms = 0;
	check_int(ask(6), 1);
	answer(2, -SQL_EDOWN);
	check(w.db.is_down);
	answer(5, 0);
	check(!w.db.is_down);
	answer(3, -SQL_EDOWN); /* of before, too: it is no second time that it goes */
	check(!w.db.is_down);
	check_int(ask(7), 0);
	answer(7, -SQL_EDOWN);
	check(w.db.is_down);
	check_int(w.db.phase, 3);

	database_end(&w.db);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	check_int(uv_loop_close(&w.loop), 0);
	arena_free(&w.mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_phases) };

	return test_run(tests);
}
