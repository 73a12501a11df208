/* inline, static, fail and texthash: tables that are held in memory. */
#include "map/map_text.h"
#include "map/mem_map.h"
#include "map/table.h"

#include <errno.h>
#include <stdlib.h>

struct mem_table {
	struct table table;
	struct mem_map *map; /* NULL: not read yet */
	struct str fixed;    /* static: its value */
	struct table_file file;
};

static struct mem_table *mem_of(struct table *t)
{
	return container_of(t, struct mem_table, table);
}

static struct table *mem_make(void)
{
	struct mem_table *m = xcalloc(1, sizeof *m);

	return &m->table;
}

static void mem_free(struct table *t)
{
	struct mem_table *m = mem_of(t);

	mem_map_free(&m->map);
	free(m);
}

static struct str lower(struct buf *out, struct str s)
{
	buf_reset(out);
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(out, ascii_lower(s.p[i]));
	return buf_str(out);
}

static enum map_status answer(
	const struct table *t, const struct mem_map *map, struct str key, struct buf *value, struct buf *why)
{
	struct str v = mem_map_find(map, key);

	if (v.p == NULL)
		return MAP_NOT_FOUND;
	if (buf_add_str(value, v) == 0)
		return MAP_FOUND;
	buf_addf(why, "%s: the value of %.*s has %zu octets, which is too much", t->spec, STR_ARG(key), v.n);
	return MAP_TEMPORARY;
}

/* "{ key = value, { key = value with blanks } }" */
static bool inline_read(struct mem_table *m, struct buf *why)
{
	struct str text = str_trim(str_c(m->table.name)), word, key, value;
	struct buf folded = BUF_INIT(TABLE_VALUE_MAX);
	struct str inside = map_unbrace(text);

	if (text.n < 2 || text.p[0] != '{' || text.p[text.n - 1] != '}') {
		buf_addf(why, "%s: must be inline:{ key=value, ... }", m->table.spec);
		return false;
	}
	m->map = mem_map_new();
	while (map_word(&inside, &word)) {
		if (!map_setting_parse(map_unbrace(word), &key, &value)) {
			buf_addf(why, "%s: \"%.*s\" is not key=value; with blanks it must be { key = value }",
				m->table.spec, STR_ARG(word));
			mem_map_free(&m->map);
			break;
		}
		mem_map_add(m->map, lower(&folded, key), value);
	}
	buf_free(&folded);
	return m->map != NULL;
}

static enum map_status inline_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct mem_table *m = mem_of(t);

	if (m->map == NULL && !inline_read(m, why))
		return MAP_TEMPORARY;
	return answer(t, m->map, key, value, why);
}

static enum map_status static_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	(void)key;
	(void)why;
	buf_add_str(value, map_unbrace(str_c(t->name)));
	return MAP_FOUND;
}

static enum map_status fail_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	(void)key;
	(void)value;
	buf_addf(why, "%s: this table always fails", t->spec);
	return MAP_TEMPORARY;
}

static void text_fill(struct table *t, struct mem_map *map, struct str text, const char *path)
{
	struct buf scratch = BUF_INIT(TABLE_VALUE_MAX), folded = BUF_INIT(TABLE_VALUE_MAX);
	struct map_lines lines;
	struct str line, key, value;

	map_lines_begin(&lines, text);
	while (map_lines_next(&lines, &line)) {
		enum map_entry e = map_entry_parse(line, false, &scratch, &key, &value);

		if (e == MAP_ENTRY_QUOTE)
			table_notice(t, "%s, line %u: a quotation mark is not closed; the line is ignored", path,
				lines.line);
		else if (e == MAP_ENTRY_EMPTY)
			table_notice(
				t, "%s, line %u: must be: key, blank, value; the line is ignored", path, lines.line);
		else if (!mem_map_add(map, t->keep_case ? key : lower(&folded, key), value))
			table_notice(t, "%s, line %u: duplicate entry \"%.*s\"; the first one counts", path, lines.line,
				STR_ARG(key));
	}
	map_lines_end(&lines);
	buf_free(&scratch);
	buf_free(&folded);
}

bool table_text_load(struct table *t, const char *path, struct mem_map **map, struct buf *why)
{
	struct buf text = BUF_INIT(TABLE_FILE_MAX);
	bool done = table_read_file(t, path, &text, why);

	mem_map_free(map);
	if (done) {
		*map = mem_map_new();
		text_fill(t, *map, buf_str(&text), path);
	}
	buf_free(&text);
	return done;
}

static bool text_current(struct table *t, struct mem_table *m, struct buf *why)
{
	int changed = table_file_changed(t, &m->file, t->name);

	if (changed == 0 && m->map)
		return true;
	if (changed >= 0 && table_text_load(t, t->name, &m->map, why))
		return true;
	if (changed < 0)
		buf_addf(why, "%s: cannot read %s: %s; create it, or take the table out of main.cf", t->spec, t->name,
			strerror(errno));
	table_file_forget(&m->file);
	return false;
}

static enum map_status text_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct mem_table *m = mem_of(t);

	return text_current(t, m, why) ? answer(t, m->map, key, value, why) : MAP_TEMPORARY;
}

static enum map_status mem_walk(struct table *t, struct table_walk *w, struct buf *why)
{
	struct mem_table *m = mem_of(t);
	struct str key, value;

	if (t->type == &table_inline ? m->map == NULL && !inline_read(m, why) : !text_current(t, m, why))
		return MAP_TEMPORARY;
	for (size_t i = 0; mem_map_at(m->map, i, &key, &value); i++)
		if (!w->each(w, key, value))
			break;
	return MAP_FOUND;
}

const struct table_type table_inline = { "inline", TABLE_OWN_TEXT, mem_make, inline_find, mem_free, mem_walk, NULL };
const struct table_type table_static = { "static", TABLE_OWN_TEXT, mem_make, static_find, mem_free, NULL, NULL };
const struct table_type table_fail = { "fail", TABLE_OWN_TEXT, mem_make, fail_find, mem_free, NULL, NULL };
const struct table_type table_texthash = { "texthash", TABLE_FILE, mem_make, text_find, mem_free, mem_walk, NULL };
