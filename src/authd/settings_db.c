/* The passdb and userdb blocks of auth.conf, in the words of Dovecot 2.3 and of 2.4. */
#include "authd/settings_impl.h"

#include <stdlib.h>

/* 2.4 has "passdb_" or "userdb_" in front of the names in a block, and takes them without. */
static const char *bare(const char *key)
{
	return strncmp(key, "passdb_", 7) == 0 || strncmp(key, "userdb_", 7) == 0 ? key + 7 : key;
}

/* The last of that name in a block, in either form. */
static const struct dovecot_node *get(const struct dovecot_node *block, const char *key)
{
	const struct dovecot_node *found = NULL;

	for (const struct dovecot_node *n = block->child; n; n = n->next)
		if (n->name == NULL && strcmp(bare(n->key), key) == 0)
			found = n;
	return found;
}

static const char *value(const struct dovecot_node *block, const char *key, const char *otherwise)
{
	const struct dovecot_node *n = get(block, key);

	return n ? n->value : otherwise;
}

/* ---- fields ---- */

static void add_field(
	struct loader *l, const struct dovecot_node *at, struct str key, struct str text, struct db_fields *fields)
{
	struct db_field *f = &fields->field[fields->n];
	const char *why;

	if (fields->n == FIELDS_MAX) {
		settings_complain(l, at, "more than %d fields", FIELDS_MAX);
		return;
	}
	f->key = arena_cdup(l->set->mem, key);
	if (template_compile(text, l->set->mem, &f->value, &why) < 0)
		settings_complain(l, at, "%s: %s", f->key, why);
	fields->n++;
}

/* "uid=vmail home=/var/vmail/%d/%n nopassword" */
static void load_words(struct loader *l, const struct dovecot_node *n, struct db_fields *fields)
{
	struct str rest = str_c(n ? n->value : ""), word;

	while (str_word(&rest, " \t", &word)) {
		ptrdiff_t eq = str_chr(word, '=');

		add_field(l, n, eq < 0 ? word : str_sub(word, 0, (size_t)eq),
			eq < 0 ? STR("yes") : str_from(word, (size_t)eq + 1), fields);
	}
}

/* fields { uid = vmail } */
static void load_section(struct loader *l, const struct dovecot_node *block, struct db_fields *fields)
{
	for (const struct dovecot_node *s = block->child; s; s = s->next)
		for (const struct dovecot_node *n = s->name && strcmp(bare(s->key), "fields") == 0 ? s->child : NULL; n;
			n = n->next)
			if (n->name == NULL)
				add_field(l, n, str_c(n->key), str_c(n->value), fields);
}

/* ---- what follows a lookup ---- */

static const char *const rule_names[] = { [RULE_RETURN_OK] = "return-ok",
	[RULE_RETURN] = "return",
	[RULE_RETURN_FAIL] = "return-fail",
	[RULE_CONTINUE] = "continue",
	[RULE_CONTINUE_OK] = "continue-ok",
	[RULE_CONTINUE_FAIL] = "continue-fail" };

static void load_rule(
	struct loader *l, const struct dovecot_node *block, const char *key, enum db_rule otherwise, enum db_rule *out)
{
	const struct dovecot_node *n = get(block, key);

	*out = otherwise;
	for (size_t i = 0; n && i < sizeof rule_names / sizeof *rule_names; i++)
		if (strcmp(n->value, rule_names[i]) == 0) {
			*out = (enum db_rule)i;
			return;
		}
	if (n)
		settings_complain(l, n,
			"%s = %s; it should be return-ok, return, return-fail, continue, continue-ok or continue-fail",
			key, n->value);
}

static void load_skip(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	const char *done = is_passdb ? "authenticated" : "found",
		   *not_done = is_passdb ? "unauthenticated" : "notfound";
	const struct dovecot_node *n = get(block, "skip");

	if (n == NULL || strcmp(n->value, "never") == 0)
		db->skip = SKIP_NEVER;
	else if (strcmp(n->value, done) == 0)
		db->skip = SKIP_DONE;
	else if (strcmp(n->value, not_done) == 0)
		db->skip = SKIP_NOT_DONE;
	else
		settings_complain(l, n, "skip = %s; it should be never, %s or %s", n->value, done, not_done);
}

