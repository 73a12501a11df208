/*
 * client_impl.h - what the files of the client share: auth_client.c (the interface, requests, time), auth_link.c (the
 * connection), auth_answer.c (what the service says).
 */
#ifndef AUTH_CLIENT_IMPL_H
#define AUTH_CLIENT_IMPL_H

#include "auth/auth_client.h"
#include "auth/auth_proto.h"
#include "base/arena.h"

#include <sys/socket.h>
#include <sys/stat.h>

enum {
	BUCKETS = 256,
	OUT_MAX = 4 * 1024 * 1024, /* octets that the service may be behind before a request counts as unanswered */
	RETRY_MS = 1000,
	AFTER_SPID_MS = 1000, /* what follows in a greeting follows at once */
	RETRY_FIRST_MS = 150, /* a service that starts together with us needs about that long */
	TICK_MS = 250,
	HANDSHAKE_MS = 10000,
	FRESH_MS = 60000, /* an older connection is made anew before the next request */
	MECHS_MAX = 64
};

enum link_state {
	LINK_DOWN,	 /* no descriptor; retry_ms says when to try again */
	LINK_CONNECTING, /* connect() is under way */
	LINK_GREETING,	 /* connected; before DONE */
	LINK_UP
};

/* One connection; libuv wants it to live until its close callback, when the next one may be under way already. */
struct link {
	uv_poll_t poll;
	struct auth_client *client; /* NULL: given up */
};

struct auth_client {
	uv_loop_t *loop;
	uv_timer_t timer;
	uv_prepare_t flush; /* what one turn of the loop asks leaves in one write */
	unsigned closing;
	void (*on_up)(struct auth_client *c); /* may be NULL */
	char *path;
	struct sockaddr_storage address;
	socklen_t address_size;
	const char *address_error; /* static; NULL: address is good */
	uint64_t timeout_ms;
	enum link_state state;
	struct link *link;
	int fd;
	uint64_t retry_ms, tried_ms, handshake_ms; /* uv_now() */
	uint64_t up_ms, heard_ms;		   /* DONE came; the last octet came */
	dev_t dev;				   /* the socket's file when it was connected to; 0: none was seen */
	ino_t ino;
	unsigned failures;	 /* connections in a row that came to nothing */
	const char *what, *hint; /* of the last failure: "cannot connect to" why hint */
	char why[128];
	bool said; /* "cannot connect" is in the log, "is back" not yet */
	struct buf in, out;
	struct arena *mech_mem, *new_mem;
	struct auth_mech mechs[MECHS_MAX], new_mechs[MECHS_MAX];
	size_t n_mechs, n_new;
	bool only_spid; /* SPID came before any MECH */
	unsigned minor; /* the service's */
	uint32_t last_id;
	size_t n_requests;
	struct auth_request *bucket[BUCKETS];
	struct auth_request *temp, *bad; /* ended within a call of the caller: told from the timer */
};

/* auth_client.c */
/* The request of that number out of the table; NULL: nobody asked. */
struct auth_request *auth_request_take(struct auth_client *c, uint32_t id);
struct auth_request **auth_request_find(struct auth_client *c, uint32_t id);
void auth_request_end(struct auth_request *r, enum auth_outcome outcome, struct str user, struct str reason);
/* Answer a request for the data of the channel, which came alone. */
void auth_send_binding(struct auth_request *r, struct str type);
/* It came with a challenge: the data go with its answer. */
void auth_want_binding(struct auth_request *r, struct str type);
/* What is in c->out leaves at the end of this turn of the loop. */
void auth_client_flush_soon(struct auth_client *c);
/* All that was asked on a connection that is gone, told from the timer. */
void auth_requests_end_later(struct auth_client *c);
/* Let the timer run in `ms` milliseconds at the latest. */
void auth_client_arm(struct auth_client *c, uint64_t ms);

/* auth_link.c */
/* Put the address of `path` into the client. NULL, or why it is none. */
const char *auth_link_parse_unix(struct auth_client *c, const char *path);
const char *auth_link_parse_inet(struct auth_client *c, const char *text);
void auth_link_connect(struct auth_client *c);
void auth_link_close(struct auth_client *c);
/* It is of no use any more: say so once, end what was asked, and try again in a while. */
void auth_link_failed(struct auth_client *c, const char *what, const char *why, const char *hint);
/* It came to nothing in the greeting, for `why`; as a socket that is not for clients, if it has shown that it is one. */
void auth_link_no_greeting(struct auth_client *c, const char *what, const char *why, const char *hint);
/* The log line of a service that cannot be reached, once until it is back. */
void auth_link_say_down(struct auth_client *c);
void auth_link_flush(struct auth_client *c);
/* Was the socket's file replaced since, or is the connection old? */
bool auth_link_is_stale(struct auth_client *c);

/* auth_answer.c: one line, its first word cut off. greeting: -1 the connection is gone */
int auth_greeting_line(struct auth_client *c, struct str word, struct str rest);
void auth_answer_line(struct auth_client *c, struct str word, struct str rest);

#endif
