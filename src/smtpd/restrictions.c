/* The table of restrictions, and those that need no table and no DNS. */
#include "smtpd/restrict.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static int code_of(const struct check *c, const char *parameter)
{
	return (int)conf_int(c->session->service->view, parameter);
}

/* Enhanced code of the class of the code: "5.7.1" for 454 is "4.7.1". */
static const char *enhanced_for(struct check *c, int code, const char *enhanced)
{
	return arena_printf(c->mem, "%c%s", '0' + code / 100, enhanced + 1);
}

static enum verdict refuse(struct check *c, int code, const char *enhanced, enum about about, const char *text)
{
	return check_refuse(c, code, enhanced_for(c, code, enhanced), about, "%s", text);
}

static enum verdict run_permit(struct check *c, const struct restriction *r)
{
	(void)c;
	(void)r;
	return V_PERMIT;
}

static enum verdict run_reject(struct check *c, const struct restriction *r)
{
	(void)r;
	return refuse(c, code_of(c, "reject_code"), "5.7.1", ABOUT_STAGE, "Access denied");
}

static enum verdict run_defer(struct check *c, const struct restriction *r)
{
	(void)r;
	return refuse(c, code_of(c, "defer_code"), "4.3.2", ABOUT_STAGE, "Try again later");
}

static enum verdict run_defer_if_permit(struct check *c, const struct restriction *r)
{
	(void)r;
	check_defer_if_permit(c, 450, "4.7.0", ABOUT_STAGE, "Service unavailable");
	return V_DUNNO;
}

static enum verdict run_warn(struct check *c, const struct restriction *r)
{
	(void)r;
	c->warn = true;
	return V_DUNNO;
}

static enum verdict run_class(struct check *c, const struct restriction *r)
{
	const struct conf_view *v = c->session->service->view;
	const char *text = conf_lookup(v, arena_cdup(c->mem, r->word));

	if (text == NULL)
		return check_config_error(c, "smtpd_restriction_classes: %.*s has no value", STR_ARG(r->word));
	return check_enter(c, restrictions_parse(v, NULL, text, c->stage, c->mem));
}

static enum verdict run_mynetworks(struct check *c, const struct restriction *r)
{
	(void)r;
	return c->session->trusted ? V_PERMIT : V_DUNNO;
}

static enum verdict run_sasl(struct check *c, const struct restriction *r)
{
	(void)r;
	return c->session->sasl_username ? V_PERMIT : V_DUNNO;
}

