/*
 * fields.h - the fields that passdb and userdb blocks give, gathered over several: later ones replace earlier ones,
 * "name:default" only where there is none, "name:remove" takes it away.
 */
#ifndef AUTHD_FIELDS_H
#define AUTHD_FIELDS_H

#include "authd/settings.h"

/* `more` laid over `base` (each may be NULL): a new row in the arena, whose fields are borrowed from both. */
struct sql_row *fields_merge(const struct sql_row *base, const struct sql_row *more, struct arena *mem);
/* The fields of a block's words, with their variables expanded. NULL: it has none. */
struct sql_row *fields_expand(const struct db_fields *fields, const struct vars *v, struct arena *mem);
/* Is the field there, and not NULL, and not "0", "n", "no", "f", "false" or "off"? An empty one is set, but for nopassword. */
bool fields_is_set(const struct sql_row *row, const char *name);
/* Its value; "" when it is not there. */
struct str fields_get(const struct sql_row *row, const char *name);
/*
 * The row with what it imports: the value of passdb_import and of userdb_userdb_import (in a userdb: userdb_import) is fields
 * "name=value" with TABs between them, which stand in its place. row may be NULL; the result is it, or a new one in the arena.
 */
const struct sql_row *fields_import(const struct sql_row *row, bool is_passdb, struct arena *mem);
/*
 * The user by the name that the row gives him: "user" is a new one, "username" its part before the @ (or all, when it has one
 * itself), "domain" the other part; in a passdb also with "userdb_" in front. `user` where it gives none; in the arena.
 */
struct str fields_user(const struct sql_row *row, struct str user, bool is_passdb, struct arena *mem);
/* A passdb's field that is for this service, or for a userdb that was prefetched, and not for the client. */
bool fields_is_own(struct str name);

#endif
