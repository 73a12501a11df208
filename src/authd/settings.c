#include "authd/settings_impl.h"

#include "auth/password.h"

#include <stdlib.h>

void settings_complain(struct loader *l, const struct dovecot_node *n, const char *fmt, ...)
{
	va_list ap;

	buf_addf(l->errors, "%s, line %u: ", n->file, n->line);
	va_start(ap, fmt);
	buf_vaddf(l->errors, fmt, ap);
	va_end(ap);
	buf_add_char(l->errors, '\n');
}

const char *settings_keep(struct loader *l, const char *s)
{
	return arena_cdup(l->set->mem, str_c(s));
}

/* ---- plain settings ---- */

static void load_bool(struct loader *l, const char *key, bool *out)
{
	const struct dovecot_node *n = dovecot_get(l->conf->first, key);

	if (n && dovecot_bool(n->value, out) < 0)
		settings_complain(l, n, "%s = %s; it should be yes or no", key, n->value);
}

static void load_time(struct loader *l, const char *key, uint64_t *out)
{
	const struct dovecot_node *n = dovecot_get(l->conf->first, key);

	if (n && (dovecot_time_ms(n->value, out) < 0 || *out > 366ULL * 86400000))
		settings_complain(
			l, n, "%s = %s; it should be a time, such as \"2 secs\" or \"1 hour\"", key, n->value);
}

static void load_size(struct loader *l, const char *key, uint64_t *out)
{
	const struct dovecot_node *n = dovecot_get(l->conf->first, key);

	if (n && dovecot_size(n->value, out) < 0)
		settings_complain(l, n, "%s = %s; it should be a size, such as \"10M\"", key, n->value);
}

static const char *mechanism_names(struct loader *l)
{
	const char *list = "";

	for (size_t i = 0; sasl_mechs[i]; i++)
		list = arena_printf(l->set->mem, "%s%s%s", list, i ? ", " : "", sasl_mechs[i]->name);
	return list;
}

static void load_mechanisms(struct loader *l)
{
	const struct dovecot_node *n = dovecot_get(l->conf->first, "auth_mechanisms");
	struct str list = str_c(n ? n->value : "plain"), word;
	struct settings *s = l->set;

	while (str_word(&list, " \t,", &word)) {
		const struct sasl_mech *m = sasl_mech_find(word);
		bool known = false;

		for (size_t i = 0; i < s->n_mechs; i++)
			known |= s->mech[i] == m;
		if (m == NULL)
			settings_complain(l, n, "auth_mechanisms: \"%.*s\" is not available; there are %s",
				STR_ARG(word), mechanism_names(l));
		else if (!known && s->n_mechs < MECHS_MAX)
			s->mech[s->n_mechs++] = m;
	}
	if (n && s->n_mechs == 0)
		settings_complain(l, n, "auth_mechanisms names none; it should be, for example, \"plain login\"");
}

static void load_username(struct loader *l)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@";
	const struct dovecot_node *n = dovecot_get(l->conf->first, "auth_username_format");
	const struct dovecot_node *first = l->conf->first;
	struct settings *s = l->set;
	const char *why;

	if (template_compile(str_c(n ? n->value : "%Lu"), s->mem, &s->username_format, &why) < 0)
		settings_complain(l, n, "auth_username_format: %s", why);
	s->username_chars = settings_keep(l, dovecot_value(first, "auth_username_chars", chars));
	s->username_translation = settings_keep(l, dovecot_value(first, "auth_username_translation", ""));
	s->default_realm = settings_keep(
		l, dovecot_value(first, "auth_default_realm", dovecot_value(first, "auth_default_domain", "")));
	n = dovecot_get(first, "auth_username_translation");
	if (strlen(s->username_translation) % 2)
		settings_complain(l, n,
			"auth_username_translation has an odd number of characters; it should be pairs: from, to");
}

