#include "authd/db_ldap.h"

#include "authd/ldap_text.h"
#include "base/log.h"

static struct str *two(struct arena *mem, struct str a, struct str b)
{
	struct str *params = arena_array(mem, 2, sizeof *params);

	params[0] = a;
	params[1] = b;
	return params;
}

static struct lookup_question search_for(const struct db *db, bool is_passdb, const struct vars *v, struct arena *mem)
{
	const struct ldap_settings *s = db->ldap;

	return (struct lookup_question){ is_passdb ? "pass_filter" : "user_filter", s->search,
		two(mem, ldap_dn_expand(&s->base, v, mem), ldap_filter_expand(&s->filter, v, mem)), 2 };
}

/* Who is meant cannot be said. */
static void refuse_several(struct lookup *l, const struct sql_row *entries)
{
	log_warn("auth: %s: %s matches several entries for %.*s: %.*s, %.*s", l->db->sql.file, l->what,
		STR_ARG(l->vars->user), STR_ARG(sql_field_find(entries, "dn")->value),
		STR_ARG(sql_field_find(entries->next, "dn")->value));
	l->result = LOOKUP_FAILED;
	l->rows = NULL;
}

/* The entry becomes the fields that the block makes of it. */
static void shape(struct lookup *l)
{
	const struct sql_row *entry = l->result == LOOKUP_DONE ? l->rows : NULL;
	const char *several;

	if (entry == NULL)
		return;
	if (entry->next) {
		refuse_several(l, entry);
		return;
	}
	l->dn = sql_field_find(entry, "dn")->value;
	l->rows = ldap_map_row(&l->db->ldap->map, entry, l->vars, l->mem, &several);
	if (several)
		log_warn("auth: %s: %s of %.*s has several values; the first is taken", l->db->sql.file, several,
			STR_ARG(l->dn));
}

static void on_entries(struct lookup *l)
{
	shape(l);
	l->then(l);
}

int db_ldap_lookup(struct lookup *l, struct authd *a, bool is_passdb, size_t i, const struct vars *v, struct arena *mem,
	bool use_cache)
{
	const struct db *db = is_passdb ? &a->set->passdb[i] : &a->set->userdb[i];
	struct lookup_question q = search_for(db, is_passdb, v, mem);
	int there;

	l->db = db;
	l->vars = v;
	if (db->ldap->has_userdn) {
		/* There is nothing to be had but by a bind. */
		l->result = LOOKUP_DONE;
		l->rows = NULL;
		return 1;
	}
	l->then = l->done;
	l->done = on_entries;
	there = lookup_ask(l, is_passdb ? &a->passdb[i] : &a->userdb[i], &q, v, mem, SQL_MAX_ROWS,
		use_cache ? LOOKUP_CACHED : LOOKUP_FRESH);
	if (there)
		shape(l);
	return there;
}

static void on_list(struct lookup *l)
{
	if (l->result == LOOKUP_DONE)
		l->rows = ldap_map_users(&l->db->ldap->users, l->rows, l->mem);
	l->then(l);
}

int db_ldap_list(struct lookup *l, struct authd *a, size_t i, struct arena *mem)
{
	static const struct vars none;
	const struct db *db = &a->set->userdb[i];
	struct lookup_question q = { "iterate_filter", db->ldap->list,
		two(mem, ldap_dn_expand(&db->ldap->base, &none, mem),
			ldap_filter_expand(&db->ldap->users_filter, &none, mem)),
		2 };

	l->db = db;
	l->then = l->done;
	l->done = on_list;
	return lookup_ask(l, &a->userdb[i], &q, &none, mem, 0, LOOKUP_FRESH);
}

int db_ldap_bind(struct lookup *l, struct authd *a, size_t i, struct str dn, const struct vars *v, struct arena *mem)
{
	struct lookup_question q = { "auth_bind", "bind", two(mem, dn, v->pass), 2 };

	if (dn.n == 0 || v->pass.n == 0) {
		l->result = LOOKUP_DONE;
		l->rows = NULL;
		return 1;
	}
	return lookup_ask(l, &a->passdb[i], &q, v, mem, 1, LOOKUP_SECRET);
}

void db_ldap_check(struct authd *a, bool is_passdb, size_t i, struct arena *mem)
{
	const struct db *db = is_passdb ? &a->set->passdb[i] : &a->set->userdb[i];
	struct vars v = { 0 };
	struct lookup_question q;

	if (db->ldap->has_userdn)
		return;
	vars_set_user(&v, STR("nobody@invalid"));
	q = search_for(db, is_passdb, &v, mem);
	source_try(is_passdb ? &a->passdb[i] : &a->userdb[i], &q, mem);
}
