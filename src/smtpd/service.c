/* The parameters of the smtpd rows of master.cf, read once at the start. */
#include "smtpd/smtpd.h"

#include <stdio.h>
#include <stdlib.h>

struct sasl_path {
	struct sasl_path *next;
	char *path;
	struct auth_client *client;
};
static struct sasl_path *sasl_paths;
enum {
	AUTH_TIMEOUT_S = 10, /* as in Postfix: somebody sits there and waits */
	LOCAL_RCPT_LIMIT = 50000
};

static uint64_t milliseconds(const struct conf_view *v, const char *name)
{
	return (uint64_t)conf_seconds(v, name) * 1000;
}

static unsigned count_of(const struct conf_view *v, const char *name)
{
	int64_t n = conf_int(v, name);

	return n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : (unsigned)n;
}

/* Entries of tls_server_sni_maps that are left out. Services share the tables: it is said once. */
static void warn_lines(const struct service *s, const struct buf *lines)
{
	struct str rest = buf_str(lines), line;

	while (str_word(&rest, "\n", &line))
		log_warn("service %s: %.*s", s->row->name, STR_ARG(line));
}

static void read_tls(struct service *s)
{
	const char *level = conf_str(s->view, "smtpd_tls_security_level");
	struct buf error = BUF_INIT(4096);
	bool use, must;

	s->tls_wrapper = conf_bool(s->view, "smtpd_tls_wrappermode");
	must = s->tls_wrapper || strcmp(level, "encrypt") == 0 || conf_bool(s->view, "smtpd_enforce_tls");
	use = must || strcmp(level, "may") == 0 || (*level == '\0' && conf_bool(s->view, "smtpd_use_tls"));
	s->tls_level = must ? LEVEL_ENCRYPT : use ? LEVEL_MAY : LEVEL_NONE;
	s->tls_auth_only = conf_bool(s->view, "smtpd_tls_auth_only");
	s->tls_received = conf_bool(s->view, "smtpd_tls_received_header");
	s->tls_loglevel = atoi(conf_str(s->view, "smtpd_tls_loglevel")); /* text in Postfix: it may be a table */
	s->starttls_timeout_ms = milliseconds(s->view, "smtpd_starttls_timeout");
	s->tls_digest = conf_str(s->view, "smtpd_tls_fingerprint_digest");
	s->tls_asks_cert =
		conf_bool(s->view, "smtpd_tls_ask_ccert") || (must && conf_bool(s->view, "smtpd_tls_req_ccert"));
	if (!use)
		return;
	if (!must && conf_bool(s->view, "smtpd_tls_req_ccert"))
		log_warn("service %s: smtpd_tls_req_ccert = yes has no effect where TLS is not required", s->row->name);
	s->tls = tls_server_ctx(s->view, s->row->name, &error);
	if (s->tls == NULL && must) /* the other services go on; this one takes no mail */
		log_error("service %s: TLS is required, so it takes no mail: %s", s->row->name, error.p);
	else if (s->tls == NULL)
		log_warn("service %s: no TLS is offered: %s", s->row->name, error.p);
	else
		warn_lines(s, &error);
	buf_free(&error);
}

static void read_sasl(struct service *s)
{
	s->sasl_broken_clients = conf_bool(s->view, "broken_sasl_auth_clients");
	s->sasl_header = conf_bool(s->view, "smtpd_sasl_authenticated_header");
	s->sasl_service = conf_str(s->view, "smtpd_sasl_service");
	user_limits_read(s);
	s->sasl_exceptions = match_list_new(str_c(conf_str(s->view, "smtpd_sasl_exceptions_networks")));
	s->mech_policy = mech_policy_read(conf_str(s->view, "smtpd_sasl_security_options"));
	s->tls_mech_policy = mech_policy_read(conf_str(s->view, "smtpd_sasl_tls_security_options"));
}

