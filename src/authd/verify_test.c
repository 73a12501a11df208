/* Whole logins by passdbs that say themselves whether a password is right: a directory and an authpam that say what a test wants. */
#include "authd/db_ldap.h"
#include "authd/world_test.h"
#include "base/log.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- a directory ---- */

static struct {
	int error;			    /* of all questions; 0: it works */
	const char *filter, *dn, *password; /* the entry that there is */
	unsigned searches, binds;
} there;

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

static struct sql_row *entry(struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);

	row->field = arena_array(mem, 2, sizeof *row->field);
	row->field[0] = (struct sql_field){ .name = STR("dn"), .value = str_c(there.dn) };
	row->field[1] = (struct sql_field){ .name = STR("mail"), .value = STR("u@example.org") };
	row->n = 2;
	return row;
}

static int fake_run(struct sql_conn *c, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
	size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why)
{
	bool is_bind = strcmp(sql, "bind") == 0;

	(void)c, (void)wait_ms, (void)max_rows;
	check_int(n, 2);
	*(is_bind ? &there.binds : &there.searches) += 1;
	*why = there.error ? "it is a test" : NULL;
	*rows = NULL;
	if (there.error == 0 && is_bind && str_eq(params[0], str_c(there.dn)) &&
		str_eq(params[1], str_c(there.password)))
		*rows = arena_alloc(mem, sizeof **rows);
	if (there.error == 0 && !is_bind && str_eq(params[1], str_c(there.filter)))
		*rows = entry(mem);
	return there.error;
}

static const struct sql_driver directory = { .name = "fake", .open = fake_open, .close = fake_close, .run = fake_run };

/* ---- an authpam ---- */

static struct {
	struct ipc ipc;
	enum pam_says says;
	const char *user, *message, *password;
	char asked[256]; /* service, user and address of the last question */
	unsigned n;
	uint32_t id_off; /* added to the number of the question */
	bool is_silent;
} pam;

static int on_ask(struct ipc *ipc, struct ipc_in *in, int *fds, unsigned n_fds)
{
	struct pam_answer answer = { .message = str_c(pam.message), .user = str_c(pam.user) };
	struct buf out = BUF_INIT(PAM_ANSWER_MAX);
	struct pam_ask ask;

	(void)fds;
	(void)n_fds;
	check_int(pam_ask_decode(in, &ask), 0);
	snprintf(pam.asked, sizeof pam.asked, "%.*s %.*s %.*s %u", STR_ARG(ask.service), STR_ARG(ask.user),
		STR_ARG(ask.address), ask.flags);
	pam.n++;
	if (pam.is_silent) {
		ipc_close(ipc, NULL);
		return 0;
	}
	answer.id = ask.id + pam.id_off;
	answer.result = pam.password && !str_eq(ask.pass, str_c(pam.password)) ? PAM_SAYS_NO : pam.says;
	pam_answer_encode(&out, &answer);
	ipc_send(ipc, MSG_PAM_ANSWER, buf_str(&out), NULL, 0);
	buf_free(&out);
	return 0;
}

static const struct ipc_rule from_authd[] = { { MSG_PAM_ASK, 0, on_ask } };

static void on_pam_end(struct ipc *ipc, enum ipc_end how)
{
	(void)how;
	ipc_close(ipc, NULL);
}

/* ---- an authd with one client ---- */

struct world {
	uv_loop_t loop;
	struct authd a;
	struct settings set;
	struct client c;
	struct ldap_settings ldap;
	struct pam_settings pam;
};

static struct template text(struct arena *mem, const char *s)
{
	struct template t;
	const char *why;

	check_int(template_compile(str_c(s), mem, &t, &why), 0);
	return t;
}

static struct db *add_passdb(struct world *w, enum db_kind kind, const char *name)
{
	size_t i = authd_test_add_passdb(&w->set, kind, name);

	dummy_make(&w->a, i);
	return &w->set.passdb[i];
}

static void add_directory(struct world *w, const char *userdn)
{
	struct db *db = add_passdb(w, DB_LDAP, "ldap");
	size_t i = w->set.n_passdbs - 1;
	const char *why;

	db->ldap = &w->ldap;
	db->sql.driver = &directory;
	w->ldap = (struct ldap_settings){ .base = text(w->set.mem, "dc=x"),
		.filter = text(w->set.mem, "(uid=%u)"),
		.search = "search subtree mail",
		.binds = true,
		.has_userdn = userdn != NULL,
		.userdn = text(w->set.mem, userdn ? userdn : "") };
	ldap_map_init(&w->ldap.map);
	check_int(ldap_map_parse(&w->ldap.map, STR("mail=user"), NULL, w->set.mem, &why), 0);
	database_init(&w->a.database[i], &db->sql, "", &w->loop, 8, 10000);
	source_init(&w->a.passdb[i], &db->sql, &w->a.database[i], w->a.cache, (unsigned)i);
}

