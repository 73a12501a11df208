#include "authd/upgrade.h"

#include "auth/password.h"
#include "authd/renew.h"
#include "base/log.h"

#include <stdlib.h>

enum { STORED_MAX = 4096, UPGRADES_MAX = 64 };

struct upgrade { /* one that is under way */
	struct authd *a;
	size_t i;
	struct arena *mem;
	struct vars vars;
	struct str plain;
	struct buf made;
	int error;
	struct job job;
	struct lookup lookup;
};

/* From what falls to a list of words, to what costs memory and time. A scheme that is not here stays. */
static const struct {
	const char *prefix;
	unsigned worth;
} worths[] = {
	{ "PLAIN-MD", 1 },
	{ "PLAIN-TRUNC", 0 }, /* not all of it is known to be right */
	{ "PLAIN", 1 },
	{ "CLEAR", 1 },
	{ "MD5-CRYPT", 2 },
	{ "MD5", 1 },
	{ "LDAP-MD5", 1 },
	{ "SMD5", 1 },
	{ "DES-CRYPT", 0 }, /* eight octets of it are known to be right */
	{ "SHA512-CRYPT", 3 },
	{ "SHA256-CRYPT", 3 },
	{ "SHA", 1 },
	{ "SSHA", 1 },
	{ "PBKDF2", 2 },
	{ "BLF-CRYPT", 4 },
	{ "ARGON2", 5 },
};

static unsigned worth_of(struct str scheme)
{
	for (size_t i = 0; i < sizeof worths / sizeof *worths; i++)
		if (str_has_iprefix(scheme, str_c(worths[i].prefix)))
			return worths[i].worth;
	return 0;
}

/* What takes all that crypt(3) knows is what its data say. */
static struct str crypt_scheme(struct str data)
{
	static const struct {
		const char *prefix, *scheme;
	} forms[] = { { "$1$", "MD5-CRYPT" }, { "$5$", "SHA256-CRYPT" }, { "$6$", "SHA512-CRYPT" },
		{ "$2", "BLF-CRYPT" }, { "$argon2", "ARGON2ID" } };

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (str_has_prefix(data, str_c(forms[i].prefix)))
			return str_c(forms[i].scheme);
	return STR("DES-CRYPT");
}

bool upgrade_is_weaker(struct str stored, struct str default_scheme, const char *scheme)
{
	ptrdiff_t end = stored.n && stored.p[0] == '{' ? str_chr(stored, '}') : -1;
	struct str name = end > 0 ? str_sub(stored, 1, (size_t)end - 1) : default_scheme;
	unsigned worth;

	if (str_ieq(name, STR("CRYPT")) || str_ieq(name, STR("SHA512-CRYPT")) || str_ieq(name, STR("SHA256-CRYPT")))
		name = crypt_scheme(end > 0 ? str_from(stored, (size_t)end + 1) : stored);
	worth = worth_of(name);
	return worth > 0 && worth < worth_of(str_c(scheme));
}

static void end(struct upgrade *u)
{
	u->a->n_upgrades--;
	buf_wipe(&u->made);
	arena_wipe(&u->mem);
	free(u);
}

static void on_written(struct lookup *l)
{
	struct upgrade *u = container_of(l, struct upgrade, lookup);

	if (l->result == LOOKUP_DONE) {
		log_info("auth: the stored password of %.*s is of scheme %s now", STR_ARG(u->vars.user),
			u->a->set->upgrade_scheme);
		/* What was beside the old hash is not good any more. */
		u->vars.pass = u->plain;
		renew_maybe(u->a, u->i, buf_str(&u->made), &u->vars);
	}
	end(u);
}

static void make(struct job *j)
{
	struct upgrade *u = container_of(j, struct upgrade, job);

	u->error = password_make(str_c(u->a->set->upgrade_scheme), u->vars.pass, &u->made);
}

static void on_made(struct job *j, bool dropped)
{
	struct upgrade *u = container_of(j, struct upgrade, job);

	if (dropped || u->error < 0) {
		end(u);
		return;
	}
	u->plain = u->vars.pass;
	u->vars.pass = buf_str(&u->made);
	u->lookup.done = on_written;
	if (lookup_write(&u->lookup, &u->a->passdb[u->i], "update_query", &u->a->set->passdb[u->i].sql.update_query,
		    &u->vars, u->mem) < 0)
		end(u);
}

static const struct sql_row *copy_row(const struct sql_row *row, struct arena *mem)
{
	struct sql_row *copy = arena_alloc(mem, sizeof *copy);

	copy->n = row->n;
	copy->field = arena_array(mem, row->n ? row->n : 1, sizeof *copy->field);
	for (size_t i = 0; i < row->n; i++) {
		copy->field[i].name = arena_dup(mem, row->field[i].name);
		copy->field[i].value = arena_dup(mem, row->field[i].value);
		copy->field[i].is_null = row->field[i].is_null;
	}
	return copy;
}

bool upgrade_is_due(const struct authd *a, size_t i, struct str stored, const struct vars *v)
{
	const struct db *db = &a->set->passdb[i];

	return *a->set->upgrade_scheme && db->kind == DB_SQL && db->sql.update_query.sql &&
	       a->n_upgrades < UPGRADES_MAX && v->pass.n &&
	       upgrade_is_weaker(stored, str_c(db->sql.scheme), a->set->upgrade_scheme);
}

void upgrade_maybe(struct authd *a, size_t i, struct str stored, const struct sql_row *row, const struct vars *v)
{
	struct upgrade *u;

	if (!upgrade_is_due(a, i, stored, v))
		return;
	u = xcalloc(1, sizeof *u);
	u->a = a;
	u->i = i;
	u->mem = arena_new(0);
	u->made = BUF_INIT(STORED_MAX);
	u->vars.service = arena_dup(u->mem, v->service);
	u->vars.remote_ip = arena_dup(u->mem, v->remote_ip);
	u->vars.orig_user = arena_dup(u->mem, v->orig_user);
	u->vars.pass = arena_dup(u->mem, v->pass);
	u->vars.passdb = copy_row(row, u->mem);
	vars_set_user(&u->vars, arena_dup(u->mem, v->user));
	u->job = (struct job){ .run = make, .done = on_made };
	a->n_upgrades++;
	if (pool_submit(&a->hashes, &u->job, u->vars.user, u->vars.remote_ip) < 0)
		end(u);
}
