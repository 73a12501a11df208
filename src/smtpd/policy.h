/*
 * policy.h - ask a policy service (Postfix's SMTPD_POLICY_README): "name=value" lines and an empty line out,
 * "action=…" and an empty line back.
 *
 * One connection carries one request at a time; idle ones are kept for the next. Sockets are `unix:path`, relative to the
 * queue directory, and `inet:address:port` with a numeric address.
 */
#ifndef SMTPD_POLICY_H
#define SMTPD_POLICY_H

#include "base/buf.h"
#include <uv.h>

struct policy_conn;

struct policy_request { /* embedded in the question; zeroed by the caller */
	void (*on_answer)(struct policy_request *r);
	struct buf action; /* the answer's action; empty with `why` set when there is none */
	const char *why;
	/* policy.c's */
	struct policy_conn *conn;
	struct buf out; /* the request, for a second try on a new connection */
	char *endpoint;
	uint64_t timeout_ms;
};

/*
 * Ask. `request` is all lines with the empty one at the end (copied). on_answer comes from the loop, once, never from
 * within the call.
 */
void policy_ask(
	struct policy_request *r, uv_loop_t *loop, struct str endpoint, struct str request, uint64_t timeout_ms);
/* No answer will come; frees what the request holds. Allowed after the answer too. */
void policy_end(struct policy_request *r);

#endif
