/* Making and changing the index file of a hash or lmdb table, whole: a new file, flushed, renamed over the old one. */
#include "map/map_text.h"
#include "map/table.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAP_SIZE = 1 << 24, MAP_SIZE_PER_OCTET = 4 };

struct writer {
	const char *path; /* without .lmdb */
	char *final, *temp;
	const struct lmdb_write *how;
	struct buf *why;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	struct buf k, v, folded, stored;
};

static void warn(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void warn(struct writer *w, const char *fmt, ...)
{
	struct buf line = BUF_INIT(TABLE_WHY_MAX);
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	if (w->how->warn && line.n)
		w->how->warn(line.p);
	buf_free(&line);
}

static int fail_errno(struct writer *w, const char *doing, const char *path)
{
	buf_addf(w->why, "cannot %s %s: %s", doing, path, strerror(errno));
	return -1;
}

static int fail_lmdb(struct writer *w, int e)
{
	buf_addf(w->why, "cannot write %s: %s", w->temp, mdb_strerror(e));
	return -1;
}

static MDB_val with_nul(struct buf *b, struct str s)
{
	buf_reset(b);
	buf_add_str(b, s);
	buf_add_char(b, '\0');
	return (MDB_val){ b->n, b->p };
}

static int put(struct writer *w, struct str key, struct str value, bool replace)
{
	MDB_val k = with_nul(&w->k, key), v = with_nul(&w->v, value);

	return mdb_put(w->txn, w->dbi, &k, &v, replace ? 0 : MDB_NOOVERWRITE);
}

static int put_line(struct writer *w, unsigned line, struct str key, struct str value)
{
	int e;

	if (w->how->value_of) {
		buf_reset(&w->stored);
		if (!w->how->value_of(value, &w->stored))
			return EIO;
		value = buf_str(&w->stored);
	}
	if (!w->how->keep_case) {
		buf_reset(&w->folded);
		for (size_t i = 0; i < key.n; i++)
			buf_add_char(&w->folded, ascii_lower(key.p[i]));
		key = buf_str(&w->folded);
	}
	if (key.n + 1 > (size_t)mdb_env_get_maxkeysize(w->env)) {
		warn(w, "%s, line %u: the key is longer than %d octets; the line is ignored", w->path, line,
			mdb_env_get_maxkeysize(w->env) - 1);
		return 0;
	}
	e = put(w, key, value, w->how->replace);
	if (e != MDB_KEYEXIST)
		return e;
	if (!w->how->quiet_duplicates)
		warn(w, "%s, line %u: duplicate entry: \"%.*s\"; the first one counts", w->path, line, STR_ARG(key));
	return 0;
}

static int put_all(struct writer *w, struct str text)
{
	struct buf scratch = BUF_INIT(TABLE_VALUE_MAX);
	struct str line, key, value;
	struct map_lines lines;
	int e = 0;

	map_lines_begin(&lines, text);
	while (e == 0 && map_lines_next(&lines, &line)) {
		switch (map_entry_parse(line, w->how->aliases, &scratch, &key, &value)) {
		case MAP_ENTRY_QUOTE:
			warn(w, "%s, line %u: a quotation mark is not closed; the line is ignored", w->path,
				lines.line);
			break;
		case MAP_ENTRY_EMPTY:
			warn(w, "%s, line %u: must be: key%s value; the line is ignored", w->path, lines.line,
				w->how->aliases ? ":" : ", blank,");
			break;
		case MAP_ENTRY_COLON:
			if (!w->how->aliases) {
				warn(w, "%s, line %u: record is in \"key: value\" format; is this an alias file?",
					w->path, lines.line);
				key = (struct str){ key.p, key.n + 1 };
			}
			e = put_line(w, lines.line, key, value);
			break;
		case MAP_ENTRY:
			e = put_line(w, lines.line, key, value);
			break;
		}
	}
	map_lines_end(&lines);
	buf_free(&scratch);
	return e;
}

/* Copy what is in the file now, but `except` (n == 0: nothing is left out). Returns an LMDB error; *found: it was there. */
static int copy_old(struct writer *w, struct str except, bool *found)
{
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_dbi dbi;
	MDB_val k, v;
	int e = mdb_env_create(&env);

	if (e == 0)
		e = mdb_env_open(env, w->final, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0);
	if (e == 0)
		e = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (e == 0)
		e = mdb_dbi_open(txn, NULL, 0, &dbi);
	if (e == 0)
		e = mdb_cursor_open(txn, dbi, &cursor);
	while (e == 0 && (e = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
		struct str key = { k.mv_data, k.mv_size };

		if (key.n && key.p[key.n - 1] == '\0')
			key.n--;
		if (except.n && str_eq(key, except))
			*found = true;
		else
			e = mdb_put(w->txn, w->dbi, &k, &v, 0);
	}
	if (cursor)
		mdb_cursor_close(cursor);
	if (txn)
		mdb_txn_abort(txn);
	if (env)
		mdb_env_close(env);
	return e == MDB_NOTFOUND ? 0 : e;
}

static int begin(struct writer *w, size_t text_octets)
{
	struct buf name = BUF_INIT(8192);
	struct stat old = { .st_size = 0 };
	int e;

	buf_addf(&name, "%s.lmdb", w->path);
	w->final = name.p;
	name = BUF_INIT(8192);
	buf_addf(&name, "%s.lmdb.%ld.tmp", w->path, (long)getpid());
	w->temp = name.p;
	w->k = w->v = w->folded = w->stored = BUF_INIT(TABLE_FILE_MAX);
	unlink(w->temp);
	if (stat(w->final, &old) != 0)
		old.st_size = 0;
	e = mdb_env_create(&w->env);
	if (e == 0)
		e = mdb_env_set_mapsize(
			w->env, MAP_SIZE + (text_octets + (size_t)old.st_size) * MAP_SIZE_PER_OCTET + text_octets * 16);
	if (e == 0)
		e = mdb_env_open(w->env, w->temp, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600);
	if (e == 0)
		e = mdb_txn_begin(w->env, NULL, 0, &w->txn);
	if (e == 0)
		e = mdb_dbi_open(w->txn, NULL, MDB_CREATE, &w->dbi);
	return e == 0 ? 0 : fail_lmdb(w, e);
}

/* Owner and mode of the source, so that who may read the one may read the other. */
static int take_mode(struct writer *w, int fd)
{
	struct stat st;
	const char *from = stat(w->path, &st) == 0 ? w->path : w->final;

	if (stat(from, &st) != 0)
		st.st_mode = 0644;
	else if (w->how->keep_owner && geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0)
		return fail_errno(w, "change the owner of", w->temp);
	return fchmod(fd, st.st_mode & 0666) == 0 ? 0 : fail_errno(w, "change the mode of", w->temp);
}

static int publish(struct writer *w)
{
	int fd = open(w->temp, O_RDWR | O_CLOEXEC), dir, r;
	char *copy;

	if (fd < 0)
		return fail_errno(w, "open", w->temp);
	r = take_mode(w, fd);
	if (r == 0 && fsync(fd) != 0)
		r = fail_errno(w, "flush", w->temp);
	close(fd);
	if (r == 0 && rename(w->temp, w->final) != 0)
		r = fail_errno(w, "put into place", w->final);
	if (r != 0)
		return r;
	copy = xstrdup(w->final);
	dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fsync(dir);
		close(dir);
	}
	free(copy);
	return 0;
}

/* Commit (e == 0) or drop it; e is an LMDB error. Frees all. */
static int end(struct writer *w, int e, bool wanted)
{
	int r = 0;

	if (w->txn && e == 0 && wanted)
		e = mdb_txn_commit(w->txn);
	else if (w->txn)
		mdb_txn_abort(w->txn);
	if (w->env)
		mdb_env_close(w->env);
	if (e != 0)
		r = fail_lmdb(w, e);
	else if (wanted)
		r = publish(w);
	if (r != 0 || !wanted)
		unlink(w->temp);
	free(w->final);
	free(w->temp);
	buf_free(&w->k);
	buf_free(&w->v);
	buf_free(&w->folded);
	buf_wipe(&w->stored);
	return r;
}

int table_lmdb_write(const char *path, struct str text, const struct lmdb_write *how, struct buf *why)
{
	struct writer w = { .path = path, .how = how, .why = why };
	bool found = false;
	int e = 0;

	if (begin(&w, text.n) != 0) {
		end(&w, 0, false);
		return -1;
	}
	if (how->how == LMDB_ADD && access(w.final, F_OK) == 0)
		e = copy_old(&w, (struct str){ "", 0 }, &found);
	if (e == 0)
		e = put_all(&w, text);
	return end(&w, e, true);
}

int table_lmdb_delete(const char *path, struct str key, struct buf *why)
{
	struct writer w = { .path = path, .how = &(struct lmdb_write){ .keep_owner = true }, .why = why };
	bool found = false;
	int e, r;

	if (begin(&w, 0) != 0) {
		end(&w, 0, false);
		return -1;
	}
	if (access(w.final, R_OK) != 0) {
		r = fail_errno(&w, "read", w.final);
		end(&w, 0, false);
		return r;
	}
	e = copy_old(&w, key, &found);
	r = end(&w, e, found);
	return r < 0 ? r : found;
}
