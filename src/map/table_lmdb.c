/*
 * hash, btree and lmdb: an index file PATH.lmdb, made by postmap. Keys and values end with a NUL, as in those that
 * Postfix's postmap writes; one that was written without is read too. Readers take no lock: the writer makes a new file
 * and renames it.
 */
#include "map/map_text.h"
#include "map/mem_map.h"
#include "map/table.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

struct lmdb_table {
	struct table table;
	char *path; /* name.lmdb */
	MDB_env *env;
	MDB_txn *txn; /* reset between two lookups */
	MDB_dbi dbi;
	struct table_file file;
	struct mem_map *text; /* hash without an index: the source */
	struct table_file text_file;
};

static struct lmdb_table *lmdb_of(struct table *t)
{
	return container_of(t, struct lmdb_table, table);
}

static struct table *lmdb_make(void)
{
	struct lmdb_table *l = xcalloc(1, sizeof *l);

	return &l->table;
}

static void lmdb_close(struct lmdb_table *l)
{
	if (l->txn)
		mdb_txn_abort(l->txn);
	if (l->env)
		mdb_env_close(l->env);
	l->txn = NULL;
	l->env = NULL;
}

static void lmdb_free(struct table *t)
{
	struct lmdb_table *l = lmdb_of(t);

	lmdb_close(l);
	mem_map_free(&l->text);
	free(l->path);
	free(l);
}

static bool lmdb_open(struct lmdb_table *l, struct buf *why)
{
	int e;

	lmdb_close(l);
	e = mdb_env_create(&l->env);
	if (e == 0)
		e = mdb_env_open(l->env, l->path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0);
	if (e == 0)
		e = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->txn);
	if (e == 0)
		e = mdb_dbi_open(l->txn, NULL, 0, &l->dbi);
	if (e == 0)
		return true;
	buf_addf(why, "%s: cannot read %s: %s; make it with \"postmap %s\"", l->table.spec, l->path, mdb_strerror(e),
		l->table.spec);
	lmdb_close(l);
	table_file_forget(&l->file);
	return false;
}

/* No index: 1: the text source stands in for it, -1: nothing can be read. */
static int lmdb_source(struct lmdb_table *l, struct buf *why)
{
	struct table *t = &l->table;
	int changed, missing = errno;

	lmdb_close(l);
	changed = t->type == &table_lmdb ? -1 : table_file_changed(t, &l->text_file, t->name);
	if (changed < 0) {
		buf_addf(why, "%s: cannot read %s: %s; make it with \"postmap %s\", or take the table out of main.cf",
			t->spec, l->path, strerror(missing), t->spec);
		return -1;
	}
	if (l->text && changed == 0)
		return 1;
	if (l->text == NULL)
		table_notice(t, "%s: there is no %s, so the text %s is read instead; run \"postmap %s\"", t->spec,
			l->path, t->name, t->spec);
	if (table_text_load(t, t->name, &l->text, why))
		return 1;
	table_file_forget(&l->text_file);
	return -1;
}

/* 0: the index is open, 1: the text is read, -1: why. */
static int lmdb_current(struct lmdb_table *l, struct buf *why)
{
	int changed;

	if (l->path == NULL) {
		struct buf path = BUF_INIT(8192);

		buf_addf(&path, "%s.lmdb", l->table.name);
		l->path = path.p;
	}
	if (l->text && table_set_reach(l->table.set) == TABLES_FROZEN)
		return 1;
	changed = table_file_changed(&l->table, &l->file, l->path);
	if (changed < 0) {
		table_file_forget(&l->file);
		return lmdb_source(l, why);
	}
	mem_map_free(&l->text);
	if ((changed || l->env == NULL) && !lmdb_open(l, why))
		return -1;
	return 0;
}

static struct str without_nul(MDB_val v)
{
	struct str s = { v.mv_data, v.mv_size };

	if (s.n && s.p[s.n - 1] == '\0')
		s.n--;
	return s;
}

static int lmdb_get(struct lmdb_table *l, struct str key, struct buf *value)
{
	char z[TABLE_KEY_MAX + 1];
	MDB_val k = { key.n + 1, z }, v;
	int e;

	memcpy(z, key.n ? key.p : "", key.n);
	z[key.n] = '\0';
	if (k.mv_size > (size_t)mdb_env_get_maxkeysize(l->env))
		return MDB_NOTFOUND;
	e = mdb_get(l->txn, l->dbi, &k, &v);
	if (e == MDB_NOTFOUND && key.n) {
		k.mv_size--;
		e = mdb_get(l->txn, l->dbi, &k, &v);
	}
	if (e == 0 && buf_add_str(value, without_nul(v)) != 0)
		return MDB_BAD_VALSIZE;
	return e;
}

static enum map_status lmdb_fault(struct lmdb_table *l, int e, struct buf *why)
{
	buf_addf(why, "%s: reading %s: %s; make it again with \"postmap %s\"", l->table.spec, l->path, mdb_strerror(e),
		l->table.spec);
	lmdb_close(l);
	table_file_forget(&l->file);
	return MAP_TEMPORARY;
}

static enum map_status lmdb_find(struct table *t, struct str key, struct buf *value, struct buf *why)
{
	struct lmdb_table *l = lmdb_of(t);
	int which = lmdb_current(l, why), e;

	if (which < 0)
		return MAP_TEMPORARY;
	if (which == 1) {
		struct str v = mem_map_find(l->text, key);

		if (v.p)
			buf_add_str(value, v);
		return v.p ? MAP_FOUND : MAP_NOT_FOUND;
	}
	/* Another process may write into the same file (Postfix's postmap does): each lookup sees the newest state. */
	mdb_txn_reset(l->txn);
	e = mdb_txn_renew(l->txn);
	if (e == 0)
		e = lmdb_get(l, key, value);
	if (e == MDB_NOTFOUND)
		return MAP_NOT_FOUND;
	return e == 0 ? MAP_FOUND : lmdb_fault(l, e, why);
}

static enum map_status lmdb_walk(struct table *t, struct table_walk *w, struct buf *why)
{
	struct lmdb_table *l = lmdb_of(t);
	int which = lmdb_current(l, why), e;
	struct str key, value;
	MDB_cursor *cursor;
	MDB_val k, v;

	if (which < 0)
		return MAP_TEMPORARY;
	for (size_t i = 0; which == 1 && mem_map_at(l->text, i, &key, &value); i++)
		if (!w->each(w, key, value))
			break;
	if (which == 1)
		return MAP_FOUND;
	mdb_txn_reset(l->txn);
	e = mdb_txn_renew(l->txn);
	if (e == 0)
		e = mdb_cursor_open(l->txn, l->dbi, &cursor);
	if (e != 0)
		return lmdb_fault(l, e, why);
	while ((e = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
		if (!w->each(w, without_nul(k), without_nul(v)))
			break;
	mdb_cursor_close(cursor);
	return e == 0 || e == MDB_NOTFOUND ? MAP_FOUND : lmdb_fault(l, e, why);
}

const struct table_type table_hash = { "hash", TABLE_FILE, lmdb_make, lmdb_find, lmdb_free, lmdb_walk, NULL };
const struct table_type table_btree = { "btree", TABLE_FILE, lmdb_make, lmdb_find, lmdb_free, lmdb_walk, NULL };
const struct table_type table_lmdb = { "lmdb", TABLE_FILE, lmdb_make, lmdb_find, lmdb_free, lmdb_walk, NULL };
