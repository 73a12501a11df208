/* What auth.conf says in vain: a name that nobody knows, and databases in a place where nobody asks them. */
#include "authd/settings_impl.h"

/* Dovecot's that have no effect here. */
static const char *const without_effect[] = { "auth_allow_cleartext", "auth_cache_verify_password_with_worker",
	"auth_gssapi_hostname", "auth_internal_failure_delay", "auth_krb5_keytab", "auth_proxy_self",
	"auth_socket_path", "auth_stats", "auth_use_winbind", "auth_winbind_helper_path", "auth_worker_max_count" };
enum { N_WITHOUT = sizeof without_effect / sizeof *without_effect };

/* The known names: those that were asked for, and Dovecot's others. NULL: there are no more. */
static const char *known(const struct loader *l, size_t i)
{
	if (i < l->n_asked)
		return l->asked[i];
	return i - l->n_asked < N_WITHOUT ? without_effect[i - l->n_asked] : NULL;
}

static bool is_known(const struct loader *l, const char *key)
{
	const char *name;

	for (size_t i = 0; (name = known(l, i)) != NULL; i++)
		if (strcmp(name, key) == 0)
			return true;
	return false;
}

/* The one that begins with most of it; NULL: none does by three quarters. */
static const char *guess(const struct loader *l, const char *key)
{
	const char *best = NULL, *name;
	size_t most = strlen(key) * 3 / 4, n;

	for (size_t i = 0; (name = known(l, i)) != NULL; i++) {
		for (n = 0; key[n] && key[n] == name[n]; n++)
			;
		if (n > most) {
			most = n;
			best = name;
		}
	}
	return best;
}

static bool is_ours(const char *key)
{
	return strncmp(key, "auth_", 5) == 0 || strncmp(key, "gatepost_", 9) == 0;
}

static bool is_filter(const char *key)
{
	static const char *const filters[] = { "protocol", "local", "remote", "local_name" };

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		if (strcmp(filters[i], key) == 0)
			return true;
	return false;
}

/* "protocol imap" and the like are another service's, and say nothing that is missed here. */
static bool is_about_others(const struct dovecot_node *filter)
{
	return strcmp(filter->key, "protocol") == 0 && *filter->name != '!' && strstr(filter->name, "smtp") == NULL &&
	       strstr(filter->name, "lmtp") == NULL;
}

static void warn_in_filter(struct loader *l, const struct dovecot_node *filter)
{
	for (const struct dovecot_node *n = filter->child; n; n = n->next) {
		bool is_db = n->name && (strcmp(n->key, "passdb") == 0 || strcmp(n->key, "userdb") == 0);

		if (n->name && is_filter(n->key) && !is_about_others(n))
			warn_in_filter(l, n);
		else if (is_db || is_ours(n->key))
			buf_addf(l->warnings,
				"%s, line %u: %s within \"%s %s\" has no effect here; what stands outside of such "
				"sections "
				"is for all\n",
				n->file, n->line, n->key, filter->key, filter->name);
	}
}

/* A word of a listener that is none: the mode would stay what it is by itself. */
static void warn_in_listener(struct loader *l, const struct dovecot_node *listener)
{
	static const char *const words[] = { "mode", "user", "group", "type", "path", "name", "port", "address",
		"listen", "ssl", "reuse_port", "haproxy" };
	size_t k;

	for (const struct dovecot_node *n = listener->child; n; n = n->next) {
		for (k = 0; k < sizeof words / sizeof *words && strcmp(words[k], n->key) != 0; k++)
			;
		if (k == sizeof words / sizeof *words)
			buf_addf(l->warnings, "%s, line %u: %s in %s %s is not known, and has no effect\n", n->file,
				n->line, n->key, listener->key, listener->name);
	}
}

static void warn_in_service(struct loader *l, const struct dovecot_node *service)
{
	for (const struct dovecot_node *n = service->child; n; n = n->next)
		if (n->name && (strcmp(n->key, "unix_listener") == 0 || strcmp(n->key, "inet_listener") == 0))
			warn_in_listener(l, n);
		else if (n->name && strcmp(n->key, "fifo_listener") != 0)
			buf_addf(l->warnings,
				"%s, line %u: %s in service auth is not known, and has no effect; there are "
				"unix_listener "
				"and inet_listener\n",
				n->file, n->line, n->key);
}

void settings_warn_vain(struct loader *l)
{
	for (const struct dovecot_node *n = l->conf->first; n; n = n->next) {
		const char *meant;

		if (n->name && is_filter(n->key) && !is_about_others(n))
			warn_in_filter(l, n);
		if (n->name && strcmp(n->key, "service") == 0 && strcmp(n->name, "auth") == 0)
			warn_in_service(l, n);
		if (!is_ours(n->key) || is_known(l, n->key))
			continue;
		meant = guess(l, n->key);
		buf_addf(l->warnings, "%s, line %u: %s is not known, and has no effect%s%s%s\n", n->file, n->line,
			n->key, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	}
}
