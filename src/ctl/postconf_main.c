/* postconf_main.c - showing and editing main.cf. */
#include "ctl/postconf.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* One message per line of the buffer. */
static void tell(struct buf *lines, const char *how)
{
	struct str rest = buf_str(lines), line;

	while (str_word(&rest, "\n", &line))
		fprintf(stderr, "postconf: %s: %.*s\n", how, STR_ARG(line));
}

struct teller {
	struct names_report report; /* first */
	const struct conf *conf;
	const char *only_file;
};

static void tell_undefined(struct names_report *r, const char *file, unsigned line, struct str name, struct str value)
{
	(void)line, (void)value;
	postconf_warn("%s/%s: undefined parameter: %.*s", container_of(r, struct teller, report)->conf->dir, file,
		STR_ARG(name));
}

static void tell_unused(struct names_report *r, const char *file, unsigned line, struct str name, struct str value)
{
	const struct teller *t = container_of(r, struct teller, report);

	(void)line;
	if (!t->only_file || strcmp(t->only_file, file) == 0)
		postconf_warn("%s/%s: unused parameter: %.*s=%.*s", t->conf->dir, file, STR_ARG(name), STR_ARG(value));
}

/* All but -d reads main.cf; -d knows only its services. */
void postconf_load(struct postconf *p)
{
	struct buf errors = BUF_INIT(1024 * 1024), warnings = BUF_INIT(1024 * 1024);
	struct teller undefined = { { tell_undefined }, NULL, NULL };

	p->conf = conf_read(p->dir, p->overrides, &errors, &warnings);
	undefined.conf = p->conf;
	if (p->conf->failed && !p->defaults) {
		tell(&errors, "fatal");
		exit(1);
	}
	if (!p->conf->has_master)
		postconf_warn("open %s/master.cf: %s", p->dir, strerror(errno));
	if (p->defaults) {
		p->conf->main = (struct dict){ .mem = p->conf->mem };
		conf_compute(p->conf);
	} else {
		tell(&warnings, "warning");
	}
	if (p->dir_given && !p->defaults)
		dict_set(&p->conf->main, STR("config_directory"), str_c(p->dir), 0);
	names_collect(&p->names, p->conf, p->mem);
	if (!p->defaults)
		names_undefined(&p->names, &undefined.report, true);
	buf_free(&errors);
	buf_free(&warnings);
}

void postconf_warn_unused(struct postconf *p, const char *only_file)
{
	struct teller unused = { { tell_unused }, p->conf, only_file };

	if (!p->quiet && !p->defaults)
		names_unused(&p->names, &unused.report);
}

void postconf_print_line(const struct postconf *p, struct str text)
{
	struct str word;
	size_t column = 0;

	while (str_word(&text, " \t\r\n", &word)) {
		if (column && p->fold && column + word.n >= POSTCONF_LINE) {
			fputs("\n    ", stdout);
			column = 4;
		} else if (column) {
			putchar(' ');
			column++;
		}
		fwrite(word.p, 1, word.n, stdout);
		column += word.n;
	}
	putchar('\n');
}

struct str postconf_value(struct postconf *p, const struct conf_view *v, struct str name, struct str value)
{
	struct buf out = BUF_INIT(1024 * 1024), why = BUF_INIT(4096);
	struct str expanded;

	if (!p->expand || param_is_raw(name))
		return value;
	if (expand(v, value, &out, &why))
		postconf_die("%.*s = %.*s: %s", STR_ARG(name), STR_ARG(value), why.p);
	expanded = arena_dup(p->mem, buf_str(&out));
	buf_free(&out);
	return expanded;
}

static void show(struct postconf *p, struct str name)
{
	const struct conf_view *v = conf_main(p->conf);
	struct str value, raw;

	if (p->only_set && !dict_find(&p->conf->main, name))
		return;
	view_raw(v, name, &raw);
	if (p->hide_value) {
		postconf_print_line(p, name);
		return;
	}
	value = postconf_value(p, v, name, raw);
	if (p->hide_name)
		postconf_print_line(p, value);
	else
		postconf_print_line(p, str_c(arena_printf(p->mem, "%.*s = %.*s", STR_ARG(name), STR_ARG(value))));
}

/* Growing list of names to show. */
struct name_list {
	struct dict names;
};

static void want(struct name_list *l, struct str name)
{
	dict_set(&l->names, name, STR(""), 0);
}

