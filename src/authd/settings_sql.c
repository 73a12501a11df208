/* The SQL part of auth.conf: Dovecot 2.3's dovecot-sql.conf.ext, and 2.4's blocks. */
#include "authd/settings_impl.h"

#include "auth/password.h"

static void load_query(struct loader *l, const struct dovecot_node *list, const char *key,
	const struct sql_settings *sql, struct query *q)
{
	const struct dovecot_node *n = dovecot_get(list, key);
	const char *why;

	if (n && *n->value &&
		query_compile(
			str_c(n->value), sql->driver ? sql->driver->dialect : SQL_QUESTION, l->set->mem, q, &why) < 0)
		settings_complain(l, n, "%s: %s", key, why);
}

static void load_credentials_queries(struct loader *l, const struct dovecot_node *list, struct sql_settings *sql)
{
	load_query(l, list, "credentials_query", sql, &sql->credentials_query);
	load_query(l, list, "credentials_used_query", sql, &sql->credentials_used_query);
	load_query(l, list, "credentials_set_query", sql, &sql->credentials_set_query);
}

static void load_driver(
	struct loader *l, const struct dovecot_node *at, const struct dovecot_node *driver, struct sql_settings *sql)
{
	if (driver == NULL)
		settings_complain(l, at, "no database driver; there should be \"driver = sqlite\" in %s", sql->file);
	else if ((sql->driver = sql_driver_find(driver->value)) == NULL)
		settings_complain(l, driver, "the driver \"%s\" is not available; this build has %s", driver->value,
			sql_driver_names());
}

static void check_connect(struct loader *l, const struct dovecot_node *at, const struct sql_settings *sql)
{
	const char *why = sql->driver && sql->driver->check ? sql->driver->check(sql->connect, l->set->mem) : NULL;

	if (why)
		settings_complain(l, at, "connect: %s", why);
}

void load_scheme(struct loader *l, const struct dovecot_node *at, const char *name, const char **scheme)
{
	int r;

	*scheme = settings_keep(l, name);
	r = password_scheme_check(str_c(name), l->set->allow_weak);
	if (r < 0)
		settings_complain(l, at, "the scheme %s: %s", name, password_err_text(r));
}

/* Dovecot's CRYPT is all that crypt(3) knows, MD5-CRYPT (what 2.3 falls back to) included. */
static void load_default_scheme(struct loader *l, const struct dovecot_node *n, struct sql_settings *sql)
{
	load_scheme(l, n, n ? n->value : "CRYPT", &sql->scheme);
}

/* dovecot-sql.conf.ext of 2.3. */
static void load_file(struct loader *l, const struct dovecot_node *args, struct sql_settings *sql)
{
	size_t before = l->errors->n;
	struct dovecot_conf *c = settings_load_args(l, args, &sql->file);
	const struct dovecot_node *n;

	if (l->errors->n == before) {
		load_driver(l, args, dovecot_get(c->first, "driver"), sql);
		n = dovecot_get(c->first, "connect");
		sql->connect = settings_keep(l, n ? n->value : "");
		if (*sql->connect == '\0')
			buf_addf(l->errors, "%s: \"connect\" is missing; it should name the database\n", sql->file);
		else
			check_connect(l, n, sql);
		load_default_scheme(l, dovecot_get(c->first, "default_pass_scheme"), sql);
		load_query(l, c->first, "password_query", sql, &sql->password_query);
		load_query(l, c->first, "user_query", sql, &sql->user_query);
		load_query(l, c->first, "iterate_query", sql, &sql->iterate_query);
		load_query(l, c->first, "update_query", sql, &sql->update_query);
		load_credentials_queries(l, c->first, sql);
	}
	dovecot_free(&c);
}

/* ---- 2.4 ---- */

/* 2.4's name of a setting, without "mysql_", and the word that it is in "connect". NULL: it is the same. */
static const struct {
	const char *key, *word;
} words[] = {
	{ "connection_limit", "maxconns" },
	{ "ssl_client_ca_file", "ssl_ca" },
	{ "ssl_client_ca_dir", "ssl_ca_path" },
	{ "ssl_client_cert_file", "ssl_cert" },
	{ "ssl_client_key_file", "ssl_key" },
	{ "ssl_cipher_list", "ssl_cipher" },
	{ "ssl_client_require_valid_cert", "ssl_verify_server_cert" },
	{ "host", "host" },
};

