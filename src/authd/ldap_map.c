#include "authd/ldap_map.h"

#include "base/buf.h"

struct ldap_field {
	const char *attr; /* "": none */
	struct template name;
	bool has_template;
	struct template value;
	bool is_unset_when_empty;
	struct ldap_field *next;
};

void ldap_map_init(struct ldap_map *m)
{
	*m = (struct ldap_map){ .last = &m->first, .attrs = "" };
}

/* ---- which attributes ---- */

static bool is_attr_octet(char c)
{
	/* RFC 4512 sec. 2.5: a name or OID, with options. */
	return ascii_is_alnum(c) || c == '-' || c == ';' || c == '.' || c == '_';
}

static void want(struct ldap_map *m, struct str attr, struct arena *mem)
{
	struct str rest = str_c(m->attrs), word;

	if (attr.n == 0 || str_ieq(attr, STR("dn")))
		return;
	while (str_word(&rest, " ", &word))
		if (str_ieq(word, attr))
			return;
	m->attrs = arena_printf(mem, "%s %.*s", m->attrs, STR_ARG(attr));
}

/* Those in a template: %{ldap:NAME}, wherever it stands in it. True: there is one. */
static bool want_in(struct ldap_map *m, struct str text, struct arena *mem)
{
	bool found = false;

	for (size_t i = 0; i < text.n; i++) {
		struct str at = str_from(text, i);
		size_t skip = str_has_prefix(at, STR("ldap:"))	       ? 5
			      : str_has_prefix(at, STR("ldap_multi:")) ? 11
								       : 0,
		       n = skip;

		while (skip && n < at.n && is_attr_octet(at.p[n]))
			n++;
		if (n > skip)
			want(m, str_sub(at, skip, n - skip), mem);
		found |= n > skip;
	}
	return found;
}

/* ---- reading ---- */

static struct ldap_field *add(struct ldap_map *m, struct arena *mem)
{
	struct ldap_field *f = arena_alloc(mem, sizeof *f);

	*m->last = f;
	m->last = &f->next;
	return f;
}

static int set_template(struct ldap_map *m, struct ldap_field *f, struct str text, struct arena *mem, const char **why)
{
	if (template_compile(text, mem, &f->value, why) < 0)
		return -1;
	f->has_template = true;
	f->is_unset_when_empty = want_in(m, text, mem);
	return 0;
}

static int take_entry(struct ldap_map *m, struct str entry, const char *skip, struct arena *mem, const char **why)
{
	ptrdiff_t eq = str_chr(entry, '=');
	struct str attr = eq < 0 ? entry : str_sub(entry, 0, (size_t)eq),
		   name = eq < 0 ? entry : str_from(entry, (size_t)eq + 1), text = { 0 };
	struct ldap_field *f;

	if (eq < 0 && attr.p[0] == '!') {
		want(m, str_from(attr, 1), mem);
		return 0;
	}
	if (str_chr(entry, '@') >= 0 && (entry.p[0] == '@' || str_chr(attr, '@') >= 0)) {
		*why = arena_printf(
			mem, "\"%.*s\": entries that an attribute points to are not looked up", STR_ARG(entry));
		return -1;
	}
	eq = str_chr(name, '=');
	if (eq >= 0) {
		text = str_from(name, (size_t)eq + 1);
		name = str_sub(name, 0, (size_t)eq);
	}
	if (name.n == 0) {
		*why = arena_printf(mem, "\"%.*s\" names no field; it should be \"attribute=field\"", STR_ARG(entry));
		return -1;
	}
	if (skip && str_eq(name, str_c(skip)))
		return 0;
	f = add(m, mem);
	f->attr = arena_cdup(mem, attr);
	want(m, attr, mem);
	want_in(m, name, mem);
	if (template_compile(name, mem, &f->name, why) < 0)
		return -1;
	if (eq < 0)
		return attr.n ? 0 : set_template(m, f, STR(""), mem, why);
	if (str_chr(text, '%') < 0)
		text = str_c(arena_printf(mem, "%.*s%%$", STR_ARG(text)));
	if (set_template(m, f, text, mem, why) < 0)
		return -1;
	f->is_unset_when_empty = false; /* as Dovecot 2.3 has it */
	return 0;
}