static void load_anonymous(struct loader *l)
{
	const struct dovecot_node *n = dovecot_get(l->conf->first, "auth_anonymous_username");

	l->set->anonymous_user = settings_keep(l, n ? n->value : "anonymous");
	if (*l->set->anonymous_user == '\0')
		settings_complain(l, n, "auth_anonymous_username is empty; it should be a name, such as anonymous");
}

/* Made by `gatepost user`; here an unknown user's hash is made of it, until a real one shows what they cost. */
static void load_new_scheme(struct loader *l)
{
	const struct dovecot_node *n = dovecot_get(l->conf->first, "gatepost_new_password_scheme");
	int r;

	l->set->new_scheme = settings_keep(l, n ? n->value : "ARGON2ID");
	r = password_scheme_check(str_c(l->set->new_scheme), l->set->allow_weak);
	if (r < 0)
		settings_complain(
			l, n, "gatepost_new_password_scheme = %s: %s", l->set->new_scheme, password_err_text(r));
}

/* ---- SQL ---- */

static void load_query(struct loader *l, const struct dovecot_node *list, const char *key, struct query *q)
{
	const struct dovecot_node *n = dovecot_get(list, key);
	const char *why;

	if (n && *n->value && query_compile(str_c(n->value), l->set->mem, q, &why) < 0)
		settings_complain(l, n, "%s: %s", key, why);
}

static void load_driver(
	struct loader *l, const struct dovecot_node *at, const struct dovecot_node *driver, struct sql_settings *sql)
{
	if (driver == NULL)
		settings_complain(l, at, "no database driver; there should be \"driver = sqlite\" in %s", sql->file);
	else if ((sql->driver = sql_driver_find(driver->value)) == NULL)
		settings_complain(l, driver, "the driver \"%s\" is not available; there is sqlite", driver->value);
}

static void load_scheme(struct loader *l, const struct dovecot_node *n, struct sql_settings *sql)
{
	int r;

	/* Dovecot's CRYPT is all that crypt(3) knows, MD5-CRYPT (what 2.3 falls back to) included. */
	sql->scheme = settings_keep(l, n ? n->value : "CRYPT");
	r = password_scheme_check(str_c(sql->scheme), l->set->allow_weak);
	if (r < 0)
		settings_complain(l, n, "%s = %s: %s", n->key, sql->scheme, password_err_text(r));
}

/* dovecot-sql.conf.ext of 2.3. */
static void load_sql_file(struct loader *l, const struct dovecot_node *args, struct sql_settings *sql)
{
	size_t before = l->errors->n;
	struct dovecot_conf *c;
	const struct dovecot_node *n;
	const char *path = args->value;

	if (*path != '/' && strrchr(args->file, '/'))
		path = arena_printf(
			l->set->mem, "%.*s/%s", (int)(strrchr(args->file, '/') - args->file), args->file, path);
	sql->file = settings_keep(l, path);
	c = dovecot_load_flat(sql->file, l->errors);
	if (l->errors->n == before) {
		load_driver(l, args, dovecot_get(c->first, "driver"), sql);
		n = dovecot_get(c->first, "connect");
		sql->connect = settings_keep(l, n ? n->value : "");
		if (*sql->connect == '\0')
			buf_addf(l->errors, "%s: \"connect\" is missing; it should name the database\n", sql->file);
		load_scheme(l, dovecot_get(c->first, "default_pass_scheme"), sql);
		load_query(l, c->first, "password_query", &sql->password_query);
		load_query(l, c->first, "user_query", &sql->user_query);
		load_query(l, c->first, "iterate_query", &sql->iterate_query);
	}
	dovecot_free(&c);
}

/* 2.4: sql_driver and sqlite_path outside, the queries in the block itself. */
static void load_sql_inline(
	struct loader *l, const struct dovecot_node *block, struct sql_settings *sql, bool is_passdb)
{
	const struct dovecot_node *first = l->conf->first, *scheme;
	const char *prefix = is_passdb ? "passdb_default_password_scheme" : "userdb_default_password_scheme";

