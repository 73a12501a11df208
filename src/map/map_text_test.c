#include "map/map_text.h"
#include "base/arena.h"
#include "base/test.h"
#include "map/sql_text.h"

/* All logical lines, "line:text|". */
static struct str lines_of(struct arena *mem, struct str text)
{
	struct buf out = BUF_INIT(65536);
	struct map_lines l;
	struct str line, copy;

	map_lines_begin(&l, text);
	while (map_lines_next(&l, &line))
		buf_addf(&out, "%u:%.*s|", l.line, STR_ARG(line));
	map_lines_end(&l);
	copy = arena_dup(mem, buf_str(&out));
	buf_free(&out);
	return copy;
}

static void test_lines(void **state)
{
	struct arena *mem = arena_new(0);

	(void)state;
	check_str(lines_of(mem, STR("")), "");
	check_str(lines_of(mem, STR("\n\n# c\n  # d\n")), "");
	check_str(lines_of(mem, STR("a b")), "1:a b|");
	check_str(lines_of(mem, STR("a b  \r\nc d\n")), "1:a b|2:c d|");
	check_str(lines_of(mem, STR("a\n b\n# c\n\n\tc\nd e\n f")), "1:a b\tc|6:d e f|");
	check_str(lines_of(mem, STR("  a b\nc d")), "1:  a b|2:c d|");
	arena_free(&mem);
}

static void test_entries(void **state)
{
	static const struct {
		const char *line;
		bool aliases;
		enum map_entry want;
		const char *key, *value;
	} cases[] = {
		{ "a b", false, MAP_ENTRY, "a", "b" },
		{ "a \t b c ", false, MAP_ENTRY, "a", "b c" },
		{ "\"a b\"@c d", false, MAP_ENTRY, "\"a b\"@c", "d" },
		{ "a\\ b c", false, MAP_ENTRY, "a\\ b", "c" },
		{ "a\\", false, MAP_ENTRY_EMPTY, NULL, NULL },
		{ "a", false, MAP_ENTRY_EMPTY, NULL, NULL },
		{ "\"a b", false, MAP_ENTRY_QUOTE, NULL, NULL },
		{ "a: b", false, MAP_ENTRY_COLON, "a", "b" },
		{ "a : b", false, MAP_ENTRY_COLON, "a", "b" },
		{ "a :b", false, MAP_ENTRY, "a", ":b" },
		{ "a:b c", false, MAP_ENTRY, "a:b", "c" },
		{ "a: b, c", true, MAP_ENTRY_COLON, "a", "b, c" },
		{ "a:b", true, MAP_ENTRY_COLON, "a", "b" },
		{ "a : b", true, MAP_ENTRY_COLON, "a", "b" },
		{ "\"a b\": c", true, MAP_ENTRY_COLON, "a b", "c" },
		{ "\"a:\\\"b\": c", true, MAP_ENTRY_COLON, "a:\"b", "c" },
		{ "a b", true, MAP_ENTRY_EMPTY, NULL, NULL },
		{ "a: :include:/x", true, MAP_ENTRY_COLON, "a", ":include:/x" },
	};
	struct buf scratch = BUF_INIT(1024);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str key, value;
		enum map_entry got = map_entry_parse(str_c(cases[i].line), cases[i].aliases, &scratch, &key, &value);

		check_int(got, cases[i].want);
		if (cases[i].key) {
			check_str(key, cases[i].key);
			check_str(value, cases[i].value);
		}
	}
	buf_free(&scratch);
}

static struct str joined(struct arena *mem, const char *text)
{
	struct str rest = str_c(text), word;
	char *out = arena_cdup(mem, STR(""));

	while (map_word(&rest, &word))
		out = arena_printf(mem, "%s%.*s|", out, STR_ARG(word));
	return str_c(out);
}

static struct str addresses(struct arena *mem, const char *text)
{
	struct map_addresses list = { .rest = str_c(text) };
	char *out = arena_cdup(mem, STR(""));
	struct str word;

	while (map_address_next(&list, &word))
		out = arena_printf(mem, "%s%.*s|", out, STR_ARG(word));
	return str_c(out);
}

static void test_words(void **state)
{
	struct arena *mem = arena_new(0);

	(void)state;
	check_str(joined(mem, " a,b  c "), "a|b|c|");
	check_str(joined(mem, "inline:{ a = b, c }, d"), "inline:{ a = b, c }|d|");
	check_str(joined(mem, "{ a { b } } } c"), "{ a { b } }|}|c|");
	check_str(joined(mem, "{ a b"), "{ a b|");
	check_str(map_unbrace(STR("{ a b }")), "a b");
	check_str(map_unbrace(STR("a")), "a");
	check_str(addresses(mem, "a@b, c@d e"), "a@b|c@d|e|");
	check_str(addresses(mem, "\"x, y\"@z,w"), "\"x, y\"@z|w|");
	check_str(addresses(mem, "Joe Doe <a@b>, <c>,<>,d"), "a@b|c|d|");
	check_str(addresses(mem, "\"Doe, Joe\" <a@b>"), "a@b|");
	check_str(addresses(mem, "\"open, a"), "\"open, a|");
	check_str(addresses(mem, ",, ,"), "");
	check_str(addresses(mem, "a b c, Joe <d> e, f g <h"), "a|b|c|d|f|g|<h|");
	check_str(addresses(mem, "a \"b c\" d,<e>"), "a|\"b c\"|d|e|");
	arena_free(&mem);
}