static void connect_pam(struct world *w)
{
	int pair[2];

	check_int(ipc_pair(pair), 0);
	pam_peer(&w->a, 0, pair[0]);
	ipc_open(&pam.ipc, &w->loop, pair[1], from_authd, 1, on_pam_end);
}

static void add_pam(struct world *w, const char *cache_key)
{
	struct db *db = add_passdb(w, DB_PAM, "pam");

	db->pam = &w->pam;
	w->pam = (struct pam_settings){ .service = text(w->set.mem, "dovecot-%s"),
		.cache_key = text(w->set.mem, cache_key),
		.session = true,
		.shows_message = true };
	connect_pam(w);
}

static void add_static(struct world *w, const char *password)
{
	struct db *db = add_passdb(w, DB_STATIC, "static");

	db->fields.field[0] = (struct db_field){ "password", text(w->set.mem, password) };
	db->fields.n = 1;
}

static struct world *world_new(void)
{
	struct world *w = xcalloc(1, sizeof *w);

	authd_test_begin(&w->a, &w->set, &w->c, &w->loop, &sasl_plain);
	w->set.mem = arena_new(0);
	w->a.cache = row_cache_new(65536, 3600000, 3600000);
	memset(&there, 0, sizeof there);
	there.filter = "(uid=u)";
	there.dn = "uid=u,dc=x";
	there.password = "right";
	memset(&pam, 0, sizeof pam);
	pam.password = "right";
	return w;
}

static void world_free(struct world *w)
{
	login_drop_all(&w->c);
	if (ipc_is_open(&pam.ipc))
		ipc_close(&pam.ipc, NULL);
	authd_test_end(&w->a, &w->c);
	arena_free(&w->set.mem);
	free(w);
}

/* The answer to one login; "" while there is none. */
static struct str login(struct world *w, const char *user, const char *pass)
{
	buf_reset(&w->c.out);
	authd_test_plain(&w->c, 1, user, pass, "\trip=192.0.2.1");
	for (int i = 0; i < 10000 && w->c.out.n == 0; i++) {
		uv_run(&w->loop, UV_RUN_NOWAIT);
		if (w->c.out.n == 0)
			uv_sleep(1);
	}
	return buf_str(&w->c.out);
}

/* ---- a directory ---- */

static void test_directory_compares(void **state)
{
	struct world *w = world_new();
	struct lookup empty = { 0 };
	struct vars none = { 0 };

	(void)state;
	add_directory(w, NULL);
	check_str(login(w, "u", "right"), "OK\t1\tuser=u@example.org\toriginal_user=u\n");
	check_str(login(w, "u", "wrong"), "FAIL\t1\tuser=u\n");
	check_int(there.binds, 3); /* a row of the cache is looked up anew before somebody is refused */
	there.binds = 0;
	check_str(login(w, "nobody", "right"), "FAIL\t1\tuser=nobody\n");
	check_str(login(w, "*", "right"), "FAIL\t1\tuser=*\n");
	check_int(there.binds, 0);
	/* RFC 4513 sec. 5.1.2: a server would take it. */
	there.password = "";
	check_int(db_ldap_bind(&empty, &w->a, 0, STR("uid=u,dc=x"), &none, w->set.mem), 1);
	check(empty.result == LOOKUP_DONE && empty.rows == NULL);
	check_int(there.binds, 0);
	/* Nor is a name that is nobody's. */
	there.dn = "";
	there.filter = "(uid=w)";
	there.password = "x";
	check_str(login(w, "w", "x"), "FAIL\t1\tuser=w\n");
	check_int(there.binds, 0);
	world_free(w);
}

static void test_directory_of_known_names(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_directory(w, "uid=%u,dc=x");
	check_str(login(w, "u", "right"), "OK\t1\tuser=u\n");
	check_str(login(w, "u", "wrong"), "FAIL\t1\tuser=u\n");
	check_str(login(w, "x,uid=u", "right"), "FAIL\t1\tuser=x,uid=u\n");
	check_int(there.searches, 0);
	world_free(w);
}

