/* regexp_table(5): POSIX extended regular expressions. */
#include "map/rules.h"

#include <regex.h>
#include <stdlib.h>

static bool set_flags(struct str flags, int *cflags, struct buf *why)
{
	for (size_t i = 0; i < flags.n; i++) {
		if (flags.p[i] == 'i')
			*cflags ^= REG_ICASE;
		else if (flags.p[i] == 'm')
			*cflags ^= REG_NEWLINE;
		else if (flags.p[i] == 'x')
			*cflags ^= REG_EXTENDED;
		else {
			buf_addf(why, "unknown flag \"%c\" behind the pattern (there are i, m, x)", flags.p[i]);
			return false;
		}
	}
	return true;
}

static void *regexp_compile(struct str *text, unsigned *groups, struct buf *why)
{
	int cflags = REG_EXTENDED | REG_ICASE, e;
	struct str pattern, flags;
	regex_t *re;
	char *z;

	if (!rule_pattern_split(text, &pattern, &flags, why) || !set_flags(flags, &cflags, why))
		return NULL;
	re = xcalloc(1, sizeof *re);
	z = xstrndup(pattern);
	e = regcomp(re, z, cflags);
	free(z);
	if (e != 0) {
		char reason[256];

		regerror(e, re, reason, sizeof reason);
		buf_addf(why, "%s: /%.*s/", reason, STR_ARG(pattern));
		free(re);
		return NULL;
	}
	*groups = re->re_nsub < RULE_GROUPS_MAX ? (unsigned)re->re_nsub : RULE_GROUPS_MAX - 1;
	return re;
}

static int regexp_match(
	const void *compiled, const char *key, size_t n, struct str *groups, unsigned *n_groups, struct buf *why)
{
	regmatch_t m[RULE_GROUPS_MAX];
	int e = regexec(compiled, key, RULE_GROUPS_MAX, m, 0);

	(void)n;
	if (e == REG_NOMATCH)
		return 0;
	if (e != 0) {
		char reason[256];

		regerror(e, compiled, reason, sizeof reason);
		buf_addf(why, "%s", reason);
		return -1;
	}
	for (*n_groups = 0; *n_groups < RULE_GROUPS_MAX; (*n_groups)++) {
		regmatch_t *g = &m[*n_groups];

		groups[*n_groups] =
			g->rm_so < 0 ? (struct str){ "", 0 } : str_pn(key + g->rm_so, (size_t)(g->rm_eo - g->rm_so));
	}
	return 1;
}

static void regexp_drop(void *compiled)
{
	regfree(compiled);
	free(compiled);
}

static const struct rule_engine engine = { regexp_compile, regexp_match, regexp_drop };

static struct table *regexp_make(void)
{
	return rule_table_make(&engine);
}

const struct table_type table_regexp = { "regexp", TABLE_PATTERN | TABLE_FILE, regexp_make, rule_table_find,
	rule_table_free, NULL, NULL };
