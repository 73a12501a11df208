#include "sql/sql_connect.h"
#include "base/test.h"

#include "base/buf.h"

static void test_words(void **state)
{
	static const struct {
		const char *text;
		bool has_quotes;
		const char *want; /* hosts, then words, each with "|" behind it; NULL: refused */
		unsigned max_conns;
	} cases[] = {
		{ "host=a dbname=b user=c password=d", false, "a|;dbname=b|user=c|password=d|", 5 },
		{ "host=a  host=/run/x\thost=c port=1", false, "a|/run/x|c|;port=1|", 5 },
		{ "hostaddr=192.0.2.1 maxconns=20", true, "192.0.2.1|;", 20 },
		{ "password=x'y\\z maxconns=3", false, ";password=x'y\\z|", 3 },
		{ "password='x y\\'z' user = a", true, NULL, 5 },
		{ "password='x y\\'z' user=a", true, ";password=x y'z|user=a|", 5 },
		{ "password=''", true, ";password=|", 5 },
		{ "password=a=b", false, ";password=a=b|", 5 },
		{ "\nhost=a b\npassword= x y'\nmaxconns=3", true, "a b|;password= x y'|", 3 },
		{ "", false, ";", 5 },
		{ "host", false, NULL, 5 },
		{ "=x", false, NULL, 5 },
		{ "a b=c", false, NULL, 5 },
		{ "password='x", true, NULL, 5 },
		{ "maxconns=0", false, NULL, 5 },
		{ "maxconns=33", false, NULL, 5 },
		{ "maxconns=x", false, NULL, 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena *mem = arena_new(0);
		struct buf got = BUF_INIT(4096);
		struct sql_connect c;
		const char *why = sql_connect_parse(cases[i].text, cases[i].has_quotes, mem, &c);

		check((why == NULL) == (cases[i].want != NULL));
		for (size_t k = 0; k < c.n_hosts; k++)
			buf_addf(&got, "%s|", c.host[k]);
		buf_add_char(&got, ';');
		for (size_t k = 0; k < c.n; k++)
			buf_addf(&got, "%s=%s|", c.word[k].key, c.word[k].value);
		if (why == NULL) {
			check_str(buf_str(&got), cases[i].want);
			check_int(c.max_conns, cases[i].max_conns);
			check_int(sql_connect_conns(cases[i].text, cases[i].has_quotes), cases[i].max_conns);
		}
		buf_free(&got);
		arena_free(&mem);
	}
}

static void test_many(void **state)
{
	struct arena *mem = arena_new(0);
	struct buf text = BUF_INIT(4096);
	struct sql_connect c;

	(void)state;
	for (int i = 0; i < CONNECT_WORDS; i++)
		buf_addf(&text, "k%d=v ", i);
	check(sql_connect_parse(text.p, true, mem, &c) == NULL);
	check_str(str_c(sql_connect_get(&c, "k31", NULL)), "v");
	check(sql_connect_get(&c, "k32", NULL) == NULL);
	buf_add_c(&text, "more=v");
	check(sql_connect_parse(text.p, true, mem, &c) != NULL);
	check(sql_connect_parse("host=1 host=2 host=3 host=4 host=5 host=6 host=7 host=8 host=9", true, mem, &c) !=
		NULL);
	buf_free(&text);
	arena_free(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_many) };

	return test_run(tests);
}
