#include "authd/source.h"

#include "authd/row_cache.h"
#include "sql/sql_connect.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

unsigned database_init(struct database *db, const struct sql_settings *set, const char *root, uv_loop_t *loop,
	unsigned max_waiting, uint64_t max_wait_ms)
{
	unsigned conns = set->driver->is_local ? LOCAL_CONNS
					       : sql_connect_conns(set->connect, set->driver->dialect == SQL_DOLLAR);

	memset(db, 0, sizeof *db);
	db->set = set;
	db->root = root;
	uv_mutex_init(&db->lock);
	uv_rwlock_init(&db->turn);
	pool_init(&db->pool, loop, conns, max_waiting, max_wait_ms);
	uv_prepare_init(loop, &db->end_of_turn);
	if (set->driver->is_local)
		db->in_loop = set->driver->open(set->connect, root);
	return conns;
}

void database_end(struct database *db)
{
	uv_close((uv_handle_t *)&db->end_of_turn, NULL);
	while (db->n_spare)
		db->set->driver->close(&db->spare[--db->n_spare]);
	if (db->in_loop)
		db->set->driver->close(&db->in_loop);
	uv_mutex_destroy(&db->lock);
	uv_rwlock_destroy(&db->turn);
}

void source_init(
	struct source *s, const struct sql_settings *set, struct database *db, struct row_cache *cache, unsigned index)
{
	*s = (struct source){ .set = set, .db = db, .cache = cache, .index = index };
}

/* One line when it goes, one when it is back. */
static void note(struct source *s, const struct lookup *l)
{
	struct database *db = s->db;
	bool is_away = l->error == -SQL_EDOWN || l->error == -SQL_EBUSY;

	s->n_failed += l->error != 0;
	if (l->is_trial)
		db->is_tried = false;
	if (l->error != 0 && !is_away)
		log_warn("auth: %s (%s in %s)", l->why, l->what, s->set->file);
	/* One that was asked before the server was killed may fail when it is back, and an older answer come when it is gone. */
	if (l->error == -SQL_EINPUT || l->phase != db->phase)
		return;
	if (!is_away && db->is_down)
		log_info("users database of %s works again", s->set->file);
	if (is_away && !db->is_down)
		log_warn("users database %s (%s in %s); logins get a temporary failure until it works",
			l->why ? l->why : "is locked", l->what, s->set->file);
	db->phase += is_away != db->is_down;
	db->is_down = is_away;
	db->again_ms = uv_now(db->pool.loop) + SQL_AGAIN_MS;
	atomic_store(&db->fails_at_once, db->is_down && !s->set->driver->is_local);
}

static struct sql_conn *take_spare(struct database *db)
{
	struct sql_conn *c = NULL;

	uv_mutex_lock(&db->lock);
	if (db->n_spare)
		c = db->spare[--db->n_spare];
	uv_mutex_unlock(&db->lock);
	return c ? c : db->set->driver->open(db->set->connect, db->root);
}

static void give_back(struct database *db, struct sql_conn *c)
{
	uv_mutex_lock(&db->lock);
	if (db->n_spare < SPARE_CONNS) {
		db->spare[db->n_spare++] = c;
		c = NULL;
	}
	uv_mutex_unlock(&db->lock);
	if (c)
		db->set->driver->close(&c);
}

static void ask(struct lookup *l, struct sql_conn *c, unsigned wait_ms)
{
	l->error = l->source->set->driver->run(
		c, l->sql, l->params, l->n_params, wait_ms, l->max_rows, l->mem, &l->rows, &l->why);
}

/* ---- several lookups in one turn of the loop ---- */

static void on_end_of_turn(uv_prepare_t *end)
{
	struct database *db = container_of(end, struct database, end_of_turn);

	uv_prepare_stop(end);
	if (db->is_held)
		db->set->driver->hold(db->in_loop, false);
	db->is_held = false;
}

/* From the second lookup of a turn on. What is read for them all is as it was when this turn began to ask. */
static void hold(struct database *db)
{
	if (db->is_held || db->set->driver->hold == NULL)
		return;
	if (!uv_is_active((uv_handle_t *)&db->end_of_turn)) {
		uv_prepare_start(&db->end_of_turn, on_end_of_turn);
		return;
	}
	db->is_held = true;
	db->set->driver->hold(db->in_loop, true);
}

static void ask_in_loop(struct lookup *l)
{
	struct database *db = l->source->db;

	hold(db);
	ask(l, db->in_loop, 0);
}

/* ---- in a thread ---- */

