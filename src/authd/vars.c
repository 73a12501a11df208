#include "authd/vars.h"

#include <stdlib.h>
#include <unistd.h>

enum part {
	WHOLE,
	PORT, /* a number, 0 where it is not known */
	LOCAL_PART,
	DOMAIN_PART,
	DOMAIN_FIRST,
	DOMAIN_LAST,
	PID,
	HOSTNAME,
	ENV,
	PASSDB,
	USERDB,
	LDAP,
	LDAP_MULTI,
	LDAP_DN
};

struct var {
	char letter; /* %x; 0: has only the long form */
	const char *name;
	size_t at;	 /* of the struct str in struct vars */
	size_t fallback; /* taken when that one is empty */
	enum part part;
	bool is_free; /* the client chooses it */
};
#define AT(member) offsetof(struct vars, member)
#define ROW(letter, name, member, part, is_free)                    \
	{                                                           \
		letter, name, AT(member), AT(member), part, is_free \
	}
static const struct var table[] = {
	ROW('u', "user", user, WHOLE, true),
	ROW('n', "username", username, WHOLE, true),
	ROW('d', "domain", domain, WHOLE, true),
	ROW(0, "domain_first", user, DOMAIN_FIRST, true),
	ROW(0, "domain_last", user, DOMAIN_LAST, true),
	ROW('s', "service", service, WHOLE, false),
	ROW(0, "protocol", service, WHOLE, false),
	ROW('h', "home", home, WHOLE, true),
	ROW('l', "local_ip", local_ip, WHOLE, true),
	ROW(0, "lip", local_ip, WHOLE, true),
	ROW('r', "remote_ip", remote_ip, WHOLE, true),
	ROW(0, "rip", remote_ip, WHOLE, true),
	ROW('a', "local_port", local_port, PORT, true),
	ROW(0, "lport", local_port, PORT, true),
	ROW('b', "remote_port", remote_port, PORT, true),
	ROW(0, "rport", remote_port, PORT, true),
	{ 0, "real_lip", AT(real_lip), AT(local_ip), WHOLE, true },
	{ 0, "real_rip", AT(real_rip), AT(remote_ip), WHOLE, true },
	{ 0, "real_lport", AT(real_lport), AT(local_port), PORT, true },
	{ 0, "real_rport", AT(real_rport), AT(remote_port), PORT, true },
	{ 0, "real_local_ip", AT(real_lip), AT(local_ip), WHOLE, true },
	{ 0, "real_remote_ip", AT(real_rip), AT(remote_ip), WHOLE, true },
	{ 0, "real_local_port", AT(real_lport), AT(local_port), PORT, true },
	{ 0, "real_remote_port", AT(real_rport), AT(remote_port), PORT, true },
	ROW('m', "mechanism", mechanism, WHOLE, false),
	ROW(0, "mech", mechanism, WHOLE, false),
	ROW('c', "secured", secured, WHOLE, false),
	ROW('k', "cert", cert, WHOLE, false),
	ROW('w', "password", pass, WHOLE, true),
	ROW('p', "pid", user, PID, false),
	ROW(0, "process:pid", user, PID, false),
	ROW(0, "hostname", user, HOSTNAME, false),
	ROW(0, "system:hostname", user, HOSTNAME, false),
	ROW(0, "session", session, WHOLE, true),
	ROW(0, "session_pid", session_pid, WHOLE, true),
	ROW(0, "local_name", local_name, WHOLE, true),
	ROW(0, "client_id", client_id, WHOLE, true),
	{ 0, "auth_user", AT(auth_user), AT(user), WHOLE, true },
	{ 0, "auth_username", AT(auth_user), AT(user), LOCAL_PART, true },
	{ 0, "auth_domain", AT(auth_user), AT(user), DOMAIN_PART, true },
	ROW(0, "orig_user", orig_user, WHOLE, true),
	ROW(0, "orig_username", orig_user, LOCAL_PART, true),
	ROW(0, "orig_domain", orig_user, DOMAIN_PART, true),
	ROW(0, "original_user", orig_user, WHOLE, true),
	{ 0, "requested_username", AT(login_user), AT(user), WHOLE, true },
	ROW(0, "hashed_password", hashed_password, WHOLE, true), /* of policy.c alone */
	ROW(0, "master_user", master_user, WHOLE, true),
	ROW(0, "login_user", login_user, WHOLE, true),
	ROW(0, "login_username", login_user, LOCAL_PART, true),
	ROW(0, "login_domain", login_user, DOMAIN_PART, true),
	ROW(0, "credential", credential, WHOLE, true),
	ROW(0, "env:", user, ENV, false),
	ROW(0, "passdb:", user, PASSDB, true),
	ROW(0, "userdb:", user, USERDB, true),
	ROW(0, "oauth2:", user, PASSDB, true),
	ROW('$', "ldap_value", ldap_value, WHOLE, true),
	ROW(0, "ldap:", user, LDAP, true),
	ROW(0, "ldap_multi:", user, LDAP_MULTI, true),
	ROW(0, "ldap_dn", user, LDAP_DN, true),
};
enum { N_VARS = sizeof table / sizeof *table };