static void add_words(struct loader *l, const struct dovecot_node *list, const char *driver, struct buf *out)
{
	const char *prefix = arena_printf(l->set->mem, "%s_", driver);

	for (; list; list = list->next) {
		const char *key = list->key;

		if (list->name) {
			/* pgsql host { parameters { user = … } } */
			if (strcmp(key, "parameters") == 0 || strcmp(key, "pgsql_parameters") == 0)
				add_words(l, list->child, driver, out);
			continue;
		}
		if (strncmp(key, prefix, strlen(prefix)) == 0)
			key += strlen(prefix);
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (strcmp(key, words[i].key) == 0)
				key = words[i].word;
		if (strchr(list->value, '\n') || buf_addf(out, "\n%s=%s", key, list->value) < 0)
			settings_complain(l, list, "%s has a line feed in it", list->key);
	}
}

/* "mysql host { … }", "pgsql host { … }", at this level; the text of "connect" that says the same. */
static const struct dovecot_node *add_hosts(
	struct loader *l, const struct dovecot_node *list, const char *driver, struct buf *out)
{
	const struct dovecot_node *found = NULL;

	for (const struct dovecot_node *n = list; (n = dovecot_section(n, driver)); n = n->next) {
		found = n;
		if (*n->name && dovecot_get(n->child, "host") == NULL)
			buf_addf(out, "\nhost=%s", n->name);
		add_words(l, n->child, driver, out);
	}
	return found;
}

static void load_hosts(struct loader *l, const struct dovecot_node *block, struct sql_settings *sql)
{
	struct buf text = BUF_INIT(65536);
	const char *name = sql->driver->name;
	const struct dovecot_node *at = add_hosts(l, block->child, name, &text);

	if (at == NULL)
		at = add_hosts(l, l->conf->first, name, &text);
	if (at == NULL)
		settings_complain(l, block, "no database; there should be \"%s HOST { user = … }\"", name);
	sql->connect = settings_keep(l, text.n ? text.p : "");
	buf_wipe(&text);
	if (at)
		check_connect(l, at, sql);
}

/* In the block, else outside of all. */
static const struct dovecot_node *near(const struct loader *l, const struct dovecot_node *block, const char *key)
{
	const struct dovecot_node *n = dovecot_get(block->child, key);

	return n ? n : dovecot_get(l->conf->first, key);
}

static void load_inline(struct loader *l, const struct dovecot_node *block, struct sql_settings *sql, bool is_passdb)
{
	const struct dovecot_node *n;
	struct query *query = is_passdb ? &sql->password_query : &sql->user_query;

	sql->file = settings_keep(l, block->file);
	load_driver(l, block, near(l, block, "sql_driver"), sql);
	if (sql->driver && !sql->driver->is_local) {
		load_hosts(l, block, sql);
	} else if (sql->driver) {
		n = near(l, block, "sqlite_path");
		sql->connect = settings_keep(l, n ? n->value : "");
		if (*sql->connect == '\0')
			settings_complain(l, block, "no database; there should be \"sqlite_path = FILE\"");
	}
	n = dovecot_get(block->child, is_passdb ? "passdb_default_password_scheme" : "userdb_default_password_scheme");
	n = n ? n : near(l, block, "default_password_scheme");
	load_default_scheme(l, n ? n : dovecot_get(l->conf->first, "passdb_default_password_scheme"), sql);
	load_query(l, block->child, "query", sql, query);
	load_query(l, block->child, is_passdb ? "passdb_sql_query" : "userdb_sql_query", sql, query);
	load_query(l, block->child, "iterate_query", sql, &sql->iterate_query);
	load_query(l, block->child, "userdb_sql_iterate_query", sql, &sql->iterate_query);
	load_query(l, block->child, "update_query", sql, &sql->update_query);
	load_query(l, block->child, "passdb_sql_update_query", sql, &sql->update_query);
}

void load_sql(struct loader *l, const struct dovecot_node *block, struct sql_settings *sql, bool is_passdb)
{
	const struct dovecot_node *args = dovecot_get(block->child, "args");

	if (args)
		load_file(l, args, sql);
	else
		load_inline(l, block, sql, is_passdb);
}

void load_credentials(struct loader *l, const struct dovecot_node *block, struct db *db)
{
	load_credentials_queries(l, block->child, &db->sql);
	db->credentials = db->sql;
	if (dovecot_get(block->child, "credentials_query"))
		db->credentials.file = settings_keep(l, block->file);
}
