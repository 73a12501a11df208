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
	ROLE_FETCHD,
	ROLE_AUTHPAM,
	ROLE_KEYD,
	ROLE_COUNT
};

/* "smtpd" …; static. */
const char *role_name(enum role r);
/* ROLE_NONE for another name. */
enum role role_find(struct str name);

/* How a process is to end. */
enum stop_how {
	STOP_NOW,      /* exit at once */
	STOP_REPLACED, /* a successor is there: finish what is under way, then exit 0 */
	STOP_INSTANCE  /* nothing comes after: finish what cannot be broken off without being done twice, then exit 0 */
};

#endif
