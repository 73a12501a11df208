#include "authd/verify.h"

#include "authd/db.h"
#include "authd/db_ldap.h"
#include "authd/filter.h"
#include "authd/ldap_text.h"
#include "authd/pam.h"
#include "base/log.h"

static const struct db *db_of(const struct login *l)
{
	return &l->authd->set->passdb[l->passdb];
}

bool verify_is_own(const struct db *db)
{
	return db->kind == DB_PAM || db->kind == DB_OAUTH2 || (db->kind == DB_LDAP && db->ldap->binds);
}

bool verify_is_alone(const struct db *db)
{
	return db->kind == DB_PAM || db->kind == DB_OAUTH2 || (db->kind == DB_LDAP && db->ldap->has_userdn);
}

/* ---- what was right before ---- */

/* Whom it was asked about, beside the user and his password: the entry, or what the setting cache_key says. "": no cache. */
static struct str subject(const struct login *l)
{
	const struct db *db = db_of(l);

	if (db->kind == DB_PAM)
		return template_expand(&db->pam->cache_key, &l->vars, l->mem);
	return db->kind == DB_OAUTH2 ? STR("grant") : l->lookup.dn;
}

static struct str cache_key(const struct login *l)
{
	struct str what = subject(l);
	struct verdict_key key;

	if (l->authd->cache == NULL || what.n == 0)
		return (struct str){ 0 };
	verdict_key(l->authd->verdicts, l->vars.user, l->vars.pass, what, &key);
	return str_c(arena_printf(l->mem, "verified:%zu:%.*s", l->passdb,
		STR_ARG(filter_hex(l->mem, str_pn(key.octets, sizeof key.octets)))));
}

/* What it says of the user beside that; a directory has said it before. */
static void take_row(struct login *l, const struct sql_row *row)
{
	if (db_of(l)->kind != DB_LDAP)
		l->row = db_fields(db_of(l), row, &l->vars, true, l->mem);
}

/* The password was right, and is remembered; late_ms: row_cache.h. */
static bool is_remembered(struct login *l, int64_t late_ms)
{
	struct sql_row *row;
	struct str key = cache_key(l);

	if (key.n == 0 || !row_cache_get(l->authd->cache, key, uv_now(l->authd->child.loop), late_ms, l->mem, &row))
		return false;
	take_row(l, row);
	return true;
}

static void remember(struct login *l, struct sql_row *row)
{
	struct sql_row none = { 0 };
	struct str key = cache_key(l);

	if (key.n)
		row_cache_put(l->authd->cache, key, l->vars.user, row ? row : &none, uv_now(l->authd->child.loop));
}

/* It was right once: that is over, also for when the passdb does not work. */
static void forget(struct login *l)
{
	struct str key = cache_key(l);

	if (key.n)
		row_cache_forget(l->authd->cache, key);
}

static void end(struct login *l, enum db_result r, const char *why)
{
	if (r != DB_OK && r != DB_FAILED)
		forget(l);
	if (r == DB_FAILED && is_remembered(l, (int64_t)l->authd->set->cache_ttl_ms))
		r = DB_OK;
	check_verified(l, r, r == DB_OK ? NULL : why);
}

/* ---- a directory ---- */

static void take_bind(struct login *l)
{
	if (l->bind.result == LOOKUP_FAILED) {
		end(l, DB_FAILED, NULL);
		return;
	}
	if (l->bind.rows)
		remember(l, NULL);
	end(l, l->bind.rows ? DB_OK : DB_MISMATCH, NULL);
}

static void on_bind(struct lookup *bind)
{
	struct login *l = container_of(bind, struct login, bind);

	if (l->client == NULL)
		login_free(l);
	else
		take_bind(l);
}

static void bind_user(struct login *l)
{
	const struct db *db = db_of(l);

	if (db->ldap->has_userdn)
		l->lookup.dn = ldap_dn_expand(&db->ldap->userdn, &l->vars, l->mem);
	if (is_remembered(l, 0)) {
		end(l, DB_OK, NULL);
		return;
	}
	l->bind = (struct lookup){ .done = on_bind };
	if (db_ldap_bind(&l->bind, l->authd, l->passdb, l->lookup.dn, &l->vars, l->mem))
		take_bind(l);
}

/* ---- PAM ---- */

void verify_pam_answer(struct login *l, const struct pam_answer *a)
{
	static const enum db_result results[] = { [PAM_SAYS_OK] = DB_OK,
		[PAM_SAYS_NO] = DB_MISMATCH,
		[PAM_SAYS_UNKNOWN] = DB_UNKNOWN,
		[PAM_SAYS_FAILED] = DB_FAILED };
	struct sql_field user = { .name = STR("user"), .value = arena_dup(l->mem, a->user) };
	struct sql_row row = { .field = &user, .n = a->user.n > 0 };

	if (l->client == NULL) {
		login_free(l);
		return;
	}
	if (a->result == PAM_SAYS_OK) {
		take_row(l, &row);
		remember(l, &row);
	}
	if (a->result != PAM_SAYS_OK && db_of(l)->pam->shows_message)
		l->reason = arena_dup(l->mem, a->message);
	end(l, results[a->result], a->why.n ? arena_cdup(l->mem, a->why) : NULL);
}

static void ask_pam(struct login *l)
{
	const char *why;

	if (is_remembered(l, 0))
		end(l, DB_OK, NULL);
	else if (pam_verify(l->authd, l, &why) < 0)
		end(l, DB_FAILED, why);
}

/* ---- a server that issues tokens ---- */

void verify_grant_answer(struct login *l, enum db_result r, struct sql_row *row, const char *why)
{
	if (r == DB_OK) {
		take_row(l, row);
		remember(l, row);
	}
	end(l, r, why);
}

static void ask_grant(struct login *l)
{
	if (is_remembered(l, false))
		end(l, DB_OK, NULL);
	else
		oauth2_grant(l);
}

void verify_start(struct login *l)
{
	bool is_of_master = l->chain.is_verified && l->vars.master_user.n > 0;

	if (l->wants_key || l->is_proven || is_of_master) {
		/* It has nothing that a mechanism could use, and cannot be asked without a password, which is that user's own. */
		check_next(l);
	} else if (db_of(l)->kind == DB_PAM) {
		ask_pam(l);
	} else if (l->vars.pass.n == 0) {
		end(l, DB_MISMATCH, "an empty password, which is never right here");
	} else if (db_of(l)->kind == DB_OAUTH2) {
		ask_grant(l);
	} else {
		bind_user(l);
	}
}
