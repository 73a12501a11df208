#include "authd/last_use.h"

#include <stdlib.h>

enum { SLOTS = 4096, EVERY_MS = 60 * 1000, WAITING_MAX = 256, AGAIN_MS = 10 * 60 * 1000, KEY_MAX = 2048 };

struct use { /* one to be written */
	struct use *next;
	struct last_uses *all;
	size_t passdb;
	struct arena *mem;
	struct vars vars;
	struct lookup lookup;
};

struct last_uses {
	struct authd *a;
	struct {
		uint64_t key, at_ms;
	} written[SLOTS]; /* by key; another one in its place is forgotten, and written once more */
	struct use *first, **last;
	size_t n;
	bool is_writing; /* u->first */
	uint64_t not_before_ms;
};

struct last_uses *last_uses_new(struct authd *a)
{
	struct last_uses *u = xcalloc(1, sizeof *u);

	u->a = a;
	u->last = &u->first;
	return u;
}

static void drop_first(struct last_uses *u)
{
	struct use *use = u->first;

	u->first = use->next;
	if (u->first == NULL)
		u->last = &u->first;
	u->n--;
	arena_wipe(&use->mem);
	free(use);
}

void last_uses_free(struct last_uses **u)
{
	while (*u && (*u)->first)
		drop_first(*u);
	free(*u);
	*u = NULL;
}

static void write_next(struct last_uses *u);

static void on_written(struct lookup *lookup)
{
	struct use *use = container_of(lookup, struct use, lookup);
	struct last_uses *u = use->all;
	bool failed = lookup->result == LOOKUP_FAILED;

	u->is_writing = false;
	drop_first(u);
	if (failed)
		u->not_before_ms = uv_now(u->a->child.loop) + AGAIN_MS;
	while (failed && u->first)
		drop_first(u);
	write_next(u);
}

static void write_next(struct last_uses *u)
{
	while (u->first && !u->is_writing) {
		struct use *use = u->first;

		use->lookup.done = on_written;
		u->is_writing =
			lookup_write(&use->lookup, &u->a->credentials[use->passdb], "credentials_used_query",
				&u->a->set->passdb[use->passdb].sql.credentials_used_query, &use->vars, use->mem) == 0;
		if (!u->is_writing)
			drop_first(u);
	}
}

static uint64_t key_of(const struct login *l)
{
	struct buf b = BUF_INIT(KEY_MAX);
	uint64_t key;

	buf_addf(&b, "%zu %.*s %.*s", l->app_passdb, STR_ARG(l->app_user), STR_ARG(l->app));
	key = str_hash(buf_str(&b));
	buf_free(&b);
	return key;
}

static bool was_just_written(const struct last_uses *u, uint64_t key, uint64_t now)
{
	return u->written[key % SLOTS].key == key && u->written[key % SLOTS].at_ms &&
	       now - u->written[key % SLOTS].at_ms < EVERY_MS;
}

void last_use_note(const struct login *l)
{
	struct last_uses *u = l->authd->last_uses;
	uint64_t key = key_of(l), now = uv_now(l->authd->child.loop);
	struct use *use;

	if (u == NULL || l->authd->set->passdb[l->app_passdb].sql.credentials_used_query.sql == NULL ||
		was_just_written(u, key, now) || u->n == WAITING_MAX || now < u->not_before_ms)
		return;
	u->written[key % SLOTS].key = key;
	u->written[key % SLOTS].at_ms = now;
	use = xcalloc(1, sizeof *use);
	use->all = u;
	use->passdb = l->app_passdb;
	use->mem = arena_new(0);
	use->vars.service = arena_dup(use->mem, l->vars.service);
	use->vars.remote_ip = arena_dup(use->mem, l->vars.remote_ip);
	use->vars.credential = arena_dup(use->mem, l->app);
	vars_set_user(&use->vars, arena_dup(use->mem, l->app_user));
	*u->last = use;
	u->last = &use->next;
	u->n++;
	write_next(u);
}
