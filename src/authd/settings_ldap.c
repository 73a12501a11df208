/* The LDAP part of auth.conf: Dovecot 2.3's dovecot-ldap.conf.ext, and 2.4's settings. */
#include "authd/settings_impl.h"

#include "authd/ldap_conn.h"
#include "authd/ldap_sasl.h"

enum { CONNECT_MAX = 65536 };

struct place { /* where the settings stand: a file of 2.3, or a block of 2.4 and what is around it */
	struct loader *l;
	const struct dovecot_node *file; /* NULL: 2.4 */
	const struct dovecot_node *block;
	const char *prefix; /* "passdb_", "userdb_" */
};

/* ---- a setting by its two names ---- */

/* "passdb_ldap_filter", "ldap_filter" or "filter" in the block, else "ldap_uris" around it. */
static const struct dovecot_node *find_new(const struct place *p, const char *name)
{
	struct arena *mem = p->l->set->mem;
	const char *ldap = strncmp(name, "ssl_", 4) == 0 ? name : arena_printf(mem, "ldap_%s", name);
	const struct dovecot_node *n = dovecot_get(p->block->child, arena_printf(mem, "%s%s", p->prefix, ldap));

	n = n ? n : dovecot_get(p->block->child, ldap);
	n = n ? n : dovecot_get(p->block->child, name);
	return n ? n : dovecot_get(p->l->conf->first, ldap);
}

/* NULL for a name: that version has no such setting. An empty one is not set. */
static const struct dovecot_node *find(const struct place *p, const char *old, const char *new)
{
	const struct dovecot_node *n = p->file ? old ? dovecot_get(p->file, old) : NULL : new ? find_new(p, new) : NULL;

	return n && *n->value ? n : NULL;
}

static const char *value(const struct place *p, const char *old, const char *new, const char *otherwise)
{
	const struct dovecot_node *n = find(p, old, new);

	return n ? n->value : otherwise;
}

static bool is_on(const struct place *p, const char *old, const char *new)
{
	const struct dovecot_node *n = find(p, old, new);
	bool on = false;

	if (n && dovecot_bool(n->value, &on) < 0)
		settings_complain(p->l, n, "%s = %s; it should be yes or no", n->key, n->value);
	return on;
}

/* ---- words for the driver ---- */

static void add_word(const struct place *p, struct buf *out, const char *key, const char *text)
{
	if (*text == '\0')
		return;
	if (strchr(text, '\n') || buf_addf(out, "\n%s=%s", key, text) < 0)
		settings_complain(p->l, p->block, "the value of %s has a line feed in it", key);
}

/* "a b:389 [::1]:389" */
static void add_hosts(const struct place *p, struct buf *out)
{
	struct str rest = str_c(value(p, "uris", "uris", "")), w;
	bool is_uri = rest.n > 0;

	if (!is_uri)
		rest = str_c(value(p, "hosts", NULL, ""));
	while (str_word(&rest, " \t", &w))
		add_word(p, out, "host", arena_printf(p->l->set->mem, "%s%.*s", is_uri ? "" : "ldap://", STR_ARG(w)));
	if (out->n == 0)
		settings_complain(p->l, p->block, "no directory server; there should be \"%s = ldap://HOST\"",
			p->file ? "uris" : "ldap_uris");
}

static int choice(const struct place *p, const char *old, const char *new, const char *const *names, int otherwise)
{
	const struct dovecot_node *n = find(p, old, new);
	const char *all = "";

	for (int i = 0; n && names[i]; i++)
		if (str_ieq(str_c(n->value), str_c(names[i])))
			return i;
	for (int i = 0; names[i]; i++)
		all = arena_printf(p->l->set->mem, "%s%s%s", all, i ? ", " : "", names[i]);
	if (n)
		settings_complain(p->l, n, "%s = %s; it should be one of %s", n->key, n->value, all);
	return otherwise;
}

