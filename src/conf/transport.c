#include "conf/transport.h"

static const char *const commands[TRANSPORTS] = {
	[TRANSPORT_SMTP] = "smtp",
	[TRANSPORT_RELAY] = "relay",
	[TRANSPORT_LMTP] = "lmtp",
	[TRANSPORT_VIRTUAL] = "virtual",
	[TRANSPORT_LOCAL] = "local",
	[TRANSPORT_ERROR] = "error",
	[TRANSPORT_RETRY] = "retry",
	[TRANSPORT_DISCARD] = "discard",
};

enum transport transport_find(struct str command)
{
	enum transport t = 0;

	while (t < TRANSPORTS && !str_eq(command, str_c(commands[t])))
		t++;
	return t;
}

const char *transport_command(enum transport t)
{
	return commands[t];
}
