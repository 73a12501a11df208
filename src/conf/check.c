/*
 * check.c - every value against its type, before anything starts: all faults of both files in one list, and what is
 * named but unknown as warnings.
 */
#include "conf/conf_impl.h"

const char *conf_wrong_value(const struct conf_view *v, struct str name, struct str raw, struct arena *mem)
{
	struct buf out = BUF_INIT(1024 * 1024), why = BUF_INIT(4096);
	const struct param *p = param_find(name);
	const char *wrong = NULL;
	size_t n;

	p = p ? p : param_of_service(name, &n);
	if (p && p->type == PARAM_RAW)
		return NULL;
	if (expand(v, raw, &out, &why))
		wrong = arena_cdup(mem, buf_str(&why));
	else if (p)
		wrong = value_check(p, out.n ? out.p : "", mem);
	buf_free(&out);
	buf_free(&why);
	return wrong;
}

static void check_dict(struct conf *c, const struct names *names, const struct conf_view *v, const char *file)
{
	const struct dict *d = v->service_name ? v->own : &c->main;

	for (size_t i = 0; i < d->n; i++) {
		const struct dict_entry *e = &d->entries[i];
		const char *wrong;

		if (!names_is_known(names, e->name))
			continue;
		wrong = conf_wrong_value(v, e->name, e->value, names->mem);
		if (wrong)
			conf_error(c, file, e->line, "%.*s = %.*s: %s", STR_ARG(e->name), STR_ARG(e->value), wrong);
	}
}

/* Defaults that follow other parameters, and values of main.cf as a service with own settings sees them. */
static void check_all(struct conf *c, const struct conf_view *v, const char *file, unsigned line, struct arena *mem)
{
	const struct param *const *rows;
	size_t n = params_all(&rows);
	struct str raw;

	for (size_t i = 0; i < n; i++) {
		const char *wrong;

		view_raw(v, str_c(rows[i]->name), &raw);
		if (str_chr(raw, '$') < 0)
			continue;
		wrong = conf_wrong_value(v, str_c(rows[i]->name), raw, mem);
		if (wrong)
			conf_error(c, file, line, "%s = %.*s%s: %s", rows[i]->name, STR_ARG(raw),
				v->service_name ? " (with the -o of this service)" : " (its default)", wrong);
	}
}

struct warner {
	struct names_report report; /* first */
	struct conf *c;
};

static void warn_unused(struct names_report *r, const char *file, unsigned line, struct str name, struct str value)
{
	const char *guess = param_guess(name);

	conf_warning(container_of(r, struct warner, report)->c, file, line, "unused parameter: %.*s=%.*s%s%s%s",
		STR_ARG(name), STR_ARG(value), guess ? "; did you mean " : "", guess ? guess : "", guess ? "?" : "");
}

static void warn_undefined(struct names_report *r, const char *file, unsigned line, struct str name, struct str value)
{
	const char *guess = param_guess(name);

	(void)value;
	conf_warning(container_of(r, struct warner, report)->c, file, line, "undefined parameter: %.*s%s%s%s",
		STR_ARG(name), guess ? "; did you mean " : "", guess ? guess : "", guess ? "?" : "");
}

void conf_check(struct conf *c)
{
	struct arena *mem = arena_new(16384);
	struct warner unused = { { warn_unused }, c }, undefined = { { warn_undefined }, c };
	struct names names;

	names_collect(&names, c, mem);
	check_dict(c, &names, &c->main_view, "main.cf");
	for (size_t i = 0; i < c->n_rows; i++)
		check_dict(c, &names, c->services[i].view, "master.cf");
	if (!c->failed)
		check_all(c, &c->main_view, "main.cf", 0, mem);
	for (size_t i = 0; !c->failed && i < c->n_rows; i++)
		if (c->services[i].view->own->n)
			check_all(c, c->services[i].view, "master.cf", c->services[i].line, mem);
	names_unused(&names, &unused.report);
	names_undefined(&names, &undefined.report, false);
	arena_free(&mem);
}
