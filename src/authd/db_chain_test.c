#include "authd/db_chain.h"
#include "authd/fields.h"
#include "authd/passwd_file.h"
#include "base/test.h"

/* Of a block: what follows a success, a failure, an internal failure; whom it is for. */
#define DB(ok, not_ok, internal, ...)                                                                                 \
	{                                                                                                             \
		.on_success = RULE_##ok, .on_failure = RULE_##not_ok, .on_internalfail = RULE_##internal, __VA_ARGS__ \
	}
#define ALL	 .mechanisms = "", .username_filter = ""
#define PLAIN_DB DB(RETURN_OK, CONTINUE, CONTINUE, ALL)

enum { O = DB_OK, M = DB_MISMATCH, U = DB_UNKNOWN, F = DB_FAILED, D = DB_DISABLED, N = DB_NEXT, E = -1 };

/* What each block that is asked says, in order; which are asked; how it ends. */
static const struct {
	const char *name;
	struct db db[4];
	size_t n;
	int says[4];
	const char *asked;
	enum db_step end;
} cases[] = {
	{ "the first that takes him decides", { PLAIN_DB, PLAIN_DB }, 2, { O, E }, "0", DB_ACCEPT },
	{ "else the next", { PLAIN_DB, PLAIN_DB }, 2, { M, O }, "01", DB_ACCEPT },
	{ "none", { PLAIN_DB, PLAIN_DB }, 2, { U, M }, "01", DB_REFUSE },
	{ "one that fails is asked past", { PLAIN_DB, PLAIN_DB }, 2, { F, O }, "01", DB_ACCEPT },
	{ "but remembered", { PLAIN_DB, PLAIN_DB }, 2, { F, M }, "01", DB_TEMP },
	{ "the last fails", { PLAIN_DB, PLAIN_DB }, 2, { M, F }, "01", DB_TEMP },
	{ "return on failure", { DB(RETURN_OK, RETURN, CONTINUE, ALL), PLAIN_DB }, 2, { M, E }, "0", DB_REFUSE },
	{ "return-ok on failure", { DB(RETURN_OK, RETURN_OK, CONTINUE, ALL), PLAIN_DB }, 2, { M, E }, "0", DB_ACCEPT },
	{ "return-fail on success", { DB(RETURN_FAIL, CONTINUE, CONTINUE, ALL), PLAIN_DB }, 2, { O, E }, "0",
		DB_REFUSE },
	{ "return on internal failure", { DB(RETURN_OK, CONTINUE, RETURN, ALL), PLAIN_DB }, 2, { F, E }, "0", DB_TEMP },
	{ "return-fail on internal failure", { DB(RETURN_OK, CONTINUE, RETURN_FAIL, ALL), PLAIN_DB }, 2, { F, E }, "0",
		DB_TEMP },
	{ "continue, and none after it says no to him", { DB(CONTINUE, CONTINUE, CONTINUE, ALL), PLAIN_DB }, 2,
		{ O, M }, "01", DB_REFUSE },
	{ "continue, and there is none after it", { DB(CONTINUE, CONTINUE, CONTINUE, ALL) }, 1, { O }, "0", DB_REFUSE },
	{ "return says what was before: nothing", { DB(RETURN, CONTINUE, CONTINUE, ALL), PLAIN_DB }, 2, { O, E }, "0",
		DB_REFUSE },
	{ "return says what was before: yes",
		{ DB(CONTINUE_OK, CONTINUE, CONTINUE, ALL), DB(RETURN, CONTINUE, CONTINUE, ALL), PLAIN_DB }, 3,
		{ O, O, E }, "01", DB_ACCEPT },
	{ "return, when one before did not work", { PLAIN_DB, DB(RETURN, CONTINUE, CONTINUE, ALL) }, 2, { F, O }, "01",
		DB_TEMP },
	{ "continue is authenticated: skip = authenticated",
		{ DB(CONTINUE, CONTINUE, CONTINUE, ALL), DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .skip = SKIP_DONE) }, 2,
		{ O, E }, "0", DB_REFUSE },
	{ "… skip = unauthenticated",
		{ DB(CONTINUE, CONTINUE, CONTINUE, ALL),
			DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .skip = SKIP_NOT_DONE) },
		2, { O, O }, "01", DB_ACCEPT },
	{ "and stays so after continue-fail",
		{ DB(CONTINUE_OK, CONTINUE, CONTINUE, ALL), DB(CONTINUE_FAIL, CONTINUE, CONTINUE, ALL),
			DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .skip = SKIP_DONE) },
		3, { O, O, E }, "01", DB_REFUSE },
	{ "continue-ok, and another says no", { DB(CONTINUE_OK, CONTINUE, CONTINUE, ALL), PLAIN_DB }, 2, { O, M }, "01",
		DB_ACCEPT },
	{ "continue-ok, and another fails", { DB(CONTINUE_OK, CONTINUE, CONTINUE, ALL), PLAIN_DB }, 2, { O, F }, "01",
		DB_ACCEPT },
	{ "continue-fail takes it back",
		{ DB(CONTINUE_OK, CONTINUE, CONTINUE, ALL), DB(RETURN_OK, CONTINUE_FAIL, CONTINUE, ALL), PLAIN_DB }, 3,
		{ O, M, U }, "012", DB_REFUSE },
	{ "skip authenticated",
		{ DB(CONTINUE_OK, CONTINUE, CONTINUE, ALL), DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .skip = SKIP_DONE) },
		2, { O, E }, "0", DB_ACCEPT },
	{ "skip unauthenticated", { PLAIN_DB, DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .skip = SKIP_NOT_DONE) }, 2,
		{ M, E }, "0", DB_REFUSE },
	{ "not skipped",
		{ DB(CONTINUE_OK, CONTINUE, CONTINUE, ALL),
			DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .skip = SKIP_NOT_DONE) },
		2, { O, O }, "01", DB_ACCEPT },
	{ "deny finds him", { DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .deny = true), PLAIN_DB }, 2, { O, E }, "0",
		DB_REFUSE_DISABLED },
	{ "deny with another password", { DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .deny = true), PLAIN_DB }, 2, { M, E },
		"0", DB_REFUSE_DISABLED },
	{ "deny does not know him", { DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .deny = true), PLAIN_DB }, 2, { U, O },
		"01", DB_ACCEPT },
	{ "deny does not work", { DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .deny = true), PLAIN_DB }, 2, { F, E }, "0",
		DB_TEMP },
	{ "deny as the last",
		{ DB(CONTINUE_OK, CONTINUE, CONTINUE, ALL), DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .deny = true) }, 2,
		{ O, U }, "01", DB_ACCEPT },
	{ "disabled is the end", { PLAIN_DB, PLAIN_DB }, 2, { D, E }, "0", DB_REFUSE_DISABLED },
	{ "noauthenticate", { PLAIN_DB, PLAIN_DB }, 2, { N, O }, "01", DB_ACCEPT },
	{ "noauthenticate at the end", { PLAIN_DB }, 1, { N }, "0", DB_TEMP },
	{ "masters are not asked", { DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .master = true), PLAIN_DB }, 2, { O, E },
		"1", DB_ACCEPT },
	{ "of another mechanism",
		{ DB(RETURN_OK, CONTINUE, CONTINUE, .mechanisms = "login scram-sha-1", .username_filter = ""),
			DB(RETURN_OK, CONTINUE, CONTINUE, .mechanisms = "Plain", .username_filter = "") },
		2, { O, E }, "1", DB_ACCEPT },
	{ "of other users",
		{ DB(RETURN_OK, CONTINUE, CONTINUE, .mechanisms = "", .username_filter = "*@other !a@*"),
			DB(RETURN_OK, CONTINUE, CONTINUE, .mechanisms = "", .username_filter = "!*@other") },
		2, { O, E }, "1", DB_ACCEPT },
	{ "of nobody", { DB(RETURN_OK, CONTINUE, CONTINUE, .mechanisms = "", .username_filter = "a@b !?@b") }, 1, { E },
		"", DB_REFUSE },
	{ "of some users", { DB(RETURN_OK, CONTINUE, CONTINUE, .mechanisms = "", .username_filter = "*@b") }, 1, { O },
		"0", DB_ACCEPT },
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct db_chain c = {
			.db = cases[i].db, .n = cases[i].n, .is_passdb = true, .mech = STR("PLAIN"), .user = STR("a@b")
		};
		enum db_step step = db_chain_first(&c);
		char asked[8] = "";
		size_t n = 0;

		while (step == DB_ASK && n < 4) {
			asked[n] = (char)('0' + c.at);
			if (cases[i].says[n] == E)
				fail_msg("%s: block %zu is asked", cases[i].name, c.at);
			step = db_chain_after(&c, (enum db_result)cases[i].says[n++]);
		}
		if (strcmp(asked, cases[i].asked) != 0 || step != cases[i].end)
			fail_msg("%s: asked %s, end %d", cases[i].name, asked, step);
		check(true);
	}
}

