/*
 * query.h - %-variables in SQL.
 *
 * In a query a variable never becomes text of the query: '%u' (with its quotes) and a bare %u become "?", and
 * '%n@%d' becomes one "?" whose value is put together. A variable in the name of a column (`enable%Ls`) is possible
 * where no client can choose its value (the service, the mechanism, "secured"), and then only with letters, digits and
 * underscores in it. Pure.
 */
#ifndef AUTHD_QUERY_H
#define AUTHD_QUERY_H

#include "authd/template.h"

enum { QUERY_FORMS = 16 /* of one query, by the names of columns in it */ };

struct query_names; /* of a query with variables in names */
struct query {
	const char *sql;	/* with "?" or "$1"; NULL: not set */
	struct template *param; /* in order */
	size_t n_params;
	struct query_names *names; /* NULL: none, sql is the query */
};

/* Returns 0, or -1 with *why: what is wrong (English, in the arena). The result is in the arena, which must live on. */
int query_compile(struct str text, enum sql_dialect dialect, struct arena *mem, struct query *out, const char **why);
/*
 * The text of the query for these variables, at the same address for the same text. NULL, with *why: a name came out
 * that is none, or there are too many forms. In one thread at a time.
 */
const char *query_sql(const struct query *q, const struct vars *v, const char **why);
/* Array of n_params values, in the arena. */
struct str *query_params(const struct query *q, const struct vars *v, struct arena *mem);

#endif
