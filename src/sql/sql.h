/*
 * sql.h - what authd and the tables of main.cf want of a database, and what a driver (sql_sqlite.c, sql_pgsql.c, sql_mysql.c)
 * gives. A driver's functions block at most wait_ms; a connection is used by one thread at a time. Which thread, and what is
 * logged, is the caller's.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include "base/arena.h"
#include "base/buf.h"

enum sql_err {	       /* returned negated */
	SQL_EBUSY = 1, /* somebody else holds a lock; wait_ms was not enough */
	SQL_EDOWN,     /* not there, not readable …: *why says it */
	SQL_EVALUE,    /* it works, and refuses this query for the values bound in it: *why says it */
	SQL_EQUERY,    /* it works, and refuses this query, which does not fit its tables …: *why says it */
	SQL_EINPUT     /* it was not asked, because of the values: *why says it */
};

enum sql_dialect {    /* how a driver's queries are written */
	SQL_QUESTION, /* "?" stands for a value */
	SQL_DOLLAR,   /* "$1" stands for a value, and "…" is always a name */
	SQL_BACKSLASH /* "?", and a backslash quotes within quotes */
};

struct sql_field {
	struct str name, value;
	bool is_null;
};
struct sql_row {
	struct sql_field *field;
	size_t n;
	struct sql_row *next;
};

struct sql_conn; /* a driver's connection; starts with a pointer to its driver */

struct sql_driver {
	const char *name;
	/*
	 * Is a lookup so quick, with wait_ms == 0, that the event loop may make it itself? (A database in a local file:
	 * yes; one behind a network: no, its lookups go to threads.)
	 */
	bool is_local;
	enum sql_dialect dialect;
	/*
	 * `connect` is borrowed for as long as the connection lives. root: the directory that will be the process's "/"
	 * by the first query (files below it are opened below it; messages name them in full); "": as before. Does not
	 * touch the database yet.
	 */
	struct sql_conn *(*open)(const char *connect, const char *root);
	void (*close)(struct sql_conn **c);
	/*
	 * Run a query with bound parameters. `sql` must stay at its address: prepared statements are kept by it.
	 * *rows is a list in the arena, at most max_rows of them (0: no limit). A connection that broke is made anew by
	 * the next call. Returns 0, or -enum sql_err with *why (English, in the arena).
	 */
	int (*run)(struct sql_conn *c, const char *sql, const struct str *params, size_t n, unsigned wait_ms,
		size_t max_rows, struct arena *mem, struct sql_row **rows, const char **why);
	/*
	 * The path of a local database in `connect` (in the arena), for the jail; NULL: none. May be NULL.
	 */
	const char *(*path)(const char *connect, struct arena *mem);
	/* This connection, not used yet, may change the database. NULL: any may. */
	void (*allow_writes)(struct sql_conn *c);
	/* What is wrong with the words of `connect` (English, in the arena); NULL: nothing. May be NULL. */
	const char *(*check)(const char *connect, struct arena *mem);
	uint16_t port; /* of TCP, where "port=" does not say it; 0: none */
	/* The TCP ports of `connect`, at most max, when `port` is not how they are said. Returns how many. May be NULL. */
	size_t (*ports)(const char *connect, uint16_t *out, size_t max, struct arena *mem);
	/*
	 * From on to off all queries of this connection may be answered from one look at the database, as it is at the first of
	 * them; nobody can change it meanwhile. May be NULL.
	 */
	void (*hold)(struct sql_conn *c, bool on);
};

/* Octets of the comment at the start of s, to the end of its line or of itself; 0: there is none. */
size_t sql_comment_length(struct str s);
/* Append what MySQL makes of the octet behind a backslash in quotes; "%" and "_" keep theirs, for LIKE. */
void sql_add_escaped(struct buf *out, char c);

/* "sqlite" … or NULL. */
const struct sql_driver *sql_driver_find(const char *name);
/* "sqlite, pgsql and mysql": those that were built in. */
const char *sql_driver_names(void);
/* What a database behind a socket means with an SQLSTATE (five octets; NULL: it gave none): -enum sql_err. Pure. */
int sql_fault(const char *state);
/* Value of a column by name, without regard to case; NULL: there is none. */
const struct sql_field *sql_field_find(const struct sql_row *row, const char *name);

extern const struct sql_driver sql_sqlite, sql_pgsql, sql_mysql;

#endif
