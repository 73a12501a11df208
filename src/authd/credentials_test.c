/* Several credentials of one user: whole logins, with a database of SQLite and the queries that `gatepost init` writes. */
#include "auth/app_password.h"
#include "auth/key_words.h"
#include "auth/password.h"
#include "authd/credentials.h"
#include "authd/last_use.h"
#include "authd/world_test.h"
#include "sasl/base64.h"
#include "sasl/sasl_client.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define APP   "abcd-efgh-ijkm-npqr-stuv-wxyz"
#define APP_2 "2222-3333-4444-5555-6666-7777"

/* ---- is it good, now and from here? ---- */

static void test_faults(void **state)
{
	static const struct {
		const char *expires, *nets, *service, *ip;
		const char *want; /* NULL: good */
	} cases[] = {
		{ "", "", "", "192.0.2.1", NULL },
		{ "0", " ", " ", "", NULL },
		{ "1001", "", "", "192.0.2.1", NULL },
		{ "1000", "", "", "192.0.2.1", "has expired" },
		{ "1", "", "", "192.0.2.1", "has expired" },
		{ "18446744073709551615", "", "", "192.0.2.1", "has expired" },
		{ "2027-01-01", "", "", "192.0.2.1", "has expired" }, /* not understood */
		{ "-1", "", "", "192.0.2.1", "has expired" },
		{ "", "192.0.2.0/24", "", "192.0.2.1", NULL },
		{ "", "198.51.100.0/24, 192.0.2.0/24", "", "192.0.2.1", NULL },
		{ "", "198.51.100.0/24", "", "192.0.2.1", "is not for this network" },
		{ "", "2001:db8::/32", "", "2001:db8::1", NULL },
		{ "", "2001:db8::/32", "", "192.0.2.1", "is not for this network" },
		{ "", "192.0.2.0/24", "", "", "is not for this network" },
		{ "", "nonsense", "", "192.0.2.1", "is not for this network" },
		{ "", "", "smtp", "192.0.2.1", NULL },
		{ "", "", "imap, SMTP", "192.0.2.1", NULL },
		{ "", "", "imap", "192.0.2.1", "is not for this service" },
		{ "", "", "smt", "192.0.2.1", "is not for this service" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sql_field fields[] = { { STR("expires"), str_c(cases[i].expires), false },
			{ STR("allow_nets"), str_c(cases[i].nets), false },
			{ STR("service"), str_c(cases[i].service), false } };
		struct sql_row row = { fields, 3, NULL };
		struct vars v = { .service = STR("smtp"), .remote_ip = str_c(cases[i].ip) };
		const char *got = credential_fault(&row, &v, 1000);

		check_str(str_c(got ? got : "good"), cases[i].want ? cases[i].want : "good");
	}
}

/* ---- an authd with one client and one database ---- */

struct world {
	uv_loop_t loop;
	struct authd a;
	struct settings set;
	struct client c;
	struct arena *mem;
	char dir[64], path[96];
	sqlite3 *db;
	unsigned id;
};

static const char queries[][400] = {
	"SELECT email AS user, password FROM users WHERE email = '%u'",
	"SELECT c.name, c.password, c.expires, c.allow_nets, c.service FROM credentials c JOIN users u ON u.email = "
	"c.email "
	"WHERE c.email = '%u' AND (c.name <> '' OR c.made_for = u.password)",
	"UPDATE credentials SET used = coalesce(used, 0) + 1, used_from = '%r' WHERE email = '%u' AND name = "
	"'%{credential}'",
	"INSERT OR REPLACE INTO credentials(email, password, made_for) SELECT email, '%w', password FROM users "
	"WHERE email = '%u' AND password = '%{passdb:password}'",
	"UPDATE users SET password = '%w' WHERE email = '%u' AND password = '%{passdb:password}'",
};

static void sql(struct world *w, const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(w->db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	test_checks++;
}

/* The first column of the first row, in w->mem; "": none, or NULL. */
static struct str value(struct world *w, const char *text)
{
	sqlite3_stmt *s = NULL;
	struct str v = { 0 };

	check_int(sqlite3_prepare_v2(w->db, text, -1, &s, NULL), SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW)
		v = arena_dup(w->mem, str_c((const char *)sqlite3_column_text(s, 0)));
	sqlite3_finalize(s);
	return v;
}

static void compile(struct world *w, size_t i, struct query *q)
{
	const char *why = NULL;

	check_int(query_compile(str_c(queries[i]), SQL_QUESTION, w->mem, q, &why), 0);
}

static void add_passdb(struct world *w)
{
	struct db *db = &w->set.passdb[authd_test_add_passdb(&w->set, DB_SQL, "sql")];

	db->sql.driver = &sql_sqlite;
	db->sql.connect = w->path;
	compile(w, 0, &db->sql.password_query);
	compile(w, 1, &db->sql.credentials_query);
	compile(w, 2, &db->sql.credentials_used_query);
	compile(w, 3, &db->sql.credentials_set_query);
	compile(w, 4, &db->sql.update_query);
	db->credentials = db->sql;
	database_init(&w->a.database[0], &db->sql, "", &w->loop, 8, 10000);
	source_init(&w->a.passdb[0], &db->sql, &w->a.database[0], w->a.cache, 0);
	source_init(&w->a.credentials[0], &db->credentials, &w->a.database[0], NULL, 0);
	dummy_make(&w->a, 0);
}

static struct world *world_new(const struct sasl_mech *mech)
{
	struct world *w = xcalloc(1, sizeof *w);

	w->mem = arena_new(0);
	snprintf(w->dir, sizeof w->dir, "/tmp/gatepost-unit.XXXXXX");
	check(mkdtemp(w->dir) != NULL);
	snprintf(w->path, sizeof w->path, "%s/users.db", w->dir);
	check_int(sqlite3_open(w->path, &w->db), SQLITE_OK);
	sql(w, "PRAGMA synchronous = OFF; CREATE TABLE users(email TEXT PRIMARY KEY, password TEXT); "
	       "CREATE TABLE credentials(email TEXT, name TEXT NOT NULL DEFAULT '', password TEXT, "
	       "made_for TEXT DEFAULT '', expires INTEGER, allow_nets TEXT DEFAULT '', service TEXT DEFAULT '', "
	       "used INTEGER, used_from TEXT, PRIMARY KEY(email, name))");
	authd_test_begin(&w->a, &w->set, &w->c, &w->loop, mech);
	w->a.cache = row_cache_new(1024 * 1024, 3600000, 3600000);
	w->a.last_uses = last_uses_new(&w->a);
	add_passdb(w);
	return w;
}

static void world_free(struct world *w)
{
	authd_test_end(&w->a, &w->c);
	check_int(w->a.n_renewals + w->a.n_upgrades, 0);
	last_uses_free(&w->a.last_uses);
	sqlite3_close(w->db);
	unlink(w->path);
	check_int(rmdir(w->dir), 0);
	arena_wipe(&w->mem);
	free(w);
}

/* u has `pass` behind a slow hash. */
static void add_user(struct world *w, const char *user, const char *pass)
{
	struct buf stored = BUF_INIT(1024);

	check_int(password_make(STR("SHA256-CRYPT"), str_c(pass), &stored), 0);
	sql(w, arena_printf(w->mem, "INSERT INTO users VALUES('%s', '%s')", user, stored.p));
	buf_wipe(&stored);
}

/* more: columns and their values, such as ", expires" and ", 1". */
static void add_app(
	struct world *w, const char *user, const char *name, const char *pass, const char *columns, const char *values)
{
	struct buf stored = BUF_INIT(128);

	check_int(app_password_stored(str_c(pass), &stored), 0);
	sql(w, arena_printf(w->mem, "INSERT INTO credentials(email, name, password%s) VALUES('%s', '%s', '%s'%s)",
		       columns, user, name, stored.p, values));
	buf_wipe(&stored);
}

static void run(struct world *w)
{
	uv_run(&w->loop, UV_RUN_DEFAULT);
}

/* "OK" or "FAIL" or "TEMP". */
static const char *answer(struct world *w)
{
	struct str out = buf_str(&w->c.out);
	const char *said = str_has_prefix(out, STR("OK\t"))					   ? "OK"
			   : str_has_prefix(out, STR("FAIL\t")) && strstr(w->c.out.p, "temp_fail") ? "TEMP"
			   : str_has_prefix(out, STR("FAIL\t"))					   ? "FAIL"
												   : "?";
	buf_reset(&w->c.out);
	return said;
}

static const char *plain(struct world *w, const char *user, const char *pass)
{
	struct buf raw = BUF_INIT(1024), line = BUF_INIT(1024);

	buf_add_char(&raw, '\0');
	buf_add_c(&raw, user);
	buf_add_char(&raw, '\0');
	buf_add_c(&raw, pass);
	buf_addf(&line, "%u\tPLAIN\tservice=smtp\trip=192.0.2.1\tresp=", ++w->id);
	base64_encode(&line, buf_str(&raw));
	check_int(login_line(&w->c, STR("AUTH"), buf_str(&line)), 0);
	run(w);
	buf_wipe(&raw);
	buf_wipe(&line);
	return answer(w);
}

static const char *scram(struct world *w, const char *user, const char *pass)
{
	struct sasl_client c;
	struct buf raw = BUF_INIT(4096), line = BUF_INIT(4096);
	struct str out;

	sasl_client_init(&c, SASL_CLIENT_SCRAM_SHA256, str_c(user), str_c(pass));
	check_int(sasl_client_initial(&c, &raw), 1);
	buf_addf(&line, "%u\tSCRAM-SHA-256\tservice=smtp\trip=192.0.2.1\tfinal-resp-ok\tresp=", ++w->id);
	base64_encode(&line, buf_str(&raw));
	check_int(login_line(&w->c, STR("AUTH"), buf_str(&line)), 0);
	run(w);
	out = str_trim(buf_str(&w->c.out));
	if (str_has_prefix(out, STR("CONT\t"))) {
		struct buf challenge = BUF_INIT(4096);

		check_int(base64_decode(&challenge, str_from(out, (size_t)str_rchr(out, '\t') + 1)), 0);
		buf_reset(&raw);
		buf_reset(&line);
		buf_reset(&w->c.out);
		check_int(sasl_client_answer(&c, buf_str(&challenge), &raw), 0);
		buf_addf(&line, "%u\t", w->id);
		base64_encode(&line, buf_str(&raw));
		check_int(login_line(&w->c, STR("CONT"), buf_str(&line)), 0);
		run(w);
		buf_wipe(&challenge);
	}
	buf_wipe(&raw);
	buf_wipe(&line);
	mem_wipe(&c, sizeof c);
	return answer(w);
}

/* ---- a password that is shown ---- */

static void test_plain(void **state)
{
	static const struct {
		const char *user, *pass, *want;
		int hashes;
	} cases[] = {
		{ "u", "right", "OK", 1 },
		{ "u", "wrong", "FAIL", 1 },
		{ "u", APP, "OK", 0 },
		{ "u", "ABCD EFGH IJKM NPQR STUV WXYZ", "OK", 0 },
		{ "u", APP_2, "FAIL", 1 },
		{ "v", APP, "FAIL", 1 },
		{ "u", "expi-redd-aaaa-aaaa-aaaa-aaaa", "FAIL", 1 },
		{ "u", "netw-kaaa-aaaa-aaaa-aaaa-aaaa", "FAIL", 1 },
		{ "u", "serv-caaa-aaaa-aaaa-aaaa-aaaa", "FAIL", 1 },
		{ "nobody", APP, "FAIL", 1 },
		{ "nobody", "right", "FAIL", 1 },
		/* Without a password of his own he is locked out. */
		{ "locked", "bbbb-bbbb-bbbb-bbbb-bbbb-bbbb", "FAIL", 1 },
		/* The digest is no password. */
		{ "u", "{SHA256.hex}", "FAIL", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new(&sasl_plain);

		add_user(w, "u", "right");
		add_user(w, "v", "right");
		sql(w, "INSERT INTO users VALUES('locked', '')");
		add_app(w, "u", "phone", APP, "", "");
		add_app(w, "u", "old", "expi-redd-aaaa-aaaa-aaaa-aaaa", ", expires", ", 1");
		add_app(w, "u", "far", "netw-kaaa-aaaa-aaaa-aaaa-aaaa", ", allow_nets", ", '198.51.100.0/24'");
		add_app(w, "u", "imap", "serv-caaa-aaaa-aaaa-aaaa-aaaa", ", service", ", 'imap'");
		add_app(w, "v", "other", APP_2, "", "");
		add_app(w, "locked", "phone", "bbbb-bbbb-bbbb-bbbb-bbbb-bbbb", "", "");
		check_str(str_c(plain(w, cases[i].user, cases[i].pass)), cases[i].want);
		check_int(w->a.hashes.n_run, cases[i].hashes);
		world_free(w);
	}
}

/* A wrong password costs the same work, whoever it is for: queries and hashes. */
static void test_work(void **state)
{
	static const char *const wrong[] = { "wrong", APP_2 };

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		uint64_t lookups[3], hashes[3];

		for (size_t i = 0; i < 3; i++) {
			struct world *w = world_new(&sasl_plain);

			if (i < 2)
				add_user(w, "u", "right");
			for (size_t n = 0; i == 1 && n < 20; n++) {
				struct buf pass = BUF_INIT(64);

				app_password_draw(&pass);
				add_app(w, "u", arena_printf(w->mem, "a%zu", n), pass.p, "", "");
				buf_wipe(&pass);
			}
			check_str(str_c(plain(w, "u", wrong[k])), "FAIL");
			lookups[i] = w->a.passdb[0].n_lookups + w->a.credentials[0].n_lookups;
			hashes[i] = w->a.hashes.n_run;
			world_free(w);
		}
		check_int(hashes[0], 1);
		check_int(hashes[1], hashes[0]);
		check_int(hashes[2], hashes[0]);
		check_int(lookups[0], k == 0 ? 1 : 2);
		check_int(lookups[1], lookups[0]);
		check_int(lookups[2], lookups[0]);
	}
}

/* What let somebody in a moment ago does not any more: rows are cached, and so is what hashes said, but not these. */
static void test_revoked(void **state)
{
	static const char *const changes[] = { "DELETE FROM credentials WHERE name = 'phone'",
		"UPDATE credentials SET expires = 1", "UPDATE credentials SET allow_nets = '198.51.100.0/24'",
		"UPDATE credentials SET service = 'imap'", "DELETE FROM users" };

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		struct world *w = world_new(&sasl_plain);

		add_user(w, "u", "right");
		add_app(w, "u", "phone", APP, "", "");
		check_str(str_c(plain(w, "u", APP)), "OK");
		check_str(str_c(plain(w, "u", APP)), "OK");
		check(w->a.passdb[0].n_lookups == 2 && w->a.hashes.n_run == 0);
		sql(w, changes[i]);
		check_str(str_c(plain(w, "u", APP)), "FAIL");
		world_free(w);
	}
}

/* The database is away: nobody can know what was revoked. */
static void test_away(void **state)
{
	struct world *w = world_new(&sasl_plain);

	(void)state;
	add_user(w, "u", "right");
	add_app(w, "u", "phone", APP, "", "");
	check_str(str_c(plain(w, "u", APP)), "OK");
	check_str(str_c(plain(w, "u", "right")), "OK");
	sql(w, "ALTER TABLE credentials RENAME TO elsewhere");
	check_str(str_c(plain(w, "u", APP)), "TEMP");
	check_str(str_c(plain(w, "u", "right")), "OK");
	sql(w, "ALTER TABLE elsewhere RENAME TO credentials");
	check_str(str_c(plain(w, "u", APP)), "OK");
	world_free(w);
}

/* ---- keys ---- */

static void set_keys(struct world *w, const char *user, const char *name, const char *pass, struct str like)
{
	struct buf b = BUF_INIT(2048);

	check_int(key_word_add(STR("SCRAM-SHA-256"), str_c(pass), like, &b), 0);
	sql(w, arena_printf(w->mem,
		       *name ? "UPDATE credentials SET password = password || ' %s' WHERE email = '%s' AND name = '%s'"
			     : "INSERT OR REPLACE INTO credentials(email, password, made_for) SELECT email, '%s', "
			       "password FROM users WHERE email = '%s' AND '%s' = ''",
		       b.p, user, name));
	buf_wipe(&b);
}

static struct str keys_of(struct world *w)
{
	struct str data = { 0 };

	key_word_find(value(w, "SELECT password FROM credentials WHERE name = ''"), STR("SCRAM-SHA-256"), &data);
	return data;
}

static void test_scram(void **state)
{
	struct world *w = world_new(&sasl_scram_sha256);

	(void)state;
	add_user(w, "u", "right");
	add_app(w, "u", "phone", APP, "", "");
	add_app(w, "u", "old", APP_2, ", expires", ", 1");
	check_str(str_c(scram(w, "u", "right")), "FAIL"); /* a hash tells it nothing */
	set_keys(w, "u", "", "right", STR(""));
	check_str(str_c(scram(w, "u", "right")), "OK");
	check_str(str_c(scram(w, "u", "wrong")), "FAIL");
	check_str(str_c(scram(w, "u", APP)), "FAIL"); /* it has no keys yet */
	set_keys(w, "u", "phone", APP, keys_of(w));
	set_keys(w, "u", "old", APP_2, keys_of(w));
	check_str(str_c(scram(w, "u", APP)), "OK");
	check_str(value(w, "SELECT used FROM credentials WHERE name = 'phone'"), "1");
	check_str(str_c(scram(w, "u", "right")), "OK");
	check_str(str_c(scram(w, "u", APP_2)), "FAIL");
	sql(w, "UPDATE credentials SET expires = NULL");
	check_str(str_c(scram(w, "u", APP_2)), "OK");
	sql(w, "DELETE FROM credentials WHERE name = 'old'");
	check_str(str_c(scram(w, "u", APP_2)), "FAIL");
	check_str(str_c(scram(w, "u", APP)), "OK");
	/* The password was changed by hand: its keys are those of the one before. */
	sql(w, "UPDATE users SET password = '{SHA256-CRYPT}$5$a$b'");
	check_str(str_c(scram(w, "u", "right")), "FAIL");
	check_str(str_c(scram(w, "nobody", "right")), "FAIL");
	check_int(w->a.hashes.n_run, 0);
	/* In the clear: its keys are derived, with the salt that the app passwords have. */
	sql(w, "DELETE FROM credentials WHERE name = ''; UPDATE users SET password = '{PLAIN}right'");
	check_str(str_c(scram(w, "u", "right")), "OK");
	check_str(str_c(scram(w, "u", APP)), "OK");
	check_str(str_c(scram(w, "u", "wrong")), "FAIL");
	sql(w, "DELETE FROM credentials");
	check_str(str_c(scram(w, "u", "right")), "OK");
	check_str(str_c(scram(w, "u", APP)), "FAIL");
	check_int(w->a.hashes.n_run, 5);
	world_free(w);
}

/* An unknown user is shown the count that others have, and is looked up as often. */
static void test_scram_of_nobody(void **state)
{
	struct world *w = world_new(&sasl_scram_sha256);
	uint64_t known;

	(void)state;
	add_user(w, "u", "right");
	set_keys(w, "u", "", "right",
		STR("12345,QSXCR+Q6sek8bf92,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,"
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
	check_str(str_c(scram(w, "u", "right")), "OK");
	known = w->a.passdb[0].n_lookups + w->a.credentials[0].n_lookups;
	check(str_has_prefix(buf_str(&w->a.key_like), STR("{SCRAM-SHA-256}12345,")));
	check(str_has_prefix(buf_str(&w->a.dummy[0]), STR("{SHA256-CRYPT}")));
	check_str(str_c(scram(w, "nobody", "right")), "FAIL");
	check_int(w->a.passdb[0].n_lookups + w->a.credentials[0].n_lookups, 2 * known);
	world_free(w);
}

/* ---- keys that are missing are made at a login that shows the password ---- */

static void test_renewal(void **state)
{
	struct world *w = world_new(&sasl_plain);
	struct str keys;

	(void)state;
	w->set.mech[w->set.n_mechs++] = &sasl_scram_sha256;
	w->set.new_credentials = "SCRAM-SHA-256";
	add_user(w, "u", "right");
	add_app(w, "u", "phone", APP, "", "");
	set_keys(w, "u", "phone", APP,
		STR("12345,QSXCR+Q6sek8bf92,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,"
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
	check_str(str_c(plain(w, "u", "wrong")), "FAIL");
	check_str(str_c(plain(w, "u", APP)), "OK");
	check_int(keys_of(w).n, 0);
	check_str(str_c(plain(w, "u", "right")), "OK");
	keys = keys_of(w);
	check(str_has_prefix(keys, STR("12345,QSXCR+Q6sek8bf92,"))); /* one user, one salt */
	check_str(str_c(scram(w, "u", "right")), "OK");
	check_str(str_c(scram(w, "u", APP)), "OK");
	check_str(str_c(scram(w, "u", "wrong")), "FAIL");
	/* They stay, also when what was remembered is forgotten. */
	verdicts_flush(w->a.verdicts);
	row_cache_flush(w->a.cache);
	check_str(str_c(plain(w, "u", "right")), "OK");
	check(str_eq(keys_of(w), keys));
	/* A better hash: the keys beside it are made again. */
	w->set.upgrade_scheme = "SHA512-CRYPT";
	sql(w, "UPDATE users SET password = '{PLAIN}right'");
	row_cache_flush(w->a.cache);
	check_str(str_c(plain(w, "u", "right")), "OK");
	check(str_has_prefix(value(w, "SELECT password FROM users"), STR("{SHA512-CRYPT}$6$")));
	check_str(
		value(w, "SELECT made_for = u.password FROM credentials c JOIN users u USING(email) WHERE c.name = ''"),
		"1");
	check_str(str_c(scram(w, "u", "right")), "OK");
	world_free(w);
}

/* Not without a mechanism that wants them, and not beside a password in the clear. */
static void test_no_renewal(void **state)
{
	static const struct {
		const char *schemes, *stored;
		bool offered;
	} cases[] = { { "SCRAM-SHA-256", NULL, false }, { "", NULL, true }, { "SCRAM-SHA-1", NULL, true },
		{ "SCRAM-SHA-256", "{PLAIN}right", true } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new(&sasl_plain);

		if (cases[i].offered)
			w->set.mech[w->set.n_mechs++] = &sasl_scram_sha256;
		w->set.new_credentials = cases[i].schemes;
		add_user(w, "u", "right");
		if (cases[i].stored)
			sql(w, arena_printf(w->mem, "UPDATE users SET password = '%s'", cases[i].stored));
		check_str(str_c(plain(w, "u", "right")), "OK");
		check_str(value(w, "SELECT count(*) FROM credentials"), "0");
		world_free(w);
	}
}

/* ---- last use ---- */

static void test_last_use(void **state)
{
	struct world *w = world_new(&sasl_plain);

	(void)state;
	add_user(w, "u", "right");
	add_app(w, "u", "phone", APP, "", "");
	add_app(w, "u", "desk", APP_2, "", "");
	/* A hundred logins are one write. */
	for (size_t i = 0; i < 100; i++)
		check_str(str_c(plain(w, "u", APP)), "OK");
	check_str(value(w, "SELECT used FROM credentials WHERE name = 'phone'"), "1");
	check_str(value(w, "SELECT used_from FROM credentials WHERE name = 'phone'"), "192.0.2.1");
	check_str(value(w, "SELECT used FROM credentials WHERE name = 'desk'"), "");
	check_str(str_c(plain(w, "u", APP_2)), "OK");
	check_str(value(w, "SELECT used FROM credentials WHERE name = 'desk'"), "1");
	check_str(str_c(plain(w, "u", "right")), "OK");
	check_str(value(w, "SELECT sum(used) FROM credentials"), "2");
	world_free(w);
}

/* Where it cannot be written the login is as good. */
static void test_last_use_fails(void **state)
{
	struct world *w = world_new(&sasl_plain);

	(void)state;
	add_user(w, "u", "right");
	add_app(w, "u", "phone", APP, "", "");
	sql(w, "CREATE TRIGGER no BEFORE UPDATE ON credentials BEGIN SELECT raise(ABORT, 'read-only'); END");
	check_str(str_c(plain(w, "u", APP)), "OK");
	sql(w, "DROP TRIGGER no");
	/* It is not tried again at each login. */
	check_str(str_c(plain(w, "u", APP)), "OK");
	check_str(value(w, "SELECT used FROM credentials"), "");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_faults), cmocka_unit_test(test_plain),
		cmocka_unit_test(test_work), cmocka_unit_test(test_revoked), cmocka_unit_test(test_away),
		cmocka_unit_test(test_scram), cmocka_unit_test(test_scram_of_nobody), cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_no_renewal), cmocka_unit_test(test_last_use),
		cmocka_unit_test(test_last_use_fails) };

	alarm(60); /* an answer that never comes is a failure */
	return test_run(tests);
}