	sql->file = settings_keep(l, block->file);
	load_driver(l, block, dovecot_get(first, "sql_driver"), sql);
	sql->connect = settings_keep(l, dovecot_value(first, "sqlite_path", ""));
	if (*sql->connect == '\0')
		settings_complain(l, block, "no database; there should be \"sqlite_path = FILE\"");
	scheme = dovecot_get(block->child, prefix);
	load_scheme(l, scheme ? scheme : dovecot_get(block->child, "default_password_scheme"), sql);
	load_query(l, block->child, "query", is_passdb ? &sql->password_query : &sql->user_query);
	load_query(l, block->child, is_passdb ? "passdb_sql_query" : "userdb_sql_query",
		is_passdb ? &sql->password_query : &sql->user_query);
	load_query(l, block->child, "iterate_query", &sql->iterate_query);
}

/* What would change who gets in must not be passed over in silence. */
static void refuse_unknown(struct loader *l, const struct dovecot_node *block, const char *const *known)
{
	for (const struct dovecot_node *n = block->child; n; n = n->next) {
		const char *const *k = known;

		while (*k && strcmp(*k, n->key) != 0)
			k++;
		if (*k == NULL)
			settings_complain(l, n,
				"%s in a %s block is not supported; without it the block would mean something else",
				n->key, block->key);
	}
}

static const char *block_driver(const struct dovecot_node *block)
{
	const char *driver = dovecot_value(block->child, "driver", NULL);

	return driver ? driver : dovecot_value(block->child, "passdb_driver", *block->name ? block->name : "");
}

static void load_sql(struct loader *l, const struct dovecot_node *block, struct sql_settings *sql, bool is_passdb)
{
	const struct dovecot_node *args = dovecot_get(block->child, "args");

	if (args)
		load_sql_file(l, args, sql);
	else
		load_sql_inline(l, block, sql, is_passdb);
}

static void load_passdb(struct loader *l, const struct dovecot_node *block)
{
	static const char *const known[] = { "driver", "args", "query", "passdb_sql_query", "default_password_scheme",
		"passdb_default_password_scheme", "iterate_query", "auth_verbose", "name", NULL };
	struct settings *s = l->set;
	struct sql_settings *sql;

	if (strcmp(block_driver(block), "oauth2") == 0)
		return; /* load_oauth2() */
	refuse_unknown(l, block, known);
	if (strcmp(block_driver(block), "sql") != 0) {
		settings_complain(l, block, "passdb driver \"%s\" is not available; there is \"driver = sql\"",
			block_driver(block));
		return;
	}
	if (s->n_passdbs == DB_MAX) {
		settings_complain(l, block, "more than %d passdb blocks", DB_MAX);
		return;
	}
	sql = &s->passdb[s->n_passdbs++].sql;
	load_sql(l, block, sql, true);
	if (sql->driver && sql->password_query.sql == NULL && !l->errors->n)
		settings_complain(
			l, block, "no password_query in %s; it should select the columns user and password", sql->file);
}

/* args = uid=vmail gid=vmail home=/var/vmail/%d/%n */
static void load_static(struct loader *l, const struct dovecot_node *block, struct userdb *u)
{
	const struct dovecot_node *args = dovecot_get(block->child, "args");
	struct str rest = str_c(args ? args->value : ""), word;
	const char *why;

	while (str_word(&rest, " \t", &word) && u->n_fields < STATIC_MAX) {
		ptrdiff_t eq = str_chr(word, '=');
		struct static_field *f = &u->field[u->n_fields++];

		f->key = arena_cdup(l->set->mem, eq < 0 ? word : str_sub(word, 0, (size_t)eq));
		if (template_compile(eq < 0 ? STR("") : str_from(word, (size_t)eq + 1), l->set->mem, &f->value, &why) <
			0)
			settings_complain(l, args, "%s: %s", f->key, why);
	}
}

