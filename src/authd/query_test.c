#include "authd/query.h"
#include "authd/row_cache.h"
#include "authd/verdicts.h"
#include "base/test.h"

static struct vars example(void)
{
	struct vars v = { .service = STR("smtp"), .remote_ip = STR("192.0.2.1"), .mechanism = STR("PLAIN") };

	vars_set_user(&v, STR("User1@Example1.com"));
	return v;
}

static void test_queries(void **state)
{
	static const struct {
		enum sql_dialect dialect;
		const char *text, *sql, *params; /* parameters, each with "|" behind it */
	} cases[] = {
		{ 0, "SELECT 1", "SELECT 1", "" },
		{ 0, "WHERE email = '%u'", "WHERE email = ?", "User1@Example1.com|" },
		{ 0, "WHERE email = %u", "WHERE email = ?", "User1@Example1.com|" },
		{ 0, "WHERE email = '%Lu'", "WHERE email = ?", "user1@example1.com|" },
		{ 0, "WHERE e = '%n@%d' AND s = '%s'", "WHERE e = ? AND s = ?", "User1@Example1.com|smtp|" },
		{ 0, "'/var/vmail/%d/%n' AS home", "? AS home", "/var/vmail/Example1.com/User1|" },
		{ 0, "WHERE n='%{username}' AND d='%{domain}'", "WHERE n=? AND d=?", "User1|Example1.com|" },
		{ 0, "'%{user|lower}' '%{user | username | upper}'", "? ?", "user1@example1.com|USER1|" },
		{ 0, "'%{user | if('eq', 'x', 'a', 'b')}'", "?", "b|" },
		{ 0, "LIKE '%%x'", "LIKE '%x'", "" },
		{ 0, "'it''s %n'", "?", "it's User1|" },
		{ 0, "'it''s'", "'it''s'", "" },
		{ 0, "\"%u\"", "?", "User1@Example1.com|" },
		{ 0, "a = 'b?c'", "a = 'b?c'", "" },
		{ 0, "(%u,%d)", "(?,?)", "User1@Example1.com|Example1.com|" },
		{ 0, "a -- it's\nb", "a  b", "" },
		{ 0, "a /* it's */ = '%s'", "a   = ?", "smtp|" },
		{ 0, "a = '%Q'", NULL, "" },
		{ 0, "a = '%{nosuch}'", NULL, "" },
		{ 0, "a = '%{user", NULL, "" },
		{ 0, "a = '%u", NULL, "" },
		{ 0, "`enable%Ls%Lc`=1", "`enablesmtp`=1", "" },
		{ 0, "enable%s='%n' AND `x%{protocol | upper}` = %d", "enablesmtp=? AND `xSMTP` = ?",
			"User1|Example1.com|" },
		{ 0, "`enable%Lu`=1", NULL, "" },
		{ 0, "%nx=1", NULL, "" },
		{ 0, "`x%{lookup('user')}`", NULL, "" },
		{ 0, "`x%r`", NULL, "" },
		{ 0, "E'%u'", NULL, "" },
		{ 0, "a = ?", NULL, "" },
		{ 0, "a = %", NULL, "" },
		{ SQL_DOLLAR, "WHERE e = '%n@%d' AND s = '%s'", "WHERE e = $1 AND s = $2", "User1@Example1.com|smtp|" },
		{ SQL_DOLLAR, "\"enable%Ls\"=1 AND j ? 'x'", "\"enablesmtp\"=1 AND j ? 'x'", "" },
		{ SQL_DOLLAR, "\"%u\"", NULL, "" },
		{ SQL_DOLLAR, "'a\\%n'", "$1", "a\\User1|" },
		{ SQL_BACKSLASH, "'it\\'s %n'", "?", "it's User1|" },
		{ SQL_BACKSLASH, "'a\\\\', '%n'", "'a\\\\', ?", "User1|" },
		{ SQL_BACKSLASH, "'\\n%n\\%'", NULL, "" },
		{ SQL_BACKSLASH, "\"say \\\"%n\\\"\"", "?", "say \"User1\"|" },
	};
	struct vars v = example();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct buf got = BUF_INIT(4096);
		const char *why = NULL;
		struct query q;
		int r = query_compile(str_c(cases[i].text), cases[i].dialect, mem, &q, &why);

		check_int(r, cases[i].sql ? 0 : -1);
		check((why != NULL) == (r < 0));
		check_str(str_c(r == 0 ? query_sql(&q, &v, &why) : NULL), cases[i].sql ? cases[i].sql : "");
		if (r == 0) {
			struct str *p = query_params(&q, &v, mem);

			for (size_t k = 0; k < q.n_params; k++)
				buf_addf(&got, "%.*s|", STR_ARG(p[k]));
			check_str(buf_str(&got), cases[i].params);
		}
		buf_free(&got);
		arena_free(&mem);
	}
}

