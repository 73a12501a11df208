/*
 * master_cf.c - rows of master.cf: service type private unpriv chroot wakeup maxproc command, then options and
 * arguments. A word in braces may hold blanks.
 */
#include "conf/conf_impl.h"
#include "base/log.h"
#include <inttypes.h>
#include <stdio.h>

#define BLANKS " \t\r\n"

bool daemon_option_takes_value(char letter)
{
	return letter == 'o';
}

bool cut_word(struct str *rest, const char *seps, struct str *word)
{
	size_t level = 0, n = 0;

	while (rest->n && strchr(seps, rest->p[0]))
		*rest = str_from(*rest, 1);
	while (n < rest->n && (level || !strchr(seps, rest->p[n]))) {
		if (rest->p[n] == '{')
			level++;
		else if (rest->p[n] == '}' && level)
			level--;
		n++;
	}
	*word = str_sub(*rest, 0, n);
	*rest = str_from(*rest, n);
	return n > 0;
}

/* Take the braces off "{ text }". False: text behind or no end. */
static bool strip_braces(struct str *word)
{
	size_t level = 0;

	if (word->n == 0 || word->p[0] != '{')
		return true;
	for (size_t i = 0; i < word->n; i++) {
		if (word->p[i] == '{')
			level++;
		else if (word->p[i] == '}' && --level == 0) {
			if (i + 1 != word->n)
				return false;
			*word = str_trim(str_sub(*word, 1, i - 1));
			return true;
		}
	}
	return false;
}

static bool is_flag(struct str s)
{
	return s.n == 1 && strchr("yn-", s.p[0]);
}

static bool is_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_digit(s.p[i]))
			return false;
	return s.n > 0;
}

static bool is_type(struct str s)
{
	return str_eq(s, STR("inet")) || str_eq(s, STR("unix")) || str_eq(s, STR("fifo")) || str_eq(s, STR("pass")) ||
	       str_eq(s, STR("unix-dgram"));
}

static const char *check_columns(struct arena *mem, const struct master_row *r)
{
	static const char *const flags[] = { "private", "unprivileged", "chroot" };
	struct str wakeup = r->col[COL_WAKEUP], maxproc = r->col[COL_MAXPROC];

	if (!is_type(r->col[COL_TYPE]))
		return arena_printf(
			mem, "type %.*s; write inet, unix, fifo, pass or unix-dgram", STR_ARG(r->col[COL_TYPE]));
	for (int i = 0; i < 3; i++)
		if (!is_flag(r->col[COL_PRIVATE + i]))
			return arena_printf(
				mem, "%s is %.*s; write y, n or -", flags[i], STR_ARG(r->col[COL_PRIVATE + i]));
	if (str_has_suffix(wakeup, STR("?")))
		wakeup.n--;
	if (!str_eq(wakeup, STR("-")) && !is_digits(wakeup))
		return arena_printf(
			mem, "wakeup is %.*s; write seconds, for example 60 or 60?, or -", STR_ARG(r->col[COL_WAKEUP]));
	if (!str_eq(maxproc, STR("-")) && (!is_digits(maxproc) || maxproc.n > 9))
		return arena_printf(mem, "maxproc is %.*s; write a number of processes, or -", STR_ARG(maxproc));
	return NULL;
}

/* "-oname=value", "-vo name=value": options apart from their values. Returns the count in out. */
static size_t split_options(struct arena *mem, struct str word, struct str out[3])
{
	for (size_t i = 1; i < word.n; i++) {
		size_t n = 0;

		if (!daemon_option_takes_value(word.p[i]))
			continue;
		if (i > 1)
			out[n++] = str_sub(word, 0, i);
		out[n++] = str_c(arena_printf(mem, "-%c", word.p[i]));
		if (i + 1 < word.n)
			out[n++] = str_from(word, i + 1);
		return n;
	}
	out[0] = word;
	return 1;
}

/* The value of -o in its one form "name=value". */
static const char *normal_setting(struct arena *mem, struct str *word)
{
	struct str name, value;
	const char *wrong;

	if (!strip_braces(word))
		return arena_printf(
			mem, "-o %.*s: braces that do not close at its end; write -o { name = value }", STR_ARG(*word));
	wrong = split_name_value(*word, &name, &value);
	if (wrong)
		return arena_printf(mem, "-o %.*s: %s; write -o name=value", STR_ARG(*word), wrong);
	*word = str_c(arena_printf(mem, "%.*s=%.*s", STR_ARG(name), STR_ARG(value)));
	return NULL;
}

static const char *parse_args(struct arena *mem, struct str rest, struct master_row *r)
{
	bool options = true, value_next = false;
	const char *wrong;
	struct str word, parts[3];

	r->args = arena_array(mem, rest.n + 3, sizeof(*r->args));
	while (cut_word(&rest, BLANKS, &word)) {
		size_t n = 1;

		parts[0] = word;
		if (options && !value_next) {
			options = word.p[0] == '-' && !str_eq(word, STR("--"));
			if (options)
				n = split_options(mem, word, parts);
		}
		for (size_t i = 0; i < n; i++) {
			if (value_next)
				wrong = normal_setting(mem, &parts[i]);
			else
				wrong = options || strip_braces(&parts[i]) ? NULL
									   : "braces that do not close at a word's end";
			if (wrong)
				return wrong;
			value_next = !value_next && options && parts[i].n == 2 && parts[i].p[0] == '-' &&
				     daemon_option_takes_value(parts[i].p[1]);
			r->args[r->n_args++] = parts[i];
		}
	}
	return value_next ? "-o without name=value; write -o name=value" : NULL;
}

