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
/* Is the field there, and not NULL, and not "", "0", "n", "no", "f", "false" or "off"? */
bool fields_is_set(const struct sql_row *row, const char *name);
/* Its value; "" when it is not there. */
struct str fields_get(const struct sql_row *row, const char *name);

#endif
