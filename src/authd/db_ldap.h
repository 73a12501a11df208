/*
 * db_ldap.h - what of a directory db.c and verify.c ask for: by source.c, and with the fields of the block's own making.
 */
#ifndef AUTHD_DB_LDAP_H
#define AUTHD_DB_LDAP_H

#include "authd/authd.h"

/* As db_lookup(). l->dn is the entry's name. *v lives until l->done. */
int db_ldap_lookup(struct lookup *l, struct authd *a, bool is_passdb, size_t i, const struct vars *v, struct arena *mem,
	bool use_cache);
/* As db_list(). */
int db_ldap_list(struct lookup *l, struct authd *a, size_t i, struct arena *mem);
/*
 * Does the server take v->pass for that name? l->rows: yes. Returns as db_lookup(). Nothing of it is cached. An empty password
 * or name is no: a server takes either for a wish to be nobody.
 */
int db_ldap_bind(struct lookup *l, struct authd *a, size_t i, struct str dn, const struct vars *v, struct arena *mem);
/* Ask once, at the start, to say early what will not work. */
void db_ldap_check(struct authd *a, bool is_passdb, size_t i, struct arena *mem);

#endif
