/* Binds with a SASL mechanism, which libsasl does for libldap (RFC 4513 sec. 5.2). */
#include "authd/ldap_sasl.h"

#include "authd/ldap_session.h"

#include <sasl/sasl.h>

/*
 * Those that need a name and a password and nothing outside of the jail. EXTERNAL is ldap_session.c's own. GSSAPI and its like
 * want tickets in files, and a KDC.
 */
static const char *const usable[] = { "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5",
	"PLAIN" };
enum { N_USABLE = sizeof usable / sizeof *usable };

/* Loads libsasl's plug-ins when it is called first, which has to be before the jail. */
static bool is_installed(struct str mech)
{
	char **list = NULL;

	if (ldap_get_option(NULL, LDAP_OPT_X_SASL_MECHLIST, &list) != LDAP_SUCCESS)
		return false;
	for (size_t i = 0; list && list[i]; i++)
		if (str_ieq(str_c(list[i]), mech))
			return true;
	return false;
}

const char *ldap_sasl_fault(struct str mech, struct arena *mem)
{
	const char *there = "EXTERNAL";
	bool is_usable = false;

	if (mech.n && is_installed(mech))
		for (size_t i = 0; i < N_USABLE; i++)
			is_usable |= str_ieq(mech, str_c(usable[i]));
	if (is_usable || str_ieq(mech, STR("EXTERNAL")))
		return NULL;
	for (size_t i = 0; i < N_USABLE; i++)
		if (is_installed(str_c(usable[i])))
			there = arena_printf(mem, "%s, %s", there, usable[i]);
	return arena_printf(mem,
		"the SASL mechanism \"%.*s\" is not available for binds; there are %s (others of these are in the "
		"package of "
		"libsasl's modules; Kerberos would need files and servers that this service does not reach)",
		STR_ARG(mech), there);
}

/* What libsasl asks for. RFC 4422 sec. 3.4.1: authentication and authorization identity are two. */
static int on_interact(LDAP *ld, unsigned flags, void *conn, void *questions)
{
	const struct ldap_conn *c = conn;

	(void)ld;
	(void)flags;
	for (sasl_interact_t *q = questions; q->id != SASL_CB_LIST_END; q++) {
		const char *text = q->id == SASL_CB_AUTHNAME ? sql_connect_get(&c->set, "dn", "")
				   : q->id == SASL_CB_PASS   ? sql_connect_get(&c->set, "dnpass", "")
				   : q->id == SASL_CB_USER   ? sql_connect_get(&c->set, "sasl_authz_id", "")
				   : q->id == SASL_CB_GETREALM
					   ? sql_connect_get(&c->set, "sasl_realm", q->defresult ? q->defresult : "")
					   : "";

		q->result = text;
		q->len = (unsigned)strlen(text);
	}
	return LDAP_SUCCESS;
}

/* A layer of its own would come above TLS; where encryption is wanted, TLS does it. */
static int set_properties(LDAP *ld, bool is_private)
{
	const char *properties = is_private ? "noanonymous,maxssf=0" : "noanonymous,noplain,maxssf=0";
	int r = ldap_set_option(ld, LDAP_OPT_X_SASL_SECPROPS, properties);

	/* No question about the name that belongs to the address: it would have no bound. */
	return r == LDAP_SUCCESS ? ldap_set_option(ld, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON) : r;
}

int ldap_sasl_bind_as(const struct ldap_call *k, LDAP *ld, const char *mechs, bool is_private)
{
	LDAPMessage *answer = NULL;
	const char *used = NULL;
	int id = -1, r = set_properties(ld, is_private);

	if (r != LDAP_SUCCESS)
		return r;
	for (;;) {
		r = ldap_sasl_interactive_bind(
			ld, NULL, mechs, NULL, NULL, LDAP_SASL_QUIET, on_interact, k->c, answer, &used, &id);
		ldap_msgfree(answer);
		answer = NULL;
		if (r != LDAP_SASL_BIND_IN_PROGRESS)
			return r;
		r = ldap_wait(k, ld, id, &answer);
		if (answer == NULL)
			return r;
	}
}
