/* names.c - which names of main.cf and of -o are used, and which are used without being there. */
#include "conf/conf_impl.h"

struct collector {
	struct name_seer seer; /* first */
	struct names *names;
};

static void collect_name(struct name_seer *s, struct str name, bool is_test)
{
	struct names *n = container_of(s, struct collector, seer)->names;

	(void)is_test;
	if (!dict_find(&n->used, name))
		dict_set(&n->used, arena_dup(n->mem, name), STR(""), 0);
}

/* The "x" of mysql:x, unless it is a path. */
static void collect_prefixes(struct names *n, struct str value)
{
	static const char *const types[] = { "ldap:", "mysql:", "pgsql:", "sqlite:", "memcache:", "mongodb:" };
	struct str *words;
	size_t count = conf_words(value, n->mem, &words);

	for (size_t i = 0; i < count; i++) {
		struct str w = words[i];

		if (str_has_prefix(w, STR("proxy:")))
			w = str_from(w, 6);
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
			if (str_has_prefix(w, str_c(types[t])) && str_chr(w, '/') < 0)
				dict_set(&n->prefixes, str_from(w, strlen(types[t])), STR(""), 0);
	}
}

static void collect_value(struct names *n, struct str value)
{
	struct collector col = { { collect_name }, n };

	expand_scan(value, &col.seer, NULL);
	collect_prefixes(n, value);
}

void names_collect(struct names *n, const struct conf *c, struct arena *mem)
{
	const char *classes = conf_lookup(&c->main_view, "smtpd_restriction_classes");
	struct str *words;
	size_t count = conf_words(str_c(classes), mem, &words), rows_n;
	const struct param *const *rows;

	*n = (struct names){ .c = c, .mem = mem, .used = { .mem = mem }, .prefixes = { .mem = mem } };
	for (size_t i = 0; i < count; i++)
		dict_set(&n->used, words[i], STR(""), 0);
	/* Old names that a default falls back on, like $virtual_maps. */
	rows_n = params_all(&rows);
	for (size_t i = 0; i < rows_n; i++)
		if (strchr(rows[i]->initial, '$'))
			collect_value(n, str_c(rows[i]->initial));
	for (size_t i = 0; i < c->main.n; i++)
		collect_value(n, c->main.entries[i].value);
	for (size_t s = 0; s < c->n_rows; s++)
		for (size_t i = 0; i < c->services[s].view->own->n; i++)
			collect_value(n, c->services[s].view->own->entries[i].value);
}

/* SERVICE_suffix of a delivery service that master.cf has. */
static bool is_of_service(const struct conf *c, struct str name)
{
	size_t n;
	const struct param *p = param_of_service(name, &n);

	if (!p)
		return false;
	for (size_t i = 0; i < c->n_rows; i++)
		if (str_eq(str_sub(name, 0, n), str_c(c->services[i].name)) &&
			param_is_of_process(p->name, c->services[i].view->process_name))
			return true;
	return !c->has_master;
}

bool names_is_known(const struct names *n, struct str name)
{
	if (param_find(name) || dict_find(&n->used, name) || is_of_service(n->c, name))
		return true;
	for (size_t i = 0; i < n->prefixes.n; i++) {
		struct str prefix = n->prefixes.entries[i].name;

		if (prefix.n && prefix.n + 1 < name.n && str_has_prefix(name, prefix) && name.p[prefix.n] == '_')
			return true;
	}
	return false;
}

bool names_is_known_in(const struct names *n, const struct conf_service *s, struct str name)
{
	(void)s; /* a name that another service uses is taken for known here too */
	return names_is_known(n, name);
}

bool names_is_defined(const struct names *n, const struct conf_view *v, struct str name)
{
	struct str raw;

	return param_find(name) || dict_find(v->own, name) || dict_find(&n->c->main, name) || view_raw(v, name, &raw);
}

void names_unused(const struct names *n, struct names_report *r)
{
	for (size_t i = 0; i < n->c->main.n; i++) {
		const struct dict_entry *e = &n->c->main.entries[i];

		if (!names_is_known(n, e->name))
			r->each(r, "main.cf", e->line, e->name, e->value);
	}
	for (size_t s = 0; s < n->c->n_rows; s++)
		for (size_t i = 0; i < n->c->services[s].view->own->n; i++) {
			const struct dict_entry *e = &n->c->services[s].view->own->entries[i];

			if (!names_is_known_in(n, &n->c->services[s], e->name))
				r->each(r, "master.cf", e->line, e->name, e->value);
		}
}

struct undefined {
	struct name_seer seer; /* first */
	const struct names *names;
	const struct conf_view *view;
	struct names_report *report;
	const char *file;
	unsigned line;
	struct dict *told;
	bool tests;
};

static void look_undefined(struct name_seer *s, struct str name, bool is_test)
{
	struct undefined *u = container_of(s, struct undefined, seer);

	if ((is_test && !u->tests) || names_is_defined(u->names, u->view, name) || dict_find(u->told, name))
		return;
	dict_set(u->told, arena_dup(u->names->mem, name), STR(""), 0);
	u->report->each(u->report, u->file, u->line, name, STR(""));
}

static void scan_dict(struct undefined *u, const struct dict *d)
{
	for (size_t i = 0; i < d->n; i++) {
		if (param_is_raw(d->entries[i].name))
			continue;
		u->line = d->entries[i].line;
		expand_scan(d->entries[i].value, &u->seer, NULL);
	}
}

void names_undefined(const struct names *n, struct names_report *r, bool tests)
{
	struct dict told = { .mem = n->mem };
	struct undefined u = { { look_undefined }, n, &n->c->main_view, r, "main.cf", 0, &told, tests };

	scan_dict(&u, &n->c->main);
	u.file = "master.cf";
	for (size_t i = 0; i < n->c->n_rows; i++) {
		u.view = n->c->services[i].view;
		scan_dict(&u, u.view->own);
	}
}
