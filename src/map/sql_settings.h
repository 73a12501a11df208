/*
 * sql_settings.h - the file behind "sqlite:", "mysql:" and "pgsql:": "name = value" lines as in sqlite_table(5), mysql_table(5) and
 * pgsql_table(5). What the three have in common: which settings there are, the query, which keys are asked for, and how what is
 * found becomes a value.
 */
#ifndef MAP_SQL_SETTINGS_H
#define MAP_SQL_SETTINGS_H

#include "map/match.h"
#include "map/sql_text.h"
#include "map/table.h"

enum sql_file_type { SQL_FILE_SQLITE = 1, SQL_FILE_MYSQL = 2, SQL_FILE_PGSQL = 4 };
enum { SQL_HOSTS_MAX = 8 };

struct sql_settings {
	struct arena *mem; /* holds everything; NULL: there are none */
	struct table_file file;
	const char *dbpath;		    /* sqlite */
	const char *connect[SQL_HOSTS_MAX]; /* mysql, pgsql: of each host what sql_driver.open() takes */
	const char *host[SQL_HOSTS_MAX];    /* its name, for messages */
	uint16_t port[SQL_HOSTS_MAX];	    /* 0: the usual one */
	const char *files[TABLE_FILES];	    /* that the words of connect name */
	size_t n_files;
	bool has_options; /* a file of options may say more */
	size_t n_hosts;
	struct sql_query query;
	const char *result_format;
	uint64_t limit;		    /* of results; 0: none */
	struct match_list *domains; /* NULL: all */
	const char *fault;	    /* of the file, until it changes; NULL: none. With one there is nothing else. */
};

/*
 * Read the file of `t` when it was not read yet, or has changed: then *changed, and what was made of the ones before is to be
 * dropped. Returns false with why: there are no settings now.
 */
bool sql_settings_current(
	struct sql_settings *s, struct table *t, enum sql_file_type type, bool *changed, struct buf *why);
void sql_settings_drop(struct sql_settings *s);
/* The caller found something wrong in them: lookups fail with it until the file changes. */
void sql_settings_refuse(struct sql_settings *s, const struct table *t, const char *fault);
/* Is the key user@domain of a domain that "domain =" names? FOUND: it is, or there is no such setting. */
enum map_status sql_settings_has_key(const struct sql_settings *s, struct str key, struct buf *why);
/* Append a cell of the answer to the value. False with why: there are more than expansion_limit, or than
 * an answer may have. *count begins with 0. */
bool sql_settings_add(const struct sql_settings *s, const struct table *t, struct str key, struct str cell,
	uint64_t *count, struct buf *value, struct buf *why);

#endif