static void add_tls(const struct place *p, struct buf *out)
{
	static const char *const demands[] = { "never", "hard", "demand", "allow", "try", NULL };
	static const struct {
		const char *word, *new;
	} files[] = { { "tls_ca_cert_file", "ssl_client_ca_file" }, { "tls_ca_cert_dir", "ssl_client_ca_dir" },
		{ "tls_cert_file", "ssl_client_cert_file" }, { "tls_key_file", "ssl_client_key_file" },
		{ "tls_cipher_suite", "ssl_cipher_list" } };
	const struct dovecot_node *valid = find(p, NULL, "ssl_client_require_valid_cert");
	bool is_valid = true;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		add_word(p, out, files[i].word, value(p, files[i].word, files[i].new, ""));
	if (find(p, "tls_require_cert", NULL))
		add_word(p, out, "tls_require_cert", demands[choice(p, "tls_require_cert", NULL, demands, 2)]);
	if (valid && dovecot_bool(valid->value, &is_valid) == 0 && !is_valid)
		add_word(p, out, "tls_require_cert", "allow");
	if (is_on(p, "tls", "starttls"))
		add_word(p, out, "starttls", "yes");
}

/* Why a mechanism cannot be had; NULL: it can. */
static const char *mech_fault(struct str mech, struct arena *mem)
{
#ifdef HAVE_SASL
	return ldap_sasl_fault(mech, mem);
#else
	if (str_ieq(mech, STR("EXTERNAL")))
		return NULL;
	return arena_printf(mem,
		"the SASL mechanism \"%.*s\" is not available for binds; there is EXTERNAL (a UNIX socket, or a client "
		"certificate), and dn = with dnpass =; this build has no libsasl for others",
		STR_ARG(mech));
#endif
}

static void add_sasl(const struct place *p, struct buf *out)
{
	const struct dovecot_node *mech = find(p, "sasl_mech", "auth_sasl_mechanisms");
	bool on = p->file ? is_on(p, "sasl_bind", NULL) : mech != NULL, is_external = false;
	struct str rest = str_c(mech ? mech->value : ""), word;
	const char *all = "", *why = mech ? NULL : mech_fault(STR(""), p->l->set->mem);
	size_t n = 0;

	if (!on)
		return;
	for (; why == NULL && str_word(&rest, " \t,", &word); n++) {
		is_external |= str_ieq(word, STR("EXTERNAL"));
		why = mech_fault(word, p->l->set->mem);
		all = arena_printf(p->l->set->mem, "%s%s%.*s", all, n ? " " : "", STR_ARG(word));
	}
	if (why == NULL && is_external && n > 1)
		why = "EXTERNAL stands alone: it proves another identity than a name and a password do";
	if (why)
		settings_complain(p->l, mech ? mech : p->block, "%s", why);
	add_word(p, out, "sasl_mech", is_external ? "EXTERNAL" : all);
	add_word(p, out, "sasl_realm", value(p, "sasl_realm", "auth_sasl_realm", ""));
	add_word(p, out, "sasl_authz_id", value(p, "sasl_authz_id", "auth_sasl_authz_id", ""));
}

static void load_connect(const struct place *p, struct sql_settings *sql)
{
	/* In the order of LDAP_DEREF_NEVER … */
	static const char *const derefs[] = { "never", "searching", "finding", "always", NULL };
	static const char *const versions[] = { "2", "3", NULL };
	struct buf out = BUF_INIT(CONNECT_MAX);
	struct arena *mem = p->l->set->mem;
	const char *why;

	add_hosts(p, &out);
	add_word(p, &out, "dn", value(p, "dn", "auth_dn", ""));
	add_word(p, &out, "dnpass", value(p, "dnpass", "auth_dn_password", ""));
	add_word(p, &out, "version", versions[choice(p, "ldap_version", "version", versions, 1)]);
	add_word(p, &out, "deref", arena_printf(mem, "%d", choice(p, "deref", "deref", derefs, 0)));
	add_tls(p, &out);
	add_sasl(p, &out);
	sql->connect = settings_keep(p->l, out.n ? out.p : "\n");
	buf_wipe(&out);
	why = sql->driver ? sql->driver->check(sql->connect, mem) : NULL;
	if (why)
		settings_complain(p->l, find(p, "uris", "uris") ? find(p, "uris", "uris") : p->block, "%s", why);
}

