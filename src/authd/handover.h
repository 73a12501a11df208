/*
 * handover.h - a login that another service takes over: it was good, on a socket of the type "login", and the service behind the
 * login process asks by REQUEST on a master socket who that is. It has to name the process, the number and the cookie of the
 * connection, and has as long for it as a client has for an answer.
 */
#ifndef AUTHD_HANDOVER_H
#define AUTHD_HANDOVER_H

#include "authd/login.h"

struct handover {
	struct handover *next;
	struct arena *mem; /* holds all of it, and no password */
	uint32_t id;	   /* of the login */
	uint64_t until_ms;
	struct vars vars;
	const struct sql_row *prefetched; /* userdb_… of the passdbs, without that prefix; NULL: there were none */
	bool is_anonymous, wants_token;
};

/* The login was good: keep what is needed of it, if its socket is of that type and no field says that nobody will ask. */
void handover_keep(const struct login *l);
/*
 * REQUEST <id> <client pid> <client id> <cookie> […]: the login, taken out, in *taken. Returns 0; 1: there is none such, or it is
 * not for this peer (logged); -1: the line is no REQUEST.
 */
int handover_take(struct client *master, struct str rest, struct handover **taken);
/* What the answer has behind the user's own fields, each with a TAB in front; user: by the userdb. */
void handover_add(const struct authd *a, const struct handover *h, struct str user, struct buf *out);
void handover_free(struct handover **h);
/* The client is gone; or: drop what nobody asked for in time. */
void handover_drop(struct client *c);
void handover_sweep(struct client *c);

#endif
