/*
 * rules.h - the common part of regexp_table(5), pcre_table(5) and cidr_table(5): rules in order, first match wins,
 * "if" and "endif" around some of them.
 */
#ifndef MAP_RULES_H
#define MAP_RULES_H

#include "map/table.h"

enum { RULE_GROUPS_MAX = 32 };

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };
struct rule {
	enum rule_kind kind;
	bool negate;
	unsigned line;
	size_t skip;	/* IF: number of the rule behind its ENDIF */
	char *result;	/* MATCH: what is found, with $1 … in it when it is a pattern's */
	void *compiled; /* the engine's */
};

struct rule_engine {
	/*
	 * Compile what stands before the result: *text begins behind "!" and "if"; on return it begins at the result.
	 * NULL: why has what is wrong with it. *groups: how many parentheses there are.
	 */
	void *(*compile)(struct str *text, unsigned *groups, struct buf *why);
	/* Does it match? groups[0] is the whole; *n of them were set. Negative: it could not be decided (why). */
	int (*match)(const void *compiled, const char *key, size_t n, struct str *groups, unsigned *n_groups,
		struct buf *why);
	void (*drop)(void *compiled);
};

struct rule_table {
	struct table table;
	const struct rule_engine *engine;
	struct rule *rules;
	size_t n;
	bool loaded;
	struct table_file file;
};

struct table *rule_table_make(const struct rule_engine *engine);
enum map_status rule_table_find(struct table *t, struct str key, struct buf *value, struct buf *why);
void rule_table_free(struct table *t);

/* "/pattern/flags" of regexp and pcre: pattern (with its escaped delimiters kept), flags. False: why. */
bool rule_pattern_split(struct str *text, struct str *pattern, struct str *flags, struct buf *why);

#endif
