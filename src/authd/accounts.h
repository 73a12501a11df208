/*
 * accounts.h - accounts of this machine, from /etc/passwd, /etc/group and /etc/shadow: opened before the jail, read
 * when they are asked. An account that was made since the start is known after `gatepost reload`.
 */
#ifndef AUTHD_ACCOUNTS_H
#define AUTHD_ACCOUNTS_H

#include "sql/sql.h"

#include <stdbool.h>
#include <stdio.h>

struct accounts {
	FILE *passwd, *group, *shadow; /* NULL: there is no such file, or it is not opened */
};

/* with_shadow: hashes of passwords are wanted. */
void accounts_open(struct accounts *a, bool with_shadow);
/* Fills *id; false: no such name. In the loop's thread only. */
bool accounts_uid(const struct accounts *a, const char *name, unsigned *id);
bool accounts_gid(const struct accounts *a, const char *name, unsigned *id);
/*
 * An account as a row in the arena: for a passdb its password, for a userdb uid, gid, home, name (of the GECOS field) and
 * system_groups_user. NULL: there is none, or it has expired. In the loop's thread only.
 */
struct sql_row *accounts_row(const struct accounts *a, const char *name, bool is_passdb, struct arena *mem);

#endif