static void test_directory_that_is_away(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_directory(w, NULL);
	check_str(login(w, "u", "right"), "OK\t1\tuser=u@example.org\toriginal_user=u\n");
	there.binds = 0;
	check_str(login(w, "u", "right"), "OK\t1\tuser=u@example.org\toriginal_user=u\n");
	check_int(there.binds, 0); /* it is remembered */
	there.error = -SQL_EDOWN;
	check_str(login(w, "u", "right"), "OK\t1\tuser=u@example.org\toriginal_user=u\n");
	check_str(login(w, "u", "other"), "FAIL\t1\tuser=u\tcode=temp_fail\n");
	check_str(login(w, "v", "right"), "FAIL\t1\tuser=v\tcode=temp_fail\n");
	world_free(w);
}

/* ---- PAM ---- */

static void test_pam(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_pam(w, "");
	pam.message = "Closed";
	check_str(login(w, "u", "right"), "OK\t1\tuser=u\n");
	check_str(str_c(pam.asked), "dovecot-smtp u 192.0.2.1 2");
	check_str(login(w, "u", "wrong"), "FAIL\t1\tuser=u\treason=Closed\n");
	pam.user = "U";
	check_str(login(w, "u", "right"), "OK\t1\tuser=U\toriginal_user=u\n");
	check_int(pam.n, 3); /* without cache_key nothing is remembered */
	pam.says = PAM_SAYS_UNKNOWN;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\treason=Closed\n");
	pam.says = PAM_SAYS_FAILED;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\tcode=temp_fail\treason=Closed\n");
	world_free(w);
}

static void test_pam_is_remembered(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_pam(w, "%s");
	pam.user = "U";
	check_str(login(w, "u", "right"), "OK\t1\tuser=U\toriginal_user=u\n");
	check_str(login(w, "u", "right"), "OK\t1\tuser=U\toriginal_user=u\n");
	check_int(pam.n, 1);
	check_str(login(w, "u", "wrong"), "FAIL\t1\tuser=u\n");
	check_str(login(w, "u", "wrong"), "FAIL\t1\tuser=u\n");
	check_int(pam.n, 3);
	row_cache_flush(w->a.cache);
	pam.says = PAM_SAYS_NO;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\n");
	world_free(w);
}

static void keep_only_for_when_it_is_away(struct world *w)
{
	row_cache_free(&w->a.cache);
	w->a.cache = row_cache_new(65536, 0, 0);
	w->set.cache_ttl_ms = 3600000;
}

/* What was right is not so for ever: who was shut out meanwhile would come in as long as nobody can be asked. */
static void test_yes_is_forgotten(void **state)
{
	struct world *w = world_new();

	(void)state;
	keep_only_for_when_it_is_away(w);
	w->set.cache_ttl_ms = 0;
	add_pam(w, "%s");
	check_str(login(w, "u", "right"), "OK\t1\tuser=u\n");
	pam.says = PAM_SAYS_FAILED;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\tcode=temp_fail\n");
	world_free(w);

	w = world_new();
	keep_only_for_when_it_is_away(w);
	w->set.cache_ttl_ms = 0;
	add_directory(w, NULL);
	check_str(login(w, "u", "right"), "OK\t1\tuser=u@example.org\toriginal_user=u\n");
	there.error = -SQL_EDOWN;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\tcode=temp_fail\n");
	world_free(w);
}

/* Changed and refused since: it is not right again because nobody can be asked. */
static void test_no_is_remembered(void **state)
{
	struct world *w = world_new();

	(void)state;
	keep_only_for_when_it_is_away(w);
	add_pam(w, "%s");
	check_str(login(w, "u", "right"), "OK\t1\tuser=u\n");
	pam.says = PAM_SAYS_FAILED;
	check_str(login(w, "u", "right"), "OK\t1\tuser=u\n");
	pam.says = PAM_SAYS_NO;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\n");
	pam.says = PAM_SAYS_FAILED;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\tcode=temp_fail\n");
	world_free(w);

	w = world_new();
	keep_only_for_when_it_is_away(w);
	add_directory(w, NULL);
	check_str(login(w, "u", "right"), "OK\t1\tuser=u@example.org\toriginal_user=u\n");
	there.password = "changed";
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\n");
	there.error = -SQL_EDOWN;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\tcode=temp_fail\n");
	world_free(w);
}

static void test_pam_ends(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_pam(w, "");
	pam.is_silent = true;
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\tcode=temp_fail\n");
	check(w->a.pam.channel == NULL && w->a.pam.n == 0);
	check_str(login(w, "u", "right"), "FAIL\t1\tuser=u\tcode=temp_fail\n");
	check_int(pam.n, 1);
	uv_run(&w->loop, UV_RUN_NOWAIT);
	pam.is_silent = false;
	connect_pam(w);
	check_str(login(w, "u", "right"), "OK\t1\tuser=u\n");
	world_free(w);
}

