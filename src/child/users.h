/*
 * users.h - the parameters authorized_*_users (postconf(5)): which local users may do something. Read before the jail,
 * when the accounts of the machine can still be looked up; asked afterwards by uid.
 */
#ifndef CHILD_USERS_H
#define CHILD_USERS_H

#include "base/str.h"

#include <sys/types.h>

struct user_list {
	bool others; /* those that the list does not name: "static:anyone" */
	struct user_rule *rule;
	size_t n;
};
/* Names, "!name", "static:anyone"; the first that fits decides. A name that is no account fits nobody. */
void user_list_read(struct user_list *l, struct str text);
bool user_list_has(const struct user_list *l, uid_t uid);
void user_list_free(struct user_list *l);

#endif
