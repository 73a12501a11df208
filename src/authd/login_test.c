/* Whole logins, with a database that says what a test wants. */
#include "authd/fields.h"
#include "authd/world_test.h"
#include "sasl/scram.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- a database ---- */

static int db_error;
static struct sql_row *db_row;
static const char *db_only; /* the query that finds it; NULL: all */
static int n_updates;
static char updated[3][256]; /* the values of the last UPDATE */

static struct sql_conn *fake_open(const char *connect, const char *root)
{
	static const struct sql_driver *conn;

	(void)connect;
	(void)root;
	return (struct sql_conn *)(void *)&conn;
}

static void fake_close(struct sql_conn **c)
{
	*c = NULL;
}

static int fake_run(struct sql_conn *c, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	(void)c, (void)wait_ms, (void)max_rows, (void)mem;
	if (str_has_prefix(str_c(sql), STR("UPDATE"))) {
		n_updates++;
		for (size_t i = 0; i < n && i < 3; i++)
			snprintf(updated[i], sizeof updated[i], "%.*s", STR_ARG(params[i]));
		return 0;
	}
	*rows = db_error || (db_only && strcmp(sql, db_only) != 0) ? NULL : db_row;
	*why = db_error ? "it is a test" : NULL;
	return db_error;
}

static const struct sql_driver local = { "fake", true, SQL_QUESTION, fake_open, fake_close, fake_run, NULL, NULL, NULL,
	0, NULL, NULL },
			       remote = { "fake", false, SQL_QUESTION, fake_open, fake_close, fake_run, NULL, NULL,
				       NULL, 0, NULL, NULL };

/* ---- an authd with one client ---- */

struct world {
	uv_loop_t loop;
	struct authd a;
	struct settings set;
	struct client c;
};

static void add_passdb(struct world *w, const struct sql_driver *driver)
{
	size_t i = authd_test_add_passdb(&w->set, DB_SQL, "sql");
	struct db *db = &w->set.passdb[i];

	db->sql.driver = driver;
	db->sql.password_query.sql = i ? "SELECT 2" : "SELECT 1";
	database_init(&w->a.database[i], &db->sql, "", &w->loop, 8, 10000);
	source_init(&w->a.passdb[i], &db->sql, &w->a.database[i], w->a.cache, (unsigned)i);
	dummy_make(&w->a, i);
}

static struct world *world_new(const struct sasl_mech *mech)
{
	struct world *w = xcalloc(1, sizeof *w);

	authd_test_begin(&w->a, &w->set, &w->c, &w->loop, mech);
	db_error = 0;
	db_row = NULL;
	db_only = NULL;
	return w;
}

static void world_free(struct world *w)
{
	authd_test_end(&w->a, &w->c);
	free(w);
}

static void auth_plain_from(struct world *w, unsigned id, const char *user, const char *pass, const char *params)
{
	authd_test_plain(&w->c, id, user, pass, params);
}

static void auth_plain(struct world *w, unsigned id, const char *user, const char *pass)
{
	auth_plain_from(w, id, user, pass, "");
}

/* Until nothing is under way. */
static void run(struct world *w)
{
	uv_run(&w->loop, UV_RUN_DEFAULT);
}

#define ROW(...)                                                                                     \
	&(struct sql_row)                                                                            \
	{                                                                                            \
		(struct sql_field[]){ __VA_ARGS__ },                                                 \
			sizeof((struct sql_field[]){ __VA_ARGS__ }) / sizeof(struct sql_field), NULL \
	}
#define FIELD(name, value)                   \
	{                                    \
		STR(name), STR(value), false \
	}
#define NO_VALUE(name)                       \
	{                                    \
		STR(name), { NULL, 0 }, true \
	}

/* ---- failures ---- */

/* One without a delay begins late, when the time that it counts from is past: it is answered, and so are those behind it. */
static void test_nodelay(void **state)
{
	struct world *w = world_new(&sasl_plain);

	(void)state;
	add_passdb(w, &local);
	db_row = ROW(FIELD("password", "right"), FIELD("nodelay", "y"));
	auth_plain(w, 1, "u", "wrong");
	/* The hash is in a thread, and the loop's clock goes on. */
	uv_sleep(20);
	run(w);
	check_str(buf_str(&w->c.out), "FAIL\t1\tuser=u\n");
	buf_reset(&w->c.out);
	db_row = ROW(FIELD("password", "right"));
	auth_plain(w, 2, "u", "wrong too");
	run(w);
	check_str(buf_str(&w->c.out), "FAIL\t2\tuser=u\n");
	world_free(w);
}

