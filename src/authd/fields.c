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
	static const char *const off[] = { "0", "n", "no", "f", "false", "off" };
	const struct sql_field *f = row ? sql_field_find(row, name) : NULL;

	if (f == NULL || f->is_null)
		return false;
	/* "nologin=" shuts a user out, as with Dovecot; what lets everybody in has to be said. */
	if (f->value.n == 0)
		return strcmp(name, "nopassword") != 0;
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

/* ---- what a row imports ---- */

static bool is_import(struct str name, bool is_passdb)
{
	return is_passdb ? str_ieq(name, STR("passdb_import")) || str_ieq(name, STR("userdb_userdb_import"))
			 : str_ieq(name, STR("userdb_import"));
}

static size_t count_tabs(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\t';
	return n;
}

/* "name=value", or "name" alone. An import within one is none any more. */
static void add_imported(struct sql_row *row, struct str word, bool is_userdb, struct arena *mem)
{
	ptrdiff_t eq = str_chr(word, '=');
	struct str name = eq < 0 ? word : str_sub(word, 0, (size_t)eq);

	if (name.n == 0)
		return;
	if (is_userdb)
		name = str_c(arena_printf(mem, "userdb_%.*s", STR_ARG(name)));
	row->field[row->n++] =
		(struct sql_field){ .name = name, .value = eq < 0 ? STR("yes") : str_from(word, (size_t)eq + 1) };
}

const struct sql_row *fields_import(const struct sql_row *row, bool is_passdb, struct arena *mem)
{
	struct sql_row *all;
	size_t n = 0;
	bool has_import = false;

	for (size_t i = 0; row && i < row->n; i++) {
		has_import |= is_import(row->field[i].name, is_passdb);
		n += 1 + count_tabs(row->field[i].value);
	}
	if (!has_import)
		return row;
	all = arena_alloc(mem, sizeof *all);
	all->field = arena_array(mem, n, sizeof *all->field);
	all->next = row->next;
	for (size_t i = 0; i < row->n; i++) {
		const struct sql_field *f = &row->field[i];
		struct str rest = f->value, word;

		if (!is_import(f->name, is_passdb)) {
			all->field[all->n++] = *f;
			continue;
		}
		while (!f->is_null && str_field(&rest, "\t", &word))
			add_imported(all, word, str_ieq(f->name, STR("userdb_userdb_import")), mem);
	}
	return all;
}

/* ---- fields with a meaning here ---- */

bool fields_is_own(struct str name)
{
	static const char *const own[] = { "password", "password_noscheme", "nopassword", "user", "username", "domain",
		"allow_nets", "allow_real_nets", "noauthenticate", "nodelay", "delay_until", "fail", "nologin",
		"reason", "login_user", "check_client_fp", "check_client_cert_fp", "check_client_pubkey_fp",
		"k5principals" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (str_ieq(name, str_c(own[i])))
			return true;
	return str_has_iprefix(name, STR("userdb_")) || str_has_iprefix(name, STR("event_"));
}

static struct str renamed(struct str user, struct str name, struct str value, struct arena *mem)
{
	ptrdiff_t at = str_chr(user, '@');
	struct str local = at < 0 ? user : str_sub(user, 0, (size_t)at),
		   domain = at < 0 ? STR("") : str_from(user, (size_t)at);

	if (str_ieq(name, STR("user")))
		return value;
	if (str_ieq(name, STR("username")))
		return str_chr(value, '@') >= 0 ? value
						: str_c(arena_printf(mem, "%.*s%.*s", STR_ARG(value), STR_ARG(domain)));
	if (str_ieq(name, STR("domain")))
		return str_c(arena_printf(mem, "%.*s@%.*s", STR_ARG(local), STR_ARG(value)));
	return user;
}

struct str fields_user(const struct sql_row *row, struct str user, bool is_passdb, struct arena *mem)
{
	for (size_t i = 0; row && i < row->n; i++) {
		const struct sql_field *f = &row->field[i];
		bool is_userdb = is_passdb && str_has_iprefix(f->name, STR("userdb_"));

		if (!f->is_null && f->value.n)
			user = renamed(user, is_userdb ? str_from(f->name, 7) : f->name, f->value, mem);
	}
	return user;
}