int ldap_map_parse(struct ldap_map *m, struct str text, const char *skip, struct arena *mem, const char **why)
{
	struct str entry;

	text = arena_dup(mem, text);
	while (str_word(&text, ",", &entry)) {
		entry = str_trim(entry);
		if (entry.n && take_entry(m, entry, skip, mem, why) < 0)
			return -1;
	}
	return 0;
}

int ldap_map_add(struct ldap_map *m, const char *name, struct str text, struct arena *mem, const char **why)
{
	struct ldap_field *f = add(m, mem);

	f->attr = "";
	f->name = (struct template){ 0 };
	if (template_compile(str_c(name), mem, &f->name, why) < 0)
		return -1;
	return set_template(m, f, text, mem, why);
}

/* ---- use ---- */

static struct str value_of(const struct sql_row *entry, const char *attr, bool *found, const char **several)
{
	struct str value = { 0 };

	*found = false;
	for (size_t i = 0; *attr && i < entry->n; i++) {
		if (!str_ieq(entry->field[i].name, str_c(attr)))
			continue;
		if (*found)
			*several = attr;
		else
			value = entry->field[i].value;
		*found = true;
	}
	return value;
}

static void make(const struct ldap_field *f, const struct vars *v, struct arena *mem, struct sql_field *out,
	const char **several)
{
	struct vars own = *v;
	bool found;

	own.ldap_value = value_of(v->ldap, f->attr, &found, several);
	out->name = template_expand(&f->name, v, mem);
	out->is_null = *f->attr && !found;
	if (f->has_template && !out->is_null) {
		out->value = template_expand(&f->value, &own, mem);
		out->is_null = f->is_unset_when_empty && out->value.n == 0;
	} else if (!out->is_null) {
		out->value = own.ldap_value;
	}
}

struct sql_row *ldap_map_row(const struct ldap_map *m, const struct sql_row *entry, const struct vars *v,
	struct arena *mem, const char **several)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);
	struct vars own = *v;
	size_t n = 0;

	for (const struct ldap_field *f = m->first; f; f = f->next)
		n++;
	row->field = arena_array(mem, n ? n : 1, sizeof *row->field);
	own.ldap = entry;
	*several = NULL;
	for (const struct ldap_field *f = m->first; f; f = f->next) {
		struct sql_field *out = &row->field[row->n++];

		make(f, &own, mem, out, several);
		if (!out->is_null && str_ieq(out->name, STR("user")))
			vars_set_user(&own, out->value);
	}
	return row;
}

static void add_user(struct sql_row ***last, struct str user, struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);

	row->field = arena_alloc(mem, sizeof *row->field);
	row->field->name = STR("user");
	row->field->value = user;
	row->n = 1;
	**last = row;
	*last = &row->next;
}

struct sql_row *ldap_map_users(const struct ldap_map *m, const struct sql_row *entries, struct arena *mem)
{
	struct sql_row *first = NULL, **last = &first;

	for (; entries; entries = entries->next) {
		struct vars v = { .ldap = entries };

		for (const struct ldap_field *f = m->first; f; f = f->next) {
			struct sql_field made = { 0 };
			const char *several;

			if (!str_ieq(template_expand(&f->name, &v, mem), STR("user")))
				continue;
			make(f, &v, mem, &made, &several);
			if (f->has_template && !made.is_null && made.value.n)
				add_user(&last, made.value, mem);
			for (size_t i = 0; !f->has_template && i < entries->n; i++)
				if (str_ieq(entries->field[i].name, str_c(f->attr)) && entries->field[i].value.n)
					add_user(&last, entries->field[i].value, mem);
		}
	}
	return first;
}
