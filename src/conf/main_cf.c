/*
 * main_cf.c - logical lines of main.cf and master.cf, and the first of the two.
 *
 * A line that begins with a blank continues the one before; lines of blanks only and lines whose first graphic octet
 * is "#" do not count, not even between a line and its continuation.
 */
#include "conf/conf_impl.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cut one physical line off, without its end. */
static bool physical_next(struct logical *l, struct str *line)
{
	ptrdiff_t end;

	if (l->rest.n == 0)
		return false;
	end = str_chr(l->rest, '\n');
	*line = end < 0 ? l->rest : str_sub(l->rest, 0, (size_t)end);
	l->rest = str_from(l->rest, end < 0 ? l->rest.n : (size_t)end + 1);
	l->line++;
	while (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static bool is_content(struct str line)
{
	struct str s = str_trim(line);

	return s.n && s.p[0] != '#';
}

/* Move to the next physical line of content if it begins with a blank; else stay, and false. */
static bool to_continuation(struct logical *l)
{
	struct logical before = *l;

	for (;;) {
		struct logical ahead = before;
		struct str line;

		if (!physical_next(&ahead, &line))
			return false;
		if (is_content(line)) {
			if (is_blank(line.p[0]))
				*l = before;
			return is_blank(line.p[0]);
		}
		before = ahead;
	}
}

bool logical_next(struct logical *l, struct arena *mem, struct str *line)
{
	struct str part;
	struct buf whole = BUF_INIT(SIZE_MAX);

	do {
		if (!physical_next(l, line))
			return false;
	} while (!is_content(*line));
	l->first = l->line;
	if (!to_continuation(l))
		return true;
	buf_add_str(&whole, *line);
	while (to_continuation(l) && physical_next(l, &part))
		buf_add_str(&whole, part);
	*line = arena_dup(mem, buf_str(&whole));
	buf_free(&whole);
	return true;
}

bool logical_is_orphan(struct str line)
{
	return is_blank(line.p[0]);
}

const char *split_name_value(struct str line, struct str *name, struct str *value)
{
	struct str s = str_trim(line);
	size_t n = 0;

	while (n < s.n && s.p[n] != '=' && !is_blank(s.p[n]) && s.p[n] != '\n')
		n++;
	if (n == 0)
		return "missing parameter name";
	*name = str_sub(s, 0, n);
	s = str_trim(str_from(s, n));
	if (s.n == 0 || s.p[0] != '=')
		return "missing '=' after parameter name";
	*value = str_trim(str_from(s, 1));
	return NULL;
}

static void main_cf_line(struct conf *c, struct str line, unsigned number)
{
	struct str name = STR(""), value;
	const struct dict_entry *old;
	const char *wrong;

	if (logical_is_orphan(line)) {
		conf_warning(
			c, "main.cf", number, "logical line must not start with whitespace: \"%.*s\"", STR_ARG(line));
		return;
	}
	wrong = split_name_value(line, &name, &value);
	if (wrong) {
		conf_error(c, "main.cf", number, "%s: \"%.*s\"; write name = value", wrong, STR_ARG(line));
		dict_remove(&c->main, name); /* an earlier line is not what was meant */
		return;
	}
	old = dict_find(&c->main, name);
	if (old && !str_eq(old->value, value))
		conf_warning(c, "main.cf", number, "overriding earlier entry: %.*s=%.*s", STR_ARG(name),
			STR_ARG(old->value));
	dict_set(&c->main, name, value, number);
}

void main_cf_parse(struct conf *c, struct str text)
{
	struct logical l = { arena_dup(c->mem, text), 0, 0 };
	struct str line;

	while (logical_next(&l, c->mem, &line)) {
		if (str_chr(line, '\0') >= 0)
			conf_error(c, "main.cf", l.first, "has a NUL octet; write text only");
		else
			main_cf_line(c, line, l.first);
	}
}
