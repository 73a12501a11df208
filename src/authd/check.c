/* Is this name and password right: the passdb blocks in turn, each a lookup and a hash. */
#include "authd/check_impl.h"

#include "auth/password.h"
#include "authd/credentials.h"
#include "authd/db.h"
#include "authd/fields.h"
#include "authd/fault.h"
#include "authd/renew.h"
#include "authd/trace.h"
#include "authd/upgrade.h"
#include "authd/verify.h"
#include "base/log.h"

static void ask(struct login *l, bool use_cache);

/* ---- the answer ---- */

static void say_as(struct login *l, enum fault_knows knows, const char *what)
{
	TRACE(l, "note", "why=", str_c(what));
	fault_note(l, knows, what);
}

void check_say(struct login *l, const char *what)
{
	say_as(l, FAULT_CAUSE, what);
}

static void say_unknown(struct login *l)
{
	say_as(l, FAULT_NOBODY, "unknown user");
}

/* That is nothing against him, and for whoever runs the service. */
static void cannot_say(struct login *l, const char *what)
{
	TRACE(l, "note", "why=", str_c(what));
	fault_say(l, what);
}

/* What one passdb said, and what that means. */
static void settle(struct login *l, enum db_result r)
{
	size_t at = l->chain.at;
	enum db_step step;

	if (r == DB_FAILED)
		fault_away(l);
	l->chain.user = l->vars.user;
	step = db_chain_after(&l->chain, r);
	if (l->chain.became) {
		identity_become(l);
		l->chain.user = l->vars.user;
		if (step == DB_ASK)
			step = db_chain_go_on(&l->chain);
	}
	trace_decided(l, at, r, step);
	if (r == DB_OK && step == DB_REFUSE)
		check_say(l,
			"the password is right; but result_success of this passdb says no yes, and no other one did");
	l->is_fresh = l->has_asked_more = false;
	l->more.rows = NULL;
	if (step == DB_ASK && l->is_proven && !l->chain.is_verified) {
		/* What the mechanism proved, it proved with what this passdb has stored. */
		login_fail(l, NULL, NULL);
	} else if (step == DB_ASK) {
		l->passdb = l->chain.at;
		if (!l->chain.is_verified)
			l->app = STR("");
		ask(l, true);
	} else if (step == DB_ACCEPT) {
		check_fields(l);
		login_succeed(l);
	} else if (step == DB_TEMP) {
		login_temp_fail(l);
	} else if (l->wants_key) {
		key_of_nobody(l);
	} else {
		login_fail(l, step == DB_REFUSE_DISABLED ? "user_disabled" : NULL, NULL);
	}
}

void check_next(struct login *l)
{
	settle(l, DB_UNKNOWN);
}

void check_verdict(struct login *l, int verdict)
{
	if (l->is_unknown) {
		say_unknown(l);
		settle(l, DB_UNKNOWN);
		return;
	}
	if (verdict != 1 && l->lookup.from_cache && !l->is_fresh) {
		/* The password may have been changed since. */
		l->is_fresh = true;
		ask(l, false);
		return;
	}
	if (verdict != 1 && l->lookup.from_cache) {
		/* Perhaps it was: the database that knows is away. */
		settle(l, DB_FAILED);
		return;
	}
	if (verdict != 1) {
		if (verdict == 0)
			say_as(l, FAULT_PASSWORD, "Password mismatch");
		else
			check_say(l, password_err_text(verdict));
		l->no_delay |= fields_is_set(l->row, "nodelay");
		settle(l, DB_MISMATCH);
		return;
	}
	if (l->is_compared && l->lookup.from_cache && !l->is_fresh &&
		upgrade_is_due(l->authd, l->passdb, l->stored, &l->vars)) {
		/* Only what is stored now may be replaced. */
		l->is_fresh = true;
		ask(l, false);
		return;
	}
	/* A better hash comes first, and then keys beside it. */
	if (l->is_compared && upgrade_is_due(l->authd, l->passdb, l->stored, &l->vars)) {
		if (!l->lookup.from_cache && l->lookup.rows)
			upgrade_maybe(l->authd, l->passdb, l->stored, l->lookup.rows, &l->vars);
	} else if (l->is_hashed) {
		renew_maybe(l->authd, l->passdb, l->stored, &l->vars);
	}
	settle(l, check_admit(l));
}

void check_verified(struct login *l, enum db_result r, const char *why)
{
	if (why && r == DB_FAILED)
		cannot_say(l, why);
	else if (why)
		say_as(l, r == DB_UNKNOWN ? FAULT_NOBODY : FAULT_CAUSE, why);
	l->is_unknown = false;
	if (r == DB_OK || (r == DB_MISMATCH && (why == NULL || l->lookup.from_cache)))
		check_verdict(l, r == DB_OK);
	else
		settle(l, r);
}

void check_proven(struct login *l)
{
	l->is_proven = true;
	if (credentials_proven(l)) {
		check_verdict(l, 1);
		return;
	}
	l->final = STR("ZT1pbnZhbGlkLXByb29m"); /* "e=invalid-proof", as to every other wrong one */
	settle(l, DB_MISMATCH);
}

/* What else he may log in with: asked for an unknown user too, so that he costs the same. */
static void look_further(struct login *l)
{
	if (l->has_asked_more || !credentials_are_due(l))
		check_compare(l);
	else
		credentials_ask(l);
}

/* An app password that is none, or not good, is compared as every other one: whoever has some costs no less, and no more. */
void check_credentials(struct login *l)
{
	if (l->more.result == LOOKUP_FAILED)
		settle(l, DB_FAILED);
	else if (!l->wants_key && !l->is_unknown && credentials_match(l))
		check_verdict(l, 1);
	else
		check_compare(l);
}

