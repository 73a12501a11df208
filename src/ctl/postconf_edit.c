/* postconf_edit.c - changing master.cf: whole rows (-M), columns (-F), -o settings (-P). */
#include "ctl/postconf.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct request {
	struct postconf_pattern pattern;
	struct str value;
	struct master_row row; /* -M: the new row */
	int field;	       /* -F */
	unsigned matched;
};

static bool has_blank(struct str s)
{
	return str_chr(s, ' ') >= 0 || str_chr(s, '\t') >= 0;
}

static void check_parts(const struct postconf *p, struct request *r, int parts)
{
	struct str last = r->pattern.part[2];

	if (p->rows && parts != 2)
		postconf_die("-Me, -MX or -M# requires service_name/type");
	if (p->fields && parts != 3)
		postconf_die("-Fe or -FX requires service_name/type/field_name");
	if (p->settings && parts != 3)
		postconf_die("-Pe or -PX requires service_name/type/parameter");
	if (p->fields) {
		r->field = postconf_field(last);
		if (r->field < 0)
			postconf_die("-Fe does not accept wild-card field name");
		if (r->field < COL_COMMAND && has_blank(r->value))
			postconf_die("-Fe does not accept whitespace in non-command field");
	}
	if (p->settings && (last.n == 0 || str_eq(last, STR("*"))))
		postconf_die("-Pe does not accept wild-card parameter name");
	if (p->settings && has_blank(r->value))
		postconf_die("-Pe does not accept whitespace in parameter value");
}

static void parse_request(struct postconf *p, char *arg, struct request *r)
{
	struct str text = str_trim(str_c(arg)), name = text;
	const char *wrong;

	*r = (struct request){ .field = -1 };
	if (strchr(arg, '\n'))
		postconf_die("-Me, -Fe, -Pe, -X, or -# accept no multi-line input");
	if (text.n && text.p[0] == '#')
		postconf_die("-Me, -Fe, -Pe, -X, or -# accept no comment input");
	if (p->set) {
		wrong = split_name_value(text, &name, &r->value);
		if (wrong)
			postconf_die("%s: \"%s\"", wrong, arg);
	} else if (str_chr(text, '=') >= 0) {
		postconf_die("-X or -# requires names without value");
	}
	check_parts(p, r, postconf_pattern(arena_cdup(p->mem, name), &r->pattern));
	r->pattern.text = arg;
	if (p->rows && p->set) {
		wrong = master_row_parse(p->mem, r->value, &r->row);
		if (wrong)
			postconf_die("%s: \"%s\"", wrong, arg);
	}
}

static void edit_field(struct postconf *p, struct master_row *row, const struct request *r)
{
	struct buf text = BUF_INIT(1024 * 1024);
	const char *wrong;

	if (r->field < COL_COMMAND) {
		row->col[r->field] = r->value;
		postconf_format_row(p, row, false, &text);
	} else { /* the command with all its arguments */
		row->n_args = 0;
		row->col[COL_COMMAND] = r->value;
		postconf_format_row(p, row, false, &text);
	}
	wrong = master_row_parse(p->mem, arena_dup(p->mem, buf_str(&text)), row);
	if (wrong)
		postconf_die("%s: \"%s\"", wrong, r->pattern.text);
	buf_free(&text);
}

static void drop_args(struct master_row *row, size_t at, size_t n)
{
	memmove(row->args + at, row->args + at + n, (row->n_args - at - n) * sizeof(*row->args));
	row->n_args -= n;
}

/* Set or remove "-o name=value". */
static void edit_setting(struct postconf *p, struct master_row *row, const struct request *r)
{
	struct str name = r->pattern.part[2], *args;
	struct str setting = str_c(arena_printf(p->mem, "%.*s=%.*s", STR_ARG(name), STR_ARG(r->value)));
	struct str prefix = str_sub(setting, 0, name.n + 1);
	bool found = false;
	size_t i = 0;

	while (i < row->n_args && row->args[i].n && row->args[i].p[0] == '-' && !str_eq(row->args[i], STR("--"))) {
		bool is_o = str_eq(row->args[i], STR("-o")) && i + 1 < row->n_args;

		if (is_o && str_has_prefix(row->args[i + 1], prefix)) {
			found = true;
			if (p->remove) {
				drop_args(row, i, 2);
				continue;
			}
			row->args[i + 1] = setting;
		}
		i += is_o ? 2 : 1;
	}
	if (found || p->remove)
		return;
	args = arena_array(p->mem, row->n_args + 2, sizeof(*args));
	if (i)
		memcpy(args, row->args, i * sizeof(*args));
	args[i] = STR("-o");
	args[i + 1] = setting;
	if (row->n_args > i)
		memcpy(args + i + 2, row->args + i, (row->n_args - i) * sizeof(*args));
	row->args = args;
	row->n_args += 2;
}

/* Lines of one entry: comments inside go out at once, as they come before what replaces it. */
struct entry {
	struct str lines; /* all its physical lines with what is between them */
	struct str joined;
	struct str name, type;
};

struct editor {
	struct postconf *p;
	struct request *requests;
	size_t n;
	struct buf *out;
};

