/* check_transports.c - parameters that name a row of master.cf whose command nothing here delivers by. */
#include "conf/transport.h"
#include "ctl/check.h"

static void check_transport(const struct checked *c, const struct conf *conf, const char *parameter)
{
	struct str rest = str_c(conf_str(c->view, parameter)), name;
	const struct conf_service *row;

	str_field(&rest, ":", &name);
	if (name.n == 0 || transport_find(conf_transport_command(conf, name)) != TRANSPORTS)
		return;
	row = conf_service_find(conf, name, "unix");
	if (row == NULL)
		buf_addf(c->warnings, "%s: %s = %s: master.cf has no service %.*s of type unix: this mail waits\n",
			c->where, parameter, conf_str(c->view, parameter), STR_ARG(name));
	else
		buf_addf(c->warnings,
			"%s: %s = %s: the service %s of master.cf, line %u, has the command %s, which cannot be run "
			"here: "
			"this mail "
			"waits; deliver to a program by LMTP, as in lmtp:unix:private/dovecot-lmtp\n",
			c->where, parameter, conf_str(c->view, parameter), row->name, row->line, row->command);
}

void check_transports(const struct checked *c, const struct conf *conf)
{
	static const char *const parameters[] = { "local_transport", "virtual_transport", "relay_transport",
		"default_transport" };

	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		check_transport(c, conf, parameters[i]);
}