const char *master_row_parse(struct arena *mem, struct str line, struct master_row *row)
{
	struct str rest = line;
	const char *wrong;

	*row = (struct master_row){ .n_args = 0 };
	for (int i = 0; i < 8; i++)
		if (!cut_word(&rest, BLANKS, &row->col[i]))
			return arena_printf(mem,
				"bad field count: %d; write eight columns: service type private unpriv chroot wakeup "
				"maxproc command",
				i);
	wrong = check_columns(mem, row);
	return wrong ? wrong : parse_args(mem, rest, row);
}

static void add_row(struct conf *c, const struct master_row *row)
{
	if (c->n_rows == c->cap_rows) {
		struct master_row *old = c->rows;

		c->cap_rows = c->cap_rows ? c->cap_rows * 2 : 32;
		c->rows = arena_array(c->mem, c->cap_rows, sizeof(*c->rows));
		if (c->n_rows)
			memcpy(c->rows, old, c->n_rows * sizeof(*old));
	}
	c->rows[c->n_rows++] = *row;
}

void master_cf_parse(struct conf *c, struct str text)
{
	struct logical l = { arena_dup(c->mem, text), 0, 0 };
	struct master_row row;
	struct str line;

	while (logical_next(&l, c->mem, &line)) {
		const char *wrong;

		if (logical_is_orphan(line)) { /* as Postfix */
			conf_warning(c, "master.cf", l.first, "logical line must not start with whitespace: \"%.*s\"",
				STR_ARG(line));
			continue;
		}
		if (str_chr(line, '\0') >= 0)
			wrong = "has a NUL octet; write text only";
		else
			wrong = master_row_parse(c->mem, line, &row);
		if (wrong) {
			conf_error(c, "master.cf", l.first, "%s", wrong);
			continue;
		}
		row.line = l.first;
		add_row(c, &row);
	}
}

static bool flag(struct str col, bool unset)
{
	return str_eq(col, STR("-")) ? unset : str_eq(col, STR("y"));
}

static struct dict *new_dict(struct arena *mem)
{
	struct dict *d = arena_alloc(mem, sizeof(*d));

	d->mem = mem;
	return d;
}

/* Its -o into the view, all other words into argv. */
static void resolve_args(struct conf *c, const struct master_row *r, struct conf_service *s, struct conf_view *v)
{
	const char **argv = arena_array(c->mem, r->n_args + 1, sizeof(*argv));
	bool options = true;
	size_t n = 0;

	for (size_t i = 0; i < r->n_args; i++) {
		struct str name, value;

		options = options && r->args[i].n && r->args[i].p[0] == '-' && !str_eq(r->args[i], STR("--"));
		if (!options || !str_eq(r->args[i], STR("-o"))) {
			argv[n++] = arena_cdup(c->mem, r->args[i]);
			continue;
		}
		i++;
		require(i < r->n_args && !split_name_value(r->args[i], &name, &value));
		dict_set(v->own, name, value, r->line);
	}
	s->argv = argv;
}

static void resolve_row(struct conf *c, const struct master_row *r, struct conf_service *s)
{
	struct conf_view *v = arena_alloc(c->mem, sizeof(*v));
	const char *slash, *levels = conf_lookup(&c->main_view, "compatibility_level");
	int64_t maxproc = 0;

	s->name = arena_cdup(c->mem, r->col[COL_NAME]);
	s->type = arena_cdup(c->mem, r->col[COL_TYPE]);
	s->is_private = flag(r->col[COL_PRIVATE], strcmp(s->type, "inet") != 0);
	s->unpriv = flag(r->col[COL_UNPRIV], true);
	s->chroot = flag(r->col[COL_CHROOT], levels && level_compare(str_c(levels), STR("1")) == -1);
	s->wakeup = arena_cdup(c->mem, r->col[COL_WAKEUP]);
	if (!value_int(r->col[COL_MAXPROC], &maxproc)) {
		const char *limit = conf_lookup(&c->main_view, "default_process_limit");

		value_int(str_c(limit), &maxproc);
	}
	s->maxproc = (int)maxproc;
	s->command = arena_cdup(c->mem, r->col[COL_COMMAND]);
	s->line = r->line;
	slash = strrchr(s->command, '/');
	*v = (struct conf_view){ c, new_dict(c->mem), new_dict(c->mem), s->name, slash ? slash + 1 : s->command };
	s->view = v;
	resolve_args(c, r, s, v);
}

static bool is_same_service(const struct master_row *a, const struct master_row *b)
{
	return str_eq(a->col[COL_NAME], b->col[COL_NAME]) && str_eq(a->col[COL_TYPE], b->col[COL_TYPE]);
}

void master_cf_resolve(struct conf *c)
{
	c->services = arena_array(c->mem, c->n_rows + 1, sizeof(*c->services));
	for (size_t i = 0; i < c->n_rows; i++) {
		for (size_t k = 0; k < i; k++)
			if (is_same_service(&c->rows[k], &c->rows[i]))
				conf_error(c, "master.cf", c->rows[i].line,
					"service %.*s %.*s is in line %u too; remove one of the two",
					STR_ARG(c->rows[i].col[COL_NAME]), STR_ARG(c->rows[i].col[COL_TYPE]),
					c->rows[k].line);
		resolve_row(c, &c->rows[i], &c->services[i]);
	}
}
