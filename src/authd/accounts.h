/*
 * accounts.h - numbers of accounts and groups by name, from /etc/passwd and /etc/group: opened before the jail, read
 * when they are asked. An account that was made since the start is known after `gatepost reload`.
 */
#ifndef AUTHD_ACCOUNTS_H
#define AUTHD_ACCOUNTS_H

#include <stdbool.h>
#include <stdio.h>

struct accounts {
	FILE *passwd, *group; /* NULL: there is no such file */
};

void accounts_open(struct accounts *a);
/* Fills *id; false: no such name. In the loop's thread only. */
bool accounts_uid(const struct accounts *a, const char *name, unsigned *id);
bool accounts_gid(const struct accounts *a, const char *name, unsigned *id);

#endif