/* ---- what is asked ---- */

static const struct dovecot_node *load_text(
	const struct place *p, const char *old, const char *new, const char *otherwise, struct template *out)
{
	const struct dovecot_node *n = find(p, old, new);
	const char *why;

	if (template_compile(str_c(n ? n->value : otherwise), p->l->set->mem, out, &why) < 0)
		settings_complain(p->l, n ? n : p->block, "%s: %s", n ? n->key : old, why);
	return n;
}

static void load_attrs(
	const struct place *p, const char *old, const char *otherwise, const char *skip, struct ldap_map *map)
{
	const struct dovecot_node *n = dovecot_get(p->file, old);
	const char *why;

	if (ldap_map_parse(map, str_c(n ? n->value : otherwise), skip, p->l->set->mem, &why) < 0)
		settings_complain(p->l, n ? n : p->block, "%s: %s", old, why);
}

/* fields { user = %{ldap:uid} } */
static void load_fields(const struct place *p, const char *name, const char *skip, struct ldap_map *map)
{
	const char *ldap = arena_printf(p->l->set->mem, "ldap_%s", name),
		   *whole = arena_printf(p->l->set->mem, "%s%s", p->prefix, name);
	const char *why;

	for (const struct dovecot_node *s = p->block->child; s; s = s->next) {
		if (s->name == NULL ||
			(strcmp(s->key, name) != 0 && strcmp(s->key, ldap) != 0 && strcmp(s->key, whole) != 0 &&
				(strncmp(s->key, p->prefix, 7) != 0 || strcmp(s->key + 7, ldap) != 0)))
			continue;
		for (const struct dovecot_node *n = s->child; n; n = n->next)
			if (n->name == NULL && (skip == NULL || strcmp(n->key, skip) != 0) &&
				ldap_map_add(map, n->key, str_c(n->value), p->l->set->mem, &why) < 0)
				settings_complain(p->l, n, "%s: %s", n->key, why);
	}
}

static const char *search_words(const struct place *p, const struct ldap_settings *s, const struct ldap_map *map)
{
	static const char *const scopes[] = { "base", "onelevel", "subtree", NULL };

	return arena_printf(p->l->set->mem, "search%s %s%s", s->base.has_vars ? "?" : "",
		scopes[choice(p, "scope", "scope", scopes, 2)], map->attrs);
}

/* Who binds as the user has no use for a hash; with it, and without, an empty pair of braces would be of none. */
static void load_maps(const struct place *p, bool is_passdb, struct ldap_settings *s)
{
	const char *skip = s->binds ? "password" : NULL;

	ldap_map_init(&s->map);
	ldap_map_init(&s->users);
	if (p->file == NULL) {
		load_fields(p, "fields", skip, &s->map);
		load_fields(p, "iterate_fields", NULL, &s->users);
		return;
	}
	load_attrs(p, is_passdb ? "pass_attrs" : "user_attrs",
		is_passdb ? "uid=user,userPassword=password" : "homeDirectory=home,uidNumber=uid,gidNumber=gid", skip,
		&s->map);
	load_attrs(p, "iterate_attrs", "uid=user", NULL, &s->users);
}

