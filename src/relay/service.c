#include "relay/relay.h"

#include "base/log.h"
#include "dns/hosts.h"
#include "smtp/esmtp.h"

#include <stdlib.h>

enum { SYSTEM_CONNECT_MS = 130 * 1000 /* smtp_connect_timeout = 0: as long as TCP itself tries */ };

static struct service *services;
static size_t n_services;

static uint64_t ms(const struct conf_view *v, const char *name)
{
	return (uint64_t)conf_seconds(v, name) * 1000;
}

static void read_times(struct service *s)
{
	static const struct {
		enum client_step step;
		const char *name;
	} steps[] = { { CLIENT_STEP_GREETING, "smtp_helo_timeout" }, { CLIENT_STEP_EHLO, "smtp_helo_timeout" },
		{ CLIENT_STEP_HELO, "smtp_helo_timeout" }, { CLIENT_STEP_LHLO, "smtp_helo_timeout" },
		{ CLIENT_STEP_STARTTLS, "smtp_starttls_timeout" }, { CLIENT_STEP_TLS, "smtp_starttls_timeout" },
		{ CLIENT_STEP_AUTH, "smtp_helo_timeout" }, { CLIENT_STEP_XFORWARD, "smtp_xforward_timeout" },
		{ CLIENT_STEP_MAIL, "smtp_mail_timeout" }, { CLIENT_STEP_RCPT, "smtp_rcpt_timeout" },
		{ CLIENT_STEP_DATA, "smtp_data_init_timeout" }, { CLIENT_STEP_BODY, "smtp_data_xfer_timeout" },
		{ CLIENT_STEP_DOT, "smtp_data_done_timeout" }, { CLIENT_STEP_RSET, "smtp_rset_timeout" },
		{ CLIENT_STEP_QUIT, "smtp_quit_timeout" } };

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		s->step_ms[steps[i].step] = ms(s->view, steps[i].name);
	s->connect_ms = ms(s->view, "smtp_connect_timeout");
	if (s->connect_ms == 0)
		s->connect_ms = SYSTEM_CONNECT_MS;
	s->idle_ms = ms(s->view, "smtp_connection_cache_time_limit");
	s->reuse_ms = ms(s->view, "smtp_connection_reuse_time_limit");
	s->reuse_count = conf_int(s->view, "smtp_connection_reuse_count_limit");
}

static void read_protocols(struct service *s)
{
	struct arena *mem = arena_new(0);
	struct str *word, prefer = str_c(conf_str(s->view, "smtp_address_preference"));
	size_t n = conf_list(s->view, "inet_protocols", mem, &word);

	for (size_t i = 0; i < n; i++) {
		s->want4 |= str_ieq(word[i], STR("ipv4")) || str_ieq(word[i], STR("all"));
		s->want6 |= str_ieq(word[i], STR("ipv6")) || str_ieq(word[i], STR("all"));
	}
	arena_free(&mem);
	if (!s->want4 && !s->want6)
		fatal("inet_protocols = %s: it must name ipv4, ipv6 or all", conf_str(s->view, "inet_protocols"));
	s->prefer4 = str_ieq(prefer, STR("ipv4"));
	s->prefer6 = str_ieq(prefer, STR("ipv6"));
}

static bool read_bind(const struct service *s, const char *name, int family, struct sockaddr_storage *addr)
{
	struct str text = str_c(conf_str(s->view, name));

	if (text.n == 0)
		return false;
	if (!addr_parse(text, addr) || addr->ss_family != family)
		fatal("service %s: %s = %.*s: an %s address is needed", s->name, name, STR_ARG(text),
			family == AF_INET ? "IPv4" : "IPv6");
	return true;
}

