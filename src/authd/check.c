/* Is this name and password right: the passdb blocks in turn, each a lookup and a hash. */
#include "authd/login.h"

#include "auth/auth_proto.h"
#include "auth/password.h"
#include "authd/credentials.h"
#include "authd/db.h"
#include "authd/fields.h"
#include "authd/given.h"
#include "authd/renew.h"
#include "authd/trace.h"
#include "authd/upgrade.h"
#include "authd/verify.h"
#include "base/log.h"

#include <sys/random.h>

enum { DUMMY_MAX = 32 * 1024 };

static void ask(struct login *l, bool use_cache);

/* ---- the answer ---- */

static void say(const struct login *l, const char *what)
{
	TRACE(l, "note", "why=", str_c(what));
	if (!l->authd->set->passdb[l->passdb].is_quiet)
		log_info("auth: %s(%.*s,%.*s): %s (method %s)%s", l->authd->set->passdb[l->passdb].name,
			STR_ARG(l->vars.user), STR_ARG(l->vars.remote_ip), what, l->mech->name, given_password(l));
}

static void collect_fields(struct login *l);

/* What one passdb said, and what that means. */
static void settle(struct login *l, enum db_result r)
{
	size_t at = l->chain.at;
	enum db_step step;

	l->chain.user = l->vars.user;
	step = db_chain_after(&l->chain, r);
	if (l->chain.became) {
		identity_become(l);
		l->chain.user = l->vars.user;
		if (step == DB_ASK)
			step = db_chain_go_on(&l->chain);
	}
	trace_decided(l, at, r, step);
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
		collect_fields(l);
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

/* Columns that are for this service, or for a userdb that was prefetched, and not for the client. */
static bool is_own_column(struct str name)
{
	static const char *const own[] = { "password", "password_noscheme", "nopassword", "user", "username", "domain",
		"allow_nets", "allow_real_nets", "noauthenticate", "nodelay", "fail", "nologin", "reason", "login_user",
		"check_client_fp", "check_client_cert_fp", "check_client_pubkey_fp", "k5principals" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (str_ieq(name, str_c(own[i])))
			return true;
	return str_has_iprefix(name, STR("userdb_")) || str_has_iprefix(name, STR("event_"));
}

static void collect_fields(struct login *l)
{
	struct buf b = BUF_INIT(8192);

	if (l->vars.auth_user.n)
		auth_add_field(&b, "auth_user=", l->vars.auth_user);
	client_original_user(l, &b);
	client_forward_fields(l, &b);
	for (size_t i = 0; l->kept && i < l->kept->n; i++) {
		const struct sql_field *f = &l->kept->field[i];
		size_t before = b.n;

		if (is_own_column(f->name) || f->is_null)
			continue;
		if (buf_add_char(&b, '\t') < 0 || auth_escape(&b, f->name) < 0 || buf_add_char(&b, '=') < 0 ||
			auth_escape(&b, f->value) < 0)
			b.n = before;
	}
	l->fields = arena_dup(l->mem, buf_str(&b));
	buf_wipe(&b);
}

/* The database may know the user by another name: column user, or username and domain. */
static void take_name(struct login *l)
{
	struct str user = fields_get(l->row, "user"), name = fields_get(l->row, "username"),
		   domain = fields_get(l->row, "domain");

	if (user.n)
		vars_set_user(&l->vars, user);
	else if (name.n && domain.n)
		vars_set_user(&l->vars, str_c(arena_printf(l->mem, "%.*s@%.*s", STR_ARG(name), STR_ARG(domain))));
	else if (name.n)
		vars_set_user(&l->vars, name);
}

/* The password is right. May he log in? */
static enum db_result admit(struct login *l)
{
	struct str nets = fields_get(l->row, "allow_nets"), real_nets = fields_get(l->row, "allow_real_nets"),
		   real_ip = l->vars.real_rip.n ? l->vars.real_rip : l->vars.remote_ip;
	const char *print;

	if ((nets.n && !is_in_nets(nets, l->vars.remote_ip)) || (real_nets.n && !is_in_nets(real_nets, real_ip))) {
		say(l, "allow_nets check failed");
		return DB_MISMATCH;
	}
	print = client_print_check(l, l->row);
	if (print) {
		say(l, print);
		return DB_MISMATCH;
	}
	l->reason = fields_get(l->row, "reason");
	if (fields_is_set(l->row, "fail")) {
		say(l, "the field \"fail\" is set");
		return DB_MISMATCH;
	}
	if (fields_is_set(l->row, "nologin")) {
		say(l, "the field \"nologin\" is set");
		return DB_DISABLED;
	}
	l->reason = STR("");
	take_name(l);
	l->kept = fields_merge(l->kept, l->row, l->mem);
	l->vars.passdb = l->kept;
	return DB_OK;
}

static void on_verdict(struct login *l, int verdict)
{
	if (l->is_unknown) {
		say(l, "unknown user");
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
		say(l, verdict == 0 ? "Password mismatch" : password_err_text(verdict));
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
	settle(l, admit(l));
}

void check_verified(struct login *l, enum db_result r, const char *why)
{
	if (why)
		say(l, why);
	l->is_unknown = false;
	if (r == DB_OK || (r == DB_MISMATCH && (why == NULL || l->lookup.from_cache)))
		on_verdict(l, r == DB_OK);
	else
		settle(l, r);
}

void check_proven(struct login *l)
{
	l->is_proven = true;
	credentials_proven(l);
	on_verdict(l, 1);
}

void dummy_make(struct authd *a, size_t i)
{
	struct buf secret = BUF_INIT(64);
	unsigned char random[16];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		panic("the kernel gives no random numbers");
	for (size_t k = 0; k < sizeof random; k++)
		buf_addf(&secret, "%02x", random[k]);
	a->dummy[i] = BUF_INIT(DUMMY_MAX);
	if (password_make(str_c(a->set->new_scheme), buf_str(&secret), &a->dummy[i]) < 0)
		require(password_make(STR("SHA512-CRYPT"), buf_str(&secret), &a->dummy[i]) == 0);
	buf_wipe(&secret);
}

void dummy_follow(struct authd *a, size_t i, struct str stored)
{
	struct buf next = BUF_INIT(DUMMY_MAX);

	if (password_like(stored, str_c(a->set->passdb[i].sql.scheme), &next) < 0) {
		buf_wipe(&next);
		return;
	}
	buf_wipe(&a->dummy[i]);
	a->dummy[i] = next;
}

static void hash_in_thread(struct job *j)
{
	struct login *l = container_of(j, struct login, job);

	uint64_t began = uv_hrtime();

	l->verdict = password_verify_user(l->stored, str_c(l->authd->set->passdb[l->passdb].sql.scheme), l->vars.user,
		l->vars.pass, l->authd->set->allow_weak);
	l->hash_ns = uv_hrtime() - began;
}

static void compare(struct login *l);

static void hashing_leave(struct login *l)
{
	struct login **at = &l->authd->hashing;

	while (*at != l)
		at = &(*at)->next_hashing;
	*at = l->next_hashing;
}

/* The login whose hash answers this question too; NULL: none. */
static struct login *hashing_find(const struct login *l)
{
	struct login *other = l->authd->hashing;

	while (other && (other->passdb != l->passdb || memcmp(&other->key, &l->key, sizeof l->key) != 0))
		other = other->next_hashing;
	return other;
}

static void hash_end(struct login *l, bool dropped, int verdict, const char *how)
{
	if (l->client && dropped)
		TRACE(l, "note", "why=", STR("waited too long for its hash: too many logins at once"));
	else if (l->client)
		trace_compared(l, verdict, how);
	if (l->client == NULL)
		login_free(l);
	else if (dropped)
		login_temp_fail(l);
	else
		on_verdict(l, verdict);
}

static void on_hashed(struct job *j, bool dropped)
{
	struct login *l = container_of(j, struct login, job), *follower = l->followers, *next;
	/* Its client is gone, so that the hash may not have been made: those who waited with it still want to know. */
	bool left = l->client == NULL;
	int verdict = l->verdict;

	hashing_leave(l);
	l->is_hashed = true;
	if (!left && !dropped && verdict >= 0)
		verdict_put(l->authd->verdicts, &l->key, verdict == 1, uv_now(j->pool->loop));
	if (!left && !dropped && verdict >= 0 && !l->is_unknown)
		dummy_follow(l->authd, l->passdb, l->stored);
	hash_end(l, dropped, verdict, "hashed");
	for (; follower; follower = next) {
		next = follower->next_follower;
		if (left && follower->client)
			compare(follower);
		else
			hash_end(follower, dropped, verdict, "hashed for another login at the same time");
	}
}

/* Twenty sessions of one user that log in at once cost one hash. */
static void compare(struct login *l)
{
	struct authd *a = l->authd;
	struct login *leader;
	int known;

	if (l->wants_key) {
		key_take(l);
		return;
	}
	l->is_compared = true;
	verdict_key(a->verdicts, l->vars.user, l->vars.pass, l->stored, &l->key);
	known = verdict_get(a->verdicts, &l->key, uv_now(a->child.loop));
	if (known >= 0) {
		trace_compared(l, known, "remembered");
		a->n_verdict_hits++;
		on_verdict(l, known);
		return;
	}
	l->state = LOGIN_WORK;
	l->followers = NULL;
	leader = hashing_find(l);
	if (leader) {
		l->next_follower = leader->followers;
		leader->followers = l;
		return;
	}
	l->job = (struct job){ .run = hash_in_thread, .done = on_hashed };
	if (pool_submit(&a->hashes, &l->job, l->vars.user, l->vars.remote_ip) < 0) {
		TRACE(l, "note", "why=", STR("too many logins wait for their hash"));
		login_temp_fail(l);
		return;
	}
	l->next_hashing = a->hashing;
	a->hashing = l;
}

/* What else he may log in with: asked for an unknown user too, so that he costs the same. */
static void look_further(struct login *l)
{
	if (l->has_asked_more || !credentials_are_due(l))
		compare(l);
	else
		credentials_ask(l);
}

/* An app password that is none, or not good, is compared as every other one: whoever has some costs no less, and no more. */
void check_credentials(struct login *l)
{
	if (l->more.result == LOOKUP_FAILED)
		settle(l, DB_FAILED);
	else if (!l->wants_key && !l->is_unknown && credentials_match(l))
		on_verdict(l, 1);
	else
		compare(l);
}

/* nopassword: this user needs none, and the column password must then be empty. */
static bool needs_no_password(const struct sql_row *row, struct str stored)
{
	return stored.n == 0 && fields_is_set(row, "nopassword");
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
		on_verdict(l, 1);
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
			say(l, "found in a passdb with deny = yes");
		settle(l, row ? DB_OK : DB_UNKNOWN);
	} else if (row && l->chain.is_verified) {
		on_verdict(l, 1);
	} else if (row && fields_is_set(l->row, "noauthenticate")) {
		l->kept = fields_merge(l->kept, l->row, l->mem);
		settle(l, DB_NEXT);
	} else if (row) {
		on_user(l);
	} else if (l->is_proven || verify_is_own(db)) {
		/* There is nothing that would take a known user's time but the question that was not asked. */
		if (!l->is_proven)
			say(l, "unknown user");
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
		collect_fields(l);
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
