/*
 * ldap_conn.h - the driver for a directory. The words of its `connect` (sql_connect.h), one a line:
 *
 *	host=ldap://a:389	one or more; ldaps://, ldapi://
 *	dn= dnpass=		as whom it searches; none: anonymously
 *	sasl_mech=EXTERNAL	or others, with blanks between them (ldap_sasl.h): dn is then a name of the mechanism's
 *	sasl_realm= sasl_authz_id=
 *	starttls=yes version=3 deref=0 (LDAP_DEREF_NEVER …)
 *	tls_ca_cert_file= tls_ca_cert_dir= tls_cert_file= tls_key_file= tls_cipher_suite= tls_require_cert=
 */
#ifndef AUTHD_LDAP_CONN_H
#define AUTHD_LDAP_CONN_H

#include "sql/sql.h"

extern const struct sql_driver sql_ldap;

/* Once, with master's rights, before the jail. */
void ldap_conn_init(void);

#endif
