/*
 * dsn.h - delivery status notifications: multipart/report with its three parts (RFC 3461, 3462, 3464; Postfix's texts).
 */
#ifndef MIME_DSN_H
#define MIME_DSN_H

#include "log/envelope.h"

enum dsn_kind { DSN_FAILURE, DSN_DELAY, DSN_SUCCESS };
enum dsn_action { ACTION_FAILED, ACTION_DELAYED, ACTION_DELIVERED, ACTION_RELAYED, ACTION_EXPANDED };

struct dsn_rcpt {
	const struct envelope_rcpt *rcpt;
	enum dsn_action action;
	struct str status;	   /* "5.1.1" */
	struct str remote_mta;	   /* "" : no Remote-MTA field */
	struct str diagnostic;	   /* "550 5.1.1 …"; "" */
	bool diagnostic_is_smtp;   /* "smtp;" or "X-Gatepost;" */
	struct str text;	   /* for the human part */
	uint64_t will_retry_until; /* DELAY: seconds since 1970; 0: none */
};
struct dsn_report {
	enum dsn_kind kind;
	uint64_t report_id; /* the report's own queue id */
	struct str myhostname, mail_name;
	const struct envelope *env; /* of the message it is about */
	const struct dsn_rcpt *rcpt;
	size_t n_rcpt;
	struct str original; /* its content, unstuffed: whole, or the header only; may be cut */
	bool original_is_full;
	bool original_is_lost; /* nothing of it is left: the report says so, and has no third part */
	uint64_t now_us;
};
/* The report's content (header, body), CRLF lines, not dot-stuffed. -1: over out's maximum. */
int dsn_put(struct buf *out, const struct dsn_report *r);

#endif
