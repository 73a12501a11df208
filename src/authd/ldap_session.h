/* ldap_session.h - between ldap_conn.c and ldap_session.c; only they include it. */
#ifndef AUTHD_LDAP_SESSION_H
#define AUTHD_LDAP_SESSION_H

#include "sql/sql.h"
#include "sql/sql_connect.h"

#include <ldap.h>

struct ldap_conn {
	const struct sql_driver *driver;
	struct arena *mem;
	struct sql_connect set;
	size_t host; /* that is, or was last, connected to */
	LDAP *searches, *binds;
	struct ldap_conncb on_connect; /* puts the bound in */
	uint64_t deadline;	       /* of what goes on, by ldap_now_ms() */
};

struct ldap_call { /* one run() of the driver */
	struct ldap_conn *c;
	struct arena *mem;
	uint64_t deadline; /* by ldap_now_ms() */
	const char **why;
};

uint64_t ldap_now_ms(void);
/* The time until then, at most that long. */
struct timeval ldap_until(uint64_t deadline, uint64_t most_ms);
/*
 * No octet of this session is waited for after c->deadline. libldap's own options bound requests, but not a handshake of TLS:
 * with a server that is silent in it libldap would read for ever. Returns libldap's code.
 */
int ldap_bound_set(struct ldap_conn *c, LDAP *ld);
/* A session with the host of before, else with the others in turn; to_search: bound as dn =. 0, or -SQL_EDOWN and *k->why. */
int ldap_session_begin(const struct ldap_call *k, bool to_search, LDAP **out);
void ldap_session_end(LDAP **ld);
/* The result code of a bind; libldap's own where there was no answer in time. */
int ldap_bind_as(const struct ldap_call *k, LDAP *ld, const char *dn, const char *mechanism, struct str secret);
/* The answer to `id`, whole. Its own result code, or libldap's; *answer is freed by the caller (ldap_msgfree). */
int ldap_wait(const struct ldap_call *k, LDAP *ld, int id, LDAPMessage **answer);
/* Say in *k->why what went wrong. Returns -SQL_EDOWN or -SQL_EQUERY. */
int ldap_failed(const struct ldap_call *k, LDAP *ld, const char *what, int code);

#endif