static bool load_bool(struct loader *l, const struct dovecot_node *block, const char *key)
{
	const struct dovecot_node *n = get(block, key);
	bool on = false;

	if (n && dovecot_bool(n->value, &on) < 0)
		settings_complain(l, n, "%s = %s; it should be yes or no", key, n->value);
	return on;
}

static void load_rules(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	bool pass = load_bool(l, block, "pass");

	db->deny = load_bool(l, block, "deny");
	db->master = load_bool(l, block, "master");
	load_rule(l, block, "result_success", pass ? RULE_CONTINUE : RULE_RETURN_OK, &db->on_success);
	load_rule(l, block, "result_failure", RULE_CONTINUE, &db->on_failure);
	load_rule(l, block, "result_internalfail", RULE_CONTINUE, &db->on_internalfail);
	load_skip(l, block, is_passdb, db);
	db->is_quiet = strcmp(value(block, "auth_verbose", "default"), "no") == 0;
	db->mechanisms = settings_keep(l, value(block, "mechanisms", value(block, "mechanisms_filter", "")));
	db->username_filter = settings_keep(l, value(block, "username_filter", ""));
	load_words(l, get(block, "default_fields"), &db->defaults);
	load_words(l, get(block, "override_fields"), &db->overrides);
	if (db->deny && db->master)
		settings_complain(l, block, "a passdb cannot have deny = yes and master = yes");
}

/* ---- drivers ---- */

static void load_db_sql(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	const struct query *q = is_passdb ? &db->sql.password_query : &db->sql.user_query;

	load_sql(l, block, &db->sql, is_passdb);
	load_section(l, block, &db->overrides);
	if (is_passdb)
		load_credentials(l, block, db);
	if (db->sql.driver == NULL || q->sql || l->errors->n)
		return;
	if (is_passdb)
		settings_complain(l, block, "no password_query in %s; it should select the columns user and password",
			db->sql.file);
	else
		settings_complain(l, block, "no user_query in %s", db->sql.file);
}

/* args = uid=vmail gid=vmail home=/var/vmail/%d/%n; allow_all_users is what it does anyway. */
static void load_static(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	const struct dovecot_node *password = get(block, "password");
	size_t kept = 0;

	password = password ? password : get(block, "static_password");
	load_words(l, get(block, "args"), &db->fields);
	load_section(l, block, &db->fields);
	for (size_t i = 0; i < db->fields.n; i++)
		if (strcmp(db->fields.field[i].key, "allow_all_users") != 0)
			db->fields.field[kept++] = db->fields.field[i];
	db->fields.n = kept;
	if (password)
		add_field(l, password, STR("password"), str_c(password->value), &db->fields);
	if (is_passdb)
		load_scheme(l, block, value(block, "default_password_scheme", "PLAIN"), &db->sql.scheme);
}

static void load_template(struct loader *l, const struct dovecot_node *at, const char *text, struct template *out)
{
	const char *why;

	if (template_compile(str_c(text), l->set->mem, out, &why) < 0)
		settings_complain(l, at, "%s", why);
}

