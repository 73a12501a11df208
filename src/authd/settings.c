#include "authd/settings_impl.h"

#include "auth/key_words.h"
#include "auth/password.h"
#include "base/log.h"

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

const struct dovecot_node *settings_get(struct loader *l, const char *key)
{
	if (l->n_asked == SETTINGS_ASKED_MAX)
		panic("more than %d settings are asked for", SETTINGS_ASKED_MAX);
	l->asked[l->n_asked++] = key;
	return dovecot_get(l->conf->first, key);
}

const char *settings_value(struct loader *l, const char *key, const char *otherwise)
{
	const struct dovecot_node *n = settings_get(l, key);

	return n ? n->value : otherwise;
}

void settings_bool(struct loader *l, const char *key, bool *out)
{
	const struct dovecot_node *n = settings_get(l, key);

	if (n && dovecot_bool(n->value, out) < 0)
		settings_complain(l, n, "%s = %s; it should be yes or no", key, n->value);
}

void settings_add_warnings(struct loader *l, const struct dovecot_conf *c)
{
	/* A passdb and a userdb may name the same file. */
	if (c->warnings.n && (l->warnings->n == 0 || strstr(l->warnings->p, c->warnings.p) == NULL))
		buf_add_str(l->warnings, buf_str(&c->warnings));
}

struct dovecot_conf *settings_load_args(struct loader *l, const struct dovecot_node *args, const char **file)
{
	const char *slash = strrchr(args->file, '/');
	struct dovecot_conf *c;

	*file = settings_keep(l, args->value);
	if (**file != '/' && slash)
		*file = arena_printf(l->set->mem, "%.*s/%s", (int)(slash - args->file), args->file, args->value);
	c = dovecot_load_flat(*file, l->errors);
	settings_add_warnings(l, c);
	return c;
}

/* ---- plain settings ---- */

static void load_time(struct loader *l, const char *key, uint64_t *out)
{
	const struct dovecot_node *n = settings_get(l, key);

	if (n && (dovecot_time_ms(n->value, out) < 0 || *out > 366ULL * 86400000))
		settings_complain(
			l, n, "%s = %s; it should be a time, such as \"2 secs\" or \"1 hour\"", key, n->value);
}

static void load_size(struct loader *l, const char *key, uint64_t *out)
{
	const struct dovecot_node *n = settings_get(l, key);

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
	const struct dovecot_node *n = settings_get(l, "auth_mechanisms");
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
	const struct dovecot_node *n = settings_get(l, "auth_username_format");
	struct settings *s = l->set;
	const char *why;

	if (template_compile(str_c(n ? n->value : "%Lu"), s->mem, &s->username_format, &why) < 0)
		settings_complain(l, n, "auth_username_format: %s", why);
	s->username_chars = settings_keep(l, settings_value(l, "auth_username_chars", chars));
	s->username_translation = settings_keep(l, settings_value(l, "auth_username_translation", ""));
	s->default_realm =
		settings_keep(l, settings_value(l, "auth_default_realm", settings_value(l, "auth_default_domain", "")));
	s->master_separator = settings_keep(l, settings_value(l, "auth_master_user_separator", ""));
	n = settings_get(l, "auth_username_translation");
	if (strlen(s->username_translation) % 2)
		settings_complain(l, n,
			"auth_username_translation has an odd number of characters; it should be pairs: from, to");
}

static void load_anonymous(struct loader *l)
{
	const struct dovecot_node *n = settings_get(l, "auth_anonymous_username");

	l->set->anonymous_user = settings_keep(l, n ? n->value : "anonymous");
	if (*l->set->anonymous_user == '\0')
		settings_complain(l, n, "auth_anonymous_username is empty; it should be a name, such as anonymous");
}

/* Made by `gatepost user`; here an unknown user's hash is made of it, until a real one shows what they cost. */
static void load_new_scheme(struct loader *l)
{
	const struct dovecot_node *n = settings_get(l, "gatepost_new_password_scheme");
	int r;

	l->set->new_scheme = settings_keep(l, n ? n->value : "ARGON2ID");
	r = password_scheme_check(str_c(l->set->new_scheme), l->set->allow_weak);
	if (r < 0)
		settings_complain(
			l, n, "gatepost_new_password_scheme = %s: %s", l->set->new_scheme, password_err_text(r));
}

/* What is stored beside a hash, for mechanisms that do not show the password. */
static void load_new_credentials(struct loader *l)
{
	const struct dovecot_node *n = settings_get(l, "gatepost_new_credentials");
	struct str rest, scheme;

	l->set->new_credentials = settings_keep(l, n ? n->value : "SCRAM-SHA-256");
	rest = str_c(n ? n->value : NULL);
	while (n && str_word(&rest, " ,\t", &scheme))
		if (!key_scheme_is_known(scheme))
			settings_complain(l, n,
				"gatepost_new_credentials: \"%.*s\"; it should be some of SCRAM-SHA-1, SCRAM-SHA-256, "
				"SCRAM-SHA-512 and CRAM-MD5",
				STR_ARG(scheme));
}

static void load_upgrade_scheme(struct loader *l)
{
	const struct dovecot_node *n = settings_get(l, "auth_upgrade_scheme");
	struct buf made = BUF_INIT(4096);
	int r;

	l->set->upgrade_scheme = settings_keep(l, n ? n->value : "");
	r = n && *n->value ? password_make(str_c(n->value), STR("x"), &made) : 0;
	if (r < 0)
		settings_complain(l, n, "auth_upgrade_scheme = %s: %s", n->value, password_err_text(r));
	buf_wipe(&made);
}

/* Settings of Dovecot's that would change who gets in, or how, and that are not obeyed here. */
static void warn_ignored(struct loader *l)
{
	static const char *const names[] = { "auth_realms" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct dovecot_node *n = settings_get(l, names[i]);

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
	settings_add_warnings(&l, l.conf);
	s->failure_delay_ms = 2000;
	s->cache_ttl_ms = s->cache_negative_ttl_ms = 3600 * 1000;
	settings_bool(&l, "auth_allow_weak_schemes", &s->allow_weak);
	load_log(&l);
	settings_bool(&l, "auth_ssl_username_from_cert", &s->user_from_cert);
	settings_bool(&l, "auth_ssl_require_client_cert", &s->require_cert);
	load_time(&l, "auth_failure_delay", &s->failure_delay_ms);
	load_defence(&l);
	load_time(&l, "auth_cache_ttl", &s->cache_ttl_ms);
	load_time(&l, "auth_cache_negative_ttl", &s->cache_negative_ttl_ms);
	load_size(&l, "auth_cache_size", &s->cache_octets);
	load_mechanisms(&l);
	load_username(&l);
	load_anonymous(&l);
	load_new_scheme(&l);
	load_new_credentials(&l);
	load_upgrade_scheme(&l);
	load_dbs(&l);
	load_oauth2(&l);
	load_policy(&l);
	load_listeners(&l);
	warn_ignored(&l);
	settings_warn_vain(&l);
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
	fetch_sites_close(&(*s)->fetch);
	arena_wipe(&(*s)->mem);
	free(*s);
	*s = NULL;
}
