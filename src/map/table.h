/*
 * table.h - lookup tables, "type:name" as in Postfix's DATABASE_README, one file per type.
 *
 * A table set owns the tables of one process; a table is made when it is first named and read when it is first asked.
 * File tables are read again when their file changed (looked at once a second at most). A table that cannot be read
 * answers MAP_TEMPORARY, never "not found". table_find() may be called by several threads at a time: each table has a
 * lock.
 */
#ifndef MAP_TABLE_H
#define MAP_TABLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "map/map_answer.h"
#include <pthread.h>

enum {
	TABLE_VALUE_MAX = 4 * 1024 * 1024, /* octets of a value that is found: an alias may be a list of many */
	TABLE_WHY_MAX = 2048,
	TABLE_KEY_MAX = 2048 /* a longer key is in no table */
};

enum table_reach {
	TABLES_ALL,   /* everything: mapd, postmap */
	TABLES_LOCAL, /* what needs nothing but its own text: inline, static; others answer MAP_ELSEWHERE */
	TABLES_FROZEN /* files too, read when made and never again: a process that will lose its right to open files */
};

enum {
	TABLE_OWN_TEXT = 1, /* needs no file and no socket */
	TABLE_PATTERN = 2,  /* asked with whole keys only, never with parts of an address; the key's case is kept */
	TABLE_FILE = 4,	    /* the name is a file (or a file's name without its suffix); see table_is_file() */
	TABLE_LIVE = 8,	    /* cannot be frozen */
	TABLE_REMOTE =
		16 /* somebody else answers, perhaps not soon: who finds it taken for a second does not wait on */
};

struct table;
struct table_set;

struct table_walk {
	bool (*each)(struct table_walk *w, struct str key, struct str value);
};

/* What a table needs beside its own file, for a jail. */
enum { TABLE_PORTS = 9, TABLE_FILES = 8 };
struct table_needs {
	uint16_t port[TABLE_PORTS]; /* of TCP, as its file says now */
	size_t n_ports;
	bool by_tcp;		       /* it is not behind a socket in the file system alone */
	bool any_port;		       /* another file may say where it is */
	const char *file[TABLE_FILES]; /* databases, certificates, keys, options; borrowed of the table */
	size_t n_files;
};

struct table_type {
	const char *name;
	unsigned flags;
	/* A table from what stands behind "type:"; reads nothing yet. Embeds a struct table as its first member. */
	struct table *(*make)(void);
	/*
	 * Look `key` up; value and why are empty buffers. FOUND: value is filled. TEMPORARY: why has one line that says
	 * which table, what is wrong and what to do. Called under the table's lock.
	 */
	enum map_status (*find)(struct table *t, struct str key, struct buf *value, struct buf *why);
	/* Free what make() returned, and all that it holds. */
	void (*free)(struct table *t);
	/* Call `each` for all entries, until it returns false. NULL: the type cannot be listed. As find() otherwise. */
	enum map_status (*walk)(struct table *t, struct table_walk *w, struct buf *why);
	/* Read its settings, after which other tables that they name are in the set, and fill *out, all zero. NULL: there are none. */
	void (*needs)(struct table *t, struct table_needs *out);
};

/* State of a file that a table is made from. */
struct table_file {
	uint64_t checked_ms;
	uint64_t dev, ino, size;
	int64_t mtime_ns;
	bool known;
};

struct table {
	const struct table_type *type;
	struct table_set *set;
	char *spec; /* "type:name", for messages */
	char *name; /* what stands behind the colon */
	pthread_mutex_t lock;
	bool keep_case; /* postmap -f */
	struct table *next;
};

/* Is there a file behind it? Not with "cidr:{{rule}, {rule}}", whose rules stand in its name. */
bool table_is_file(const struct table *t);