/* The client is this machine itself: it comes from the address that it talks to, or over loopback. */
static enum verdict run_inet_interfaces(struct check *c, const struct restriction *r)
{
	const struct session *s = c->session;
	struct sockaddr_storage local = { 0 };
	socklen_t len = sizeof local;
	char text[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in6 *v6 = (const void *)&local;
	const struct sockaddr_in *v4 = (const void *)&local;

	(void)r;
	if (strcmp(s->addr, "::1") == 0 || strncmp(s->addr, "127.", 4) == 0)
		return V_PERMIT;
	if (getsockname(s->fd, (struct sockaddr *)&local, &len) != 0)
		return V_DUNNO;
	if (local.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof text);
	else if (local.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
	else
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
	return strcmp(text, s->addr) == 0 ? V_PERMIT : V_DUNNO;
}

/* Of the recipient at hand: true when it is known to be none of ours. */
bool is_foreign_rcpt(const struct check *c)
{
	const struct transaction *t = c->session->tx;

	return t && t->rcpt_known && t->rcpt_answer.class == CLASS_DEFAULT;
}

static enum verdict run_auth_destination(struct check *c, const struct restriction *r)
{
	const struct transaction *t = c->session->tx;

	(void)r;
	return t && t->rcpt_known && !is_foreign_rcpt(c) ? V_PERMIT : V_DUNNO;
}

static enum verdict refuse_relay(struct check *c, int code)
{
	return check_refuse_text(c, code, enhanced_for(c, code, "5.7.1"),
		arena_printf(c->mem, "<%.*s>: Relay access denied", STR_ARG(check_rcpt(c))));
}

static enum verdict run_unauth_destination(struct check *c, const struct restriction *r)
{
	int code = code_of(c, "relay_domains_reject_code");

	if (!is_foreign_rcpt(c))
		return V_DUNNO;
	return refuse_relay(c, r->kind->variant ? 400 + code % 100 : code); /* 554, 454 */
}

static enum verdict run_pipelining(struct check *c, const struct restriction *r)
{
	(void)r;
	if (!c->session->sent_ahead)
		return V_DUNNO;
	return check_refuse(c, 503, "5.5.0", ABOUT_STAGE, "Improper use of SMTP command pipelining");
}

static enum verdict refuse_unlisted(struct check *c)
{
	const struct map_request *a = &c->session->tx->rcpt_answer;
	static const char *const codes[] = { [CLASS_LOCAL] = "unknown_local_recipient_reject_code",
		[CLASS_VIRTUAL_ALIAS] = "unknown_virtual_alias_reject_code",
		[CLASS_VIRTUAL_MAILBOX] = "unknown_virtual_mailbox_reject_code",
		[CLASS_RELAY] = "unknown_relay_recipient_reject_code" };

	client_count(c->session, EVENT_UNKNOWN_RCPT);
	return refuse(c, code_of(c, codes[a->class]), "5.1.1", ABOUT_RCPT,
		a->unknown_text ? a->unknown_text : "User unknown");
}

static enum verdict run_unlisted_rcpt(struct check *c, const struct restriction *r)
{
	const struct transaction *t = c->session->tx;

	(void)r;
	if (t == NULL || !t->rcpt_known)
		return V_DUNNO;
	return is_foreign_rcpt(c) || t->rcpt_answer.exists ? check_route(c) : refuse_unlisted(c);
}

static enum verdict run_unlisted_sender(struct check *c, const struct restriction *r)
{
	struct session *s = c->session;
	const struct map_request *a;

	(void)r;
	if (c->step == 0) {
		if (check_sender(c).n == 0)
			return V_DUNNO;
		ask_rcpt(question_new(s, ASK_MAP, check_resume), check_sender(c));
		return V_WAIT;
	}
	a = &s->question->map;
	if (a->status == MAP_TEMPORARY)
		return refuse(c, 451, "4.3.0", ABOUT_SENDER, "Temporary lookup failure");
	if (a->class == CLASS_DEFAULT || a->exists)
		return V_DUNNO;
	return refuse(c, 550, "5.1.0", ABOUT_SENDER, a->unknown_text ? a->unknown_text : "User unknown");
}

static enum verdict run_plaintext(struct check *c, const struct restriction *r)
{
	(void)r;
	if (c->session->tls)
		return V_DUNNO;
	return refuse(c, code_of(c, "plaintext_reject_code"), "4.7.1", ABOUT_STAGE, "Session encryption is required");
}

static bool is_fqdn(struct str domain)
{
	ptrdiff_t dot = str_chr(domain, '.');

	return (domain.n && domain.p[0] == '[') ||
	       (dot > 0 && (size_t)dot + 1 < domain.n && domain_is_valid(domain, true));
}

static struct str domain_of(struct str address)
{
	ptrdiff_t at = str_rchr(address, '@');

	return at < 0 ? STR("") : str_from(address, (size_t)at + 1);
}

static enum verdict run_fqdn_helo(struct check *c, const struct restriction *r)
{
	const char *helo = c->session->helo;

	(void)r;
	if (helo == NULL || is_fqdn(str_c(helo)))
		return V_DUNNO;
	return refuse(c, code_of(c, "non_fqdn_reject_code"), "5.5.2", ABOUT_HELO, "need fully-qualified hostname");
}

static enum verdict run_invalid_helo(struct check *c, const struct restriction *r)
{
	const char *helo = c->session->helo;

	(void)r;
	if (helo == NULL || domain_is_valid(str_c(helo), true) || literal_is_valid(str_c(helo)))
		return V_DUNNO;
	return refuse(c, code_of(c, "invalid_hostname_reject_code"), "5.5.2", ABOUT_HELO, "Invalid name");
}

static enum verdict run_fqdn_address(struct check *c, const struct restriction *r)
{
	struct str address = r->kind->variant == ABOUT_SENDER ? check_sender(c) : check_rcpt(c);

	if (address.n == 0 || is_fqdn(domain_of(address)))
		return V_DUNNO;
	return refuse(c, code_of(c, "non_fqdn_reject_code"), "5.5.2", (enum about)r->kind->variant,
		"need fully-qualified address");
}

static enum verdict run_multi_bounce(struct check *c, const struct restriction *r)
{
	const struct transaction *t = c->session->tx;

	(void)r;
	if (t == NULL || t->sender.n || t->n_accepted + (c->session->verb == VERB_RCPT) < 2)
		return V_DUNNO;
	return refuse(
		c, code_of(c, "multi_recipient_bounce_reject_code"), "5.5.3", ABOUT_STAGE, "Multi-recipient bounce");
}

static enum verdict run_unknown_client(struct check *c, const struct restriction *r)
{
	const struct session *s = c->session;

	(void)r;
	if (strcmp(s->name, "unknown") != 0)
		return V_DUNNO;
	return check_refuse_text(c, code_of(c, "unknown_client_reject_code"),
		enhanced_for(c, code_of(c, "unknown_client_reject_code"), "4.7.25"),
		arena_printf(c->mem, "Client host rejected: cannot find your hostname, [%s]", s->addr));
}

const struct restriction_kind restriction_class = { "", run_class, 0, false, false };
const struct restriction_kind restriction_warn = { "warn_if_reject", run_warn, 0, false, false };

/* clang-format off */
static const struct restriction_kind kinds[] = {
	/* name                                           run                     variant                arg    guard */
	{ "permit",                                       run_permit,             0,                     false, false },
	{ "reject",                                       run_reject,             0,                     false, true },
	{ "defer",                                        run_defer,              0,                     false, true },
	{ "defer_if_permit",                              run_defer_if_permit,    0,                     false, true },
	{ "permit_mynetworks",                            run_mynetworks,         0,                     false, false },
	{ "permit_sasl_authenticated",                    run_sasl,               0,                     false, false },
	{ "permit_inet_interfaces",                       run_inet_interfaces,    0,                     false, false },
	{ "permit_auth_destination",                      run_auth_destination,   0,                     false, false },
	{ "reject_unauth_destination",                    run_unauth_destination, 0,                     false, true },
	{ "defer_unauth_destination",                     run_unauth_destination, 1,                     false, true },
	{ "reject_unauth_pipelining",                     run_pipelining,         0,                     false, false },
	{ "reject_unlisted_recipient",                    run_unlisted_rcpt,      0,                     false, false },
	{ "check_recipient_maps",                         run_unlisted_rcpt,      0,                     false, false },
	{ "reject_unlisted_sender",                       run_unlisted_sender,    0,                     false, false },
	{ "reject_plaintext_session",                     run_plaintext,          0,                     false, false },
	{ "reject_non_fqdn_helo_hostname",                run_fqdn_helo,          0,                     false, false },
	{ "reject_non_fqdn_hostname",                     run_fqdn_helo,          0,                     false, false },
	{ "reject_invalid_helo_hostname",                 run_invalid_helo,       0,                     false, false },
	{ "reject_invalid_hostname",                      run_invalid_helo,       0,                     false, false },
	{ "reject_non_fqdn_sender",                       run_fqdn_address,       ABOUT_SENDER,          false, false },
	{ "reject_non_fqdn_recipient",                    run_fqdn_address,       ABOUT_RCPT,            false, false },
	{ "reject_sender_login_mismatch",                 run_login_mismatch,     LOGIN_ANY,             false, false },
	{ "reject_authenticated_sender_login_mismatch",   run_login_mismatch,     LOGIN_AUTHENTICATED,   false, false },
	{ "reject_known_sender_login_mismatch",           run_login_mismatch,     LOGIN_KNOWN,           false, false },
	{ "reject_unauthenticated_sender_login_mismatch", run_login_mismatch,     LOGIN_UNAUTHENTICATED, false, false },
	{ "reject_multi_recipient_bounce",                run_multi_bounce,       0,                     false, false },
	{ "reject_unknown_sender_domain",                 run_unknown_domain,     ABOUT_SENDER,          false, false },
	{ "reject_unknown_recipient_domain",              run_unknown_domain,     ABOUT_RCPT,            false, false },
	{ "reject_unknown_helo_hostname",                 run_unknown_domain,     ABOUT_HELO,            false, false },
	{ "reject_unknown_hostname",                      run_unknown_domain,     ABOUT_HELO,            false, false },
	{ "reject_unknown_client_hostname",               run_unknown_client,     0,                     false, false },
	{ "reject_unknown_client",                        run_unknown_client,     0,                     false, false },
	{ "check_client_access",                          run_access,             KEY_CLIENT,            true,  false },
	{ "check_helo_access",                            run_access,             KEY_HELO,              true,  false },
	{ "check_sender_access",                          run_access,             KEY_SENDER,            true,  false },
	{ "check_recipient_access",                       run_access,             KEY_RCPT,              true,  false },
	{ "check_etrn_access",                            run_access,             KEY_ETRN,              true,  false },
	{ "check_ccert_access",                           run_cert_access,        0,                     true,  false },
	{ "permit_tls_clientcerts",                       run_relay_certs,        0,                     false, false },
	{ "permit_tls_all_clientcerts",                   run_all_certs,          0,                     false, false },
	{ "check_policy_service",                         run_policy,             0,                     true,  false },
};
/* clang-format on */

const struct restriction_kind *restriction_find(struct str name)
{
	if (str_ieq(name, str_c(restriction_warn.name)))
		return &restriction_warn;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (str_ieq(name, str_c(kinds[i].name)))
			return &kinds[i];
	return NULL;
}

const struct restriction_kind *restriction_number(size_t i)
{
	return i < sizeof kinds / sizeof *kinds ? &kinds[i] : NULL;
}

const struct restriction_kind *restriction_of_table(enum stage stage)
{
	static const char *const names[STAGE_COUNT] = { "check_client_access", "check_helo_access",
		"check_sender_access", "check_recipient_access", "check_recipient_access", "check_recipient_access",
		"check_recipient_access", "check_etrn_access" };

	return names[stage] ? restriction_find(str_c(names[stage])) : NULL;
}

/*
 * Whatever the lists say: mail for others is taken only when a list said "permit" for this client, so that no list can
 * make an open relay by leaving something out; and a recipient of ours must exist.
 */
enum verdict restriction_implicit(struct check *c)
{
	if (c->stage != STAGE_RCPT)
		return V_DUNNO;
	c->warn = false;
	if (is_foreign_rcpt(c) && !c->permitted[STAGE_RELAY] && !c->permitted[STAGE_RCPT])
		return refuse_relay(c, code_of(c, "relay_domains_reject_code"));
	return c->session->service->reject_unlisted_rcpt ? run_unlisted_rcpt(c, NULL) : V_DUNNO;
}