/* What cannot be asked is not; what comes behind it is. */
static void test_pam_before_others(void **state)
{
	struct world *w = world_new();

	(void)state;
	add_pam(w, "");
	add_static(w, "second");
	check_str(login(w, "u", "second"), "OK\t1\tuser=u\n");
	check_str(login(w, "u", "right"), "OK\t1\tuser=u\n");
	check_str(login(w, "u", "wrong"), "FAIL\t1\tuser=u\n");
	pam.says = PAM_SAYS_FAILED;
	pam.password = NULL;
	check_str(login(w, "u", "wrong"), "FAIL\t1\tuser=u\tcode=temp_fail\n");
	w->pam.service = text(w->set.mem, "../%s");
	pam.n = 0;
	check_str(login(w, "u", "second"), "OK\t1\tuser=u\n");
	check_int(pam.n, 0);
	world_free(w);
}

/* ---- who becomes another one, and what of his password others learn ---- */

static void add_other_name(struct world *w, enum db_rule on_success)
{
	struct db *db;

	add_static(w, "right");
	db = &w->set.passdb[w->set.n_passdbs - 1];
	db->fields.field[1] = (struct db_field){ "login_user", text(w->set.mem, "u") };
	db->fields.n = 2;
	db->on_success = on_success;
}

/* All rows name another one, and there is an end all the same. */
static void test_other_name_once(void **state)
{
	static const enum db_rule rules[] = { RULE_RETURN_OK, RULE_CONTINUE_OK };

	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		struct world *w = world_new();

		add_other_name(w, rules[i]);
		check_str(login(w, "boss", "right"), "OK\t1\tuser=u\tauth_user=boss\n");
		check_str(login(w, "boss", "wrong"), "FAIL\t1\tuser=boss\n");
		world_free(w);
	}
}

/* A directory, PAM and an issuer count who comes with a wrong password, which that of a master is for anybody else. */
static void test_masters_password_is_his_own(void **state)
{
	(void)state;
	for (int by_pam = 0; by_pam < 2; by_pam++) {
		struct world *w = world_new();

		add_other_name(w, RULE_CONTINUE);
		if (by_pam)
			add_pam(w, "");
		else
			add_directory(w, "uid=%u,dc=x");
		check(str_has_prefix(login(w, "boss", "right"), STR("FAIL\t1\t")));
		check_int(there.binds, 0);
		check_int(pam.n, 0);
		world_free(w);
	}
}

/* auth_verbose_passwords shows what was wrong, and nothing that any database has found right. */
static void test_right_password_is_not_logged(void **state)
{
	static const struct {
		const char *pass;
		enum db_rule rule;
		bool is_shown;
	} cases[] = { { "not-it-at-all", RULE_CONTINUE, true }, { "right", RULE_CONTINUE, false } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world *w = world_new();
		int fd = memfd_create("log", MFD_CLOEXEC);
		char said[4096] = "";

		log_open(LOG_TO_FD, "auth", fd, 0);
		w->set.log_passwords = LOG_PASSWORDS_PLAIN;
		add_static(w, "right");
		w->set.passdb[0].on_success = cases[i].rule;
		add_directory(w, NULL);
		check_str(login(w, "jane", cases[i].pass), "FAIL\t1\tuser=jane\n");
		log_flush();
		check(pread(fd, said, sizeof said - 1, 0) > 0);
		check_int(strstr(said, "jane") != NULL, 1);
		check_int(strstr(said, "(given password: ") != NULL, cases[i].is_shown);
		log_open(LOG_TO_STDERR, "test", -1, 0);
		close(fd);
		world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_directory_compares),
		cmocka_unit_test(test_directory_of_known_names), cmocka_unit_test(test_directory_that_is_away),
		cmocka_unit_test(test_pam), cmocka_unit_test(test_pam_is_remembered),
		cmocka_unit_test(test_no_is_remembered), cmocka_unit_test(test_yes_is_forgotten),
		cmocka_unit_test(test_pam_ends), cmocka_unit_test(test_pam_before_others),
		cmocka_unit_test(test_other_name_once), cmocka_unit_test(test_masters_password_is_his_own),
		cmocka_unit_test(test_right_password_is_not_logged) };

	alarm(60); /* a login that has no end is a failure */
	return test_run(tests);
}
