/* postconf_master.c - showing master.cf: rows (-M), their columns (-F), their -o settings (-P). */
#include "ctl/postconf.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const fields[] = { "service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit",
	"command" };

int postconf_field(struct str name)
{
	if (name.n == 0 || str_eq(name, STR("*")))
		return -1;
	for (int i = 0; i < 8; i++)
		if (str_eq(name, str_c(fields[i])))
			return i;
	postconf_die("invalid service attribute name: \"%.*s\"", STR_ARG(name));
}

int postconf_pattern(const char *text, struct postconf_pattern *out)
{
	struct str rest = str_c(text);
	int n = 0;

	*out = (struct postconf_pattern){ .text = text };
	/* The last part takes what is left: a service's name may hold no "/", a parameter's neither. */
	while (n < 3 && str_field(&rest, "/", &out->part[n]))
		n++;
	return rest.p || n == 0 || out->part[0].n == 0 ? 0 : n;
}

static bool part_matches(struct str pattern, struct str value)
{
	return pattern.n == 0 || str_eq(pattern, STR("*")) || str_eq(pattern, value);
}

bool postconf_matches(const struct postconf_pattern *pattern, struct str service, struct str type)
{
	return part_matches(pattern->part[0], service) && part_matches(pattern->part[1], type);
}

/* A word of a row, in braces when it has a blank. */
static void add_word(struct buf *out, struct str word, bool braces)
{
	bool blank = false;

	for (size_t i = 0; i < word.n; i++)
		blank = blank || strchr(" \t\r\n", word.p[i]);
	buf_addf(out, braces && blank ? "{%.*s}" : "%.*s", STR_ARG(word));
}

struct row_writer {
	struct postconf *p;
	struct buf *out;
	const struct conf_view *view; /* for -x; NULL: as written */
	size_t column;
	bool fold;
};

/* A blank or a new line before the next item of n columns. */
static void separate(struct row_writer *w, size_t n)
{
	if (w->column <= 4)
		return;
	if (!w->fold || w->column + 1 + n < POSTCONF_LINE) {
		buf_add_char(w->out, ' ');
		w->column++;
	} else {
		buf_add_c(w->out, "\n    ");
		w->column = 4;
	}
}

static void add_args(struct row_writer *w, const struct master_row *r)
{
	bool options = true;

	for (size_t i = 0; i < r->n_args; i++) {
		struct str word = r->args[i], value;
		size_t start;

		options = options && word.n && word.p[0] == '-' && !str_eq(word, STR("--"));
		if (!options || i + 1 == r->n_args || word.n < 2 || !daemon_option_takes_value(word.p[1])) {
			separate(w, word.n);
			start = w->out->n;
			add_word(w->out, word, !options);
			w->column += w->out->n - start;
			continue;
		}
		value = r->args[++i];
		if (w->view)
			value = postconf_value(w->p, w->view, STR(""), value);
		w->column = POSTCONF_LINE; /* an option with a value has a line of its own */
		separate(w, word.n + value.n + 3);
		add_word(w->out, word, false);
		buf_add_char(w->out, ' ');
		add_word(w->out, value, true);
		w->column = POSTCONF_LINE;
	}
}

static const struct conf_view *view_of(const struct postconf *p, const struct master_row *r)
{
	if (!p->expand || r < p->conf->rows || r >= p->conf->rows + p->conf->n_rows)
		return NULL;
	return p->conf->services[r - p->conf->rows].view;
}

void postconf_format_row(struct postconf *p, const struct master_row *r, bool fold, struct buf *out)
{
	static const size_t goals[8] = { 0, 11, 17, 25, 33, 41, 49, 57 };
	struct row_writer w = { p, out, NULL, 0, fold };

	for (int i = 0; i < 8; i++) {
		if (i) {
			size_t n = goals[i] > w.column + 1 ? goals[i] - w.column : 1;

			buf_addf(out, "%*s", (int)n, "");
			w.column += n;
		}
		buf_add_str(out, r->col[i]);
		w.column += r->col[i].n;
	}
	w.view = p->conf ? view_of(p, r) : NULL;
	add_args(&w, r);
	buf_add_char(out, '\n');
}

static struct postconf_pattern *parse_patterns(struct postconf *p, char **texts, int most, const char *usage, size_t *n)
{
	struct postconf_pattern *out;

	for (*n = 0; texts[*n];)
		(*n)++;
	out = arena_array(p->mem, *n + 1, sizeof(*out));
	for (size_t i = 0; i < *n; i++) {
		int parts = postconf_pattern(texts[i], &out[i]);

		if (parts == 0 || parts > most)
			postconf_die("%s", usage);
	}
	return out;
}

static void warn_unmatched(const struct postconf_pattern *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!patterns[i].matched)
			postconf_warn("unmatched request: \"%s\"", patterns[i].text);
}

static void put(struct buf *out)
{
	if (out->n)
		fwrite(out->p, 1, out->n, stdout);
	buf_free(out);
}

static void show_row(struct postconf *p, const struct master_row *r)
{
	struct buf out = BUF_INIT(1024 * 1024);

	postconf_format_row(p, r, p->fold, &out);
	put(&out);
}

