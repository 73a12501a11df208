#include "authd/credentials.h"

#include "auth/app_password.h"
#include "auth/password.h"
#include "authd/fault.h"
#include "authd/fields.h"
#include "authd/trace.h"
#include "base/log.h"

#include <time.h>

enum { STORED_MAX = 128, RECORD_MAX = 1024 };

/* ---- is it good, now and from here? ---- */

/* What is no number is over: an expiry that is not understood must not be none. */
static bool is_expired(struct str expires, int64_t now)
{
	uint64_t at;

	if (expires.n == 0)
		return false;
	return !str_u64(expires, &at) || (at && (at > INT64_MAX || (int64_t)at <= now));
}

static bool is_for_service(struct str list, struct str service)
{
	struct str word;

	if (str_trim(list).n == 0)
		return true;
	while (str_word(&list, ", \t", &word))
		if (str_ieq(word, service))
			return true;
	return false;
}

const char *credential_fault(const struct sql_row *row, const struct vars *v, int64_t now)
{
	struct str nets = fields_get(row, "allow_nets");

	if (is_expired(fields_get(row, "expires"), now))
		return "has expired";
	if (str_trim(nets).n && !is_in_nets(nets, v->remote_ip))
		return "is not for this network";
	if (!is_for_service(fields_get(row, "service"), v->service))
		return "is not for this service";
	return NULL;
}

/* The one that was shown, or whose key was proven, is not good. */
static void tell(struct login *l, struct str name, const char *fault)
{
	const char *what = arena_printf(l->mem, "the app password \"%.*s\" %s", STR_ARG(name), fault);

	TRACE(l, "note", "why=", str_c(what));
	fault_note(l, FAULT_CAUSE, what);
}

static bool is_good(struct login *l, const struct sql_row *row)
{
	const char *fault = credential_fault(row, &l->vars, (int64_t)time(NULL));

	if (fault)
		tell(l, fields_get(row, "name"), fault);
	return fault == NULL;
}

/* ---- the look-up ---- */

static bool has_app_form(struct str pass)
{
	struct buf stored = BUF_INIT(STORED_MAX);
	bool has = app_password_stored(pass, &stored) == 0;

	buf_wipe(&stored);
	return has;
}

bool credentials_are_due(const struct login *l)
{
	if (l->authd->set->passdb[l->passdb].sql.credentials_query.sql == NULL)
		return false;
	/* An own password costs no second query. */
	return l->wants_key ? l->mech != &sasl_external : has_app_form(l->vars.pass);
}

static void on_credentials(struct lookup *lookup)
{
	struct login *l = container_of(lookup, struct login, more);

	if (l->client == NULL)
		login_free(l);
	else
		check_credentials(l);
}

void credentials_ask(struct login *l)
{
	const struct db *db = &l->authd->set->passdb[l->passdb];

	l->has_asked_more = true;
	l->more = (struct lookup){ .done = on_credentials };
	if (lookup_start(&l->more, &l->authd->credentials[l->passdb], "credentials_query", &db->sql.credentials_query,
		    &l->vars, l->mem, CREDENTIALS_MAX, false))
		check_credentials(l);
}

/* Whose it is by the passdb's own name of him: the row may give him another one. */
static void take_app(struct login *l, struct str name)
{
	if (name.n)
		TRACE(l, "note", "why=", str_c(arena_printf(l->mem, "it is the app password \"%.*s\"", STR_ARG(name))));
	l->app = name;
	l->app_user = l->vars.user;
	l->app_passdb = l->passdb;
}

/* ---- a password that was shown ---- */

bool credentials_match(struct login *l)
{
	struct buf stored = BUF_INIT(STORED_MAX);
	const struct sql_row *found = NULL;

	if (app_password_stored(l->vars.pass, &stored) == 0)
		for (const struct sql_row *row = l->more.rows; row; row = row->next)
			if (fields_get(row, "name").n &&
				app_password_is_in(fields_get(row, "password"), buf_str(&stored)))
				found = row;
	buf_wipe(&stored);
	if (found == NULL || !is_good(l, found))
		return false;
	take_app(l, fields_get(found, "name"));
	return true;
}

/* ---- keys for a mechanism that shows none ---- */

static bool add_key(const struct login *l, struct str word, const char *scheme, struct buf *raw)
{
	struct buf key = BUF_INIT(RECORD_MAX);
	/* A word without a {SCHEME} is of none. */
	bool is_one = word.p[0] == '{' && password_raw(word, STR(""), scheme, &key) == PASSWORD_RAW_SCHEME &&
		      key_is_record(l, buf_str(&key));

	if (is_one && raw->n)
		is_one = buf_add_char(raw, ' ') == 0;
	is_one = is_one && buf_add_str(raw, buf_str(&key)) == 0;
	buf_wipe(&key);
	return is_one;
}

/* A credential has one key of a scheme. fault: why it is not good. */
static void add_key_of(
	struct login *l, const struct sql_row *row, const char *fault, const char *scheme, struct buf *raw)
{
	struct str words = fields_get(row, "password"), word;
	bool found = false;

	while (!found && str_word(&words, " ", &word))
		found = add_key(l, word, scheme, raw);
	if (!found)
		return;
	l->key_faults[l->n_keys] = fault;
	l->key_names[l->n_keys++] = fields_get(row, "name");
}

/* Keys of app passwords, or the own ones, that are good at one moment, or are not, as long as there are less than max. */
struct wanted_keys {
	bool is_app, is_good;
	int64_t now; /* the same for all of a login: none is good and then not */
	size_t max;
};

static void add_keys_of(struct login *l, struct wanted_keys w, const char *scheme, struct buf *raw)
{
	for (const struct sql_row *row = l->more.rows; row && l->n_keys < w.max; row = row->next) {
		const char *fault = credential_fault(row, &l->vars, w.now);

		if ((fields_get(row, "name").n > 0) == w.is_app && (fault == NULL) == w.is_good)
			add_key_of(l, row, fault, scheme, raw);
	}
}

size_t credentials_add_keys(struct login *l, const char *scheme, struct buf *raw)
{
	int64_t now = (int64_t)time(NULL);

	l->key_names = arena_array(l->mem, CREDENTIALS_MAX + 1, sizeof *l->key_names);
	l->key_faults = arena_array(l->mem, CREDENTIALS_MAX + 1, sizeof *l->key_faults);
	l->n_keys = raw->n > 0;
	add_keys_of(l, (struct wanted_keys){ false, true, now, 1 }, scheme, raw);
	if (l->mech->scram) {
		add_keys_of(l, (struct wanted_keys){ true, true, now, CREDENTIALS_MAX + 1 }, scheme, raw);
		/* Whoever proves one of these is told nothing; the log is. */
		add_keys_of(l, (struct wanted_keys){ true, false, now, CREDENTIALS_MAX + 1 }, scheme, raw);
	}
	return l->n_keys;
}

bool credentials_proven(struct login *l)
{
	size_t which = l->xchg->which;

	if (which >= l->n_keys)
		return true;
	if (l->key_faults[which]) {
		tell(l, l->key_names[which], l->key_faults[which]);
		return false;
	}
	take_app(l, l->key_names[which]);
	return true;
}
