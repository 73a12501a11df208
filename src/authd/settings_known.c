/* What auth.conf says in vain: a name that nobody knows, and databases in a place where nobody asks them. */
#include "authd/settings_impl.h"

/* Settings of this service, those of Dovecot's that have no effect here among them. */
static const char *const known[] = { "auth_allow_cleartext", "auth_allow_weak_schemes", "auth_anonymous_username",
	"auth_cache_negative_ttl", "auth_cache_size", "auth_cache_ttl", "auth_cache_verify_password_with_worker",
	"auth_debug", "auth_debug_passwords", "auth_default_domain", "auth_default_realm", "auth_failure_delay",
	"auth_gssapi_hostname", "auth_internal_failure_delay", "auth_krb5_keytab", "auth_master_user_separator",
	"auth_mechanisms", "auth_penalty", "auth_penalty_dict", "auth_penalty_half_life", "auth_penalty_hold_after",
	"auth_penalty_hold_max", "auth_penalty_hold_user_after", "auth_penalty_ipv4_prefix",
	"auth_penalty_ipv4_wide_prefix", "auth_penalty_ipv6_prefix", "auth_penalty_ipv6_wide_prefix",
	"auth_penalty_keep", "auth_penalty_max_delay", "auth_penalty_refuse_network_after",
	"auth_penalty_refuse_pair_after", "auth_penalty_remember", "auth_penalty_shared_networks",
	"auth_policy_check_after_auth", "auth_policy_check_before_auth", "auth_policy_hash_mech",
	"auth_policy_hash_nonce", "auth_policy_hash_truncate", "auth_policy_log_only", "auth_policy_reject_on_fail",
	"auth_policy_report_after_auth", "auth_policy_request_attributes", "auth_policy_server_api_header",
	"auth_policy_server_timeout_msecs", "auth_policy_server_url", "auth_proxy_self", "auth_realms",
	"auth_socket_path", "auth_ssl_require_client_cert", "auth_ssl_username_from_cert", "auth_stats",
	"auth_upgrade_scheme", "auth_use_winbind", "auth_username_chars", "auth_username_format",
	"auth_username_translation", "auth_verbose", "auth_verbose_passwords", "auth_winbind_helper_path",
	"auth_worker_max_count", "gatepost_new_credentials", "gatepost_new_password_scheme" };
enum { N_KNOWN = sizeof known / sizeof *known };

static bool is_known(const char *key)
{
	for (size_t i = 0; i < N_KNOWN; i++)
		if (strcmp(known[i], key) == 0)
			return true;
	return false;
}

/* The one that begins with most of it; NULL: none does by three quarters. */
static const char *guess(const char *key)
{
	const char *best = NULL;
	size_t most = strlen(key) * 3 / 4, n;

	for (size_t i = 0; i < N_KNOWN; i++) {
		for (n = 0; key[n] && key[n] == known[i][n]; n++)
			;
		if (n > most) {
			most = n;
			best = known[i];
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
		if (!is_ours(n->key) || is_known(n->key))
			continue;
		meant = guess(n->key);
		buf_addf(l->warnings, "%s, line %u: %s is not known, and has no effect%s%s%s\n", n->file, n->line,
			n->key, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
	}
}
