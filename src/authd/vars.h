/*
 * vars.h - the values of Dovecot's %-variables for one request, and their names in 2.3 and 2.4.
 */
#ifndef AUTHD_VARS_H
#define AUTHD_VARS_H

#include "sql/sql.h"

struct vars {								  /* values of one request; "" not known */
	struct str user, username, domain;				  /* %u %n %d */
	struct str service, local_ip, remote_ip, local_port, remote_port; /* %s %l %r %a %b */
	struct str mechanism, secured, session, pass;			  /* %m %c %{session} %w; pass is a secret */
	struct str orig_user;						  /* as the client sent it */
	struct str home;
	struct str credential;	    /* the name of an app password */
	struct str auth_user;	    /* who proves himself, where that is not `user` */
	struct str master_user;	    /* the same, for master users only */
	struct str login_user;	    /* whom a master user asked for */
	struct str hashed_password; /* for a policy server */
	struct str cert, local_name, client_id, session_pid;
	struct str real_lip, real_rip, real_lport, real_rport; /* "": as without real_ */
	const struct sql_row *passdb, *userdb;		       /* %{passdb:…}, %{userdb:…}; NULL: nothing yet */
	const struct sql_row *ldap; /* %{ldap:…}: an entry, a field for each value; NULL: none */
	struct str ldap_value;	    /* %$: of the attribute that a field is made of */
};

struct var; /* one name */

/* By "u"'s letter; by its long name, where "passdb:x", "userdb:x" and "env:x" leave x in *field. NULL: no such name. */
const struct var *var_by_letter(char c);
const struct var *var_by_name(struct str name, struct str *field);
/* Its value: borrowed, or in the arena. */
struct str var_value(const struct var *var, struct str field, const struct vars *v, struct arena *mem);
/* Is the value free for the client to choose, or a secret? Such a one never becomes part of a name in a query. */
bool var_is_free(const struct var *var);
/* Set user, username and domain from `user` (borrowed). */
void vars_set_user(struct vars *v, struct str user);

#endif