static void read_limits(struct service *s)
{
	const struct conf_view *v = s->view;

	s->size_limit = (uint64_t)conf_int(v, "message_size_limit");
	s->connection_limit = count_of(v, "smtpd_client_connection_count_limit");
	s->limit_exceptions = match_list_new(str_c(conf_str(v, "smtpd_client_event_limit_exceptions")));
	s->rate_limit[EVENT_CONNECTION] = count_of(v, "smtpd_client_connection_rate_limit");
	s->rate_limit[EVENT_MAIL] = count_of(v, "smtpd_client_message_rate_limit");
	s->rate_limit[EVENT_RCPT] = count_of(v, "smtpd_client_recipient_rate_limit");
	s->rate_limit[EVENT_TLS] = count_of(v, "smtpd_client_new_tls_session_rate_limit");
	s->rate_limit[EVENT_AUTH] = count_of(v, "smtpd_client_auth_rate_limit");
	s->rate_unit_ms = milliseconds(v, "anvil_rate_time_unit");
	s->v4_prefix = count_of(v, "smtpd_client_ipv4_prefix_length");
	s->v6_prefix = count_of(v, "smtpd_client_ipv6_prefix_length");
	s->data_rate = count_of(v, "smtpd_min_data_rate");
	s->rate_limit[EVENT_UNKNOWN_RCPT] = count_of(v, "smtpd_client_unknown_recipient_rate_limit");
	s->rate_limit[EVENT_AUTH_FAILURE] = count_of(v, "smtpd_client_auth_failure_rate_limit");
	s->request_deadline = conf_bool(v, "smtpd_per_request_deadline");
	s->header_limit = count_of(v, "header_size_limit");
	s->rcpt_limit = count_of(v, "smtpd_recipient_limit");
	s->rcpt_overshoot = count_of(v, "smtpd_recipient_overshoot_limit");
	s->message_limit = count_of(v, "smtpd_session_message_limit");
	s->domain_limit = count_of(v, "smtpd_session_domain_limit");
	s->hop_limit = count_of(v, "hopcount_limit");
	s->soft_errors = count_of(v, "smtpd_soft_error_limit");
	s->hard_errors = count_of(v, "smtpd_hard_error_limit");
	s->junk_limit = count_of(v, "smtpd_junk_command_limit");
	s->error_sleep_ms = milliseconds(v, "smtpd_error_sleep_time");
	s->timeout_ms = milliseconds(v, "smtpd_timeout");
	s->from_proxy = *conf_str(v, "smtpd_upstream_proxy_protocol") != '\0';
	s->proxy_timeout_ms = milliseconds(v, "smtpd_upstream_proxy_timeout");
}

/* Lives as long as the process. */
static void read_dropped(struct service *s, struct str names)
{
	struct str name;

	while (str_word(&names, ", \t\r\n", &name)) {
		s->dropped = xrealloc(s->dropped, (s->n_dropped + 1) * sizeof *s->dropped);
		s->dropped[s->n_dropped++] = name;
	}
}

static void read_protocol(struct service *s)
{
	const struct conf_view *v = s->view;
	const char *newline = conf_str(v, "smtpd_forbid_bare_newline");
	struct str action = str_c(conf_str(v, "postscreen_greet_action"));

	s->helo_required = conf_bool(v, "smtpd_helo_required");
	s->delay_reject = conf_bool(v, "smtpd_delay_reject");
	s->vrfy = !conf_bool(v, "disable_vrfy_command");
	s->forbid_pipelining = conf_bool(v, "smtpd_forbid_unauth_pipelining");
	s->peername_lookup = conf_bool(v, "smtpd_peername_lookup");
	s->strict_envelopes = conf_bool(v, "strict_rfc821_envelopes");
	s->add_missing_headers = conf_bool(v, "always_add_missing_headers");
	s->reject_unlisted_rcpt = conf_bool(v, "smtpd_reject_unlisted_recipient");
	s->routes_may_refuse = routes_may_refuse(v);
	s->reject_unlisted_sender = conf_bool(v, "smtpd_reject_unlisted_sender");
	s->bare_newline = strcmp(newline, "reject") == 0 ? BARE_REJECT : BARE_NORMALIZE;
	s->bare_newline_code = (int)conf_int(v, "smtpd_forbid_bare_newline_reject_code");
	s->greet_action = str_ieq(action, STR("drop"))	    ? GREET_DROP
			  : str_ieq(action, STR("enforce")) ? GREET_ENFORCE
							    : GREET_AT_ONCE;
	s->greet_wait_ms = milliseconds(v, "postscreen_greet_wait");
	s->greet_ttl_ms = milliseconds(v, "postscreen_greet_ttl");
	s->forbidden_commands = conf_str(v, "smtpd_forbidden_commands");
	s->sender_login_maps = conf_str(v, "smtpd_sender_login_maps");
	s->name_maps = conf_str(v, "smtpd_vrfy_name_maps");
	s->future_release_s = (uint64_t)conf_seconds(v, "smtpd_future_release_limit");
	s->no_soliciting = conf_str(v, "smtpd_no_soliciting_keywords");
	s->rrvs_maps = conf_str(v, "smtpd_rrvs_maps");
	read_dropped(s, str_c(conf_str(v, "message_drop_headers")));
	s->origin = conf_str(v, "myorigin");
}