static void load_userdb(struct loader *l, const struct dovecot_node *block)
{
	static const char *const known[] = { "driver", "args", "query", "userdb_sql_query", "iterate_query",
		"auth_verbose", "name", NULL };
	struct settings *s = l->set;
	const char *driver = block_driver(block);
	struct userdb *u = &s->userdb[s->n_userdbs];

	if (strcmp(driver, "prefetch") == 0)
		return; /* a remark for services that log in and deliver in one go */
	refuse_unknown(l, block, known);
	if (s->n_userdbs == DB_MAX) {
		settings_complain(l, block, "more than %d userdb blocks", DB_MAX);
		return;
	}
	s->n_userdbs++;
	if (strcmp(driver, "static") == 0) {
		load_static(l, block, u);
		return;
	}
	if (strcmp(driver, "sql") != 0) {
		settings_complain(
			l, block, "userdb driver \"%s\" is not available; there are sql, static and prefetch", driver);
		return;
	}
	load_sql(l, block, &u->sql, false);
	if (u->sql.driver && u->sql.user_query.sql == NULL && !l->errors->n)
		settings_complain(l, block, "no user_query in %s", u->sql.file);
}

static void load_blocks(struct loader *l)
{
	const struct dovecot_node *n, *first = l->conf->first;

	for (n = first; (n = dovecot_section(n, "passdb")); n = n->next)
		load_passdb(l, n);
	for (n = first; (n = dovecot_section(n, "userdb")); n = n->next)
		load_userdb(l, n);
	load_listeners(l);
}

/* Settings of Dovecot's that would change who gets in, or how, and that are not obeyed here. */
static void warn_ignored(struct loader *l)
{
	static const char *const names[] = { "auth_master_user_separator", "auth_policy_server_url", "auth_realms" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct dovecot_node *n = dovecot_get(l->conf->first, names[i]);

		if (n && *n->value && strcmp(n->value, "no") != 0)
			buf_addf(l->warnings, "%s, line %u: %s has no effect here\n", n->file, n->line, n->key);
	}
}

struct settings *settings_load(const char *file, struct buf *errors, struct buf *warnings)
{
	struct loader l = { .errors = errors, .warnings = warnings };
	struct settings *s = xcalloc(1, sizeof *s);

	s->mem = arena_new(0);
	l.set = s;
	l.conf = dovecot_load(file, errors);
	s->failure_delay_ms = 2000;
	s->cache_ttl_ms = s->cache_negative_ttl_ms = 3600 * 1000;
	load_bool(&l, "auth_allow_weak_schemes", &s->allow_weak);
	load_bool(&l, "auth_verbose", &s->verbose);
	load_bool(&l, "auth_ssl_username_from_cert", &s->user_from_cert);
	load_bool(&l, "auth_ssl_require_client_cert", &s->require_cert);
	load_time(&l, "auth_failure_delay", &s->failure_delay_ms);
	load_time(&l, "auth_cache_ttl", &s->cache_ttl_ms);
	load_time(&l, "auth_cache_negative_ttl", &s->cache_negative_ttl_ms);
	load_size(&l, "auth_cache_size", &s->cache_octets);
	load_mechanisms(&l);
	load_username(&l);
	load_anonymous(&l);
	load_new_scheme(&l);
	load_blocks(&l);
	load_oauth2(&l);
	warn_ignored(&l);
	if (errors->n == 0 && s->n_passdbs == 0 && !s->oauth2.is_set)
		buf_addf(errors, "%s: no passdb; there should be \"passdb { driver = sql  args = FILE }\"\n", file);
	if (errors->n == 0 && s->n_listeners == 0)
		buf_addf(errors,
			"%s: no listener; there should be \"service auth { unix_listener private/auth { mode = 0660 } "
			"}\"\n",
			file);
	dovecot_free(&l.conf);
	if (errors->n)
		settings_free(&s);
	return s;
}

void settings_free(struct settings **s)
{
	if (*s == NULL)
		return;
	jwt_keys_free(&(*s)->oauth2.keys);
	arena_wipe(&(*s)->mem);
	free(*s);
	*s = NULL;
}