static void want_services(struct postconf *p, struct name_list *l)
{
	for (size_t i = 0; i < p->conf->n_rows; i++) {
		const struct conf_view *v = p->conf->services[i].view;

		for (const struct param_suffix *s = param_suffixes(); s->suffix; s++)
			if (param_is_of_process(s->follows, v->process_name)) {
				const char *name = arena_printf(p->mem, "%s%s", v->service_name, s->suffix);

				if (!param_find(str_c(name)))
					want(l, str_c(name));
			}
	}
}

/* Names of main.cf that are no parameters, but in use. */
static void want_user(struct postconf *p, struct name_list *l)
{
	size_t n;

	for (size_t i = 0; i < p->conf->main.n; i++) {
		struct str name = p->conf->main.entries[i].name;

		if (!param_find(name) && names_is_known(&p->names, name) && !param_of_service(name, &n))
			want(l, name);
	}
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct dict_entry *)a)->name, ((const struct dict_entry *)b)->name);
}

static void show_all(struct postconf *p)
{
	struct name_list list = { { .mem = p->mem } };
	const struct param *const *rows;
	size_t n = params_all(&rows);

	for (size_t i = 0; (p->classes & CLASS_BUILTIN) && i < n; i++)
		want(&list, str_c(rows[i]->name));
	if (p->classes & CLASS_SERVICE)
		want_services(p, &list);
	if (p->classes & CLASS_USER)
		want_user(p, &list);
	qsort(list.names.entries, list.names.n, sizeof(*list.names.entries), by_name);
	for (size_t i = 0; i < list.names.n; i++)
		show(p, list.names.entries[i].name);
}

void postconf_show_main(struct postconf *p, char **names)
{
	if (!*names)
		show_all(p);
	for (; *names; names++) {
		size_t n;
		struct str name = str_c(*names);

		if (param_find(name) || (names_is_known(&p->names, name) &&
						(dict_find(&p->conf->main, name) || param_of_service(name, &n))))
			show(p, name);
		else
			postconf_warn("%s: unknown parameter", *names);
	}
}

/* One argument of -e, -X or -# for main.cf. */
static struct edit edit_of(const struct postconf *p, char *arg)
{
	struct edit e = { .found = 0 };
	struct str text = str_trim(str_c(arg));
	const char *wrong;

	if (strchr(arg, '\n'))
		postconf_die("-e, -X, or -# accepts no multi-line input");
	if (text.n && text.p[0] == '#')
		postconf_die("-e, -X, or -# accepts no comment input");
	if (p->set) {
		wrong = split_name_value(text, &e.name, &e.value);
		if (wrong)
			postconf_die("%s: \"%s\"", wrong, arg);
		return e;
	}
	if (text.n == 0)
		postconf_die("-X or -# requires non-blank parameter names");
	if (str_chr(text, '=') >= 0)
		postconf_die("-X or -# requires parameter names without value");
	e.name = text;
	return e;
}

void postconf_edit_main(struct postconf *p, char **args)
{
	const char *path = arena_printf(p->mem, "%s/main.cf", p->dir);
	struct buf text = BUF_INIT(64 * 1024 * 1024), out = BUF_INIT(64 * 1024 * 1024);
	struct edit *edits;
	size_t n = 0;

	while (args[n])
		n++;
	edits = arena_array(p->mem, n, sizeof(*edits));
	for (size_t i = 0; i < n; i++) {
		edits[i] = edit_of(p, args[i]);
		for (size_t k = 0; p->set && k < i; k++)
			if (str_eq(edits[k].name, edits[i].name) && !str_eq(edits[k].value, edits[i].value))
				postconf_warn("ignoring earlier request: '%.*s = %.*s'", STR_ARG(edits[k].name),
					STR_ARG(edits[k].value));
	}
	if (edit_begin(path, &postconf_edit) || edit_read_file(path, &text))
		postconf_die("open %s for reading: %s", path, strerror(errno));
	if (edit_main_cf(buf_str(&text), p->set ? EDIT_SET : p->remove ? EDIT_REMOVE : EDIT_COMMENT, edits, n, &out))
		postconf_die("%s: larger than 64 MiB", path);
	for (size_t i = 0; i < n; i++)
		if (edits[i].found > 1)
			postconf_warn("%s: multiple entries for \"%.*s\"", path, STR_ARG(edits[i].name));
	if (edit_commit(&postconf_edit, buf_str(&out)))
		postconf_die("write %s: %s", path, strerror(errno));
	buf_free(&text);
	buf_free(&out);
}