static void test_master(void **state)
{
	const struct db db[] = { PLAIN_DB, DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .master = true),
		DB(CONTINUE, CONTINUE, CONTINUE, ALL, .master = true) };
	struct db_chain c = { .db = db, .n = 3, .is_passdb = true, .is_master = true };

	(void)state;
	check_int(db_chain_first(&c), DB_ASK);
	check_int(c.at, 1);
	check_int(db_chain_after(&c, DB_OK), DB_ACCEPT);
	check(c.became);
	/* pass = yes: the user that he asks for has to be known. */
	check_int(db_chain_first(&c), DB_ASK);
	check_int(db_chain_after(&c, DB_UNKNOWN), DB_ASK);
	check_int(c.at, 2);
	check_int(db_chain_after(&c, DB_OK), DB_ASK);
	check(c.became && c.is_verified);
	check_int(db_chain_go_on(&c), DB_ASK);
	check_int(c.at, 0);
	check_int(db_chain_after(&c, DB_UNKNOWN), DB_REFUSE);
	/* A wrong password of the master is no login as anybody. */
	c.is_master = true;
	check_int(db_chain_first(&c), DB_ASK);
	check_int(db_chain_after(&c, DB_MISMATCH), DB_ASK);
	check_int(db_chain_after(&c, DB_MISMATCH), DB_REFUSE);
	check(!c.became);
}

