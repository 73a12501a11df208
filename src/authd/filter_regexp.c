/* The filter regexp('PATTERN', 'REPLACEMENT'), by PCRE2, with a bound on what a value may cost. */
#include "authd/filter_impl.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { STEPS_MAX = 100000, HEAP_MAX_KIB = 1024 };

/* "\1" as in sed is "$1" in PCRE2, and "\\" a backslash. */
static const char *replacement_of(struct str text, struct arena *mem, size_t *n)
{
	struct buf b = BUF_INIT(VALUE_MAX);
	const char *made;

	for (size_t i = 0; i < text.n; i++) {
		char next = i + 1 < text.n ? text.p[i + 1] : 0;

		if (text.p[i] == '\\' && ascii_is_digit(next))
			buf_addf(&b, "${%c}", next), i++;
		else if (text.p[i] == '\\' && next == '\\')
			buf_add_char(&b, '\\'), i++;
		else
			buf_add_char(&b, text.p[i]);
	}
	*n = b.n;
	made = arena_cdup(mem, buf_str(&b));
	buf_free(&b);
	return made;
}

/* The value may be a client's: what would take too long cannot be compared. */
static pcre2_match_context *bounds_new(void)
{
	pcre2_match_context *bounds = pcre2_match_context_create(NULL);

	if (bounds) {
		pcre2_set_match_limit(bounds, STEPS_MAX);
		pcre2_set_heap_limit(bounds, HEAP_MAX_KIB);
	}
	return bounds;
}

int filter_matches(struct str pattern, struct str value)
{
	PCRE2_SIZE at;
	int error, r = PCRE2_ERROR_NOMEMORY;
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n, PCRE2_UTF, &error, &at, NULL);
	pcre2_match_context *bounds = code ? bounds_new() : NULL;
	pcre2_match_data *data = bounds ? pcre2_match_data_create(1, NULL) : NULL;

	if (data)
		r = pcre2_match(code, (PCRE2_SPTR)(value.p ? value.p : ""), value.n, 0, 0, data, bounds);
	pcre2_match_data_free(data);
	pcre2_match_context_free(bounds);
	pcre2_code_free(code);
	return r >= 0 ? 1 : r == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static int substitute(const pcre2_code *code, struct str value, const char *by, size_t by_octets, struct buf *out)
{
	pcre2_match_context *bounds = bounds_new();
	PCRE2_SIZE n = VALUE_MAX;
	char *to = buf_reserve(out, VALUE_MAX);
	int r = PCRE2_ERROR_NOMEMORY;

	if (bounds && to)
		r = pcre2_substitute(code, (PCRE2_SPTR)(value.p ? value.p : ""), value.n, 0, 0, NULL, bounds,
			(PCRE2_SPTR)by, by_octets, (PCRE2_UCHAR *)to, &n);
	if (r > 0)
		buf_commit(out, n);
	pcre2_match_context_free(bounds);
	return r;
}

/* Where it does not match the value stays. */
static bool run_regexp(const struct step *s, struct filter_state *st)
{
	struct str pattern = arg_text(&s->arg[0], st);
	struct buf b = BUF_INIT(2 * VALUE_MAX);
	PCRE2_SIZE at, n;
	int error, r;
	const char *by = replacement_of(arg_text(&s->arg[1], st), st->mem, &n);
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n, PCRE2_UTF, &error, &at, NULL);

	if (code == NULL)
		return false;
	r = substitute(code, st->value, by, n, &b);
	pcre2_code_free(code);
	if (r > 0)
		return filter_take(st, &b);
	buf_wipe(&b);
	return r == 0;
}

static const struct filter rows[] = {
	/* name, 2.3, args, by name, value */
	{ "regexp", 0, 2, 2, NULL, true, run_regexp },
};

const struct filter_list filters_of_patterns = { rows, sizeof rows / sizeof *rows };
