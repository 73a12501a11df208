#include "map/rules.h"
#include "map/map_text.h"

#include <errno.h>
#include <stdlib.h>

enum { NESTING_MAX = 64 };

static struct rule_table *rules_of(struct table *t)
{
	return container_of(t, struct rule_table, table);
}

struct table *rule_table_make(const struct rule_engine *engine)
{
	struct rule_table *r = xcalloc(1, sizeof *r);

	r->engine = engine;
	return &r->table;
}

static void drop_rules(struct rule_table *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->rules[i].compiled)
			r->engine->drop(r->rules[i].compiled);
		free(r->rules[i].result);
	}
	free(r->rules);
	r->rules = NULL;
	r->n = 0;
	r->loaded = false;
}

void rule_table_free(struct table *t)
{
	struct rule_table *r = rules_of(t);

	drop_rules(r);
	free(r);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool rule_pattern_split(struct str *text, struct str *pattern, struct str *flags, struct buf *why)
{
	char end = text->n ? text->p[0] : '\0';
	size_t i = 1, from;

	if (end == '\0' || ascii_is_alnum(end)) {
		buf_addf(why, "must begin with a pattern between two delimiters, such as /^a/");
		return false;
	}
	while (i < text->n && text->p[i] != end)
		i += text->p[i] == '\\' && i + 1 < text->n ? 2 : 1;
	if (i >= text->n) {
		buf_addf(why, "the pattern has no closing \"%c\"", end);
		return false;
	}
	*pattern = str_sub(*text, 1, i - 1);
	from = ++i;
	while (i < text->n && !is_blank(text->p[i]))
		i++;
	*flags = str_sub(*text, from, i - from);
	*text = str_from(*text, i);
	return true;
}

/*
 * Walk over the parts of a result: plain text, and $1, ${1}, $(1) or $$. Returns the octets taken; *group is -1 for plain
 * text (*plain), else its number; 0: not to be read.
 */
static size_t next_part(struct str s, struct str *plain, int *group)
{
	ptrdiff_t dollar = str_chr(s, '$');
	size_t i = 1, from;
	uint64_t number;
	char close;

	*group = -1;
	*plain = dollar < 0 ? s : str_sub(s, 0, (size_t)dollar);
	if (dollar != 0)
		return plain->n;
	if (s.n > 1 && s.p[1] == '$') {
		*plain = str_sub(s, 0, 1);
		return 2;
	}
	close = s.n > 1 && s.p[1] == '{' ? '}' : s.n > 1 && s.p[1] == '(' ? ')' : '\0';
	if (close)
		i++;
	for (from = i; i < s.n && ascii_is_digit(s.p[i]);)
		i++;
	if (!str_u64(str_sub(s, from, i - from), &number) || number >= RULE_GROUPS_MAX)
		return 0;
	if (close && (i >= s.n || s.p[i] != close))
		return 0;
	*group = (int)number;
	return i + (close != '\0');
}

static bool result_check(struct str result, bool negate, unsigned groups, struct buf *why)
{
	struct str plain;
	int group;

	while (result.n) {
		size_t used = next_part(result, &plain, &group);

		if (used == 0) {
			buf_addf(why, "\"$\" in the result must be $1, ${1}, $(1) or $$");
			return false;
		}
		if (group >= 0 && (negate || group == 0 || (unsigned)group > groups)) {
			buf_addf(why, "$%d in the result: the pattern has %u groups%s", group, groups,
				negate ? ", and a negated one has none to give" : "");
			return false;
		}
		result = str_from(result, used);
	}
	return true;
}

static bool word_ahead(struct str s, struct str word)
{
	return str_has_iprefix(s, word) && (s.n == word.n || !ascii_is_alnum(s.p[word.n]));
}

static struct str skip_blanks(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = str_from(s, 1);
	return s;
}

/* One logical line. False: why. */
static bool parse_rule(const struct rule_engine *engine, struct str line, struct rule *rule, struct buf *why)
{
	unsigned groups = 0;

	if (word_ahead(line, STR("endif"))) {
		rule->kind = RULE_ENDIF;
		return true;
	}
	rule->kind = word_ahead(line, STR("if")) ? RULE_IF : RULE_MATCH;
	if (rule->kind == RULE_IF)
		line = skip_blanks(str_from(line, 2));
	while (line.n && line.p[0] == '!') {
		rule->negate = !rule->negate;
		line = skip_blanks(str_from(line, 1));
	}
	rule->compiled = engine->compile(&line, &groups, why);
	if (rule->compiled == NULL)
		return false;
	line = str_trim(line);
	if (rule->kind == RULE_MATCH && !result_check(line, rule->negate, groups, why))
		return false;
	rule->result = xstrndup(rule->kind == RULE_MATCH ? line : STR(""));
	return true;
}

/* Give every IF its way out. A lone "endif" or "if" is named. */
static void pair_up(struct rule_table *r)
{
	size_t open[NESTING_MAX], depth = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct rule *rule = &r->rules[i];

		if (rule->kind == RULE_IF) {
			rule->skip = r->n;
			if (depth < NESTING_MAX)
				open[depth++] = i;
			else
				table_notice(
					&r->table, "%s, line %u: \"if\" nested too deeply", r->table.name, rule->line);
		} else if (rule->kind == RULE_ENDIF && depth) {
			r->rules[open[--depth]].skip = i + 1;
		} else if (rule->kind == RULE_ENDIF) {
			table_notice(&r->table, "%s, line %u: \"endif\" without \"if\"; it is ignored", r->table.name,
				rule->line);
		}
	}
	while (depth--)
		table_notice(
			&r->table, "%s, line %u: \"if\" without \"endif\"", r->table.name, r->rules[open[depth]].line);
}