static void in_thread(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);
	struct database *db = l->source->db;
	struct sql_conn *c;

	/* It went while this one waited: do not let all of them find that out for themselves. */
	if (!l->is_trial && atomic_load(&db->fails_at_once)) {
		l->error = -SQL_EDOWN;
		return;
	}
	c = take_spare(db);
	if (db->set->driver->is_local)
		uv_rwlock_rdlock(&db->turn);
	ask(l, c, db->set->driver->is_local ? SQL_WAIT_MS : SQL_ANSWER_MS);
	if (db->set->driver->is_local)
		uv_rwlock_rdunlock(&db->turn);
	give_back(db, c);
}

/* From the database, or in its stead from what it said before. */
static void finish(struct lookup *l)
{
	struct source *s = l->source;
	uint64_t now = uv_now(s->db->pool.loop);

	l->result = l->error == 0 ? LOOKUP_DONE : LOOKUP_FAILED;
	if (l->error)
		l->rows = NULL;
	if (l->key.n == 0)
		return;
	if (l->result == LOOKUP_DONE) {
		row_cache_put(s->cache, l->key, l->user, l->rows, now);
	} else if (row_cache_get(s->cache, l->key, now, ROW_CACHE_ANY_AGE, l->mem, &l->rows)) {
		/* An expired answer is better than none. */
		l->result = LOOKUP_DONE;
		l->from_cache = true;
	}
}

static void from_thread(struct job *j, bool dropped)
{
	struct lookup *l = container_of(j, struct lookup, job);

	if (dropped || j->cancelled) {
		/* Nothing was learnt. */
		if (l->is_trial)
			l->source->db->is_tried = false;
		l->error = -SQL_EBUSY;
	} else if (l->why || l->error == 0) {
		note(l->source, l);
	}
	finish(l);
	l->done(l);
}

static struct str cache_key(const struct lookup *l)
{
	struct buf b = BUF_INIT(65536);
	struct str key;

	/* All that the answer depends on: which query, and every value that is bound in it, with its length. */
	buf_addf(&b, "%u:%s:%p", l->source->index, l->what, (const void *)l->sql);
	for (size_t i = 0; i < l->n_params; i++) {
		buf_addf(&b, ":%zu:", l->params[i].n);
		buf_add_str(&b, l->params[i]);
	}
	key = arena_dup(l->mem, buf_str(&b));
	buf_wipe(&b);
	return key;
}

/* While a database behind a socket is down, one lookup a second tries it; the others fail at once. */
static bool may_ask(struct lookup *l)
{
	struct database *db = l->source->db;

	if (!db->is_down || l->source->set->driver->is_local)
		return true;
	if (db->is_tried || uv_now(db->pool.loop) < db->again_ms)
		return false;
	db->is_tried = l->is_trial = true;
	return true;
}

static void take(struct lookup *l, struct source *s, const struct lookup_question *q)
{
	l->source = s;
	l->what = q->what;
	l->sql = q->sql;
	l->n_params = q->n_params;
	l->params = q->params;
	l->rows = NULL;
	l->from_cache = l->is_trial = false;
	l->phase = s->db->phase;
	l->error = -SQL_EBUSY;
}

static void prepare(struct lookup *l, struct source *s, const char *what, const struct query *q, const struct vars *v)
{
	struct lookup_question made = { what, query_sql(q, v, &l->why), query_params(q, v, l->mem), q->n_params };

	take(l, s, &made);
}

static int start(struct lookup *l, struct source *s, const struct vars *v, enum lookup_cache how)
{
	struct arena *mem = l->mem;
	size_t max_rows = l->max_rows;

	s->n_lookups++;
	l->user = v->user;
	if (l->sql == NULL) {
		l->error = -SQL_EINPUT;
		note(s, l);
		l->result = LOOKUP_FAILED;
		return 1;
	}
	if (s->cache && max_rows && how != LOOKUP_SECRET)
		l->key = cache_key(l);
	if (l->key.n && how == LOOKUP_CACHED &&
		row_cache_get(s->cache, l->key, uv_now(s->db->pool.loop), 0, mem, &l->rows)) {
		l->result = LOOKUP_DONE;
		l->from_cache = true;
		return 1;
	}
	if (!may_ask(l)) {
		finish(l);
		return 1;
	}
	/* A whole list is long; it goes to a thread. */
	if (s->db->in_loop && max_rows)
		ask_in_loop(l);
	if (l->error != -SQL_EBUSY) {
		note(s, l);
		finish(l);
		return 1;
	}
	l->why = NULL;
	l->job = (struct job){ .run = in_thread, .done = from_thread };
	if (pool_submit(&s->db->pool, &l->job, v->user, v->remote_ip) == 0)
		return 0;
	if (l->is_trial)
		s->db->is_tried = false;
	finish(l);
	return 1;
}

