#include "authd/fields.h"

static struct sql_field *find(const struct sql_row *row, struct str name)
{
	for (size_t i = 0; i < row->n; i++)
		if (str_ieq(row->field[i].name, name))
			return &row->field[i];
	return NULL;
}

static void lay(struct sql_row *row, const struct sql_field *f)
{
	struct sql_field own = *f, *old;
	bool is_default = str_has_suffix(f->name, STR(":default")), is_remove = str_has_suffix(f->name, STR(":remove"));

	if (is_default || is_remove)
		own.name = str_sub(f->name, 0, (size_t)str_rchr(f->name, ':'));
	else if (str_has_suffix(f->name, STR(":protected")))
		own.name = str_sub(f->name, 0, f->name.n - 10);
	old = find(row, own.name);
	if (is_remove && old)
		*old = row->field[--row->n];
	if (is_remove || (is_default && old))
		return;
	if (old)
		*old = own;
	else
		row->field[row->n++] = own;
}

struct sql_row *fields_merge(const struct sql_row *base, const struct sql_row *more, struct arena *mem)
{
	struct sql_row *row = arena_alloc(mem, sizeof *row);
	size_t n = (base ? base->n : 0) + (more ? more->n : 0);

	row->field = arena_array(mem, n ? n : 1, sizeof *row->field);
	for (size_t i = 0; base && i < base->n; i++)
		lay(row, &base->field[i]);
	for (size_t i = 0; more && i < more->n; i++)
		if (!more->field[i].is_null)
			lay(row, &more->field[i]);
	return row;
}

struct sql_row *fields_expand(const struct db_fields *fields, const struct vars *v, struct arena *mem)
{
	struct sql_row *row;

	if (fields->n == 0)
		return NULL;
	row = arena_alloc(mem, sizeof *row);
	row->n = fields->n;
	row->field = arena_array(mem, fields->n, sizeof *row->field);
	for (size_t i = 0; i < fields->n; i++) {
		row->field[i].name = str_c(fields->field[i].key);
		row->field[i].value = template_expand(&fields->field[i].value, v, mem);
	}
	return row;
}

bool fields_is_set(const struct sql_row *row, const char *name)
{
	/* As databases write a boolean, too. */
	static const char *const off[] = { "", "0", "n", "no", "f", "false", "off" };
	const struct sql_field *f = row ? sql_field_find(row, name) : NULL;

	if (f == NULL || f->is_null)
		return false;
	for (size_t i = 0; i < sizeof off / sizeof *off; i++)
		if (str_ieq(f->value, str_c(off[i])))
			return false;
	return true;
}

struct str fields_get(const struct sql_row *row, const char *name)
{
	const struct sql_field *f = row ? sql_field_find(row, name) : NULL;

	return f && !f->is_null ? f->value : STR("");
}