const struct var *var_by_name(struct str name, struct str *field)
{
	*field = STR("");
	for (size_t i = 0; i < N_VARS; i++) {
		struct str own = str_c(table[i].name);

		if (str_eq(name, own) && own.p[own.n - 1] != ':')
			return &table[i];
		if (own.p[own.n - 1] == ':' && str_has_prefix(name, own) && name.n > own.n) {
			*field = str_from(name, own.n);
			return &table[i];
		}
	}
	return NULL;
}

const struct var *var_by_letter(char c)
{
	for (size_t i = 0; i < N_VARS; i++)
		if (c && table[i].letter == c)
			return &table[i];
	return NULL;
}

bool var_is_free(const struct var *var)
{
	return var->is_free;
}

static struct str domain_of(struct str user)
{
	ptrdiff_t at = str_chr(user, '@');

	return at < 0 ? STR("") : str_from(user, (size_t)at + 1);
}

static struct str part_of(struct str s, enum part part)
{
	ptrdiff_t at = str_chr(s, '@');

	switch (part) {
	case LOCAL_PART:
		return at < 0 ? s : str_sub(s, 0, (size_t)at);
	case DOMAIN_PART:
		return domain_of(s);
	case DOMAIN_FIRST:
		s = domain_of(s);
		at = str_chr(s, '@');
		return at < 0 ? s : str_sub(s, 0, (size_t)at);
	case DOMAIN_LAST:
		at = str_rchr(s, '@');
		return at < 0 ? STR("") : str_from(s, (size_t)at + 1);
	default:
		return s;
	}
}

/* "field", or "field:what to take where there is none". */
static struct str row_value(const struct sql_row *row, struct str field, struct arena *mem)
{
	ptrdiff_t colon = str_chr(field, ':');
	struct str name = colon < 0 ? field : str_sub(field, 0, (size_t)colon);
	const struct sql_field *f = row ? sql_field_find(row, arena_cdup(mem, name)) : NULL;

	if (f && !f->is_null)
		return f->value;
	return colon < 0 ? STR("") : str_from(field, (size_t)colon + 1);
}

/* All values of an attribute, with TABs between them: what the filter `list` takes. */
static struct str all_values(const struct sql_row *row, struct str name, struct arena *mem)
{
	struct buf all = BUF_INIT(65536);
	struct str s;

	for (size_t i = 0; row && i < row->n; i++)
		if (str_ieq(row->field[i].name, name) && (all.n == 0 || buf_add_char(&all, '\t') == 0))
			buf_add_str(&all, row->field[i].value);
	s = arena_dup(mem, buf_str(&all));
	buf_wipe(&all);
	return s;
}

static struct str host_name(struct arena *mem)
{
	char name[256] = "";

	gethostname(name, sizeof name - 1);
	return arena_dup(mem, str_c(name));
}

struct str var_value(const struct var *var, struct str field, const struct vars *v, struct arena *mem)
{
	const struct str *at = (const struct str *)(const void *)((const char *)v + var->at);

	switch (var->part) {
	case PID:
		return str_c(arena_printf(mem, "%d", (int)getpid()));
	case HOSTNAME:
		return host_name(mem);
	case ENV:
		return str_c(getenv(arena_cdup(mem, field)));
	case PASSDB:
		/* "oauth2:" is there in oauth2.c alone, which puts the token in the place of a passdb's row. */
		return row_value(v->passdb, field, mem);
	case USERDB:
		return row_value(v->userdb, field, mem);
	case LDAP:
		return row_value(v->ldap, field, mem);
	case LDAP_MULTI:
		return all_values(v->ldap, field, mem);
	case LDAP_DN:
		return row_value(v->ldap, STR("dn"), mem);
	default:
		if (at->n == 0)
			at = (const struct str *)(const void *)((const char *)v + var->fallback);
		if (at->n == 0 && var->part == PORT)
			return STR("0");
		return part_of(*at, var->part);
	}
}

void vars_set_user(struct vars *v, struct str user)
{
	v->user = user;
	v->username = part_of(user, LOCAL_PART);
	v->domain = domain_of(user);
}
