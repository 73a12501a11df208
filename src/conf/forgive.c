/*
 * forgive.c - main.cf for a program that asks an instance, which runs with the configuration of before: a fault is passed over,
 * and what has one counts as not set.
 */
#include "conf/conf_impl.h"

/* One look at all of them. Returns how many were wrong. */
static size_t forgive_once(struct conf *c)
{
	struct arena *mem = arena_new(16384);
	struct names names;
	size_t before = c->main.n, i = 0;

	names_collect(&names, c, mem);
	while (i < c->main.n) {
		struct dict_entry *e = &c->main.entries[i];
		const char *wrong = NULL;

		if (names_is_known(&names, e->name))
			wrong = conf_wrong_value(&c->main_view, e->name, e->value, mem);
		if (wrong) {
			conf_error(
				c, "main.cf", e->line, "%.*s = %.*s: %s", STR_ARG(e->name), STR_ARG(e->value), wrong);
			dict_remove(&c->main, e->name); /* at once: what is made of it sees its default */
		} else {
			i++;
		}
	}
	*c->main_view.cache = (struct dict){ .mem = c->mem }; /* what was expanded with these is out of date */
	arena_free(&mem);
	return before - c->main.n;
}

void conf_forgive(struct conf *c)
{
	/* A default may be made of a value that only then turns out to be wrong. */
	while (forgive_once(c) > 0)
		;
}

enum { DEPTH_MAX = 100 };

struct ancestors {
	struct name_seer seer; /* first */
	const struct conf *c;
	struct dict known; /* names that stand alone: looked at once, however often they are mentioned */
	unsigned depth;
	bool missing;
};

static void look_at(struct name_seer *s, struct str name, bool is_test)
{
	struct ancestors *a = container_of(s, struct ancestors, seer);
	const struct dict_entry *e = dict_find(&a->c->main, name);

	(void)is_test; /* that it is not set may be the fault */
	if (a->missing || dict_find(&a->known, name))
		return;
	if (e == NULL || a->depth == DEPTH_MAX) {
		a->missing = e != NULL || !str_eq(name, STR("config_directory"));
		return;
	}
	a->depth++;
	expand_scan(e->value, s, NULL);
	a->depth--;
	dict_set(&a->known, e->name, e->value, 0);
}

bool conf_stands_alone(const struct conf *c, struct str name)
{
	struct arena *mem = arena_new(1024);
	struct ancestors a = { { look_at }, c, { .mem = mem }, 0, false };

	if (dict_find(&c->main, name))
		look_at(&a.seer, name, false);
	else
		a.missing = true;
	arena_free(&mem);
	return !a.missing;
}
