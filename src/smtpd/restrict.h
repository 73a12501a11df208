/*
 * restrict.h - access restriction lists (Postfix's SMTPD_ACCESS_README): what restrict.c (the evaluation),
 * restrictions.c (the table of names) and access.c (check_*_access) share.
 */
#ifndef SMTPD_RESTRICT_H
#define SMTPD_RESTRICT_H

#include "smtpd/smtpd.h"

enum verdict {
	V_DUNNO,  /* nothing said: the next one */
	V_PERMIT, /* the list ends, taken */
	V_REJECT, /* the whole evaluation ends; check->refusal says how */
	V_WAIT	  /* a question is open; run() comes again with step + 1 and the answer in session->question */
};

enum { FRAMES_MAX = 12 };

struct frame { /* a list, a restriction class, an action of access(5) that is a list */
	const struct restriction *item;
	size_t n, i;
};

struct refusal {
	int code; /* 0: none */
	char enhanced[12];
	const char *text; /* in check->mem */
};

struct check {
	struct session *session;
	struct arena *mem;
	unsigned stages; /* left to do */
	enum stage stage;
	bool in_stage, at_end; /* of its list: what follows it is asked */
	struct frame frame[FRAMES_MAX];
	unsigned depth;
	bool warn; /* warn_if_reject stood before */
	unsigned step;
	bool permitted[STAGE_COUNT]; /* the list ended with a permit */
	struct refusal refusal, if_permit, if_reject;
	enum outcome (*then)(struct session *s, bool taken);
};

struct restriction_kind {
	const char *name;
	enum verdict (*run)(struct check *c, const struct restriction *r);
	int variant; /* of run */
	bool has_arg, is_guard;
};

/* restrictions.c; NULL: not known */
const struct restriction_kind *restriction_find(struct str name);
/* The kinds in turn; NULL behind the last. */
const struct restriction_kind *restriction_number(size_t i);
/* Kind of a table that stands alone in a list of that stage. */
const struct restriction_kind *restriction_of_table(enum stage stage);
extern const struct restriction_kind restriction_class, restriction_warn;
/* The checks that follow a list without being named in it. */
enum verdict restriction_implicit(struct check *c);
bool is_foreign_rcpt(const struct check *c);

/* What a refusal is about. */
enum about { ABOUT_CLIENT, ABOUT_HELO, ABOUT_SENDER, ABOUT_RCPT, ABOUT_STAGE };
/* "<a@b>: Sender address rejected: text" */
enum verdict check_refuse(struct check *c, int code, const char *enhanced, enum about about, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* text as it is */
enum verdict check_refuse_text(struct check *c, int code, const char *enhanced, const char *text);
enum verdict check_config_error(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Mail is deferred with this, if nothing rejects it. */
void check_defer_if_permit(struct check *c, int code, const char *enhanced, enum about about, const char *text);
/* Go into a list. V_DUNNO, or a configuration error when lists nest too deep. */
enum verdict check_enter(struct check *c, struct restriction_list list);
/* Continuation of every question that a restriction opens before it returns V_WAIT. */
enum outcome check_resume(struct session *s);
/* Address of the sender, the recipient that is meant here; "" when there is none. */
struct str check_sender(const struct check *c);
struct str check_rcpt(const struct check *c);

/* access.c */
enum access_key { KEY_CLIENT, KEY_HELO, KEY_SENDER, KEY_RCPT, KEY_ETRN };
enum verdict run_access(struct check *c, const struct restriction *r);
/* Do what an action of access(5) says. `from` names its table in the log; `action` is in check->mem. */
enum verdict access_act(struct check *c, struct str action, struct str from, enum about about);

/* restrict_cert.c */
enum verdict run_cert_access(struct check *c, const struct restriction *r);
enum verdict run_relay_certs(struct check *c, const struct restriction *r);
enum verdict run_all_certs(struct check *c, const struct restriction *r);

/* restrict_policy.c */
enum verdict run_policy(struct check *c, const struct restriction *r);

/* restrict_route.c: refuses a recipient whose transport is error(8) or retry(8). */
enum verdict check_route(struct check *c);

/* restrict_sender.c */
enum verdict run_login_mismatch(struct check *c, const struct restriction *r);
enum verdict run_unknown_domain(struct check *c, const struct restriction *r);
enum login_variant { LOGIN_ANY, LOGIN_AUTHENTICATED, LOGIN_KNOWN, LOGIN_UNAUTHENTICATED };

#endif
