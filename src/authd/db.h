/*
 * db.h - a lookup in one passdb or userdb block, whatever its driver: SQL by source.c, files and fixed fields at once.
 */
#ifndef AUTHD_DB_H
#define AUTHD_DB_H

#include "authd/authd.h"

/*
 * Ask block i about v->user; l->done is set. As lookup_start(): 1: l->result and l->rows are there; 0: done comes later.
 * Either way db_fields() is what the rows are.
 */
int db_lookup(struct lookup *l, struct authd *a, bool is_passdb, size_t i, const struct vars *v, struct arena *mem,
	bool use_cache);
/* The row that was found, with default_fields below it and override_fields above; in the arena. */
struct sql_row *db_fields(
	const struct db *db, const struct sql_row *row, const struct vars *v, bool is_passdb, struct arena *mem);
/* All users of a userdb block, as rows with the field "user". Returns as db_lookup(); can it be listed at all? */
int db_list(struct lookup *l, struct authd *a, size_t i, struct arena *mem);
bool db_is_listable(const struct db *db);
/* Read now, with master's rights, the files that have a fixed name; and the part of a name that goes before variables. */
void db_preload(struct authd *a, const struct db *db);
const char *db_directory(const struct db *db, struct arena *mem);

#endif