/* args = scheme=CRYPT username_format=%u /path; 2.4: passwd_file_path = /path, and auth_username_format */
static void load_passwd_file(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	const struct dovecot_node *args = get(block, "args"), *path = get(block, "passwd_file_path"),
				  *scheme = get(block, "default_password_scheme"), *old = get(block, "username_format"),
				  *format = old ? old : get(block, "auth_username_format");
	struct str rest = str_c(args ? args->value : ""), word;
	const char *file = path ? path->value : "", *scheme_name = "CRYPT", *name = format ? format->value : "%u";

	(void)is_passdb;
	if (scheme == NULL && args == NULL)
		scheme = dovecot_get(l->conf->first, "passdb_default_password_scheme");
	while (str_word(&rest, " \t", &word)) {
		if (str_has_prefix(word, STR("scheme=")))
			scheme_name = arena_cdup(l->set->mem, str_from(word, 7));
		else if (str_has_prefix(word, STR("username_format=")))
			name = arena_cdup(l->set->mem, str_from(word, 16));
		else
			file = arena_cdup(l->set->mem, word);
	}
	if (*file != '/')
		settings_complain(l, block, "no file; there should be \"args = username_format=%%u /PATH\"");
	load_template(l, path ? path : args ? args : block, file, &db->path);
	load_template(l, format ? format : args ? args : block, name, &db->username_format);
	load_scheme(l, scheme ? scheme : block, scheme ? scheme->value : scheme_name, &db->sql.scheme);
	load_section(l, block, &db->overrides);
}

static void load_passwd(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	(void)is_passdb;
	db->sql.scheme = "CRYPT";
	load_section(l, block, &db->overrides);
}

static const struct {
	const char *name;
	enum db_kind kind;
	bool for_passdb, for_userdb;
	void (*load)(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db);
} drivers[] = {
	{ "sql", DB_SQL, true, true, load_db_sql },
	{ "static", DB_STATIC, true, true, load_static },
	{ "passwd-file", DB_PASSWD_FILE, true, true, load_passwd_file },
	{ "passwd", DB_PASSWD, true, true, load_passwd },
	{ "shadow", DB_PASSWD, true, false, load_passwd },
#ifdef HAVE_LDAP
	{ "ldap", DB_LDAP, true, true, load_ldap },
#endif
#ifdef HAVE_PAM
	{ "pam", DB_PAM, true, false, load_pam },
#endif
	{ "oauth2", DB_OAUTH2, true, false, load_grant },
};

static void refuse_driver(struct loader *l, const struct dovecot_node *block, bool is_passdb, const char *driver)
{
	struct buf names = BUF_INIT(1024);

	/* Some are there only where their libraries were at the build. */
	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (is_passdb ? drivers[i].for_passdb : drivers[i].for_userdb)
			buf_addf(&names, "%s%s", names.n ? ", " : "", drivers[i].name);
	settings_complain(l, block, "%s driver \"%s\" is not available; there are %s%s", block->key, driver, names.p,
		is_passdb ? "" : ", prefetch");
	buf_free(&names);
}

/* What would change who gets in must not be passed over in silence: the words that a block may have. */
static const char *const known_oauth2[] = { "driver", "args", "name", "mechanisms", "mechanisms_filter", NULL },
			 *const known_all[] = { "driver", "args", "name", "deny", "master", "pass", "skip",
				 "result_success", "result_failure", "result_internalfail", "mechanisms",
				 "mechanisms_filter", "username_filter", "default_fields", "override_fields", "fields",
				 "auth_verbose", "query", "sql_query", "sql_iterate_query", "sql_update_query",
				 "iterate_query", "update_query", "default_password_scheme", "static_password",
				 "password", "passwd_file_path", "username_format", "auth_username_format",
				 "sql_driver", "sqlite_path", "mysql", "pgsql", "use_worker", "fields_import_all",
				 "credentials_query", "credentials_used_query", "credentials_set_query", "ldap_filter",
				 "filter", "ldap_bind", "bind", "ldap_bind_userdn", "bind_userdn",
				 "ldap_iterate_filter", "iterate_filter", "ldap_iterate_fields", "iterate_fields",
				 "ldap_base", "base", "ldap_uris", "uris", "ldap_auth_dn", "auth_dn",
				 "ldap_auth_dn_password", "auth_dn_password", "ldap_auth_sasl_mechanisms",
				 "ldap_auth_sasl_authz_id", "ldap_auth_sasl_realm", "ldap_starttls", "starttls",
				 "ldap_version", "ldap_deref", "ldap_scope", "scope", "ldap_connection_group",
				 "ldap_debug_level", "ssl_client_ca_file", "ssl_client_ca_dir", "ssl_client_cert_file",
				 "ssl_client_key_file", "ssl_cipher_list", "ssl_client_require_valid_cert",
				 "pam_service_name", "service_name", "pam_session", "session", "pam_setcred", "setcred",
				 "pam_max_requests", "max_requests", "pam_failure_show_msg", "failure_show_msg", NULL };