static void test_sql(void **state)
{
	static const struct {
		const char *query, *text, *params; /* of the key "it's%s@a.b.example", a "|" behind each */
		unsigned dialects;
	} cases[] = {
		{ "SELECT 1", "SELECT 1", "", 7 },
		{ "a = '%s'", "a = ?", "it's%s@a.b.example|", 5 },
		{ "a = '%s'", "a = $1", "it's%s@a.b.example|", 2 },
		{ "\"a b\" = \"%s\"", "\"a b\" = ?", "it's%s@a.b.example|", 5 },
		{ "\"a b\" = '%s'", "\"a b\" = $1", "it's%s@a.b.example|", 2 },
		{ "\"a\" = \"%s\"", NULL, NULL, 2 },
		{ "`%s` = 1", NULL, NULL, 7 },
		{ "`a?` = '%d'", "`a?` = ?", "a.b.example|", 5 },
		{ "a = \"it's \"\"%u\"\"\"", "a = ?", "it's \"it's%s\"|", 5 },
		{ "a = 'it''s %d'", "a = ?", "it's a.b.example|", 5 },
		{ "a = %s OR b = '%u'", "a = ? OR b = ?", "it's%s@a.b.example|it's%s|", 5 },
		{ "'%u@%d' '%u'", "$1 $2", "it's%s@a.b.example|it's%s|", 2 },
		{ "'x%%' '' 'it''s' %%", "'x%' '' 'it''s' %", "", 7 },
		{ "a LIKE '%%.%d' AND b <> '50%%'", "a LIKE ? AND b <> '50%'", "%.a.b.example|", 5 },
		{ "'a%sb'", "?", "ait's%s@a.b.exampleb|", 5 },
		{ "'%1.%2.%3'", "?", "example.b.a|", 5 },
		{ "'%9'", "?", "-", 5 },
		{ "'it\\'s %u\\n\\%%'", "?", "it's it's%s\n\\%|", 4 },
		{ "'a\\' = '%u'", "'a\\' = ?", "it's%s|", 1 },
		{ "data ? 'x' AND a = '%u'", "data ? 'x' AND a = $1", "it's%s|", 2 },
		{ "data ? 'x'", NULL, NULL, 5 },
		{ "'?' = '%u'", "'?' = ?", "it's%s|", 5 },
		{ "SELECT /* don't */ 1 -- it's %x", "SELECT   1  ", "", 7 },
		{ "SELECT 1 -- it's\n+ '%u'", "SELECT 1  + ?", "it's%s|", 5 },
		{ "E'%s'", NULL, NULL, 7 },
		{ "_utf8'%s'", NULL, NULL, 7 },
		{ "_utf8'x'", "_utf8'x'", "", 7 },
		{ "'%x'", NULL, NULL, 7 },
		{ "%", NULL, NULL, 7 },
		{ "'%", NULL, NULL, 7 },
		{ "'open", NULL, NULL, 7 },
		{ "'open\\'", NULL, NULL, 4 },
	};
	static const enum sql_dialect dialects[] = { SQL_QUESTION, SQL_DOLLAR, SQL_BACKSLASH };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned d = 0; d < 3; d++) {
			struct buf why = BUF_INIT(256), params = BUF_INIT(1024);
			struct arena *mem;
			struct sql_query q;
			bool has_all = true;
			int r;

			if ((cases[i].dialects >> d & 1) == 0)
				continue;
			mem = arena_new(0);
			r = sql_query_parse(str_c(cases[i].query), dialects[d], mem, &q, &why);
			check_int(r, cases[i].text ? 0 : -1);
			check_int(why.n > 0, cases[i].text == NULL);
			for (size_t k = 0; r == 0 && k < q.n; k++) {
				has_all = has_all && sql_param(q.param[k], STR("it's%s@a.b.example"), &params);
				buf_add_char(&params, '|');
			}
			if (r == 0) {
				check_str(str_c(q.text), cases[i].text);
				check_str(has_all ? buf_str(&params) : STR("-"), cases[i].params);
			}
			arena_free(&mem);
			buf_free(&params);
			buf_free(&why);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_entries),
		cmocka_unit_test(test_words), cmocka_unit_test(test_sql) };

	return test_run(tests);
}
