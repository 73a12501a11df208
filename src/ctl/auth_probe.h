/*
 * auth_probe.h - between the files of `gatepost auth test`: auth_probe.c (the exchange, over the socket that smtpd uses),
 * auth_watch.c (what authd says of it on its control socket), auth_report.c (the steps, as text or JSON).
 */
#ifndef CTL_AUTH_PROBE_H
#define CTL_AUTH_PROBE_H

#include "base/arena.h"
#include "base/buf.h"

/* ---- auth_report.c ---- */

enum { REPORT_PAIRS = 12, REPORT_STEPS = 400 };

struct report_step {	 /* all slices in the report's arena */
	uint64_t at_ns;	 /* uv_hrtime(), of this machine */
	bool is_service; /* said by authd; else by us */
	const char *what;
	struct str key[REPORT_PAIRS], value[REPORT_PAIRS];
	size_t n;
};
struct report {
	struct arena *mem;
	struct report_step step[REPORT_STEPS];
	size_t n;
	uint64_t begin_ns;
	const char *user, *mech; /* mech: NULL: none was chosen */
	struct str service_user; /* of OK */
	const char *outcome;	 /* "ok", "failed", "temporary failure" */
	const char *reason;	 /* "": none */
	bool is_own;		 /* it is ours, and the whole truth: the service refused nothing */
};

/* A new step, to be filled; what comes when there is no more room is dropped. */
struct report_step *report_add(struct report *r, const char *what, uint64_t at_ns);
/* Copies the value. */
void report_pair(struct report *r, struct report_step *s, const char *key, struct str value);
/* The outcome, then all steps in the order of their time. */
void report_text(struct report *r);
void report_json(struct report *r);

/* ---- auth_watch.c ---- */

/*
 * Ask authd to tell the steps of the logins of `session`. The current directory is queue_directory. Returns the socket, or -1
 * with *why (static): there is none, or it is not for us.
 */
int auth_watch(const char *session, const char **why);
/* Take what was said until the end of a login, or a second has passed; closes the socket. */
void auth_watch_read(int fd, struct report *r);

#endif
