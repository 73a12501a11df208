#include "authd/source.h"

#include "authd/row_cache.h"
#include "base/log.h"

#include <inttypes.h>

void source_init(struct source *s, const struct sql_settings *set, const char *root, struct pool *pool,
	struct row_cache *cache, unsigned index)
{
	*s = (struct source){ .set = set, .root = root, .pool = pool, .cache = cache, .index = index };
	uv_mutex_init(&s->lock);
	if (set->driver->is_local)
		s->in_loop = set->driver->open(set->connect, root);
}

/* One line when it goes, one when it is back. */
static void note(struct source *s, const struct lookup *l, int r)
{
	if (r == 0) {
		if (s->is_down)
			log_info("users database of %s works again", s->set->file);
		s->is_down = false;
		return;
	}
	s->n_failed++;
	if (!s->is_down)
		log_warn("users database %s (%s in %s); logins get a temporary failure until it works",
			l->why ? l->why : "is locked", l->what, s->set->file);
	s->is_down = true;
}

static struct sql_conn *take_spare(struct source *s)
{
	struct sql_conn *c = NULL;

	uv_mutex_lock(&s->lock);
	if (s->n_spare)
		c = s->spare[--s->n_spare];
	uv_mutex_unlock(&s->lock);
	return c ? c : s->set->driver->open(s->set->connect, s->root);
}

static void give_back(struct source *s, struct sql_conn *c)
{
	uv_mutex_lock(&s->lock);
	if (s->n_spare < SPARE_CONNS) {
		s->spare[s->n_spare++] = c;
		c = NULL;
	}
	uv_mutex_unlock(&s->lock);
	if (c)
		s->set->driver->close(&c);
}

static int ask(struct lookup *l, struct sql_conn *c, unsigned wait_ms)
{
	return l->source->set->driver->run(
		c, l->query->sql, l->params, l->query->n_params, wait_ms, l->max_rows, l->mem, &l->rows, &l->why);
}

static void in_thread(struct job *j)
{
	struct lookup *l = container_of(j, struct lookup, job);
	struct sql_conn *c = take_spare(l->source);

	l->result = ask(l, c, SQL_WAIT_MS) == 0 ? LOOKUP_DONE : LOOKUP_FAILED;
	give_back(l->source, c);
}

static void finish(struct lookup *l)
{
	struct source *s = l->source;

	note(s, l, l->result == LOOKUP_DONE ? 0 : -1);
	if (l->key.n == 0)
		return;
	if (l->result == LOOKUP_DONE) {
		row_cache_put(s->cache, l->key, l->rows, uv_now(s->pool->loop));
	} else if (row_cache_get(s->cache, l->key, uv_now(s->pool->loop), true, l->mem, &l->rows)) {
		/* An expired answer is better than none. */
		l->result = LOOKUP_DONE;
		l->from_cache = true;
	}
}

static void from_thread(struct job *j, bool dropped)
{
	struct lookup *l = container_of(j, struct lookup, job);

	if (dropped) {
		l->result = LOOKUP_FAILED;
		l->rows = NULL;
	} else {
		finish(l);
	}
	l->done(l);
}

static struct str cache_key(const struct lookup *l)
{
	struct buf b = BUF_INIT(65536);
	struct str key;

	/* All that the answer depends on: which query, and every value that is bound in it, with its length. */
	buf_addf(&b, "%u:%s", l->source->index, l->what);
	for (size_t i = 0; i < l->query->n_params; i++) {
		buf_addf(&b, ":%zu:", l->params[i].n);
		buf_add_str(&b, l->params[i]);
	}
	key = arena_dup(l->mem, buf_str(&b));
	buf_wipe(&b);
	return key;
}

int lookup_start(struct lookup *l, struct source *s, const char *what, const struct query *q, const struct vars *v,
	struct arena *mem, size_t max_rows, bool use_cache)
{
	int r = -SQL_EBUSY;

	l->source = s;
	l->what = what;
	l->query = q;
	l->mem = mem;
	l->max_rows = max_rows;
	l->params = query_params(q, v, mem);
	l->rows = NULL;
	l->from_cache = false;
	s->n_lookups++;
	if (s->cache && max_rows)
		l->key = cache_key(l);
	if (l->key.n && use_cache && row_cache_get(s->cache, l->key, uv_now(s->pool->loop), false, mem, &l->rows)) {
		l->result = LOOKUP_DONE;
		l->from_cache = true;
		return 1;
	}
	/* A whole list is long; it goes to a thread. */
	if (s->in_loop && max_rows)
		r = ask(l, s->in_loop, 0);
	if (r != -SQL_EBUSY) {
		l->result = r == 0 ? LOOKUP_DONE : LOOKUP_FAILED;
		finish(l);
		return 1;
	}
	l->job = (struct job){ .run = in_thread, .done = from_thread };
	if (pool_submit(s->pool, &l->job, v->user, v->remote_ip) == 0)
		return 0;
	l->result = LOOKUP_FAILED;
	return 1;
}

void source_check(struct source *s, const char *what, const struct query *q, struct arena *mem)
{
	struct lookup l = { .source = s, .what = what, .query = q, .mem = mem, .max_rows = 1 };
	struct vars v = { 0 };

	if (s->in_loop == NULL || q->sql == NULL)
		return;
	vars_set_user(&v, STR("nobody@invalid"));
	l.params = query_params(q, &v, mem);
	note(s, &l, ask(&l, s->in_loop, SQL_WAIT_MS));
}