static void read_extensions(struct service *s)
{
	unsigned all;

	s->hidden = esmtp_mask(str_c(conf_str(s->view, "smtpd_discard_ehlo_keywords")));
	s->hidden_maps = conf_str(s->view, "smtpd_discard_ehlo_keyword_address_maps");
	s->in_clear = esmtp_mask(str_c(conf_str(s->view, "smtpd_clear_ehlo_keywords")));
	all = EXT_BIT(EXT_COUNT) - 1;
	if (!s->vrfy)
		all &= ~(EXT_BIT(EXT_VRFY) | EXT_BIT(EXT_EXPN));
	if (s->future_release_s == 0)
		all &= ~EXT_BIT(EXT_FUTURERELEASE);
	if (*s->rrvs_maps == '\0')
		all &= ~EXT_BIT(EXT_RRVS);
	if (s->tls == NULL || s->tls_wrapper)
		all &= ~EXT_BIT(EXT_STARTTLS);
	if (!conf_bool(s->view, "smtputf8_enable"))
		all &= ~EXT_BIT(EXT_SMTPUTF8);
	s->extensions = all;
}

static const char *const list_names[STAGE_COUNT] = {
	[STAGE_CLIENT] = "smtpd_client_restrictions",
	[STAGE_HELO] = "smtpd_helo_restrictions",
	[STAGE_SENDER] = "smtpd_sender_restrictions",
	[STAGE_RELAY] = "smtpd_relay_restrictions",
	[STAGE_RCPT] = "smtpd_recipient_restrictions",
	[STAGE_DATA] = "smtpd_data_restrictions",
	[STAGE_EOD] = "smtpd_end_of_data_restrictions",
	[STAGE_ETRN] = "smtpd_etrn_restrictions",
};

static void read_restrictions(struct service *s)
{
	s->mem = arena_new(4096); /* lives as long as the process */
	for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
		const char *text = conf_str(s->view, list_names[stage]);
		bool seen = s != smtpd.service && strcmp(text, conf_str(smtpd.service->view, list_names[stage])) == 0;

		/* What is wrong with a list is said once, not for each service that shares it. */
		s->list[stage] = restrictions_parse(s->view, seen ? NULL : list_names[stage], text, stage, s->mem);
		if (stage <= STAGE_RCPT)
			s->is_submission |= restrictions_end_in_reject(&s->list[stage]);
	}
	/* An open relay must be impossible by mistake: one of the two lists has to end what is not ours. */
	if (!restrictions_have_guard(&s->list[STAGE_RELAY]) && !restrictions_have_guard(&s->list[STAGE_RCPT]))
		fatal("service %s: in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at "
		      "least "
		      "one working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, "
		      "defer_if_permit",
			s->row->name);
}

/* sendmail(1) on public/submit: no restriction, login or TLS is between a local user and the queue, as in Postfix. */
static void set_local(struct service *s)
{
	read_extensions(s);
	s->extensions &= ~(EXT_BIT(EXT_AUTH) | EXT_BIT(EXT_STARTTLS) | EXT_BIT(EXT_XCLIENT) | EXT_BIT(EXT_XFORWARD));
	s->hidden_maps = "";
	s->in_clear = EXT_BIT(EXT_COUNT) - 1; /* nobody listens in */
	s->rcpt_limit = LOCAL_RCPT_LIMIT;
	s->message_limit = s->domain_limit = 0;
	s->hard_errors = s->junk_limit = INT32_MAX;
	s->soft_errors = INT32_MAX;
	memset(s->rate_limit, 0, sizeof s->rate_limit); /* they are made for strangers */
	s->vrfy = true;
	s->forbidden_commands = "";
	s->helo_required = s->peername_lookup = s->forbid_pipelining = false;
	s->add_missing_headers = true;
	s->mem = arena_new(256); /* lives as long as the process */
	s->log_name = arena_printf(s->mem, "%s/pickup", conf_str(s->view, "syslog_name"));
	user_list_read(&s->submitters, str_c(conf_str(s->view, "authorized_submit_users")));
	milter_settings_read(s);
}

static void read_service(struct service *s, const struct conf_service *row)
{
	struct buf log_name_text = BUF_INIT(256);
	const struct conf_view *v = row->view;

	s->row = row;
	s->view = v;
	if (strcmp(conf_str(v, "syslog_name"), conf_str(smtpd.child.main, "syslog_name")) != 0) {
		buf_addf(&log_name_text, "%s/smtpd", conf_str(v, "syslog_name"));
		s->log_name = log_name_text.p; /* lives as long as the process */
	}
	s->hostname = conf_str(v, "myhostname");
	s->mail_name = conf_str(v, "mail_name");
	s->banner = conf_str(v, "smtpd_banner");
	s->mynetworks = match_list_new(str_c(conf_str(v, "mynetworks")));
	s->newline_exclusions = match_list_new(str_c(conf_str(v, "smtpd_forbid_bare_newline_exclusions")));
	s->xclient_hosts = match_list_new(str_c(conf_str(v, "smtpd_authorized_xclient_hosts")));
	s->xforward_hosts = match_list_new(str_c(conf_str(v, "smtpd_authorized_xforward_hosts")));
	s->fast_flush_domains = match_list_new(str_c(conf_str(v, "fast_flush_domains")));
	read_limits(s);
	read_protocol(s);
	if (s->is_local) {
		set_local(s);
		return;
	}
	read_tls(s);
	read_sasl(s);
	read_extensions(s);
	read_restrictions(s);
	milter_settings_read(s);
}

