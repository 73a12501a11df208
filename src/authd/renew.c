#include "authd/renew.h"

#include "auth/key_words.h"
#include "auth/password.h"
#include "authd/credentials.h"
#include "authd/fields.h"
#include "base/log.h"

#include <stdlib.h>

enum { WORDS_MAX = 4096, RENEWALS_MAX = 64 };

struct renewal { /* one that is under way */
	struct authd *a;
	size_t i;
	struct arena *mem;
	struct vars vars;
	struct sql_row row;
	struct sql_field stored; /* the row's only field */
	struct buf made;
	int error;
	struct job job;
	struct lookup lookup;
};

static void end(struct renewal *n)
{
	n->a->n_renewals--;
	buf_wipe(&n->made);
	arena_wipe(&n->mem);
	free(n);
}

/* ---- what is missing ---- */

static bool is_offered(const struct settings *set, struct str scheme)
{
	for (size_t i = 0; i < set->n_mechs; i++)
		if (str_has_iprefix(str_c(set->mech[i]->name), scheme))
			return true;
	return false;
}

/* A password in the clear, or one that is such keys itself, needs none beside it. */
static bool is_of_use(const struct renewal *n, struct str scheme)
{
	struct buf raw = BUF_INIT(WORDS_MAX);
	enum password_use use = password_raw(
		n->stored.value, str_c(n->a->set->passdb[n->i].sql.scheme), arena_cdup(n->mem, scheme), &raw);

	buf_wipe(&raw);
	return use != PASSWORD_RAW_NONE;
}

static bool is_missing(const struct renewal *n, struct str scheme)
{
	struct str data;

	if (!is_offered(n->a->set, scheme) || is_of_use(n, scheme))
		return false;
	for (const struct sql_row *row = n->lookup.rows; row; row = row->next)
		if (fields_get(row, "name").n == 0 && key_word_find(fields_get(row, "password"), scheme, &data))
			return false;
	return true;
}

static bool is_any_missing(const struct renewal *n)
{
	struct str rest = str_c(n->a->set->new_credentials), scheme;

	while (str_word(&rest, " ,\t", &scheme))
		if (is_missing(n, scheme))
			return true;
	return false;
}

/* ---- making it ---- */

/* One user has one salt: that of his app passwords, whose keys stay. */
static struct str like_of(const struct renewal *n, struct str scheme)
{
	struct str data;

	for (const struct sql_row *row = n->lookup.rows; row; row = row->next)
		if (fields_get(row, "name").n && key_word_find(fields_get(row, "password"), scheme, &data))
			return data;
	return STR("");
}

static void make(struct job *j)
{
	struct renewal *n = container_of(j, struct renewal, job);
	struct str rest = str_c(n->a->set->new_credentials), scheme;

	while (n->error == 0 && str_word(&rest, " ,\t", &scheme))
		n->error = key_word_add(scheme, n->vars.pass, like_of(n, scheme), &n->made);
}

static void on_written(struct lookup *l)
{
	struct renewal *n = container_of(l, struct renewal, lookup);

	if (l->result == LOOKUP_DONE)
		log_info("auth: keys of %s are stored for %.*s", n->a->set->new_credentials, STR_ARG(n->vars.user));
	end(n);
}

static void on_made(struct job *j, bool dropped)
{
	struct renewal *n = container_of(j, struct renewal, job);

	if (dropped || n->error < 0) {
		end(n);
		return;
	}
	n->vars.pass = buf_str(&n->made);
	n->lookup = (struct lookup){ .done = on_written };
	if (lookup_write(&n->lookup, &n->a->credentials[n->i], "credentials_set_query",
		    &n->a->set->passdb[n->i].sql.credentials_set_query, &n->vars, n->mem) < 0)
		end(n);
}

static void on_rows(struct lookup *l)
{
	struct renewal *n = container_of(l, struct renewal, lookup);

	if (l->result == LOOKUP_FAILED || !is_any_missing(n)) {
		end(n);
		return;
	}
	n->job = (struct job){ .run = make, .done = on_made };
	if (pool_submit(&n->a->hashes, &n->job, n->vars.user, n->vars.remote_ip) < 0)
		end(n);
}

static bool is_due(const struct authd *a, size_t i, const struct vars *v)
{
	const struct db *db = &a->set->passdb[i];

	return db->sql.credentials_query.sql && db->sql.credentials_set_query.sql && *a->set->new_credentials &&
	       v->pass.n && a->n_renewals < RENEWALS_MAX;
}

void renew_maybe(struct authd *a, size_t i, struct str stored, const struct vars *v)
{
	struct renewal *n;

	if (!is_due(a, i, v))
		return;
	n = xcalloc(1, sizeof *n);
	n->a = a;
	n->i = i;
	n->mem = arena_new(0);
	n->made = BUF_INIT(WORDS_MAX);
	n->vars.service = arena_dup(n->mem, v->service);
	n->vars.remote_ip = arena_dup(n->mem, v->remote_ip);
	n->vars.orig_user = arena_dup(n->mem, v->orig_user);
	n->vars.pass = arena_dup(n->mem, v->pass);
	vars_set_user(&n->vars, arena_dup(n->mem, v->user));
	n->stored = (struct sql_field){ .name = STR("password"), .value = arena_dup(n->mem, stored) };
	n->row = (struct sql_row){ .field = &n->stored, .n = 1 };
	n->vars.passdb = &n->row;
	n->lookup = (struct lookup){ .done = on_rows };
	a->n_renewals++;
	if (lookup_start(&n->lookup, &a->credentials[i], "credentials_query", &a->set->passdb[i].sql.credentials_query,
		    &n->vars, n->mem, CREDENTIALS_MAX, false))
		on_rows(&n->lookup);
}
