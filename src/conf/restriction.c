#include "conf/restriction.h"

static const char *const guards[] = { "reject", "defer", "defer_if_permit", "reject_unauth_destination",
	"defer_unauth_destination" };
static const char *const with_arg[] = { "check_client_access", "check_helo_access", "check_sender_access",
	"check_recipient_access", "check_etrn_access", "check_ccert_access", "check_policy_service" };
static const char *const plain[] = { "warn_if_reject", "permit", "permit_mynetworks", "permit_sasl_authenticated",
	"permit_tls_clientcerts", "permit_tls_all_clientcerts", "permit_inet_interfaces", "permit_auth_destination",
	"reject_unauth_pipelining", "reject_unlisted_recipient", "check_recipient_maps", "reject_unlisted_sender",
	"reject_plaintext_session", "reject_non_fqdn_helo_hostname", "reject_non_fqdn_hostname",
	"reject_invalid_helo_hostname", "reject_invalid_hostname", "reject_non_fqdn_sender",
	"reject_non_fqdn_recipient", "reject_sender_login_mismatch", "reject_authenticated_sender_login_mismatch",
	"reject_known_sender_login_mismatch", "reject_unauthenticated_sender_login_mismatch",
	"reject_multi_recipient_bounce", "reject_unknown_sender_domain", "reject_unknown_recipient_domain",
	"reject_unknown_helo_hostname", "reject_unknown_hostname", "reject_unknown_client_hostname",
	"reject_unknown_client" };

static bool is_in(struct str name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(name, str_c(list[i])))
			return true;
	return false;
}

enum restriction_sort restriction_sort(struct str name)
{
	if (str_ieq(name, STR("warn_if_reject")))
		return RESTRICTION_WARN;
	if (is_in(name, guards, sizeof guards / sizeof *guards))
		return RESTRICTION_GUARD;
	if (is_in(name, with_arg, sizeof with_arg / sizeof *with_arg))
		return RESTRICTION_WITH_ARG;
	return is_in(name, plain, sizeof plain / sizeof *plain) ? RESTRICTION_PLAIN : RESTRICTION_UNKNOWN;
}
