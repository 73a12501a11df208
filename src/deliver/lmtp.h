/*
 * lmtp.h - one LMTP connection: a socket around the engine of smtp/client.h, and what of a job ends on it.
 *
 *	NEW ─► RESOLVING ─► CONNECTING ─► SESSION (greeting, LHLO) ─► BUSY (a job) ◄─► IDLE ─► gone
 *
 * An idle connection waits lmtp_connection_cache_time_limit for the next job of the same nexthop and service.
 */
#ifndef DELIVER_LMTP_H
#define DELIVER_LMTP_H

#include "deliver/deliver.h"
#include "deliver/lmtp_dest.h"
#include "smtp/client.h"

enum lmtp_state { LMTP_RESOLVING, LMTP_CONNECTING, LMTP_SESSION, LMTP_BUSY, LMTP_IDLE, LMTP_QUITTING };

struct lmtp_conn {
	struct deliver *deliver;
	struct lmtp_conn *next;
	enum lmtp_state state;
	struct lmtp_dest dest;
	char *nexthop, *service;
	char relay[600]; /* "host[address]:port", "host[private/dovecot-lmtp]" */
	char host[256];	 /* the server's name, for texts and Remote-MTA */
	const struct conf_view *view;
	struct smtp_client client;
	struct client_message message;
	struct run *run;    /* NULL: none */
	uint64_t body_from; /* octets of the wire form given to the engine */
	bool used;	    /* it carried a job before: its loss may be the server's own time-out */
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_getaddrinfo_t resolve;
	unsigned open_handles;
	bool closing;
};

/* lmtp_connect.c: a new connection for the run; what fails ends it. */
void lmtp_connect(struct run *r);

/* lmtp.c */
void lmtp_on_socket(uv_poll_t *poll, int status, int events);
/* One handle (or request) of the connection less; the last one frees it. h->data is the connection. */
void lmtp_on_closed(uv_handle_t *h);
/* Wait as long as the step under way may take. */
void lmtp_restart_timer(struct lmtp_conn *c);
/* End it; c->run is NULL by then. */
void lmtp_close(struct lmtp_conn *c);
/* There is no connection to be had: the run (if any) is deferred. */
void lmtp_fail_and_close(struct lmtp_conn *c, const char *dsn, const char *why);

/* lmtp_end.c: the outcomes of the engine as results; the run is gone afterwards. */
void lmtp_run_sent(struct lmtp_conn *c);
/* No session, or it was lost: recipients without an outcome are deferred with this. `dead`: nothing goes there now. */
void lmtp_run_failed(struct lmtp_conn *c, bool dead, const char *dsn, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
