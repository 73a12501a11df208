/* The TCP ports that smtpd connects to: the jail permits no other. */
#include "smtpd/smtpd.h"
#include "conf/params.h"

#include <netdb.h>
#include <stdlib.h>

enum { PORTS_MAX = 64, PORT_DNS = 53 };

static uint16_t ports[PORTS_MAX + 1]; /* ends with 0 */
static size_t n_ports;

static void add_port(unsigned long port)
{
	if (port == 0 || port > 65535)
		return;
	for (size_t i = 0; i < n_ports; i++)
		if (ports[i] == port)
			return;
	if (n_ports == PORTS_MAX)
		fatal("main.cf and master.cf name more than %d ports that smtpd connects to", PORTS_MAX);
	ports[n_ports++] = (uint16_t)port;
}

/* A number, or a name of /etc/services. */
static unsigned long port_of(struct str text)
{
	uint64_t number;
	char *name;
	const struct servent *service;

	if (str_u64(text, &number))
		return number <= UINT16_MAX ? (unsigned long)number : 0;
	name = xstrndup(text);
	service = getservbyname(name, "tcp");
	free(name);
	return service ? ntohs((uint16_t)service->s_port) : 0;
}

/* Each "inet:HOST:PORT" of a value, whatever stands around it: { inet:127.0.0.1:9998, timeout=10s }. */
static void add_ports_of(const char *value)
{
	for (const char *at = strstr(value, "inet:"); at; at = strstr(at, "inet:")) {
		size_t n;
		const char *colon;

		at += strlen("inet:");
		n = strcspn(at, " \t\n,{}");
		colon = memrchr(at, ':', n);
		add_port(port_of(colon ? str_pn(colon + 1, n - (size_t)(colon + 1 - at)) : str_pn(at, n)));
	}
}

static void add_ports_of_view(const struct conf_view *v)
{
	const struct param *const *rows;
	size_t n = params_all(&rows);
	struct arena *mem = arena_new(512);
	struct str *class;

	for (size_t i = 0; i < n; i++)
		if (rows[i]->type == PARAM_STRING || rows[i]->type == PARAM_LIST || rows[i]->type == PARAM_RAW)
			add_ports_of(conf_str(v, rows[i]->name));
	n = conf_list(v, "smtpd_restriction_classes", mem, &class);
	for (size_t i = 0; i < n; i++) {
		const char *value = conf_lookup(v, arena_printf(mem, "%.*s", STR_ARG(class[i])));

		add_ports_of(value ? value : "");
	}
	arena_free(&mem);
}

const uint16_t *ports_to_connect(void)
{
	n_ports = 0;
	memset(ports, 0, sizeof ports);
	add_port(PORT_DNS);
	for (size_t i = 0; i < smtpd.n_service; i++)
		add_ports_of_view(smtpd.service[i].view);
	return ports;
}