static void parse_rules(struct rule_table *r, struct str text)
{
	struct map_lines lines;
	struct str line;

	map_lines_begin(&lines, text);
	while (map_lines_next(&lines, &line)) {
		struct rule rule = { .line = lines.line };
		struct buf why = BUF_INIT(TABLE_WHY_MAX);

		if (parse_rule(r->engine, skip_blanks(line), &rule, &why)) {
			r->rules = xrealloc(r->rules, (r->n + 1) * sizeof *r->rules);
			r->rules[r->n++] = rule;
		} else {
			table_notice(&r->table, "%s, line %u: %.*s; the line is ignored", r->table.name, lines.line,
				STR_ARG(buf_str(&why)));
			if (rule.compiled)
				r->engine->drop(rule.compiled);
		}
		buf_free(&why);
	}
	map_lines_end(&lines);
	pair_up(r);
}

/* "{{rule}, {rule}}": the rules stand in main.cf. Each becomes a line. */
static bool own_rules(struct rule_table *r, struct buf *why)
{
	struct str inside = map_unbrace(str_trim(str_c(r->table.name))), word;
	struct buf text = BUF_INIT(TABLE_FILE_MAX);

	r->loaded = true;
	while (r->loaded && map_word(&inside, &word)) {
		r->loaded = word.p[0] == '{' && word.p[word.n - 1] == '}';
		buf_add_str(&text, map_unbrace(word));
		buf_add_char(&text, '\n');
		if (!r->loaded)
			buf_addf(why, "%s: \"%.*s\" is no rule; write %s:{{rule}, {rule}}", r->table.spec,
				STR_ARG(word), r->table.type->name);
	}
	if (r->loaded)
		parse_rules(r, buf_str(&text));
	buf_free(&text);
	return r->loaded;
}

static bool file_rules(struct rule_table *r, struct buf *why)
{
	int changed = table_file_changed(&r->table, &r->file, r->table.name);
	struct buf text = BUF_INIT(TABLE_FILE_MAX);

	if (changed == 0 && r->loaded)
		return true;
	drop_rules(r);
	if (changed < 0)
		buf_addf(why, "%s: cannot read %s: %s; create it, or take the table out of main.cf", r->table.spec,
			r->table.name, strerror(errno));
	else if (table_read_file(&r->table, r->table.name, &text, why)) {
		parse_rules(r, buf_str(&text));
		r->loaded = true;
	}
	buf_free(&text);
	if (!r->loaded)
		table_file_forget(&r->file);
	return r->loaded;
}

static enum map_status give(const struct rule *rule, const struct str *groups, unsigned n, struct buf *value)
{
	struct str s = str_c(rule->result), plain;
	int group;

	while (s.n) {
		size_t used = next_part(s, &plain, &group);

		if (group >= 0 && (unsigned)group < n)
			buf_add_str(value, groups[group]);
		else if (group < 0)
			buf_add_str(value, plain);
		s = str_from(s, used);
	}
	return MAP_FOUND;
}

static enum map_status run_rules(struct rule_table *r, const char *key, size_t n, struct buf *value, struct buf *why)
{
	for (size_t i = 0; i < r->n;) {
		const struct rule *rule = &r->rules[i];
		struct str groups[RULE_GROUPS_MAX];
		unsigned n_groups = 0;
		int hit;

		if (rule->kind == RULE_ENDIF) {
			i++;
			continue;
		}
		hit = r->engine->match(rule->compiled, key, n, groups, &n_groups, why);
		if (hit < 0) {
			struct buf text = *why;

			*why = BUF_INIT(TABLE_WHY_MAX);
			buf_addf(why, "%s, line %u: %.*s", r->table.name, rule->line, STR_ARG(buf_str(&text)));
			buf_free(&text);
			return MAP_TEMPORARY;
		}
		if ((hit > 0) == rule->negate)
			i = rule->kind == RULE_IF ? rule->skip : i + 1;
		else if (rule->kind == RULE_IF)
			i++;
		else
			return give(rule, groups, n_groups, value);
	}
	return MAP_NOT_FOUND;
}

enum map_status rule_table_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct rule_table *r = rules_of(t);
	char z[TABLE_KEY_MAX + 1];

	if (table_is_file(t) ? !file_rules(r, why) : !r->loaded && !own_rules(r, why))
		return MAP_TEMPORARY;
	memcpy(z, key.n ? key.p : "", key.n);
	z[key.n] = '\0';
	return run_rules(r, z, key.n, value, why);
}