int lookup_start(struct lookup *l, struct source *s, const char *what, const struct query *q, const struct vars *v,
	struct arena *mem, size_t max_rows, bool use_cache)
{
	l->mem = mem;
	l->max_rows = max_rows;
	l->why = NULL;
	prepare(l, s, what, q, v);
	return start(l, s, v, use_cache ? LOOKUP_CACHED : LOOKUP_FRESH);
}

int lookup_ask(struct lookup *l, struct source *s, const struct lookup_question *q, const struct vars *v,
	struct arena *mem, size_t max_rows, enum lookup_cache how)
{
	l->mem = mem;
	l->max_rows = max_rows;
	l->why = NULL;
	take(l, s, q);
	return start(l, s, v, how);
}

static void write_in_thread(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);
	struct database *db = l->source->db;
	struct sql_conn *c = db->set->driver->open(db->set->connect, db->root);

	if (db->set->driver->allow_writes)
		db->set->driver->allow_writes(c);
	if (db->set->driver->is_local)
		uv_rwlock_wrlock(&db->turn);
	ask(l, c, db->set->driver->is_local ? SQL_WAIT_MS : SQL_ANSWER_MS);
	db->set->driver->close(&c);
	if (db->set->driver->is_local)
		uv_rwlock_wrunlock(&db->turn);
}

static void write_next(struct database *db);

static void from_write(struct job *j, bool dropped)
{
	struct lookup *l = container_of(j, struct lookup, job);
	struct database *db = l->source->db;

	if (db->writing == l)
		db->writing = NULL;
	l->result = dropped || l->error ? LOOKUP_FAILED : LOOKUP_DONE;
	if (!dropped && l->error)
		log_warn("auth: %s (%s in %s)", l->why ? l->why : "the database is locked", l->what,
			l->source->set->file);
	l->done(l);
	write_next(db);
}

static int submit_write(struct lookup *l)
{
	l->job = (struct job){ .run = write_in_thread, .done = from_write };
	return pool_submit(&l->source->db->pool, &l->job, l->user, l->address);
}

static void write_next(struct database *db)
{
	while (db->writing == NULL && db->next_to_write) {
		struct lookup *l = db->next_to_write;

		db->next_to_write = l->next;
		db->n_to_write--;
		if (submit_write(l) == 0) {
			db->writing = l;
			return;
		}
		l->result = LOOKUP_FAILED;
		l->done(l);
	}
}

static int wait_to_write(struct lookup *l)
{
	struct database *db = l->source->db;

	if (db->n_to_write == SQL_WRITES_MAX)
		return -1;
	l->next = NULL;
	if (db->next_to_write)
		db->last_to_write->next = l;
	else
		db->next_to_write = l;
	db->last_to_write = l;
	db->n_to_write++;
	return 0;
}

int lookup_write(struct lookup *l, struct source *s, const char *what, const struct query *q, const struct vars *v,
	struct arena *mem)
{
	l->mem = mem;
	l->max_rows = 1;
	l->why = NULL;
	prepare(l, s, what, q, v);
	l->user = v->user;
	l->address = v->remote_ip;
	if (l->sql == NULL || s->db->is_down)
		return -1;
	if (s->db->set->driver->is_local && s->db->writing)
		return wait_to_write(l);
	if (submit_write(l) < 0)
		return -1;
	if (s->db->set->driver->is_local)
		s->db->writing = l;
	return 0;
}

static void try_now(struct source *s, struct lookup *l)
{
	struct sql_conn *c = s->db->in_loop;

	if (c == NULL)
		c = take_spare(s->db);
	ask(l, c, SQL_WAIT_MS);
	if (c != s->db->in_loop)
		give_back(s->db, c);
	/* An empty domain may well not fit a column of numbers; that is not the database's fault. */
	if (l->error != -SQL_EVALUE && l->error != -SQL_EINPUT)
		note(s, l);
}

void source_check(struct source *s, const char *what, const struct query *q, struct arena *mem)
{
	struct lookup l = { .mem = mem, .max_rows = 1 };
	struct vars v = { 0 };

	if (q->sql == NULL || q->names || s->db->is_down)
		return;
	vars_set_user(&v, STR("nobody@invalid"));
	prepare(&l, s, what, q, &v);
	try_now(s, &l);
}

void source_try(struct source *s, const struct lookup_question *q, struct arena *mem)
{
	struct lookup l = { .mem = mem, .max_rows = 1 };

	if (s->db->is_down)
		return;
	take(&l, s, q);
	try_now(s, &l);
}