/* `queue_directory`: what the socket of a userdb table is relative to; "": the working directory. */
struct table_set *table_set_new(enum table_reach reach, const char *queue_directory);
void table_set_free(struct table_set **s);
/* From now on table_get() makes no table that it does not have: it answers with one that is always MAP_TEMPORARY. */
void table_set_seal(struct table_set *s);
const char *table_set_queue_directory(const struct table_set *s);
enum table_reach table_set_reach(const struct table_set *s);
/* Warnings of the tables (a bad line, a missing index), one line each, that gathered since the last call. */
void table_set_notices(struct table_set *s, struct buf *lines);
size_t table_set_count(const struct table_set *s);
/* Every table of the set in turn: NULL gives the first, and the last one's successor is NULL. */
struct table *table_set_next(const struct table_set *s, const struct table *after);

/*
 * The table "type:name" ("proxy:" in front is dropped; a name that begins with "/" is of type hash). Never NULL: one of
 * an unknown type answers MAP_TEMPORARY and says so. Belongs to the set.
 */
struct table *table_get(struct table_set *s, struct str spec);
/* The same also when the set is sealed: for a table that another table's file names. Any thread. */
struct table *table_get_own(struct table_set *s, struct str spec);
/* Does the word look like "type:name", rather than like a host, an address or a file? */
bool table_is_spec(struct str word);
/* Look a key up. Without TABLE_PATTERN it is folded to lower case (ASCII). value and why are emptied first. */
enum map_status table_find(struct table *t, struct str key, struct buf *value, struct buf *why);
/* Read the settings of all tables of the set, and of those that they name, before files are out of reach. */
void table_set_prepare(struct table_set *s);
enum map_status table_walk_all(struct table *t, struct table_walk *w, struct buf *why);
/* The type of that name, or NULL. */
const struct table_type *table_type_find(struct str name);

/* The tables of a parameter's value, in order. */
struct table_list {
	struct table **t;
	size_t n;
};
struct table_list table_list_make(struct table_set *s, struct str value);
void table_list_drop(struct table_list *l);
/*
 * First hit wins; a table that cannot answer ends the search. `part`: the key is a part of what is looked for, so that
 * pattern tables are passed over.
 */
enum map_status table_list_find(
	const struct table_list *l, struct str key, bool part, struct buf *value, struct buf *why);

/* For the types. */
/* Warn, without the log (which belongs to the loop's thread). */
void table_notice(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 1: the file is new or has changed (the state is noted), 0: as before, -1: it is not there, errno. */
int table_file_changed(struct table *t, struct table_file *f, const char *path);
/* Forget the state, so that the next look finds a change. */
void table_file_forget(struct table_file *f);
/* Whole file; false with why filled. */
bool table_read_file(struct table *t, const char *path, struct buf *text, struct buf *why);
/* Read a postmap(1) text into *map (freed first). False with why filled. */
struct mem_map;
bool table_text_load(struct table *t, const char *path, struct mem_map **map, struct buf *why);
uint64_t table_now_ms(void);

enum { TABLE_FILE_MAX = 256 * 1024 * 1024 };

extern const struct table_type table_inline, table_static, table_fail, table_texthash, table_hash, table_btree,
	table_lmdb, table_regexp, table_pcre, table_cidr, table_sqlite, table_mysql, table_pgsql, table_userdb,
	table_unix;

/*
 * Write all entries of `text` (postmap(1); `aliases`: aliases(5)) to PATH.lmdb: a new file beside it, flushed, renamed.
 * LMDB_ADD keeps the old content. Returns 0, or -1 with why filled; warnings go through `warn`.
 */
enum lmdb_how { LMDB_NEW, LMDB_ADD };
struct lmdb_write {
	enum lmdb_how how;
	bool aliases, keep_case, replace, quiet_duplicates, keep_owner;
	void (*warn)(const char *line);
	/* NULL, or: what is stored instead of this value, into an empty buffer. False: the table is not written. */
	bool (*value_of)(struct str value, struct buf *stored);
};
int table_lmdb_write(const char *path, struct str text, const struct lmdb_write *w, struct buf *why);
/* Remove a key. 1: it was there, 0: it was not, -1: why. */
int table_lmdb_delete(const char *path, struct str key, struct buf *why);

#endif