static void load_searches(const struct place *p, bool is_passdb, struct ldap_settings *s)
{
	const char *posix = p->file ? "(&(objectClass=posixAccount)(uid=%u))" : "";
	const struct dovecot_node *filter;

	if (load_text(p, "base", "base", "", &s->base) == NULL)
		settings_complain(p->l, p->block,
			"no %s; it should be the name below which the users are, such as "
			"ou=people,dc=example,dc=org",
			p->file ? "base" : "ldap_base");
	s->binds = is_passdb && is_on(p, "auth_bind", "bind");
	load_text(p, "auth_bind_userdn", "bind_userdn", "", &s->userdn);
	s->has_userdn = s->binds && s->userdn.first != NULL;
	filter = load_text(p, is_passdb ? "pass_filter" : "user_filter", "filter", posix, &s->filter);
	if (filter == NULL && p->file == NULL && !s->has_userdn)
		settings_complain(p->l, p->block, "no ldap_filter; it should be, for example, (uid=%%{user})");
	load_text(p, "iterate_filter", "iterate_filter", p->file ? "(objectClass=posixAccount)" : "", &s->users_filter);
	load_maps(p, is_passdb, s);
	s->search = search_words(p, s, &s->map);
	s->list = search_words(p, s, &s->users);
}

/* ---- the file of 2.3 ---- */

static const char *const known[] = { "hosts", "uris", "dn", "dnpass", "auth_bind", "auth_bind_userdn", "tls",
	"sasl_bind", "sasl_mech", "sasl_realm", "sasl_authz_id", "tls_ca_cert_file", "tls_ca_cert_dir", "tls_cert_file",
	"tls_key_file", "tls_cipher_suite", "tls_require_cert", "deref", "scope", "base", "ldap_version", "debug_level",
	"user_attrs", "user_filter", "pass_attrs", "pass_filter", "iterate_attrs", "iterate_filter",
	"default_pass_scheme", "userdb_warning_disable", "blocking", NULL };

static void look_at_keys(const struct place *p)
{
	for (const struct dovecot_node *n = p->file; n; n = n->next) {
		size_t i = 0;

		while (known[i] && strcmp(known[i], n->key) != 0)
			i++;
		if (known[i] == NULL)
			settings_complain(p->l, n, "%s is not supported in this file", n->key);
		else if (strcmp(n->key, "debug_level") == 0 && strcmp(n->value, "0") != 0)
			buf_addf(p->l->warnings,
				"%s, line %u: debug_level has no effect here: libldap would show passwords\n", n->file,
				n->line);
	}
}

static void load_all(struct place *p, bool is_passdb, struct db *db)
{
	const struct dovecot_node *scheme = find(p, "default_pass_scheme", "default_password_scheme");

	scheme = scheme || p->file ? scheme : dovecot_get(p->block->child, "passdb_default_password_scheme");
	scheme = scheme || p->file ? scheme : dovecot_get(p->l->conf->first, "passdb_default_password_scheme");
	db->ldap = arena_alloc(p->l->set->mem, sizeof *db->ldap);
	db->sql.driver = &sql_ldap;
	load_connect(p, &db->sql);
	load_searches(p, is_passdb, db->ldap);
	if (db->deny && db->ldap->has_userdn)
		settings_complain(p->l, p->block, "deny = yes: with auth_bind_userdn nobody is looked up");
	load_scheme(p->l, scheme ? scheme : p->block, scheme ? scheme->value : "CRYPT", &db->sql.scheme);
}

void load_ldap(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	const struct dovecot_node *args = dovecot_get(block->child, "args");
	struct place p = { .l = l, .block = block, .prefix = is_passdb ? "passdb_" : "userdb_" };
	size_t before = l->errors->n;
	struct dovecot_conf *c = NULL;

	db->sql.file = settings_keep(l, block->file);
	if (args) {
		c = settings_load_args(l, args, &db->sql.file);
		p.file = c->first;
		look_at_keys(&p);
	}
	if (l->errors->n == before && (args == NULL || p.file))
		load_all(&p, is_passdb, db);
	else if (l->errors->n == before)
		settings_complain(l, args, "%s is empty", db->sql.file);
	dovecot_free(&c);
}
