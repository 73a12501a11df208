/* user_impl.h - between the files of `gatepost user`: the users database (SQLite), its schema, and what stands in it. */
#ifndef CTL_USER_IMPL_H
#define CTL_USER_IMPL_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"

#include <sqlite3.h>

enum { USER_SCHEMA = 2, STORED_MAX = 8192 };

struct users {
	struct arena *mem;
	const char *auth_conf;
	const char *lines_file;	 /* where the queries are: the file of `args`, else auth_conf */
	const char *path;	 /* of the database */
	const char *scheme;	 /* for new passwords: gatepost_new_password_scheme */
	const char *key_schemes; /* what is stored beside them: gatepost_new_credentials */
	const char *owner;	 /* auth_owner */
	bool has_query;		 /* there is a credentials_query */
	sqlite3 *db;
};

/* ---- user_db.c ---- */

/* Say it on standard error, with the program's name in front. Returns -1. */
int user_failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Read auth.conf: where the users are, and how new ones are made. Fills *u, all in u->mem, which user_db_close() frees. 0, or -1 (said). */
int user_db_find(struct users *u, const struct conf *conf);
/*
 * user_db_find(), and open what was found. create: make it when it is missing, and bring its schema up to date (so does every
 * command that changes something). Returns 0, or -1 (said). user_db_close() in either case.
 */
int user_db_open(struct users *u, const struct conf *conf, bool create);
void user_db_close(struct users *u);
/* What credentials_query and its like are for this schema: lines for the SQL file of the passdb. */
void user_db_auth_lines(struct buf *out);
/*
 * Bring the schema up to USER_SCHEMA, in one transaction that is its own; another process that does the same waits, and finds
 * it done. *from: the version before. Returns 0, or -1 (said): nothing was changed.
 */
int user_db_migrate(struct users *u, unsigned *from);
/* Run what returns no rows. 0, or -1 (said). */
int user_db_exec(struct users *u, const char *sql);
/* Run one statement with values bound to ?1 …; returns the rows that it changed, or -1 (said). */
int user_db_change(struct users *u, const char *sql, const struct str *values, int n);
/* The first column of the first row, as a number; -1: it failed (said), or there is none. */
long long user_db_number(struct users *u, const char *sql, struct str value);
/* A statement with one value, or NULL (said); sqlite3_finalize() it. */
sqlite3_stmt *user_db_select(struct users *u, const char *sql, struct str value);

/* ---- user_name.c ---- */

/* Why nobody may be called that: English, static; NULL: he may. */
const char *user_name_fault(struct str name);

/* ---- user_keys.c ---- */

/*
 * What is stored for a password beside its hash, of u->key_schemes, to *out: words with blanks between them. SCRAM keys get
 * the salt of the user's app passwords, when there are some: one name has one salt. *stored gets the hash, of u->scheme.
 * Returns 0, or -1 (said).
 */
int user_make_stored(struct users *u, struct str user, struct str plain, struct buf *stored, struct buf *out);
/* What is stored for an app password: its digest, and SCRAM keys with the salt of the user's others. 0, or -1 (said). */
int user_make_app_stored(struct users *u, struct str user, struct str plain, struct buf *out);

/* ---- user_app_password.c ---- */

/* `gatepost user app-password …`: argv[0] is "add", "list" or "revoke". Returns the exit code. */
int ctl_app_password(const struct conf *conf, int argc, char **argv);

#endif