static void refuse_unknown(struct loader *l, const struct dovecot_node *block, const char *const *known, bool is_oauth2)
{
	for (const struct dovecot_node *n = block->child; n; n = n->next) {
		size_t k = 0;

		if (is_oauth2 && strncmp(n->key, "oauth2_", 7) == 0)
			continue;
		while (known[k] && strcmp(known[k], bare(n->key)) != 0)
			k++;
		if (known[k] == NULL)
			settings_complain(l, n,
				"%s in a %s block is not supported; without it the block would mean something else",
				n->key, block->key);
	}
}

static void refuse_credentials(struct loader *l, const struct dovecot_node *block, bool is_passdb, const struct db *db)
{
	const struct dovecot_node *n = get(block, "credentials_query");

	if (n && (!is_passdb || db->kind != DB_SQL))
		settings_complain(l, n, "credentials_query is for a passdb with driver = sql");
}

static void load_block(struct loader *l, const struct dovecot_node *block, bool is_passdb, struct db *db)
{
	const char *driver = value(block, "driver", *block->name ? block->name : "");

	db->file = settings_keep(l, block->file);
	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (strcmp(driver, drivers[i].name) == 0 &&
			(is_passdb ? drivers[i].for_passdb : drivers[i].for_userdb)) {
			db->kind = drivers[i].kind;
			db->name = drivers[i].name;
			load_rules(l, block, is_passdb, db);
			drivers[i].load(l, block, is_passdb, db);
			refuse_credentials(l, block, is_passdb, db);
			return;
		}
	refuse_driver(l, block, is_passdb, driver);
}

static void load_list(struct loader *l, const char *key, struct db *dbs, size_t *n_dbs)
{
	bool is_passdb = strcmp(key, "passdb") == 0;
	unsigned n_oauth2 = 0;

	for (const struct dovecot_node *n = l->conf->first; (n = dovecot_section(n, key)); n = n->next) {
		const char *driver = value(n, "driver", *n->name ? n->name : "");
		bool is_oauth2 = is_passdb && strcmp(driver, "oauth2") == 0;

		/* For services that log in and deliver in one go (REQUEST): what a passdb gave is enough. */
		if (!is_passdb && strcmp(driver, "prefetch") == 0) {
			l->set->has_prefetch = true;
			continue;
		}
		if (is_oauth2 && !oauth2_is_grant(l, n)) {
			/* The rest is load_oauth2()'s. */
			refuse_unknown(l, n, known_oauth2, true);
			if (n_oauth2++)
				settings_complain(l, n,
					"a second passdb with driver = oauth2; there may be one, and those with "
					"use_grant_password");
			continue;
		}
		refuse_unknown(l, n, known_all, is_oauth2);
		if (*n_dbs == DB_MAX)
			settings_complain(l, n, "more than %d %s blocks", DB_MAX, key);
		else
			load_block(l, n, is_passdb, &dbs[(*n_dbs)++]);
	}
}

void load_dbs(struct loader *l)
{
	bool has_login = oauth2_is_named(l);

	load_list(l, "passdb", l->set->passdb, &l->set->n_passdbs);
	load_list(l, "userdb", l->set->userdb, &l->set->n_userdbs);
	for (size_t i = 0; i < l->set->n_passdbs; i++) {
		has_login |= !l->set->passdb[i].master && !l->set->passdb[i].deny;
		l->set->has_master |= l->set->passdb[i].master;
	}
	if (l->set->n_passdbs && !has_login && l->errors->n == 0)
		buf_addf(l->errors, "%s: every passdb is one for masters or of who is denied; nobody could log in\n",
			l->set->passdb[0].file);
}