/* nopassword: this user needs none, and the column password must then be empty; so is a scheme with nothing behind it. */
static bool needs_no_password(const struct sql_row *row, struct str stored)
{
	bool is_empty = stored.n == 0 || (stored.p[0] == '{' && str_chr(stored, '}') == (ptrdiff_t)stored.n - 1);

	return is_empty && fields_is_set(row, "nopassword");
}

static void cannot_use(struct login *l, const char *what)
{
	const struct db *db = &l->authd->set->passdb[l->passdb];

	TRACE(l, "note", "why=", str_c(what));
	log_warn("auth: %s: %s for %.*s", db->sql.file ? db->sql.file : db->file, what, STR_ARG(l->vars.user));
	settle(l, DB_FAILED);
}

/* The query gives it, though it may be NULL for this user. */
static bool has_column(const struct sql_row *row, const char *name)
{
	return row && sql_field_find(row, name) != NULL;
}

/* There is such a user, and his password is to be looked at. */
static void on_user(struct login *l)
{
	const struct db *db = &l->authd->set->passdb[l->passdb];
	const struct sql_field *password = sql_field_find(l->row, "password");
	bool is_asked_for = has_column(l->lookup.rows, "password") || has_column(l->lookup.rows, "password_noscheme");

	if (verify_is_own(db) && l->mech != &sasl_external) {
		verify_start(l);
		return;
	}
	if (password == NULL)
		password = sql_field_find(l->row, "password_noscheme");
	if (password == NULL && !is_asked_for && !fields_is_set(l->row, "nopassword") && l->mech != &sasl_external) {
		cannot_use(l, "password_query gives no column \"password\"");
		return;
	}
	if (!l->wants_key && needs_no_password(l->row, password ? password->value : STR(""))) {
		check_verdict(l, 1);
		return;
	}
	/* A user without a password takes the unknown user's way, for the time that it takes. */
	if (password && password->value.n)
		l->stored = password->value;
	else
		l->is_unknown = true;
	look_further(l);
}

static void on_rows(struct login *l)
{
	const struct db *db = &l->authd->set->passdb[l->passdb];
	const struct sql_row *row = l->lookup.rows;

	trace_lookup(l);
	if (l->lookup.result == LOOKUP_FAILED) {
		settle(l, DB_FAILED);
		return;
	}
	l->is_unknown = row == NULL;
	l->is_compared = l->is_hashed = false;
	/* A copy: the dummy may follow another user while this one is hashed. */
	l->stored = arena_dup(l->mem, buf_str(&l->authd->dummy[l->passdb]));
	if (row && row->next) {
		cannot_use(l, "password_query found more than one row");
		return;
	}
	l->row = row ? db_fields(db, row, &l->vars, true, l->mem) : NULL;
	if (db->deny) {
		if (row)
			check_say(l, "found in a passdb with deny = yes");
		settle(l, row ? DB_OK : DB_UNKNOWN);
	} else if (row && l->chain.is_verified) {
		check_verdict(l, 1);
	} else if (row && fields_is_set(l->row, "noauthenticate")) {
		l->kept = fields_merge(l->kept, l->row, l->mem);
		settle(l, DB_NEXT);
	} else if (row) {
		on_user(l);
	} else if (l->is_proven || verify_is_own(db)) {
		/* There is nothing that would take a known user's time but the question that was not asked. */
		if (!l->is_proven)
			say_unknown(l);
		settle(l, DB_UNKNOWN);
	} else {
		look_further(l);
	}
}

static void on_lookup(struct lookup *lookup)
{
	struct login *l = container_of(lookup, struct login, lookup);

	if (l->client == NULL)
		login_free(l);
	else
		on_rows(l);
}

static void ask(struct login *l, bool use_cache)
{
	const struct db *db = &l->authd->set->passdb[l->passdb];

	l->state = LOGIN_WORK;
	l->lookup = (struct lookup){ .done = on_lookup };
	if (verify_is_alone(db)) {
		l->is_compared = false;
		l->row = db_fields(db, NULL, &l->vars, true, l->mem);
		verify_start(l);
		return;
	}
	/* A changed password: there is no second look with the proof of a mechanism. */
	if (db_lookup(&l->lookup, l->authd, true, l->passdb, &l->vars, l->mem, use_cache && !l->wants_key))
		on_rows(l);
}

static struct db_chain chain_of(const struct login *l)
{
	const struct settings *set = l->authd->set;

	return (struct db_chain){ .db = set->passdb,
		.n = set->n_passdbs,
		.is_passdb = true,
		.mech = str_c(l->mech->name),
		.user = l->vars.user,
		.is_master = l->vars.login_user.n > 0 };
}

void check_denied(struct login *l)
{
	enum db_step step;

	l->chain = chain_of(l);
	l->chain.is_only_deny = true;
	step = db_chain_first(&l->chain);
	trace_first(l, step);
	if (step != DB_ASK) {
		check_fields(l);
		login_succeed(l);
		return;
	}
	l->passdb = l->chain.at;
	ask(l, true);
}

void check_start(struct login *l)
{
	enum db_step step;

	l->chain = chain_of(l);
	step = db_chain_first(&l->chain);
	trace_first(l, step);
	if (step != DB_ASK) {
		if (l->wants_key)
			key_of_nobody(l);
		else
			login_fail(l, NULL, "no passdb is for this user and this mechanism");
		return;
	}
	l->passdb = l->chain.at;
	ask(l, true);
}
