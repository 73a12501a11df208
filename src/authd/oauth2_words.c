/*
 * The words that the settings of tokens may have. One that is written wrongly would not be obeyed, and "issuer" in the place of
 * "issuers" would let in whoever has a token of anybody: Dovecot refuses it, too.
 */
#include "authd/oauth2.h"

#include "authd/settings_impl.h"

static const char *const words[] = { "accept_unverified_email", "active_attribute", "active_value", "audience",
	"client_id", "client_secret", "fields", "force_introspection", "grant_url", "introspection_mode",
	"introspection_url", "issuers", "jwks", "local_validation", "local_validation_key_dict", "max_idle_time_msecs",
	"openid_configuration_url", "pass_attrs", "scope", "send_auth_headers", "timeout_msecs", "tls_ca_cert_file",
	"tokeninfo_url", "use_grant_password", "username_attribute", "username_format", "username_validation_format",
	/* refused by refuse_others() */
	"tls_allow_invalid_cert", "tls_ca_cert_dir", "tls_cert_file",
	/* without an effect */
	"blocking", "debug", "max_parallel_connections", "max_pipelined_requests", "rawlog_dir", "tls_cipher_suite",
	"tls_key_file" };
/* 2.4 has them for all that speaks HTTP and TLS. */
static const char *const families[] = { "http_client_", "ssl_" };

static bool is_word(const char *s)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (strncmp(s, families[i], strlen(families[i])) == 0)
			return true;
	return false;
}

void oauth2_check_words(struct loader *l, const struct dovecot_node *list, bool is_all)
{
	static const char prefix[] = "oauth2_";

	for (const struct dovecot_node *n = list; n; n = n->next) {
		bool has_prefix = strncmp(n->key, prefix, sizeof prefix - 1) == 0;

		if ((is_all || has_prefix) && !is_word(n->key + (has_prefix ? sizeof prefix - 1 : 0)))
			settings_complain(l, n, "%s is no setting of tokens; auth.conf(5) has them", n->key);
	}
}
