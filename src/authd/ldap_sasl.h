/* ldap_sasl.h - binds of the service with a SASL mechanism; built in where libsasl's headers are. */
#ifndef AUTHD_LDAP_SASL_H
#define AUTHD_LDAP_SASL_H

#include "base/arena.h"

struct ldap_call;
struct ldap;

/*
 * Why binds cannot be made with it: English, in the arena; NULL: they can. Before the jail: libsasl loads its plug-ins by this.
 */
const char *ldap_sasl_fault(struct str mech, struct arena *mem);
/*
 * Bind as dn =, with dnpass =, sasl_realm =, sasl_authz_id = of the connection. mechs: with blanks between several.
 * is_private: nobody listens, so that the password may be shown (PLAIN). Returns libldap's code; no wait is longer than k->deadline.
 */
int ldap_sasl_bind_as(const struct ldap_call *k, struct ldap *ld, const char *mechs, bool is_private);

#endif
