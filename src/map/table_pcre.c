/* pcre_table(5): Perl-compatible regular expressions. */
#include "map/rules.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

struct compiled {
	pcre2_code *code;
	pcre2_match_data *data;
};

/* "A" … : bits that a flag turns over. */
static const struct {
	char flag;
	uint32_t bit;
} flag_bits[] = {
	{ 'i', PCRE2_CASELESS },
	{ 'm', PCRE2_MULTILINE },
	{ 's', PCRE2_DOTALL },
	{ 'x', PCRE2_EXTENDED },
	{ 'A', PCRE2_ANCHORED },
	{ 'E', PCRE2_DOLLAR_ENDONLY },
	{ 'U', PCRE2_UNGREEDY },
	{ 'X', 0 },
};

static bool set_flags(struct str flags, uint32_t *options, struct buf *why)
{
	for (size_t i = 0; i < flags.n; i++) {
		size_t k = 0;

		while (k < sizeof flag_bits / sizeof *flag_bits && flag_bits[k].flag != flags.p[i])
			k++;
		if (k == sizeof flag_bits / sizeof *flag_bits) {
			buf_addf(why, "unknown flag \"%c\" behind the pattern (there are i, m, s, x, A, E, U, X)",
				flags.p[i]);
			return false;
		}
		*options ^= flag_bits[k].bit;
	}
	return true;
}

static void *pcre_compile(struct str *text, unsigned *groups, struct buf *why)
{
	uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL, count = 0;
	struct str pattern, flags;
	struct compiled *c;
	PCRE2_SIZE at;
	int e;

	if (!rule_pattern_split(text, &pattern, &flags, why) || !set_flags(flags, &options, why))
		return NULL;
	c = xcalloc(1, sizeof *c);
	c->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &e, &at, NULL);
	if (c->code == NULL) {
		char reason[256];

		pcre2_get_error_message(e, (PCRE2_UCHAR *)reason, sizeof reason);
		buf_addf(why, "%s, at offset %zu of /%.*s/", reason, (size_t)at, STR_ARG(pattern));
		free(c);
		return NULL;
	}
	/* Not compiled to machine code: who matches what strangers send has no memory that is both written and executed. */
	c->data = pcre2_match_data_create(RULE_GROUPS_MAX, NULL);
	pcre2_pattern_info(c->code, PCRE2_INFO_CAPTURECOUNT, &count);
	*groups = count < RULE_GROUPS_MAX ? count : RULE_GROUPS_MAX - 1;
	return c;
}

static int pcre_match(
	const void *compiled, const char *key, size_t n, struct str *groups, unsigned *n_groups, struct buf *why)
{
	const struct compiled *c = compiled;
	int e = pcre2_match(c->code, (PCRE2_SPTR)key, n, 0, 0, c->data, NULL);
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(c->data);

	if (e == PCRE2_ERROR_NOMATCH)
		return 0;
	if (e < 0) {
		char reason[256];

		pcre2_get_error_message(e, (PCRE2_UCHAR *)reason, sizeof reason);
		buf_addf(why, "the pattern could not be decided: %s", reason);
		return -1;
	}
	*n_groups = e > 0 ? (unsigned)e : RULE_GROUPS_MAX;
	for (unsigned i = 0; i < *n_groups; i++)
		groups[i] = v[2 * i] == PCRE2_UNSET ? (struct str){ "", 0 }
						    : str_pn(key + v[2 * i], v[2 * i + 1] - v[2 * i]);
	return 1;
}

static void pcre_drop(void *compiled)
{
	struct compiled *c = compiled;

	pcre2_match_data_free(c->data);
	pcre2_code_free(c->code);
	free(c);
}

static const struct rule_engine engine = { pcre_compile, pcre_match, pcre_drop };

static struct table *pcre_make(void)
{
	return rule_table_make(&engine);
}

const struct table_type table_pcre = { "pcre", TABLE_PATTERN | TABLE_FILE, pcre_make, rule_table_find, rule_table_free,
	NULL, NULL };
