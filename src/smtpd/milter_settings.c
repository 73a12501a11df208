/* The parameters of milters: smtpd_milters, non_smtpd_milters, milter_*. */
#include "smtpd/milter.h"

#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct milter_service *services;

static const struct {
	const char *name;
	enum milter_action_on_error action;
} actions[] = {
	{ "accept", ON_ERROR_ACCEPT },
	{ "reject", ON_ERROR_REJECT },
	{ "tempfail", ON_ERROR_TEMPFAIL },
	{ "quarantine", ON_ERROR_QUARANTINE },
	{ "shutdown", ON_ERROR_SHUTDOWN },
};

static struct milter_service *service_of(struct str where)
{
	struct milter_service *m;

	for (m = services; m; m = m->next)
		if (str_eq(m->where, where))
			return m;
	m = xcalloc(1, sizeof *m); /* lives as long as the process */
	m->where = str_c(xstrndup(where));
	m->next = services;
	services = m;
	return m;
}

static uint16_t port_of(struct str text)
{
	uint64_t number;
	char *name;
	const struct servent *service;

	if (str_u64(text, &number))
		return number <= UINT16_MAX ? (uint16_t)number : 0;
	name = xstrndup(text);
	service = getservbyname(name, "tcp"); /* before the jail; what tables name later is not found */
	free(name);
	return service ? ntohs((uint16_t)service->s_port) : 0;
}

static void set_where(struct milter_spec *m, struct str where, struct arena *mem)
{
	struct str port, path = STR("");

	m->service = service_of(where);
	if (str_has_prefix(where, STR("inet:"))) {
		if (endpoint_split(str_from(where, 5), &m->host, &port))
			m->port = port_of(port);
		m->host = arena_dup(mem, m->host);
		if (m->port == 0)
			m->fault = "write it as inet:HOST:PORT";
		return;
	}
	if (str_has_prefix(where, STR("unix:")))
		path = str_from(where, 5);
	else if (str_has_prefix(where, STR("local:")))
		path = str_from(where, 6);
	if (path.n == 0)
		m->fault = "write it as inet:HOST:PORT or unix:PATH";
	m->unix_path = str_c(path_below_root(arena_cdup(mem, path)));
}

static bool set_action(struct milter_spec *m, struct str name)
{
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (str_ieq(name, str_c(actions[i].name))) {
			m->on_error = actions[i].action;
			m->on_error_name = actions[i].name;
			return true;
		}
	return false;
}

/* "30", "30s", "5m": as main.cf's times. */
static bool set_time(uint64_t *ms, struct str text)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	uint64_t factor = 1, n;

	for (size_t i = 0; text.n && i < sizeof units / sizeof *units; i++)
		if (ascii_lower(text.p[text.n - 1]) == units[i].unit) {
			factor = units[i].seconds;
			text.n--;
			break;
		}
	if (!str_u64(text, &n) || n == 0 || n > 1000000)
		return false;
	*ms = n * factor * 1000;
	return true;
}

/* "default_action=accept" */
static bool set_option(struct milter_spec *m, struct str name, struct str value)
{
	if (str_eq(name, STR("default_action")))
		return set_action(m, value);
	if (str_eq(name, STR("connect_timeout")))
		return set_time(&m->connect_ms, value);
	if (str_eq(name, STR("command_timeout")))
		return set_time(&m->command_ms, value);
	if (str_eq(name, STR("content_timeout")))
		return set_time(&m->content_ms, value);
	if (str_eq(name, STR("protocol")))
		return milter_terms_offer(value, &m->offer) == 0;
	return false;
}

static struct milter_spec spec_parse(const struct conf_view *v, struct str word, struct arena *mem)
{
	struct milter_spec m = { .connect_ms = (uint64_t)conf_seconds(v, "milter_connect_timeout") * 1000,
		.command_ms = (uint64_t)conf_seconds(v, "milter_command_timeout") * 1000,
		.content_ms = (uint64_t)conf_seconds(v, "milter_content_timeout") * 1000 };
	struct str option, where = STR("");