/* After a token: those with deny = yes, all of them, and no other. */
static void test_only_deny(void **state)
{
	const struct db db[] = { PLAIN_DB, DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .deny = true), PLAIN_DB,
		DB(RETURN_OK, CONTINUE, CONTINUE, ALL, .deny = true, .skip = SKIP_DONE),
		DB(RETURN_OK, CONTINUE, CONTINUE, .deny = true, .mechanisms = "plain", .username_filter = "") };
	struct db_chain c = {
		.db = db, .n = 5, .is_passdb = true, .is_only_deny = true, .mech = STR("XOAUTH2"), .user = STR("a@b")
	};

	(void)state;
	check_int(db_chain_first(&c), DB_ASK);
	check_int(c.at, 1);
	check_int(db_chain_after(&c, DB_UNKNOWN), DB_ASK);
	check_int(c.at, 3);
	check_int(db_chain_after(&c, DB_UNKNOWN), DB_ACCEPT);
	check_int(db_chain_first(&c), DB_ASK);
	check_int(db_chain_after(&c, DB_OK), DB_REFUSE_DISABLED);
	check_int(db_chain_first(&c), DB_ASK);
	check_int(db_chain_after(&c, DB_FAILED), DB_TEMP);
	c.n = 1;
	check_int(db_chain_first(&c), DB_ACCEPT);
}

/* ---- fields ---- */

static void add_text(struct buf *out, const struct sql_row *row)
{
	for (size_t i = 0; row && i < row->n; i++)
		buf_addf(out, "%.*s=%.*s|", STR_ARG(row->field[i].name), STR_ARG(row->field[i].value));
}

static struct sql_row *row_of(const char *words, struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);
	struct str rest = str_c(words), word;

	row->field = arena_array(mem, 16, sizeof *row->field);
	while (str_word(&rest, " ", &word)) {
		ptrdiff_t eq = str_chr(word, '=');

		row->field[row->n].name = str_sub(word, 0, (size_t)eq);
		row->field[row->n++].value = str_from(word, (size_t)eq + 1);
	}
	return row;
}

static void test_fields(void **state)
{
	static const struct {
		const char *base, *more, *want;
	} merges[] = {
		{ "a=1 b=2", "b=3 c=4", "a=1|b=3|c=4|" },
		{ "a=1", "a:default=2 b:default=3", "a=1|b=3|" },
		{ "a=1 b=2", "a:remove= z:remove=", "b=2|" },
		{ "A=1", "a:protected=2", "a=2|" },
		{ "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
		struct arena *mem = arena_new(0);
		struct buf got = BUF_INIT(1024);

		add_text(&got, fields_merge(row_of(merges[i].base, mem), row_of(merges[i].more, mem), mem));
		check_str(buf_str(&got), merges[i].want);
		buf_free(&got);
		arena_free(&mem);
	}
}

static void test_set(void **state)
{
	static const struct {
		const char *row;
		bool want;
	} flags[] = { { "a=1", true }, { "a=y", true }, { "a=yes", true }, { "A=t", true }, { "a=x", true },
		{ "a=0", false }, { "a=n", false }, { "a=No", false }, { "a=f", false }, { "a=False", false },
		{ "a=off", false }, { "a=", true }, { "b=1", false }, { "", false } };

	(void)state;
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		struct arena *mem = arena_new(0);

		check_int(fields_is_set(row_of(flags[i].row, mem), "a"), flags[i].want);
		check(!fields_is_set(row_of("nopassword=", mem), "nopassword"));
		check(fields_is_set(row_of("nopassword=y", mem), "nopassword"));
		arena_free(&mem);
	}
}