void services_open(void)
{
	smtpd.service = xcalloc(smtpd.child.n_listener + 1, sizeof *smtpd.service);
	for (size_t i = 0; i < smtpd.child.n_listener; i++)
		if (service_find(smtpd.child.listener[i].service) == NULL) {
			smtpd.service[smtpd.n_service].is_local = smtpd.child.listener[i].is_local;
			read_service(&smtpd.service[smtpd.n_service++], smtpd.child.listener[i].service);
		}
}

const struct service *service_find(const struct conf_service *row)
{
	for (size_t i = 0; i < smtpd.n_service; i++)
		if (smtpd.service[i].row == row)
			return &smtpd.service[i];
	return NULL;
}

const char *path_below_root(const char *path)
{
	size_t n = strlen(smtpd.child.queue_directory);

	if (smtpd.child.root && strncmp(path, smtpd.child.queue_directory, n) == 0 && path[n] == '/')
		return path + n;
	return path;
}

bool services_know_auth(void)
{
	const struct auth_mech *first;

	for (const struct sasl_path *p = sasl_paths; p; p = p->next)
		if (auth_client_mechs(p->client, &first) == 0)
			return false;
	return true;
}

/* "service 587: private/auth offers …", once for all services of which the same is true. */
static void say_fault(struct service *s, char *fault)
{
	bool said = false;

	for (size_t i = 0; fault && i < smtpd.n_service; i++)
		said = said || (smtpd.service[i].auth_fault && strcmp(smtpd.service[i].auth_fault, fault) == 0);
	if (fault && !said)
		log_warn("service %s: %s", s->row->name, fault);
	free(s->auth_fault);
	s->auth_fault = fault;
}

/* Does the service offer what a client may use? */
static void check_mechanisms(struct service *s)
{
	struct mech_session possible = { .in_clear =
						 !s->tls_wrapper && !s->tls_auth_only && s->tls_level != LEVEL_ENCRYPT,
		.under_tls = s->tls != NULL,
		.asks_cert = s->tls_asks_cert,
		.options = conf_str(s->view, "smtpd_sasl_security_options"),
		.tls_options = conf_str(s->view, "smtpd_sasl_tls_security_options") };
	struct buf fault = BUF_INIT(4096);
	const struct auth_mech *mech;
	size_t n = auth_client_mechs(s->auth, &mech);

	mech_policy_fault(&possible, conf_str(s->view, "smtpd_sasl_path"), mech, n, &fault);
	say_fault(s, fault.n ? xstrndup(buf_str(&fault)) : NULL);
	buf_free(&fault);
}

static void on_auth_up(struct auth_client *c)
{
	for (size_t i = 0; i < smtpd.n_service; i++)
		if (smtpd.service[i].auth == c)
			check_mechanisms(&smtpd.service[i]);
	if (services_know_auth())
		listen_auth_is_known();
}

/* One connection per socket, however many services use it. */
static struct auth_client *client_of(const char *path)
{
	struct sasl_path *p;

	for (p = sasl_paths; p; p = p->next)
		if (strcmp(p->path, path) == 0)
			return p->client;
	p = xcalloc(1, sizeof *p);
	p->path = xstrdup(path);
	p->client = auth_client_new(smtpd.child.loop, path, AUTH_TIMEOUT_S);
	auth_client_on_up(p->client, on_auth_up);
	p->next = sasl_paths;
	sasl_paths = p;
	return p->client;
}

void services_forget_tickets(void)
{
	for (size_t i = 0; i < smtpd.n_service; i++)
		if (smtpd.service[i].tls)
			tls_tickets_refresh(smtpd.service[i].tls);
}

/* After the jail, so that the service sees the uid that it will always see. */
void services_connect(void)
{
	for (size_t i = 0; i < smtpd.n_service; i++) {
		struct service *s = &smtpd.service[i];

		if (!conf_bool(s->view, "smtpd_sasl_auth_enable") || !(s->extensions & EXT_BIT(EXT_AUTH)))
			continue;
		if (strcmp(conf_str(s->view, "smtpd_sasl_type"), "dovecot") != 0)
			log_warn("service %s: smtpd_sasl_type = %s is not supported; using dovecot", s->row->name,
				conf_str(s->view, "smtpd_sasl_type"));
		s->auth = client_of(path_below_root(conf_str(s->view, "smtpd_sasl_path")));
	}
}