	set_action(&m, str_c(conf_str(v, "milter_default_action")));
	if (milter_terms_offer(str_c(conf_str(v, "milter_protocol")), &m.offer) != 0)
		m.fault = "milter_protocol must be one of 2, 3, 4, 5, 6";
	while (str_word(&word, ", \t\r\n", &option)) {
		ptrdiff_t is = str_chr(option, '=');

		if (where.n == 0 && is < 0)
			where = option;
		else if (is < 0 || !set_option(&m, str_sub(option, 0, (size_t)is), str_from(option, (size_t)is + 1)))
			m.fault = "an option is not known, or has no such value: default_action, connect_timeout, "
				  "command_timeout, content_timeout, protocol are";
	}
	set_where(&m, where, mem);
	return m;
}

struct milter_list milter_list_parse(const struct conf_view *v, struct str text, struct arena *mem)
{
	struct str *words = NULL;
	size_t n = conf_words(text, mem, &words);
	struct milter_spec *item = arena_array(mem, n + 1, sizeof *item);

	for (size_t i = 0; i < n; i++) {
		item[i] = spec_parse(v, words[i], mem);
		if (item[i].fault)
			log_warn("milter %.*s: %s; it is not asked, its default_action is taken: %s",
				STR_ARG(item[i].service->where), item[i].fault, item[i].on_error_name);
	}
	return (struct milter_list){ item, n };
}

size_t milter_conns_max(void)
{
	size_t most = 0;

	for (size_t i = 0; i < smtpd.n_service; i++) {
		const struct milter_settings *m = smtpd.service[i].milter;
		size_t n = m == NULL ? 0 : m->list.n > 0 ? m->list.n : 1;

		most = n > most ? n : most;
	}
	return most;
}

/* An absolute path that leads nowhere below the folder into which smtpd is going to be locked. Relative ones lead there. */
static bool is_outside(const struct milter_spec *m)
{
	char folder[PATH_MAX];
	ptrdiff_t slash = str_rchr(m->unix_path, '/');

	if (!smtpd.child.root || slash <= 0 || m->unix_path.p[0] != '/')
		return false;
	snprintf(folder, sizeof folder, "%s%.*s", smtpd.child.queue_directory, (int)slash, m->unix_path.p);
	return access(folder, F_OK) != 0;
}

void milter_settings_read(struct service *s)
{
	static const char *const lists[MILTER_MACRO_LISTS] = { [STAGE_OF_CONNECT] = "milter_connect_macros",
		[STAGE_OF_HELO] = "milter_helo_macros",
		[STAGE_OF_MAIL] = "milter_mail_macros",
		[STAGE_OF_RCPT] = "milter_rcpt_macros",
		[STAGE_OF_DATA] = "milter_data_macros",
		[STAGE_OF_EOM] = "milter_end_of_data_macros",
		[STAGE_OF_EOH] = "milter_end_of_header_macros",
		[STAGE_OF_UNKNOWN] = "milter_unknown_command_macros" };
	const char *text = conf_str(s->view, s->is_local ? "non_smtpd_milters" : "smtpd_milters");
	struct milter_settings *m;

	m = arena_alloc(s->mem, sizeof *m);
	m->maps = s->is_local ? "" : conf_str(s->view, "smtpd_milter_maps");
	m->list = milter_list_parse(s->view, str_c(text), s->mem);
	if (m->list.n == 0 && *m->maps == '\0')
		return;
	for (size_t i = 0; i < MILTER_MACRO_LISTS; i++)
		m->macros[i] = conf_str(s->view, lists[i]);
	m->defaults = conf_str(s->view, "milter_macro_defaults");
	m->header_checks = conf_str(s->view, "milter_header_checks");
	s->milter = m;
	for (size_t i = 0; i < m->list.n; i++)
		if (is_outside(&m->list.item[i]))
			log_warn("milter %.*s: smtpd is locked into %s and looks for that path below it; put the "
				 "socket there, or let the milter listen on inet:127.0.0.1:PORT",
				STR_ARG(m->list.item[i].service->where), smtpd.child.queue_directory);
}