static void test_passwd_lines(void **state)
{
	static const struct {
		const char *line, *passdb, *userdb; /* NULL: no user */
	} lines[] = {
		{ "john:{PLAIN}x:1000:1001::/home/john::userdb_mail=maildir:~/x allow_nets=192.0.2.0/24",
			"password={PLAIN}x|userdb_mail=maildir:~/x|allow_nets=192.0.2.0/24|",
			"uid=1000|gid=1001|home=/home/john|mail=maildir:~/x|" },
		{ "john", "password=|", "" },
		{ "john:", "password=|", "" },
		{ "john::::::", "password=|", "" },
		{ "john:::::::nopassword a=", "password=|nopassword=yes|a=|", "" },
		{ "john::::::nopassword", "password=|", "" },
		{ "john:%u:1:2::/x%u::userdb_mail=~/%n a=%d%% user=%Lu",
			"password=%u|userdb_mail=~/john|a=example.org%|user=john@example.org|",
			"uid=1|gid=2|home=/x%u|mail=~/john|" },
		{ "john:x:1:2::/x::a=5% userdb_b=%{nothing}", NULL, NULL },
		{ "#john:x", NULL, NULL },
		{ ":x", NULL, NULL },
		{ "", NULL, NULL },
	};
	struct vars v = { 0 };
	const char *why;

	(void)state;
	vars_set_user(&v, STR("john@example.org"));
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		for (int is_passdb = 0; is_passdb < 2; is_passdb++) {
			struct arena *mem = arena_new(0);
			struct buf got = BUF_INIT(1024);
			const char *want = is_passdb ? lines[i].passdb : lines[i].userdb;
			struct sql_row *row = passwd_file_row(str_c(lines[i].line), is_passdb, &v, mem, &why);

			check((row != NULL) == (want != NULL));
			add_text(&got, row);
			check_str(buf_str(&got), want ? want : "");
			buf_free(&got);
			arena_free(&mem);
		}
}

/* Which are passed over, as a person is told it. */
static void test_why(void **state)
{
	const struct db dbs[] = {
		{ .deny = true, .mechanisms = "", .username_filter = "" },
		{ .master = true, .mechanisms = "", .username_filter = "" },
		{ .mechanisms = "login", .username_filter = "" },
		{ .mechanisms = "", .username_filter = "!u*" },
		{ .mechanisms = "", .username_filter = "", .skip = SKIP_NOT_DONE },
		{ .mechanisms = "",
			.username_filter = "",
			.on_failure = RULE_CONTINUE,
			.on_internalfail = RULE_RETURN_FAIL },
	};
	static const char *const want[] = { NULL, "master = yes: it is for those who log in as others",
		"mechanisms: it is not for this one", "username_filter: it is not for this user",
		"skip = unauthenticated", NULL };
	struct db_chain c = { .db = dbs, .n = 6, .is_passdb = true, .mech = STR("PLAIN"), .user = STR("u") };

	(void)state;
	check_int(db_chain_first(&c), DB_ASK);
	for (size_t i = 0; i < c.n; i++)
		check_str(str_c(db_chain_why_skipped(&c, i)), want[i] ? want[i] : "");
	check_int(db_chain_after(&c, DB_UNKNOWN), DB_ASK);
	check_int(c.at, 5);
	check_str(str_c(db_chain_rule(&c, DB_OK)), "result_success = return-ok");
	check_str(str_c(db_chain_rule(&c, DB_MISMATCH)), "result_failure = continue");
	check_str(str_c(db_chain_rule(&c, DB_FAILED)), "result_internalfail = return-fail");
	check_str(str_c(db_chain_rule(&c, DB_NEXT)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rules), cmocka_unit_test(test_master),
		cmocka_unit_test(test_only_deny), cmocka_unit_test(test_fields), cmocka_unit_test(test_set),
		cmocka_unit_test(test_passwd_lines), cmocka_unit_test(test_why) };

	return test_run(tests);
}