static void read_network(struct service *s)
{
	const char *support = conf_str(s->view, "smtp_dns_support_level");

	s->port = port_parse(str_c(conf_str(s->view, "smtp_tcp_port")));
	if (s->port == 0)
		fatal("service %s: smtp_tcp_port = %s: a number, or smtp, submission, submissions, is needed", s->name,
			conf_str(s->view, "smtp_tcp_port"));
	s->use_mx = !conf_bool(s->view, "disable_dns_lookups") && !str_ieq(str_c(support), STR("disabled"));
	s->address_limit = (size_t)conf_int(s->view, "smtp_mx_address_limit");
	s->session_limit = (size_t)conf_int(s->view, "smtp_mx_session_limit");
	s->has_bind4 = read_bind(s, "smtp_bind_address", AF_INET, &s->bind4);
	s->has_bind6 = read_bind(s, "smtp_bind_address6", AF_INET6, &s->bind6);
}

static struct tls_ctx *make_ctx(const struct service *s, bool mandatory, bool is_wanted)
{
	struct buf error = BUF_INIT(4096);
	struct tls_ctx *ctx = tls_client_ctx_for(s->view, mandatory, &error);

	if (ctx == NULL && is_wanted)
		fatal("service %s: %s", s->name, error.p ? error.p : "no TLS");
	if (ctx == NULL)
		log_warn("service %s: %s; mail that needs TLS (REQUIRETLS) is deferred", s->name,
			error.p ? error.p : "no TLS");
	buf_free(&error);
	return ctx;
}

static void read_tls(struct service *s)
{
	const char *level = conf_str(s->view, "smtp_tls_security_level");
	bool is_wanted;

	s->tls_loglevel = atoi(conf_str(s->view, "smtp_tls_loglevel"));
	s->tls_policy = conf_str(s->view, "smtp_tls_policy_maps");
	s->wrapper = conf_bool(s->view, "smtp_tls_wrappermode");
	is_wanted = (*level && strcmp(level, "none") != 0) || *s->tls_policy;
	if (is_wanted)
		s->tls_may = make_ctx(s, false, true);
	/* At every level: a message may need it (REQUIRETLS), and in the jail its files cannot be read. */
	s->tls_must = make_ctx(s, true, is_wanted);
	tls_policy_default(s);
	if (s->wrapper && s->tls.level < LEVEL_ENCRYPT)
		fatal("service %s: smtp_tls_wrappermode = yes needs smtp_tls_security_level = encrypt (or stronger)",
			s->name);
}

static void read_sasl(struct service *s)
{
	s->sasl_maps = conf_str(s->view, "smtp_sasl_password_maps");
	s->sasl = conf_bool(s->view, "smtp_sasl_auth_enable");
	if (s->sasl && *s->sasl_maps == '\0')
		fatal("service %s: smtp_sasl_auth_enable = yes needs smtp_sasl_password_maps", s->name);
	s->sasl_by_sender = s->sasl && conf_bool(s->view, "smtp_sender_dependent_authentication");
	s->sasl_options = conf_str(s->view, "smtp_sasl_security_options");
	s->sasl_tls_options = conf_str(s->view, "smtp_sasl_tls_security_options");
	s->sasl_filter = conf_str(s->view, "smtp_sasl_mechanism_filter");
}

static void service_load(struct service *s, const struct conf_service *row)
{
	s->name = row->name;
	s->view = row->view;
	s->helo = conf_str(s->view, "smtp_helo_name");
	s->myhostname = conf_str(s->view, "myhostname");
	s->ignore = esmtp_mask(str_c(conf_str(s->view, "smtp_discard_ehlo_keywords")));
	s->ignore_maps = conf_str(s->view, "smtp_discard_ehlo_keyword_address_maps");
	s->forwards = conf_bool(s->view, "smtp_send_xforward_command");
	read_times(s);
	read_protocols(s);
	read_network(s);
	read_tls(s);
	read_sasl(s);
}

void services_load(const struct conf *conf)
{
	const struct conf_service *row;
	size_t n = conf_services(conf, &row);

	services = xcalloc(n + 1, sizeof *services);
	for (size_t i = 0; i < n; i++)
		if (strcmp(row[i].command, "smtp") == 0 && strcmp(row[i].type, "unix") == 0)
			service_load(&services[n_services++], &row[i]);
}

struct service *service_find(struct str name)
{
	for (size_t i = 0; i < n_services; i++)
		if (str_eq(name, str_c(services[i].name)))
			return &services[i];
	return NULL;
}
