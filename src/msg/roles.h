/* roles.h - our processes, by the name that they bear in the process list. */
#ifndef MSG_ROLES_H
#define MSG_ROLES_H

#include "base/str.h"

enum role {
	ROLE_NONE,
	ROLE_MASTER,
	ROLE_SMTPD,
	ROLE_AUTHD,
	ROLE_MAPD,
	ROLE_QUEUED,
	ROLE_RELAY,
	ROLE_DELIVER,
	ROLE_COUNT
};

/* "smtpd" …; static. */
const char *role_name(enum role r);
/* ROLE_NONE for another name. */
enum role role_find(struct str name);

#endif
