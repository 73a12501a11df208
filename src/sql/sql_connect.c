#include "sql/sql_connect.h"

#include "base/buf.h"

struct scan {
	struct str rest;
	bool has_quotes, is_lines;
	struct arena *mem;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The value at the start of s->rest; NULL: a quote is not closed. */
static const char *take_value(struct scan *s)
{
	struct buf out = BUF_SECRET(65536);
	bool in_quotes = false;
	const char *value;
	size_t i = 0;

	for (; i < s->rest.n; i++) {
		char c = s->rest.p[i];

		if (s->is_lines ? c == '\n' : !in_quotes && is_blank(c))
			break;
		if (!s->is_lines && s->has_quotes && c == '\'') {
			in_quotes = !in_quotes;
			continue;
		}
		if (!s->is_lines && s->has_quotes && c == '\\' && i + 1 < s->rest.n)
			c = s->rest.p[++i];
		buf_add_char(&out, c);
	}
	s->rest = str_from(s->rest, i);
	value = in_quotes ? NULL : arena_cdup(s->mem, buf_str(&out));
	buf_wipe(&out);
	return value;
}

static const char *add(struct sql_connect *c, const char *key, const char *value, struct arena *mem)
{
	uint64_t n;

	if (strcmp(key, "host") == 0 || strcmp(key, "hostaddr") == 0) {
		if (c->n_hosts == CONNECT_HOSTS)
			return arena_printf(mem, "more than %d hosts", CONNECT_HOSTS);
		c->host[c->n_hosts++] = value;
		return NULL;
	}
	if (strcmp(key, "maxconns") == 0) {
		if (!str_u64(str_c(value), &n) || n == 0 || n > CONNECT_CONNS_MAX)
			return arena_printf(mem, "maxconns should be 1 to %d", CONNECT_CONNS_MAX);
		c->max_conns = (unsigned)n;
		return NULL;
	}
	if (c->n == CONNECT_WORDS)
		return arena_printf(mem, "more than %d words", CONNECT_WORDS);
	c->word[c->n].key = key;
	c->word[c->n++].value = value;
	return NULL;
}

const char *sql_connect_parse(const char *text, bool has_quotes, struct arena *mem, struct sql_connect *c)
{
	struct scan s = { str_c(text), has_quotes, *text == '\n', mem };
	const char *why = NULL;

	*c = (struct sql_connect){ .max_conns = CONNECT_CONNS };
	while (why == NULL) {
		const char *key, *value;
		ptrdiff_t eq;

		while (s.rest.n && is_blank(s.rest.p[0]))
			s.rest = str_from(s.rest, 1);
		if (s.rest.n == 0)
			break;
		eq = str_chr(s.rest, '=');
		if (eq <= 0)
			return "a word without \"=\"; there should be host= user= password= dbname= …";
		key = arena_cdup(mem, str_trim(str_sub(s.rest, 0, (size_t)eq)));
		if (strpbrk(key, " \t\n"))
			return "a word without \"=\"; there should be host= user= password= dbname= …";
		s.rest = str_from(s.rest, (size_t)eq + 1);
		value = take_value(&s);
		if (value == NULL)
			return arena_printf(mem, "the quote of %s= is not closed", key);
		why = add(c, key, value, mem);
	}
	return why;
}

const char *sql_connect_get(const struct sql_connect *c, const char *key, const char *otherwise)
{
	for (size_t i = c->n; i > 0; i--)
		if (strcmp(c->word[i - 1].key, key) == 0)
			return c->word[i - 1].value;
	return otherwise;
}

unsigned sql_connect_conns(const char *text, bool has_quotes)
{
	struct arena *mem = arena_new(0);
	struct sql_connect c;
	unsigned n;

	sql_connect_parse(text, has_quotes, mem, &c);
	n = c.max_conns;
	arena_wipe(&mem);
	return n;
}