/* Which of the requests concern it; applies -F and -P to *row. Returns whether one does; *whole is -M's new row. */
static bool apply(struct editor *e, const struct entry *en, struct master_row *row, const struct master_row **whole)
{
	bool matched = false;

	*whole = NULL;
	for (size_t i = 0; i < e->n; i++) {
		struct request *r = &e->requests[i];
		bool mine = postconf_matches(&r->pattern, en->name, en->type);

		if (e->p->rows && e->p->set)
			mine = mine ||
			       (str_eq(r->row.col[COL_NAME], en->name) && str_eq(r->row.col[COL_TYPE], en->type));
		if (!mine)
			continue;
		matched = true;
		if (++r->matched == 1 && e->p->rows && e->p->set)
			*whole = &r->row;
		if (e->p->fields)
			edit_field(e->p, row, r);
		if (e->p->settings)
			edit_setting(e->p, row, r);
	}
	return matched;
}

/* Its lines, each behind `before` when it is content; or only the others. */
static void copy_lines(struct editor *e, struct str lines, const char *before, bool content)
{
	struct str line;

	while (lines.n) {
		ptrdiff_t end = str_chr(lines, '\n');
		struct str text;

		line = end < 0 ? lines : str_sub(lines, 0, (size_t)end);
		lines = str_from(lines, end < 0 ? lines.n : (size_t)end + 1);
		text = str_trim(line);
		if (text.n == 0 || text.p[0] == '#')
			buf_addf(e->out, "%.*s\n", STR_ARG(line));
		else if (content)
			buf_addf(e->out, "%s%.*s\n", before, STR_ARG(line));
	}
}

static void edit_entry(struct editor *e, const struct entry *en)
{
	const struct master_row *whole;
	struct master_row row = { .n_args = 0 };
	bool keeps = e->p->fields || e->p->settings, matched;
	const char *wrong = keeps ? master_row_parse(e->p->mem, en->joined, &row) : NULL;

	if (wrong)
		postconf_die("%s/master.cf: %s: \"%.*s\"", e->p->dir, wrong, STR_ARG(en->joined));
	matched = apply(e, en, &row, &whole);
	if (!matched) {
		copy_lines(e, en->lines, "", true);
	} else if (e->p->comment) {
		copy_lines(e, en->lines, "#", true);
	} else if (whole) {
		postconf_format_row(e->p, whole, true, e->out);
		copy_lines(e, en->lines, "", false);
	} else if (keeps) {
		copy_lines(e, en->lines, "", false);
		postconf_format_row(e->p, &row, true, e->out);
	} else {
		copy_lines(e, en->lines, "", false);
	}
}

static void edit_text(struct editor *e, struct str text)
{
	struct logical l = { text, 0, 0 };
	struct str before = text;
	struct entry en;

	for (;;) {
		struct logical ahead = l;
		struct str rest;

		if (!logical_next(&ahead, e->p->mem, &en.joined))
			break;
		/* What stands before its first line is passed on. */
		en.lines = before;
		for (unsigned i = l.line; i + 1 < ahead.first; i++)
			en.lines = str_from(en.lines, (size_t)str_chr(en.lines, '\n') + 1);
		buf_add_str(e->out, str_sub(before, 0, before.n - en.lines.n));
		en.lines.n -= ahead.rest.n;
		rest = en.joined;
		if (!str_word(&rest, " \t\r\n", &en.name) || !str_word(&rest, " \t\r\n", &en.type))
			postconf_die("file %s/master.cf: line %u: specify service name and type on the same line",
				e->p->dir, ahead.first);
		edit_entry(e, &en);
		l = ahead;
		before = ahead.rest;
	}
	buf_add_str(e->out, before);
}

static void add_unmatched(struct editor *e)
{
	for (size_t i = 0; i < e->n; i++) {
		if (e->requests[i].matched)
			continue;
		if (e->p->rows && e->p->set)
			postconf_format_row(e->p, &e->requests[i].row, true, e->out);
		else if (!e->p->rows)
			postconf_warn("unmatched service_name/type: \"%s\"", e->requests[i].pattern.text);
	}
}

void postconf_edit_master(struct postconf *p, char **args)
{
	const char *path = arena_printf(p->mem, "%s/master.cf", p->dir);
	struct buf text = BUF_INIT(64 * 1024 * 1024), out = BUF_INIT(64 * 1024 * 1024);
	struct editor e = { p, NULL, 0, &out };

	while (args[e.n])
		e.n++;
	e.requests = arena_array(p->mem, e.n, sizeof(*e.requests));
	for (size_t i = 0; i < e.n; i++)
		parse_request(p, args[i], &e.requests[i]);
	if (edit_begin(path, &postconf_edit) || edit_read_file(path, &text))
		postconf_die("open %s for reading: %s", path, strerror(errno));
	if (text.n && text.p[text.n - 1] != '\n')
		buf_add_char(&text, '\n');
	edit_text(&e, buf_str(&text));
	add_unmatched(&e);
	if (edit_commit(&postconf_edit, buf_str(&out)))
		postconf_die("write %s: %s", path, strerror(errno));
	buf_free(&text);
	buf_free(&out);
}