/* A form of a query stays where it is, and there are not too many of them. */
static void test_names(void **state)
{
	struct arena *mem = arena_new(0);
	struct vars v = example();
	const char *why, *first;
	struct query q;
	int n = 0;

	(void)state;
	check_int(query_compile(STR("`x%s`"), SQL_BACKSLASH, mem, &q, &why), 0);
	first = query_sql(&q, &v, &why);
	v.service = STR("sieve");
	check(query_sql(&q, &v, &why) != first);
	v.service = STR("smtp");
	check(query_sql(&q, &v, &why) == first);
	v.service = STR("a`b");
	check(query_sql(&q, &v, &why) == NULL && why);
	for (int i = 0; i < 2 * QUERY_FORMS; i++) {
		v.service = str_c(arena_printf(mem, "s%d", i));
		n += query_sql(&q, &v, &why) != NULL;
	}
	check_int(n, QUERY_FORMS - 2);
	arena_free(&mem);
}

/* Whatever a user is called, the text of the query stays the same. */
static void test_injection(void **state)
{
	static const char *const names[] = { "' OR 1=1--", "\\'", "%u", "%{user}", ";", "\xbf\x27", "a'b" };
	struct arena *mem = arena_new(0);
	const char *why;
	struct query q;

	(void)state;
	check_int(query_compile(STR("SELECT x FROM t WHERE e = '%u'"), SQL_QUESTION, mem, &q, &why), 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct vars v = { 0 };

		vars_set_user(&v, str_c(names[i]));
		check_str(query_params(&q, &v, mem)[0], names[i]);
		check_str(str_c(q.sql), "SELECT x FROM t WHERE e = ?");
	}
	arena_free(&mem);
}

static void test_cache(void **state)
{
	struct row_cache *c = row_cache_new(10000, 1000, 100);
	struct sql_field f = { STR("password"), STR("x"), false };
	struct sql_row row = { &f, 1, NULL }, *got;
	struct arena *mem = arena_new(0);

	(void)state;
	check(row_cache_new(0, 1, 1) == NULL);
	check(!row_cache_get(NULL, STR("a"), 0, 0, mem, &got));
	row_cache_put(c, STR("a"), STR("john@a"), &row, 0);
	row_cache_put(c, STR("b"), STR("Mary@b"), NULL, 0);
	check(row_cache_get(c, STR("a"), 999, 0, mem, &got) && got);
	check_str(sql_field_find(got, "PASSWORD")->value, "x");
	check(row_cache_get(c, STR("b"), 99, 0, mem, &got) && got == NULL);
	check(!row_cache_get(c, STR("b"), 100, 0, mem, &got));
	check(!row_cache_get(c, STR("a"), 1000, 0, mem, &got));
	check(row_cache_get(c, STR("a"), 1000, ROW_CACHE_ANY_AGE, mem, &got) && got);
	check(row_cache_get(c, STR("a"), 1000, 1, mem, &got) && got);
	check(row_cache_get(c, STR("a"), 1499, 500, mem, &got) && got);
	check(!row_cache_get(c, STR("a"), 1500, 500, mem, &got));
	check(!row_cache_get(c, STR("c"), 0, ROW_CACHE_ANY_AGE, mem, &got));
	for (int i = 0; i < 100; i++)
		row_cache_put(c, str_c(arena_printf(mem, "k%d", i)), STR("u"), &row, 0);
	check(row_cache_get(c, STR("k99"), 1, 0, mem, &got));
	check(!row_cache_get(c, STR("a"), 1, ROW_CACHE_ANY_AGE, mem, &got)); /* pushed out */
	check(row_cache_flush(c) < 50);
	row_cache_free(&c);
	arena_free(&mem);
}

static void test_verdicts(void **state)
{
	struct verdicts *v = verdicts_new();
	struct verdict_key a, b;

	(void)state;
	verdict_key(v, STR("user"), STR("pass"), STR("stored"), &a);
	check_int(verdict_get(v, &a, 1), -1);
	verdict_put(v, &a, true, 1);
	check_int(verdict_get(v, &a, 2), 1);
	check_int(verdict_get(v, &a, 3600 * 1000 + 1), -1);
	/* Each part counts, and where one ends and the next begins. */
	verdict_key(v, STR("userp"), STR("ass"), STR("stored"), &b);
	check_int(verdict_get(v, &b, 2), -1);
	verdict_key(v, STR("user"), STR("pass"), STR("changed"), &b);
	check_int(verdict_get(v, &b, 2), -1);
	verdict_put(v, &b, false, 2);
	check_int(verdict_get(v, &b, 3), 0);
	check_int(verdict_get(v, &b, 6000), -1);
	verdicts_flush(v);
	check_int(verdict_get(v, &a, 3), -1);
	verdicts_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_queries), cmocka_unit_test(test_names),
		cmocka_unit_test(test_injection), cmocka_unit_test(test_cache), cmocka_unit_test(test_verdicts) };

	return test_run(tests);
}
