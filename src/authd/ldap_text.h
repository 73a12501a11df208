/*
 * ldap_text.h - %-variables in a search filter (RFC 4515) and in a distinguished name (RFC 4514): whatever a value holds,
 * it is a value there and never syntax. Pure.
 */
#ifndef AUTHD_LDAP_TEXT_H
#define AUTHD_LDAP_TEXT_H

#include "authd/template.h"

/* A value as a filter's assertion value: "\XX" for * ( ) \ NUL, and all that is not ASCII. In the arena. */
struct str ldap_filter_escape(struct arena *mem, struct str s);
/* A value as an attribute value of a name: "\XX" for all that RFC 4514 sec. 2.4 names, and all that is not ASCII. */
struct str ldap_dn_escape(struct arena *mem, struct str s);

/* The template as a filter, and as a name. In the arena. */
struct str ldap_filter_expand(const struct template *t, const struct vars *v, struct arena *mem);
struct str ldap_dn_expand(const struct template *t, const struct vars *v, struct arena *mem);

#endif