void postconf_show_rows(struct postconf *p, char **texts)
{
	size_t n;
	struct postconf_pattern *patterns = parse_patterns(p, texts, 2, "-M option requires service_name[/type]", &n);

	for (size_t i = 0; i < p->conf->n_rows; i++) {
		const struct master_row *r = &p->conf->rows[i];

		if (n == 0)
			show_row(p, r);
		for (size_t k = 0; k < n; k++)
			if (postconf_matches(&patterns[k], r->col[COL_NAME], r->col[COL_TYPE])) {
				patterns[k].matched++;
				show_row(p, r);
			}
	}
	warn_unmatched(patterns, n);
}

static void show_field(struct postconf *p, const struct master_row *r, int field)
{
	struct buf out = BUF_INIT(1024 * 1024);
	struct row_writer w = { p, &out, view_of(p, r), 0, p->fold };

	if (!p->hide_name)
		buf_addf(&out, "%.*s/%.*s/%s", STR_ARG(r->col[COL_NAME]), STR_ARG(r->col[COL_TYPE]), fields[field]);
	if (!p->hide_name && !p->hide_value)
		buf_add_c(&out, " = ");
	if (!p->hide_value) {
		if (out.n && out.n + r->col[field].n > POSTCONF_LINE)
			buf_add_c(&out, "\n    ");
		buf_add_str(&out, r->col[field]);
		w.column = out.n;
		if (field == COL_COMMAND)
			add_args(&w, r);
	}
	buf_add_char(&out, '\n');
	put(&out);
}

static void show_fields(struct postconf *p, const struct master_row *r, int field)
{
	if (field >= 0) {
		show_field(p, r, field);
		return;
	}
	for (int i = 0; i < 8; i++)
		show_field(p, r, i);
}

void postconf_show_fields(struct postconf *p, char **texts)
{
	size_t n;
	struct postconf_pattern *patterns =
		parse_patterns(p, texts, 3, "-F option requires service_name[/type[/field]]", &n);

	for (size_t k = 0; k < n; k++)
		postconf_field(patterns[k].part[2]);
	for (size_t i = 0; i < p->conf->n_rows; i++) {
		const struct master_row *r = &p->conf->rows[i];

		if (n == 0)
			show_fields(p, r, -1);
		for (size_t k = 0; k < n; k++)
			if (postconf_matches(&patterns[k], r->col[COL_NAME], r->col[COL_TYPE])) {
				patterns[k].matched++;
				show_fields(p, r, postconf_field(patterns[k].part[2]));
			}
	}
	warn_unmatched(patterns, n);
}

static void show_setting(
	struct postconf *p, const struct master_row *r, const struct conf_view *v, const struct dict_entry *e)
{
	const char *line;
	struct str value = postconf_value(p, v, e->name, e->value);

	if (p->hide_name && !p->hide_value)
		line = arena_cdup(p->mem, value);
	else
		line = arena_printf(p->mem, "%.*s/%.*s/%.*s%s%.*s", STR_ARG(r->col[COL_NAME]),
			STR_ARG(r->col[COL_TYPE]), STR_ARG(e->name), p->hide_value ? "" : " = ",
			p->hide_value ? 0 : (int)value.n, value.p ? value.p : "");
	postconf_print_line(p, str_c(line));
}

static int by_name(const void *a, const void *b)
{
	return str_cmp((*(const struct dict_entry *const *)a)->name, (*(const struct dict_entry *const *)b)->name);
}

/* The settings of a row that the pattern (NULL: any) asks for, sorted. Returns their number. */
static size_t show_settings(struct postconf *p, size_t row, const struct postconf_pattern *pattern)
{
	const struct conf_view *v = p->conf->services[row].view;
	const struct dict_entry **list = arena_array(p->mem, v->own->n + 1, sizeof(struct dict_entry *));
	size_t n = 0;

	for (size_t i = 0; i < v->own->n; i++)
		if (!pattern || part_matches(pattern->part[2], v->own->entries[i].name))
			list[n++] = &v->own->entries[i];
	qsort(list, n, sizeof(*list), by_name);
	for (size_t i = 0; i < n; i++)
		show_setting(p, &p->conf->rows[row], v, list[i]);
	return n;
}

void postconf_show_settings(struct postconf *p, char **texts)
{
	size_t n;
	struct postconf_pattern *patterns =
		parse_patterns(p, texts, 3, "-P option requires service_name[/type[/parameter]]", &n);

	for (size_t i = 0; i < p->conf->n_rows; i++) {
		const struct master_row *r = &p->conf->rows[i];

		if (n == 0)
			show_settings(p, i, NULL);
		for (size_t k = 0; k < n; k++)
			if (postconf_matches(&patterns[k], r->col[COL_NAME], r->col[COL_TYPE]) &&
				(show_settings(p, i, &patterns[k]) || patterns[k].part[2].n == 0))
				patterns[k].matched += p->conf->services[i].view->own->n > 0;
	}
	warn_unmatched(patterns, n);
}
