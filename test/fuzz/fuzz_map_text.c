/* The texts that tables are made from, and the addresses and lists in them: every parser of src/map that reads octets. */
#include "map/map_text.h"
#include "map/net.h"
#include "map/rules.h"
#include "map/sql_text.h"
#include "base/log.h"

static void lines(struct str text, bool aliases)
{
	struct buf scratch = BUF_INIT(1 << 20);
	struct map_addresses list;
	struct map_lines l;
	struct str line, key, value, word;

	map_lines_begin(&l, text);
	while (map_lines_next(&l, &line)) {
		require(line.n > 0 && l.line > 0);
		if (map_entry_parse(line, aliases, &scratch, &key, &value) > MAP_ENTRY_COLON)
			continue;
		require(key.n > 0 && value.n > 0);
		list = (struct map_addresses){ .rest = value };
		while (map_address_next(&list, &word))
			require(word.n > 0);
	}
	map_lines_end(&l);
	buf_free(&scratch);
}

static void words(struct str text)
{
	struct str rest = text, word, name, value;
	struct net net;

	while (map_word(&rest, &word)) {
		struct str inside = map_unbrace(word);

		require(word.n > 0 && inside.n <= word.n);
		if (net_parse(inside, &net) == 0)
			require(net_has(&net, &net) && net.bits <= net.n * 8);
		if (map_setting_parse(inside, &name, &value))
			require(name.n > 0);
	}
}

static void sql(struct str text, enum sql_dialect dialect)
{
	struct buf why = BUF_INIT(4096), out = BUF_INIT(1 << 20);
	struct arena *mem = arena_new(0);
	struct sql_query q;

	if (sql_query_parse(text, dialect, mem, &q, &why) != 0)
		require(why.n > 0);
	else
		for (size_t i = 0; i < q.n; i++)
			sql_param(q.param[i], STR("key@a.example"), &out);
	sql_format(text, STR("key@a.example"), text, &out);
	arena_free(&mem);
	buf_free(&why);
	buf_free(&out);
}

static void pattern(struct str text)
{
	struct buf why = BUF_INIT(4096);
	struct str pattern, flags;

	if (!rule_pattern_split(&text, &pattern, &flags, &why))
		require(why.n > 0);
	buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_pn(data, size);

	lines(text, false);
	lines(text, true);
	words(text);
	sql(text, SQL_QUESTION);
	sql(text, SQL_DOLLAR);
	sql(text, SQL_BACKSLASH);
	pattern(text);
	return 0;
}
