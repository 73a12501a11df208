/*
 * sql_text.h - the %-letters of SQL tables (sqlite_table(5)): a query becomes a statement with parameters, so that no
 * octet of a key is ever part of it; a result_format becomes text.
 */
#ifndef MAP_SQL_TEXT_H
#define MAP_SQL_TEXT_H

#include "base/buf.h"

enum { SQL_PARAMS_MAX = 64 };

struct sql_query {
	struct buf text;	     /* the statement, with ?1, ?2 … */
	char letter[SQL_PARAMS_MAX]; /* letter of parameter number i + 1: s u d S U D 1…9 */
	unsigned n;
};
/*
 * Take %s %u %d %S %U %D %1…%9 %% out of a query. A quoted literal that holds one becomes a concatenation:
 * '%u@x' is (?1||'@x'). Returns 0, or -1 with why.
 */
int sql_query_parse(struct str query, struct sql_query *q, struct buf *why);
/*
 * What a letter stands for: s the address, u its local part (all of it when there is no "@"), d its domain, 1…9 the
 * domain's labels from the right. False: the address has no such part, and nothing may be asked.
 */
bool sql_letter(char letter, struct str address, struct str *out);
/* result_format: %s %u %d %1…%9 of the value, %S %U %D of the key. False: a part is not there; the value is skipped. */
bool sql_format(struct str format, struct str key, struct str value, struct buf *out);

#endif