/* However long its reason is, the line is not. */
static void test_long_reason(void **state)
{
	struct world *w = world_new(&sasl_plain);
	struct buf reason = BUF_INIT(65536), answer = BUF_INIT(65536);

	(void)state;
	buf_add_c(&reason, "x");
	for (unsigned i = 0; i < 10000; i++)
		buf_add_c(&reason, "\xc3\xa4");
	add_passdb(w, &local);
	db_row = ROW(FIELD("password", "right"), FIELD("fail", "y"), { STR("reason"), str_c(reason.p), false });
	auth_plain(w, 1, "u", "right");
	run(w);
	buf_addf(&answer, "FAIL\t1\tuser=u\treason=%.*s\n", 511, reason.p);
	check_str(buf_str(&w->c.out), answer.p);
	buf_free(&reason);
	buf_free(&answer);
	world_free(w);
}

/* ---- who exists ---- */

/* A password that is NULL, or empty, is as an unknown user's: the same answer after a hash. */
static void test_without_password(void **state)
{
	const struct {
		struct sql_row *row;
		const char *answer;
		int hashes;
	} cases[] = {
		{ NULL, "FAIL\t1\tuser=u\n", 1 },
		{ ROW(FIELD("user", "u"), NO_VALUE("password")), "FAIL\t1\tuser=u\n", 1 },
		{ ROW(NO_VALUE("password_noscheme")), "FAIL\t1\tuser=u\n", 1 },
		{ ROW(FIELD("password", "")), "FAIL\t1\tuser=u\n", 1 },
		{ ROW(FIELD("password", "wrong")), "FAIL\t1\tuser=u\n", 1 },
		{ ROW(NO_VALUE("password"), FIELD("nopassword", "y")), "OK\t1\tuser=u\n", 0 },
		{ ROW(FIELD("user", "u")), "FAIL\t1\tuser=u\tcode=temp_fail\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new(&sasl_plain);

		add_passdb(w, &local);
		db_row = cases[i].row;
		auth_plain(w, 1, "u", "right");
		run(w);
		check_str(buf_str(&w->c.out), cases[i].answer);
		check_int(w->a.hashes.n_run, cases[i].hashes);
		world_free(w);
	}
}

/* The count of SCRAM's first answer to "u". */
static long long scram_count(struct world *w)
{
	static unsigned id;
	struct buf line = BUF_INIT(1024), raw = BUF_INIT(1024);
	long long count = -1;
	const char *i;

	buf_reset(&w->c.out);
	buf_addf(&line, "%u\tSCRAM-SHA-256\tservice=smtp\tresp=", ++id);
	base64_encode(&line, STR("n,,n=u,r=fyko"));
	check_int(login_line(&w->c, STR("AUTH"), buf_str(&line)), 0);
	run(w);
	check(str_has_prefix(buf_str(&w->c.out), STR("CONT\t")));
	check_int(base64_decode(
			  &raw, str_trim(str_from(buf_str(&w->c.out), (size_t)str_rchr(buf_str(&w->c.out), '\t') + 1))),
		0);
	buf_add_char(&raw, '\0');
	i = strstr(raw.p, ",i=");
	if (i)
		count = strtoll(i + 3, NULL, 10);
	buf_wipe(&line);
	buf_wipe(&raw);
	return count;
}

/* A user of the second passdb, and nobody, are shown the same count; also after somebody with a hash was there. */
static void test_scram_of_nobody(void **state)
{
	struct world *w = world_new(&sasl_scram_sha256);

	(void)state;
	add_passdb(w, &local);
	add_passdb(w, &local);
	db_only = "SELECT 2";
	db_row = ROW(FIELD("password", "{SCRAM-SHA-256}12345,QSXCR+Q6sek8bf92,"
				       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,"
				       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
	check_int(scram_count(w), 12345);
	db_row = NULL;
	check_int(scram_count(w), 12345);
	dummy_follow(&w->a, 0, STR("{SHA256-CRYPT}$5$salt$hash"));
	dummy_follow(&w->a, 1, STR("{SHA256-CRYPT}$5$salt$hash"));
	check_int(scram_count(w), 12345);
	/* In the clear: both cost a derivation. */
	db_row = ROW(FIELD("password", "right"));
	check_int(scram_count(w), SCRAM_ITERATIONS);
	check_int(w->a.hashes.n_run, 1);
	db_row = NULL;
	check_int(scram_count(w), SCRAM_ITERATIONS);
	check_int(w->a.hashes.n_run, 2);
	world_free(w);
}

static void on_ticker(struct ticker *t)
{
	login_tick(container_of(t, struct authd, ticker));
}

/* What depends on what is stored is not answered at once, and not before its millisecond; CANCEL forgets it. */
static void test_challenge_on_a_grid(void **state)
{
	struct world *w = world_new(&sasl_scram_sha256);
	struct buf line = BUF_INIT(1024);
	uint64_t due;

	(void)state;
	add_passdb(w, &local);
	ticker_init(&w->a.ticker, &w->loop, on_ticker);
	base64_encode(&line, STR("n,,n=u,r=fyko"));
	for (unsigned id = 1; id < 4; id++) {
		struct buf auth = BUF_INIT(1024);

		buf_addf(&auth, "%u\tSCRAM-SHA-256\tservice=smtp\tresp=%.*s", id, STR_ARG(buf_str(&line)));
		check_int(login_line(&w->c, STR("AUTH"), buf_str(&auth)), 0);
		buf_free(&auth);
	}
	check_int(w->c.out.n, 0);
	check(w->a.waiting.n > 0);
	due = waiting_first(&w->a.waiting)->due_ms;
	check_int(login_line(&w->c, STR("CANCEL"), STR("2")), 0);
	buf_reset(&w->c.out);
	while (w->c.out.n == 0)
		uv_run(&w->loop, UV_RUN_ONCE);
	check(uv_hrtime() / 1000000 >= due);
	check(str_has_prefix(buf_str(&w->c.out), STR("CONT\t1\t")));
	while (w->a.waiting.n)
		uv_run(&w->loop, UV_RUN_ONCE);
	buf_add_char(&w->c.out, '\0');
	check(strstr(w->c.out.p, "CONT\t3\t") && !strstr(w->c.out.p, "CONT\t2\t"));
	uv_close((uv_handle_t *)&w->a.ticker.poll, NULL);
	close(w->a.ticker.fd);
	w->a.ticker.fd = 0;
	buf_wipe(&line);
	world_free(w);
}

/* RFC 5802 sec. 6: "y" is a lie only of a client that was shown the mechanism with -PLUS. */
static void test_plus_not_shown(void **state)
{
	static const struct {
		unsigned greeted, minor;
		const char *answer;
	} cases[] = { { 4, 4, "FAIL\t1" }, { 0, 4, "CONT\t1\t" }, { 0, 0, "CONT\t1\t" } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new(&sasl_scram_sha256);
		struct buf line = BUF_INIT(1024);
		bool is_shown;

		w->set.mech[w->set.n_mechs++] = &sasl_scram_sha256_plus;
		add_passdb(w, &local);
		w->c.minor = cases[i].greeted;
		login_greet(&w->c);
		buf_add_char(&w->c.out, '\0');
		is_shown = strstr(w->c.out.p, "-PLUS") != NULL;
		check_int(is_shown, cases[i].greeted == 4);
		buf_reset(&w->c.out);
		w->c.minor = cases[i].minor;
		buf_add_c(&line, "1\tSCRAM-SHA-256\tservice=smtp\tsecured\tresp=");
		base64_encode(&line, STR("y,,n=u,r=fyko"));
		check_int(login_line(&w->c, STR("AUTH"), buf_str(&line)), 0);
		run(w);
		check(str_has_prefix(buf_str(&w->c.out), str_c(cases[i].answer)));
		buf_wipe(&line);
		world_free(w);
	}
}

/* A token says who he is; whether he is denied, the passdbs say. */
static enum sasl_step token_step(struct sasl_xchg *x, struct str in)
{
	(void)x, (void)in;
	return SASL_OK;
}

static void test_denied_with_token(void **state)
{
	static const struct sasl_mech token = { "PLAIN", SASL_TOKEN, 0, token_step, NULL };
	const struct {
		int n_deny, error;
		struct sql_row *row;
		const char *answer;
	} cases[] = {
		{ 1, 0, ROW(FIELD("user", "u")), "FAIL\t1\tcode=user_disabled\n" },
		{ 1, 0, NULL, "OK\t1\tuser=\n" },
		{ 1, -SQL_EDOWN, NULL, "FAIL\t1\tcode=temp_fail\n" },
		{ 0, 0, NULL, "OK\t1\tuser=\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new(&token);

		add_passdb(w, &local);
		if (cases[i].n_deny) {
			add_passdb(w, &local);
			w->set.passdb[1].deny = true;
		}
		db_row = cases[i].row;
		db_error = cases[i].error;
		auth_plain(w, 1, "u", "token");
		run(w);
		check_str(buf_str(&w->c.out), cases[i].answer);
		world_free(w);
	}
}

/* ---- a better hash ---- */

/* A row in the cache may have a password of before: it does not come back, whatever the database says now. */
static void test_upgrade(void **state)
{
	static const struct {
		bool is_cached;
		const char *now; /* what is stored when he logs in; NULL: the database is away */
		const char *answer;
		int updates;
	} cases[] = {
		{ false, "right", "OK\t2\tuser=u\n", 1 },
		{ true, "right", "OK\t2\tuser=u\n", 1 },
		{ true, "new", "FAIL\t2\tuser=u\n", 0 },
		{ true, NULL, "OK\t2\tuser=u\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new(&sasl_plain);
		struct arena *mem = arena_new(0);
		const char *why = NULL;

		w->a.cache = row_cache_new(1024 * 1024, 3600000, 0);
		add_passdb(w, &local);
		check_int(query_compile(STR("UPDATE x SET p = '%w' WHERE p = '%{passdb:password}' AND u = '%u'"),
				  SQL_QUESTION, mem, &w->set.passdb[0].sql.update_query, &why),
			0);
		n_updates = 0;
		db_row = ROW(FIELD("password", "right"));
		if (cases[i].is_cached) {
			auth_plain(w, 1, "u", "right");
			run(w);
			check_str(buf_str(&w->c.out), "OK\t1\tuser=u\n");
			buf_reset(&w->c.out);
		}
		w->set.upgrade_scheme = "SHA512-CRYPT";
		db_row = ROW({ STR("password"), str_c(cases[i].now), false });
		db_error = cases[i].now ? 0 : -SQL_EDOWN;
		auth_plain(w, 2, "u", "right");
		run(w);
		check_str(buf_str(&w->c.out), cases[i].answer);
		check_int(n_updates, cases[i].updates);
		if (n_updates) {
			check(str_has_prefix(str_c(updated[0]), STR("{SHA512-CRYPT}$6$")));
			check_str(str_c(updated[1]), "right");
			check_str(str_c(updated[2]), "u");
		}
		world_free(w);
		arena_free(&mem);
	}
}

/* ---- who failed too often ---- */

#define FROM "\trip=192.0.2.1"

static struct world *world_defended(uint64_t delay_ms)
{
	static struct sql_field password[] = { { { "password", 8 }, { "right", 5 }, false } };
	static struct sql_row right = { password, 1, NULL };
	struct world *w = world_new(&sasl_plain);
	const struct defence_settings set = { .is_on = true,
		.half_life_ms = 3600 * 1000,
		.failure_delay_ms = delay_ms,
		.max_delay_ms = delay_ms,
		.hold_after = 3,
		.refuse_pair_after = 5,
		.hold_max = 100,
		.known_days = 60,
		.narrow = { 32, 64 },
		.wide = { 24, 48 },
		.shared = "" };

	defence_init(&w->a.defence, &set, 64, "0123456789abcdef");
	add_passdb(w, &local);
	db_row = &right;
	return w;
}

static void fail_from(struct world *w, unsigned n)
{
	char pass[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(pass, sizeof pass, "wrong%u", i);
		auth_plain_from(w, 1, "u", pass, FROM);
		run(w);
	}
	buf_reset(&w->c.out);
}

/* Before a database or a hash is asked, for the right password too; nobody and somebody alike. */
static void test_refused(void **state)
{
	struct sql_row *const rows[] = { NULL, ROW(FIELD("password", "right")) };
	static const char text[] = "FAIL\t2\tuser=u\tcode=temp_fail\tpenalty\treason="
				   "too many failed logins of this user from 192.0.2.1; try again in ";

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world *w = world_defended(0);
		uint64_t hashes;

		db_row = rows[i];
		fail_from(w, 5);
		hashes = w->a.hashes.n_run;
		auth_plain_from(w, 2, "u", "right", FROM);
		run(w);
		check(str_has_prefix(buf_str(&w->c.out), str_c(text)));
		check_int(w->a.hashes.n_run, hashes);
		check_int(w->a.n_fail, 5);
		buf_reset(&w->c.out);
		/* Another user, another place, a client that wants no penalty. */
		auth_plain_from(w, 3, "v", "wrong", FROM);
		auth_plain_from(w, 4, "u", "wrong", "\trip=192.0.2.2");
		auth_plain_from(w, 5, "u", "wrong", FROM "\tno-penalty");
		auth_plain(w, 6, "u", "wrong");
		run(w);
		check(strstr(w->c.out.p, "penalty") == NULL);
		check_int(w->a.n_fail, 9);
		world_free(w);
	}
}

/* It is looked at when its time has come, and an answer to a failure does not wait once more. */
static void test_held(void **state)
{
	struct world *w = world_defended(40);
	uint64_t from;

	(void)state;
	fail_from(w, 3);
	auth_plain_from(w, 2, "u", "right", FROM);
	auth_plain_from(w, 3, "v", "right", "\trip=198.51.100.1");
	check_int(w->a.defence.n_held, 1);
	from = uv_now(&w->loop);
	run(w);
	check(uv_now(&w->loop) - from >= 40);
	check_int(w->a.defence.n_held, 0);
	check_int(w->a.n_ok, 2);
	/* From here on he is known, and shows his password. */
	buf_reset(&w->c.out);
	auth_plain_from(w, 4, "u", "right", FROM);
	check_int(w->a.defence.n_held, 0);
	run(w);
	check_str(buf_str(&w->c.out), "OK\t4\tuser=u\n");
	world_free(w);
}

/* Who gives up waiting makes room; who leaves before the answer to his guess has failed all the same. */
static void test_gone(void **state)
{
	struct world *w = world_defended(0);

	(void)state;
	w->a.defence.set.failure_delay_ms = w->a.defence.set.max_delay_ms = 20;
	fail_from(w, 3);
	auth_plain_from(w, 2, "u", "right", FROM);
	auth_plain_from(w, 3, "u", "right", FROM);
	check_int(w->a.defence.n_held, 2);
	check_int(login_line(&w->c, STR("CANCEL"), STR("2")), 0);
	check_int(w->a.defence.n_held, 1);
	login_drop_all(&w->c);
	check_int(w->a.defence.n_held, 0);
	check_int(w->a.waiting.n, 0);
	run(w);
	check_int(w->a.n_ok, 0);
	w->a.defence.set.hold_after = 0;
	for (unsigned i = 0; i < 2; i++) {
		auth_plain_from(w, 4, "u", i ? "another" : "guess", FROM);
		while (w->a.n_fail < 4 + i)
			uv_run(&w->loop, UV_RUN_ONCE);
		login_drop_all(&w->c); /* while the answer waits */
	}
	buf_reset(&w->c.out);
	auth_plain_from(w, 5, "u", "right", FROM);
	check(strstr(w->c.out.p, "penalty") != NULL);
	world_free(w);
}

/* ---- a database that was away ---- */

/* What shows that it works again may be a query that it refuses. */
static void test_back_with_a_refusal(void **state)
{
	static const struct {
		int error;
		bool is_down;
	} cases[] = { { -SQL_EDOWN, true }, { -SQL_EINPUT, true }, { -SQL_EVALUE, false }, { -SQL_EQUERY, false },
		{ 0, false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new(&sasl_plain);
		struct database *db = &w->a.database[0];

		add_passdb(w, &remote);
		db->is_down = true;
		db_error = cases[i].error;
		db_row = ROW(FIELD("password", "right"));
		auth_plain(w, 1, "u", "right");
		run(w);
		check_str(buf_str(&w->c.out), db_error ? "FAIL\t1\tuser=u\tcode=temp_fail\n" : "OK\t1\tuser=u\n");
		check_int(db->is_tried, false);
		check_int(db->is_down, cases[i].is_down);
		/* And the next trial is made. */
		buf_reset(&w->c.out);
		db->again_ms = 0;
		db_error = 0;
		auth_plain(w, 2, "u", "right");
		run(w);
		check_str(buf_str(&w->c.out), "OK\t2\tuser=u\n");
		check_int(db->is_down, false);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nodelay), cmocka_unit_test(test_long_reason),
		cmocka_unit_test(test_without_password), cmocka_unit_test(test_scram_of_nobody),
		cmocka_unit_test(test_denied_with_token), cmocka_unit_test(test_plus_not_shown),
		cmocka_unit_test(test_challenge_on_a_grid), cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_held), cmocka_unit_test(test_gone),
		cmocka_unit_test(test_back_with_a_refusal) };

	(void)remote;
	alarm(60); /* an answer that never comes is a failure */
	return test_run(tests);
}
