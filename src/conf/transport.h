/* transport.h - the commands of master.cf that mail can be delivered by, for who delivers and for who checks without delivering. */
#ifndef CONF_TRANSPORT_H
#define CONF_TRANSPORT_H

#include "base/str.h"

enum transport {
	TRANSPORT_SMTP,
	TRANSPORT_RELAY,
	TRANSPORT_LMTP,
	TRANSPORT_VIRTUAL,
	TRANSPORT_LOCAL,
	TRANSPORT_ERROR,
	TRANSPORT_RETRY,
	TRANSPORT_DISCARD,
	TRANSPORTS
};

/* Of a command: conf_transport_command() has it for a transport's name. TRANSPORTS: nothing here delivers by it. */
enum transport transport_find(struct str command);
/* Its command. Static. */
const char *transport_command(enum transport t);

#endif
