/*
 * ldap_map.h - what of an LDAP entry becomes which field: pass_attrs, user_attrs and iterate_attrs of Dovecot 2.3, and the
 * "fields { }" of 2.4.
 *
 * An entry is a row with a field for each value of each attribute, by the attribute's name, and "dn". Pure.
 */
#ifndef AUTHD_LDAP_MAP_H
#define AUTHD_LDAP_MAP_H

#include "authd/template.h"

struct ldap_field;
struct ldap_map {
	struct ldap_field *first, **last;
	const char *attrs; /* to be asked for, each with a blank in front; "" none */
};

void ldap_map_init(struct ldap_map *m);
/*
 * "uid=user, userPassword=password, quota=quota_rule=*:bytes=%$, =home=/var/vmail/%{ldap:uid}, !mail": attribute and field;
 * or with a template, in which %$ is the attribute's value (and is behind it when there is no variable in it); or a
 * template alone; or an attribute that is only asked for. Returns 0, or -1 with *why (English, in the arena). `skip`: a
 * field that is left out ("password", where the server compares it); NULL: none.
 */
int ldap_map_parse(struct ldap_map *m, struct str text, const char *skip, struct arena *mem, const char **why);
/* One of "fields { name = template }"; it is not set where it becomes empty and has an attribute in it. */
int ldap_map_add(struct ldap_map *m, const char *name, struct str text, struct arena *mem, const char **why);

/*
 * The fields of an entry, in the arena: NULL (is_null) where the attribute is not there. Where one of several values was
 * taken *several is the attribute's name. A field "user" changes %u for those behind it.
 */
struct sql_row *ldap_map_row(const struct ldap_map *m, const struct sql_row *entry, const struct vars *v,
	struct arena *mem, const char **several);
/* The users that entries name: a row with "user" for each value. In the arena. */
struct sql_row *ldap_map_users(const struct ldap_map *m, const struct sql_row *entries, struct arena *mem);

#endif
