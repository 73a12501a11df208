/*
 * sql_text.h - the %-letters of SQL tables (sqlite_table(5), mysql_table(5), pgsql_table(5)): a query becomes a statement with
 * parameters, so that no octet of a key is ever part of it; a result_format becomes text.
 */
#ifndef MAP_SQL_TEXT_H
#define MAP_SQL_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "sql/sql.h"

enum { SQL_PARAMS_MAX = 64 };

struct sql_query {
	const char *text;		  /* the statement */
	struct str param[SQL_PARAMS_MAX]; /* what stands in each place, in order, with letters: s u d S U D 1…9 */
	size_t n;
};
/*
 * Take %s %u %d %S %U %D %1…%9 %% out of a query. A quoted literal that holds one becomes one parameter as a whole: '%u@x' is
 * the parameter "%u@x". The dialect says what its quotes and parameters are. All that *q has is in the arena. Returns 0, or -1
 * with why.
 */
int sql_query_parse(
	struct str query, enum sql_dialect dialect, struct arena *mem, struct sql_query *q, struct buf *why);
/* Append a parameter's value for this key. False: the key has no such part, or there is no room; nothing may be asked. */
bool sql_param(struct str param, struct str key, struct buf *out);
/* Is each "%" of a result_format one of %s %u %d %S %U %D %1…%9 %%? */
bool sql_format_is_good(struct str format);
/*
 * result_format: %s %u %d of the value, %S %U %D %1…%9 of the key. u is the local part (all of it when there is no "@"), d the
 * domain, 1…9 the domain's labels from the right. Returns 1; 0: a part is not there, and the value is skipped; -1: there is no room
 * for it. Then nothing was added.
 */
int sql_format(struct str format, struct str key, struct str value, struct buf *out);

#endif
